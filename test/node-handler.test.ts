import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { IncomingMessage, RequestListener } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createCorrelator, memoryStore, type Store } from '../src/index.js'
import { startEndpoint } from './endpoint.js'
import { outsideWebhook, postEntries } from './outside-provider.js'
import { collectErrors } from './told-events.js'

const entries = [{ type: 'delivered', at: 1_760_000_000, to: 'ann@example.com' }]

let store: Store
let correlator: ReturnType<typeof createCorrelator>
let errors: string[]

beforeEach(() => {
  store = memoryStore()
  correlator = createCorrelator({ store, webhooks: [outsideWebhook()] })
  errors = collectErrors(correlator)
})
afterEach(() => correlator.close())

/** Posts to a host that does something with the request before it hands it over. */
async function postThrough(host: RequestListener, path = '/outside'): Promise<Response> {
  const endpoint = await startEndpoint(host)
  const response = await postEntries(endpoint.url + path, entries)
  await response.clone().text()
  await endpoint.close()
  return response
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  return Buffer.concat(pieces)
}

describe('a body that the host has read before', () => {
  test.each(['rawBody', 'body'])('is taken from %s, where the raw bytes are kept', async (name) => {
    const response = await postThrough(async (request, answer) => {
      Object.assign(request, { [name]: await read(request) })
      correlator.nodeHandler(request, answer)
    })
    expect(response.status).toBe(202)
  })

  test('and parsed is refused so that it comes again, with what to change', async () => {
    const response = await postThrough(async (request, answer) => {
      Object.assign(request, { body: JSON.parse((await read(request)).toString()) })
      correlator.nodeHandler(request, answer)
    })
    expect(response.status).toBe(503)
    expect(errors[0]).toContain('mount the handler before express.json()')
    expect(await store.nextDue()).toBeUndefined()
  })

  test('is held to the same limit', async () => {
    const response = await postThrough(async (request, answer) => {
      await read(request)
      Object.assign(request, { rawBody: Buffer.alloc(20_000) })
      correlator.nodeHandler(request, answer)
    })
    expect(response.status).toBe(413)
  })
})

describe('below another path', () => {
  test('the path that was asked for counts, as Express keeps it', async () => {
    const response = await postThrough((request, answer) => {
      Object.assign(request, { originalUrl: request.url, url: '/' })
      correlator.nodeHandler(request, answer)
    })
    expect(response.status).toBe(202)
  })

  test('what is no webhook is handed on', async () => {
    const response = await postThrough((request, answer) => {
      correlator.nodeHandler(request, answer, () => answer.writeHead(299).end('next'))
    }, '/elsewhere')
    expect([response.status, await response.text()]).toEqual([299, 'next'])
  })
})

test('a host that lost patience and answered by itself is left alone', async () => {
  const pending: (() => void)[] = []
  const slow: Store = {
    ...store,
    ingest: async (...batch) => {
      await new Promise<void>((resolve) => pending.push(resolve))
      return store.ingest(...batch)
    },
  }
  const patient = createCorrelator({ store: slow, webhooks: [outsideWebhook()] })
  const told: string[] = []
  patient.onAny(({ type }) => told.push(type))
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  const response = await postThrough((request, answer) => {
    patient.nodeHandler(request, answer)
    setTimeout(() => answer.writeHead(504).end('too late'), 30)
  })
  for (const finish of pending) finish()
  await delay(30)
  process.off('unhandledRejection', note)
  expect(response.status).toBe(504)
  expect(unhandled).toEqual([])
  expect(told).toEqual(['delivered'])
  await patient.close()
})

test('a host that waits for it finds the answer given', async () => {
  let ended: boolean | undefined
  await postThrough(async (request, answer) => {
    await correlator.nodeHandler(request, answer)
    ended = answer.writableEnded
  })
  expect(ended).toBe(true)
})
