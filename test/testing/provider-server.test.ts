import { afterEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProviderSimulator, SimulatedMessage } from '../../src/simulator.js'
import {
  type RunningProvider,
  type ScriptedPost,
  startProvider,
  type StartOptions,
} from '../../src/testing/index.js'
import { type Endpoint, startEndpoint } from '../endpoint.js'

// A provider of a few lines: what holds for every simulated provider is tested with it.
const simulator: ProviderSimulator = {
  provider: 'outside',
  answer: async ({ body }) =>
    body.length === 0
      ? { answer: { status: 400, headers: {}, body: 'nothing to send' } }
      : {
          answer: { status: 200, headers: { 'x-id': 'm-1' }, body: 'taken' },
          message: {
            id: 'm-1',
            recipients: [{ address: 'ann@example.com', id: 'm-1' }],
            subject: body.toString(),
            metadata: {},
            tags: [],
            messageId: '',
            request: null,
          },
        },
  entry: (_message, { type, recipient }) => ({ type, recipient }),
  webhooks: (entries, _now, forged = false) => [
    { headers: { 'x-forged': String(forged) }, body: Buffer.from(JSON.stringify(entries)) },
  ],
}

let provider: RunningProvider
let endpoint: Endpoint | undefined

afterEach(async () => {
  await provider.close()
  await endpoint?.close()
  endpoint = undefined
})

const send = (body: string): Promise<Response> => fetch(provider.url, { method: 'POST', body })

/** Starts the provider and an endpoint that notes what is posted to it. */
async function start(script?: StartOptions['script'], status = 200): Promise<string[]> {
  const posts: string[] = []
  endpoint = await startEndpoint(async (request, response) => {
    let body = ''
    for await (const piece of request) body += String(piece)
    posts.push(request.headers['x-forged'] === 'true' ? `forged ${body}` : body)
    response.writeHead(status).end('noted')
  })
  const options = { webhookUrl: endpoint.url, ...(script && { script }) }
  provider = await startProvider(simulator, options)
  return posts
}

const about = (type: 'delivered' | 'opened'): ScriptedPost['events'] => [
  { type, recipient: 'ann@example.com' },
]

describe('a running provider', () => {
  test('answers the API and keeps what it was asked', async () => {
    provider = await startProvider(simulator)
    const response = await send('hello')
    expect([response.status, response.headers.get('x-id'), await response.text()]).toEqual([
      200,
      'm-1',
      'taken',
    ])
    expect((await send('')).status).toBe(400)
    expect(provider.requests.map(({ method, body }) => [method, body.toString()])).toEqual([
      ['POST', 'hello'],
      ['POST', ''],
    ])
    expect(provider.messages.map(({ subject }) => subject)).toEqual(['hello'])
  })

  test('tells that a message was accepted and delivered unless a script says otherwise', async () => {
    const posts = await start()
    await send('hello')
    await provider.settled()
    expect(posts.map((post) => JSON.parse(post)[0].type)).toEqual(['accepted', 'delivered'])
  })

  test('posts by the script: in its order, repeated, delayed, forged and changed', async () => {
    const change = (entry: Record<string, unknown>) => ({ ...entry, extra: 1 })
    const posts = await start(() => [
      { events: about('delivered'), times: 2 },
      { events: [{ type: 'opened', recipient: 'ann@example.com', change }], after: 20 },
      { events: about('opened'), forged: true },
    ])
    const began = Date.now()
    await send('hello')
    await provider.settled()
    expect(Date.now() - began).toBeGreaterThanOrEqual(19)
    expect(posts).toEqual([
      '[{"type":"delivered","recipient":"ann@example.com"}]',
      '[{"type":"delivered","recipient":"ann@example.com"}]',
      '[{"type":"opened","recipient":"ann@example.com","extra":1}]',
      'forged [{"type":"opened","recipient":"ann@example.com"}]',
    ])
    expect(provider.posted.map(({ status, answer }) => [status, answer])).toEqual(
      Array.from({ length: 4 }, () => [200, 'noted']),
    )
  })

  test('posts early events before it answers', async () => {
    const posts = await start(() => [{ events: about('delivered'), early: true }])
    await send('hello')
    expect(posts).toHaveLength(1)
  })

  test('posts by hand', async () => {
    await start(() => [], 503)
    await send('hello')
    const [message] = provider.messages
    const [result] = await provider.post(message as SimulatedMessage, { events: about('opened') })
    expect(result).toMatchObject({ status: 503, answer: 'noted' })
  })

  test('notes that nobody answered', async () => {
    provider = await startProvider(simulator, { webhookUrl: 'http://127.0.0.1:9' })
    await send('hello')
    await provider.settled()
    expect(provider.posted.map(({ status }) => status)).toEqual([0, 0])
  })
})

describe('a call that is to fail', () => {
  test('gets the given answer, once, and nothing is accepted', async () => {
    provider = await startProvider(simulator)
    provider.failNext({
      kind: 'answer',
      status: 429,
      headers: { 'retry-after': '3' },
      body: 'slow',
    })
    const failed = await send('hello')
    expect([failed.status, failed.headers.get('retry-after')]).toEqual([429, '3'])
    expect(provider.messages).toEqual([])
    expect((await send('hello')).status).toBe(200)
  })

  test.each(['cut', 'refused'] as const)('is %s', async (kind) => {
    provider = await startProvider(simulator)
    provider.failNext({ kind })
    await expect(send('hello')).rejects.toThrow('fetch failed')
    expect(provider.messages).toHaveLength(kind === 'cut' ? 1 : 0)
  })

  test('gets no answer', async () => {
    provider = await startProvider(simulator)
    provider.failNext({ kind: 'silent' })
    const caller = new AbortController()
    const call = fetch(provider.url, { method: 'POST', body: 'hello', signal: caller.signal })
    while (provider.messages.length === 0) await delay(5)
    caller.abort()
    await expect(call).rejects.toThrow('aborted')
    expect(provider.messages).toHaveLength(1)
  })
})
