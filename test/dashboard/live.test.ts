import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Readable } from 'node:stream'
import { dashboard } from '../../src/dashboard/index.js'
import { createLive, digestOf, type Live } from '../../src/dashboard/live.js'
import { fetchHandler } from '../../src/fetch-handler.js'
import { createCorrelator, type HistoryPage, memoryStore } from '../../src/index.js'
import { nodeHandler } from '../../src/node-handler.js'
import type { HttpResponse } from '../../src/http-handler.js'
import { startEndpoint } from '../endpoint.js'
import { type Board, startBoard } from './board.js'

describe('a stream of a view', () => {
  let live: Live
  beforeEach(() => {
    live = createLive(5)
  })
  afterEach(() => live.close())

  /** What comes until a text is among it. */
  async function readUntil(stream: AsyncIterable<unknown>, text: RegExp): Promise<string> {
    let read = ''
    for await (const piece of stream) {
      read += String(piece)
      if (text.test(read)) break
    }
    return read
  }

  test('tells each change, and nothing while there is none', async () => {
    const contents = ['a', 'a', 'a', 'b', 'b']
    let looked = 0
    const stream = live.stream('view', async () => contents[looked++] ?? 'b', digestOf('a'))
    const read = await readUntil(stream, /event: change/)
    expect(read).toBe(
      `retry: 2000\n\n${':\n\n'.repeat(3)}event: change\ndata: ${digestOf('b')}\n\n`,
    )
  })

  test('looks every two seconds unless something else is said', async () => {
    jest.useFakeTimers()
    const slow = createLive()
    let looked = 0
    slow.stream('view', async () => String((looked += 1)), '')
    expect(looked).toBe(1)
    await jest.advanceTimersByTimeAsync(1999)
    expect(looked).toBe(1)
    await jest.advanceTimersByTimeAsync(1)
    expect(looked).toBe(2)
    slow.close()
    jest.useRealTimers()
  })

  test('tells what changed before it was opened', async () => {
    const look = async (): Promise<string> => 'b'
    const [first, late] = [
      live.stream('view', look, digestOf('b')),
      live.stream('view', look, digestOf('a')),
    ]
    expect(await readUntil(late, /:\n\n/)).toMatch(/event: change/)
    expect(await readUntil(first, /\n:\n\n/)).not.toMatch(/change/)
  })

  test('reads for all who look at the same view at once, and for nobody once they have gone', async () => {
    let looked = 0
    const look = async (): Promise<string> => String((looked += 1))
    const streams = [live.stream('view', look, ''), live.stream('view', look, '')]
    await Promise.all(streams.map((stream) => readUntil(stream, /change/)))
    expect(looked).toBe(1)
    let others = 0
    await readUntil(
      live.stream('other', async () => String((others += 1)), ''),
      /(?:change[^]*){5}/,
    )
    expect(looked).toBeLessThanOrEqual(2)
    expect(others).toBeGreaterThanOrEqual(5)
  })

  test('says that the store fails, and goes on when it is back', async () => {
    let looked = 0
    const look = async (): Promise<string> => {
      looked += 1
      if (looked === 2) throw new Error('the store is away')
      return looked < 3 ? 'before' : 'after'
    }
    const stream = live.stream('view', look, digestOf('before'))
    expect(await readUntil(stream, /change/)).toMatch(/event: failure[\s\S]*event: change/)
  })

  test('ends when the dashboard is closed', async () => {
    const stream = live.stream('view', async () => 'a', digestOf('a'))
    live.close()
    expect(await readUntil(stream, /never/)).toMatch(/^retry: /)
  })

  test('is destroyed when nobody reads it any more, in servers of both kinds', async () => {
    const bodies: Readable[] = []
    const handle = async (): Promise<HttpResponse> => {
      const body = live.stream('view', async () => 'a', digestOf('a'))
      bodies.push(body)
      return { status: 200, headers: {}, body }
    }
    const answer = await fetchHandler(handle)(new Request('http://example.com/'))
    await answer.body?.cancel()
    const server = await startEndpoint(nodeHandler(handle))
    const stop = new AbortController()
    await fetch(server.url, { signal: stop.signal })
    stop.abort()
    for (const body of bodies) if (!body.destroyed) await once(body, 'close')
    expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true, true])
    await server.close()
  })
})

describe('over HTTP', () => {
  let running: Board
  beforeEach(async () => {
    running = await startBoard()
  })
  afterEach(() => running.close())

  test('it is a stream of server-sent events that nobody may keep', async () => {
    const stop = new AbortController()
    const answer = await fetch(`${running.url}live?view=messages`, { signal: stop.signal })
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    stop.abort()
  })

  test('a view that is not there has none', async () => {
    expect((await fetch(`${running.url}live?view=nothing`)).status).toBe(404)
    const head = await fetch(`${running.url}live?view=messages`, { method: 'HEAD' })
    expect(head.status).toBe(404)
  })

  test('it comes through servers that speak fetch, and ends when nobody reads', async () => {
    const { handler } = running.board
    const answer = await handler(new Request('http://example.com/mailtrail/live?view='))
    const reader = answer.body?.getReader()
    const first = await reader?.read()
    expect(new TextDecoder().decode(first?.value)).toMatch(/^retry: 2000/)
    await reader?.cancel()
  })
})

test('it takes no event from those who listen in other processes', async () => {
  const store = memoryStore()
  const watching = createCorrelator({ store, webhooks: [] })
  const board = dashboard({ correlator: watching, authorize: () => true })
  const server = createServer((request, response) => void board.nodeHandler(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const stop = new AbortController()
  await fetch(`http://127.0.0.1:${port}/mailtrail/live?view=`, { signal: stop.signal })
  const trackingId = await watching.record({
    provider: 'sendgrid',
    providerMessageId: 'm-1',
    recipients: ['ann@example.org'],
  })
  const read = async function* (): AsyncGenerator<HistoryPage> {
    yield {
      events: [
        {
          type: 'delivered',
          providerEvent: 'delivered',
          tags: [],
          metadata: {},
          recipient: 'ann@example.org',
          ownId: trackingId,
          occurredAt: new Date(),
          raw: {},
        },
      ],
      position: '1',
    }
  }
  await watching.backfill({ provider: 'sendgrid', read }, { from: new Date(Date.now() - 1000) })
  await (await fetch(`http://127.0.0.1:${port}/mailtrail/messages/${trackingId}`)).text()
  const listening = createCorrelator({ store, webhooks: [] })
  const told: string[] = []
  listening.on('delivered', ({ trackingId: of = '' }) => told.push(of))
  await listening.drain()
  expect(told).toEqual([trackingId])
  stop.abort()
  board.close()
  server.closeAllConnections()
  server.close()
  await listening.close()
})
