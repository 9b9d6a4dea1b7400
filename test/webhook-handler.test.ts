import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { KeySourceError } from '../src/errors.js'
import { createCorrelator, memoryStore, type Store, type WebhookError } from '../src/index.js'
import { bodyAtHand, createBodyBudget, readBody } from '../src/request-body.js'
import { type Endpoint, startEndpoint } from './endpoint.js'
import { type OutsideEntry, outsideWebhook, postEntries, secret } from './outside-provider.js'
import { collectErrors } from './told-events.js'

const delivered: OutsideEntry = { type: 'delivered', at: 1_760_000_000, to: 'ann@example.com' }

// As the tutorials of the providers have it, and not as the providers need it.
const otherAnswers = {
  tried: 204,
  stored: 201,
  forged: 401,
  malformed: 409,
  unsupported: 406,
  tooLarge: 404,
}

let store: Store
let correlator: ReturnType<typeof createCorrelator>
let errors: string[]
let reasons: string[]
let endpoint: Endpoint

beforeEach(async () => {
  store = memoryStore()
  correlator = createCorrelator({
    store,
    webhooks: [
      outsideWebhook(),
      outsideWebhook({ name: 'outside-2', maxBodyBytes: 20 }),
      outsideWebhook({ name: 'outside-3', inbound: outsideWebhook() }),
      outsideWebhook({ name: 'other-answers', maxBodyBytes: 200, answers: otherAnswers }),
    ],
    bodyTimeout: 300,
  })
  errors = collectErrors(correlator)
  reasons = []
  correlator.on('refused', ({ reason }) => void reasons.push(reason))
  endpoint = await startEndpoint(correlator.nodeHandler)
})
afterEach(async () => {
  await endpoint.close()
  await correlator.close()
})

const nothingStored = async (): Promise<void> => expect(await store.nextDue()).toBeUndefined()

// The same table for both faces: a socket, and a fetch request handed over directly.
const faces: [string, (path: string, init: RequestInit) => Promise<Response>][] = [
  ['nodeHandler', (path, init) => fetch(endpoint.url + path, init)],
  ['handler', (path, init) => correlator.handler(new Request(`https://example.com${path}`, init))],
]

describe.each(faces)('%s', (_, ask) => {
  const post = (path: string, entries: unknown, headers: Record<string, string> = secret) =>
    ask(path, { method: 'POST', headers, body: JSON.stringify(entries) })

  test.each(['/outside', '/outside/', '/webhooks/outside', '/a/b/c/outside?x=1'])(
    'stores what is posted to %s',
    async (path) => {
      const response = await post(path, [delivered])
      expect([response.status, await response.text()]).toEqual([202, 'OK'])
      expect(await store.nextDue()).toBeDefined()
      expect(errors).toEqual([])
    },
  )

  test.each(['/', '/webhooks', '/outside/inbound', '/notoutside', '/outside2'])(
    'knows nothing at %s',
    async (path) => {
      expect((await post(path, [delivered])).status).toBe(404)
      await nothingStored()
    },
  )

  test('takes an empty batch', async () => {
    expect((await post('/outside', [])).status).toBe(202)
  })

  test.each(['GET', 'HEAD'])(
    'answers %s with 200, for a new URL is tried with it',
    async (method) => {
      const response = await ask('/outside', { method })
      expect([response.status, await response.text()]).toEqual([200, method === 'GET' ? 'OK' : ''])
    },
  )

  test.each(['PUT', 'DELETE', 'PATCH'])('allows no %s', async (method) => {
    const response = await ask('/outside', { method })
    expect([response.status, response.headers.get('allow')]).toEqual([
      405,
      'GET, HEAD, OPTIONS, POST',
    ])
  })

  test('says to OPTIONS what it allows', async () => {
    const response = await ask('/outside', { method: 'OPTIONS' })
    expect([response.status, response.headers.get('allow'), await response.text()]).toEqual([
      204,
      'GET, HEAD, OPTIONS, POST',
      '',
    ])
  })

  test.each(['gzip', 'br', 'deflate, gzip', 'x-bomb'])(
    'reads no body that is encoded with %s',
    async (encoding) => {
      const response = await post('/outside', [delivered], {
        ...secret,
        'content-encoding': encoding,
      })
      expect([response.status, await response.text()]).toEqual([415, 'Unsupported Media Type'])
      expect(reasons).toEqual(['unsupported'])
      await nothingStored()
    },
  )

  test('answers with the statuses that a webhook asks for', async () => {
    const asked = [
      await ask('/other-answers', { method: 'GET' }),
      await post('/other-answers', [delivered]),
      await post('/other-answers', [delivered], {}),
      await post('/other-answers', { not: 'a list' }),
      await post('/other-answers', [delivered], { ...secret, 'content-encoding': 'gzip' }),
      await post('/other-answers', [{ ...delivered, id: 'x'.repeat(300) }]),
    ]
    expect(asked.map(({ status }) => status)).toEqual([204, 201, 401, 409, 406, 404])
    expect(asked[2]?.headers.get('www-authenticate')).toBe('Basic realm="webhook"')
  })

  test('serves inbound mail one path further, where a webhook takes any', async () => {
    expect((await post('/outside-3/inbound', [delivered])).status).toBe(202)
    expect((await post('/outside-3/inbound/', [delivered], {})).status).toBe(418)
    expect((await post('/outside/inbound', [delivered])).status).toBe(404)
  })

  test('refuses what is forged, with the status of the provider and without a reason', async () => {
    const response = await post('/outside', [delivered], { 'x-secret': 'guess' })
    expect([response.status, await response.text()]).toEqual([418, 'Refused'])
    expect(errors).toEqual(['outside: webhook refused: the secret is wrong'])
    await nothingStored()
  })

  test('refuses what is malformed, with another status', async () => {
    const response = await post('/outside', { not: 'a list' })
    expect([response.status, await response.text()]).toEqual([422, 'Bad Request'])
    expect(errors).toEqual(['outside: webhook refused: it is no list'])
  })

  test('refuses a body over the limit of the webhook, and reads no further', async () => {
    const response = await post('/outside-2', [delivered])
    expect(response.status).toBe(413)
    expect(errors).toEqual(['outside-2: webhook refused: the body is over 20 bytes'])
    await nothingStored()
  })

  test('refuses a token that came before with other content', async () => {
    await post('/outside', [{ ...delivered, token: 't-1' }])
    const again = await post('/outside', [{ ...delivered, token: 't-1' }])
    const other = await post('/outside', [{ ...delivered, token: 't-1', type: 'complained' }])
    expect([again.status, other.status]).toEqual([202, 418])
    expect(errors).toEqual(['outside: webhook refused: its token came before with another event'])
  })

  test('stores the readable entries of a batch, and the others as unknown', async () => {
    const entries = [delivered, { type: 'exploded' }, null, { ...delivered, type: 'opened' }]
    expect((await post('/outside', entries)).status).toBe(202)
    const now = Date.now() + 1e9
    const due = await store.claim(now, { owner: 'another', until: now }, 10)
    expect(due.map(({ event }) => event.type)).toEqual([
      'delivered',
      'unknown',
      'unknown',
      'opened',
    ])
    expect(due[1]?.event).toMatchObject({ error: 'no event is called exploded' })
  })
})

describe('when the store fails', () => {
  test('the webhook is answered 503, and taken when it comes again', async () => {
    let failing = true
    const flaky: Store = {
      ...store,
      ingest: (...batch) =>
        failing ? Promise.reject(new Error('disk is full')) : store.ingest(...batch),
    }
    const other = createCorrelator({ store: flaky, webhooks: [outsideWebhook()] })
    const told = collectErrors(other)
    const { url, close } = await startEndpoint(other.nodeHandler)
    const refused = await postEntries(`${url}/outside`, [delivered])
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30'])
    expect(await refused.text()).not.toContain('disk')
    expect(told).toEqual(['the store failed while storing a webhook: disk is full'])
    failing = false
    expect((await postEntries(`${url}/outside`, [delivered])).status).toBe(202)
    await close()
    await other.close()
  })
})

test.each([
  ['its keys cannot be had', new KeySourceError('outsideWebhook: key', new Error('sealed'))],
  ['reading it fails', new Error('outsideWebhook: key could not be had: sealed')],
])('when %s, a webhook is answered 503', async (_, error) => {
  const read = (): Promise<never> => Promise.reject(error)
  const other = createCorrelator({ store, webhooks: [outsideWebhook({ read })] })
  const told: unknown[] = []
  other.onError((reported) => told.push([Reflect.get(reported, 'reason'), reported.message]))
  const request = new Request('https://example.com/outside', { method: 'POST', body: '[]' })
  expect((await other.handler(request)).status).toBe(503)
  expect(told).toEqual([
    [
      error instanceof KeySourceError ? 'no-keys' : 'unexpected',
      'outside: webhook refused: outsideWebhook: key could not be had: sealed',
    ],
  ])
})

test('listeners are not waited for', async () => {
  correlator.onAny(() => new Promise(() => {}))
  await correlator.record({ provider: 'outside', providerMessageId: 'm', recipients: ['a@b.c'] })
  const response = await postEntries(`${endpoint.url}/outside`, [{ ...delivered, message: 'm' }])
  expect(response.status).toBe(202)
  // Its listener never ends, so it is not closed.
  correlator = createCorrelator({ store: memoryStore() })
})

test('a body that breaks off changes nothing', async () => {
  const { port } = new URL(endpoint.url)
  const socket = connect(Number(port), '127.0.0.1')
  const broken = new Promise<void>((resolve) => void correlator.onError(() => resolve()))
  socket.write(
    'POST /outside HTTP/1.1\r\nHost: x\r\nx-secret: open sesame\r\nContent-Length: 500\r\n\r\n[',
  )
  setTimeout(() => socket.destroy(), 20)
  await broken
  expect(errors).toEqual([
    'outside: webhook refused: the connection broke before the body was whole',
  ])
  await nothingStored()
})

test('a body of unknown length is cut at the limit, and the caller is answered', async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (let piece = 0; piece < 1000; piece += 1) yield new Uint8Array(100)
  }
  const response = await fetch(`${endpoint.url}/outside`, {
    method: 'POST',
    body: ReadableStream.from(endless()),
    headers: secret,
    duplex: 'half',
  })
  expect(response.status).toBe(413)
  await nothingStored()
})

test('a body that is said to be too large is answered before any of it comes', async () => {
  const socket = connect(Number(new URL(endpoint.url).port), '127.0.0.1')
  const answered = once(socket, 'data')
  socket.write(
    'POST /outside-2 HTTP/1.1\r\nHost: x\r\nx-secret: open sesame\r\nContent-Length: 21\r\n\r\n',
  )
  expect(String(await answered)).toMatch(/^HTTP\/1\.1 413 /)
  socket.destroy()
  expect(reasons).toEqual(['too-large'])
})

test('a fetch request whose body somebody else reads comes again', async () => {
  const request = new Request('https://example.com/outside', {
    method: 'POST',
    headers: secret,
    body: '[]',
  })
  request.body?.getReader()
  expect((await correlator.handler(request)).status).toBe(503)
  expect(errors).toEqual([expect.stringContaining('the body was read before')])
})

test('a path of slashes alone costs no more than its length', async () => {
  const ask = async (length: number): Promise<number> => {
    const path = `${'/'.repeat(length)}x`
    const began = performance.now()
    await correlator.handler(new Request(`https://example.com${path}`, { method: 'POST' }))
    return performance.now() - began
  }
  await ask(1000)
  // Gone through once for each slash it would be tens of seconds.
  expect(await ask(200_000)).toBeLessThan(2000)
})

describe('a body that comes slowly', () => {
  test('is given up in time, and the caller is answered', async () => {
    const pieces = ReadableStream.from(
      (async function* () {
        for (let piece = 0; piece < 100; piece += 1) {
          yield Buffer.from(' ')
          await delay(50)
        }
      })(),
    )
    const response = await fetch(`${endpoint.url}/outside`, {
      method: 'POST',
      body: pieces,
      headers: secret,
      duplex: 'half',
    })
    expect([response.status, await response.text()]).toEqual([408, 'Request Timeout'])
    expect(reasons).toEqual(['too-slow'])
    await nothingStored()
  })

  test('is given up in time where fetch requests come, too', async () => {
    let cancelled = false
    const body = new ReadableStream({
      pull: () => new Promise(() => {}),
      cancel: () => void (cancelled = true),
    })
    const request = new Request('https://example.com/outside', {
      method: 'POST',
      headers: secret,
      body,
      duplex: 'half',
    })
    expect((await correlator.handler(request)).status).toBe(408)
    expect([reasons, cancelled]).toEqual([['too-slow'], true])
  })
})

test('where the head of a request shows that it is wrong, its body is not read', async () => {
  let pulled = 0
  const body = new ReadableStream({
    pull(controller) {
      pulled += 1
      controller.enqueue(new Uint8Array(65_536))
    },
  })
  const unsigned = { kind: 'refused', reason: 'unsigned', detail: 'it bears no signature' } as const
  const read = jest.fn(outsideWebhook().read)
  const webhook = outsideWebhook({
    read,
    refusedByHead: (request) => (request.header('x-secret') ? undefined : unsigned),
  })
  const other = createCorrelator({ store: memoryStore(), webhooks: [webhook] })
  const told: string[] = []
  other.on('refused', ({ reason }) => void told.push(reason))
  const init = { method: 'POST', body, duplex: 'half' } as const
  expect((await other.handler(new Request('https://example.com/outside', init))).status).toBe(418)
  expect(told).toEqual(['unsigned'])
  expect(read).not.toHaveBeenCalled()
  expect(pulled).toBeLessThan(3)
  const signed = { method: 'POST', headers: secret, body: '[]' }
  expect((await other.handler(new Request('https://example.com/outside', signed))).status).toBe(202)
  expect((await other.handler(new Request('https://example.com/outside'))).status).toBe(200)
  await other.close()
})

test('many large bodies at once are put off rather than held in memory', async () => {
  const held = createBodyBudget(1000)
  const first = held.open()
  const second = held.open()
  expect([first.reserve(600), second.reserve(400), second.reserve(1)]).toEqual([true, true, false])
  first.release()
  first.release()
  expect(second.reserve(600)).toBe(true)
  const limits = { size: 10, time: 1000, reserve: () => false }
  const pieces = (async function* () {
    yield Buffer.from('x')
  })()
  expect(await readBody(pieces, limits)).toMatchObject({ kind: 'refused', reason: 'overloaded' })
  expect(bodyAtHand(Buffer.from('x'), limits)).toMatchObject({ reason: 'overloaded' })
})

test('of all bodies together 256 MB are held, and the next megabyte is put off', async () => {
  const mega = 1024 * 1024
  const large = createCorrelator({
    store: memoryStore(),
    webhooks: [outsideWebhook({ maxBodyBytes: 300 * mega })],
  })
  large.onError(() => {})
  // The same megabyte each time takes none of ours.
  const piece = new Uint8Array(mega)
  let pieces = 0
  const body = new ReadableStream(
    {
      pull(controller) {
        pieces += 1
        controller.enqueue(piece)
      },
    },
    { highWaterMark: 0 },
  )
  const init: RequestInit = { method: 'POST', headers: secret, body, duplex: 'half' }
  const { status, headers } = await large.handler(new Request('https://example.com/outside', init))
  expect([status, headers.get('retry-after')]).toEqual([503, '30'])
  expect(pieces).toBe(257)
  await large.close()
})

test('bodies that are refused in the end leave memory as it was', async () => {
  const big = createCorrelator({
    store: memoryStore(),
    webhooks: [outsideWebhook({ maxBodyBytes: 32 * 1024 * 1024 })],
  })
  const told: string[] = []
  big.on('refused', ({ reason }) => void told.push(reason))
  const body = Buffer.alloc(16 * 1024 * 1024, 'x')
  // More in sum than may be held at once: what a refused body held is given back.
  for (let time = 0; time < 40; time += 1) {
    const request = new Request('https://example.com/outside', { method: 'POST', body })
    expect((await big.handler(request)).status).toBe(418)
  }
  expect(new Set(told)).toEqual(new Set(['bad-signature']))
  await big.close()
})

test('a listener of refusals is told which webhook and why, and can be taken away again', async () => {
  const told: unknown[] = []
  const listener = (refusal: WebhookError): void =>
    void told.push([refusal.webhook, refusal.reason, refusal.message])
  const stop = correlator.on('refused', listener)
  const post = () => postEntries(`${endpoint.url}/outside`, [delivered], {})
  await post()
  const first = [['outside', 'bad-signature', 'outside: webhook refused: the secret is wrong']]
  expect(told).toEqual(first)
  stop()
  await post()
  correlator.on('refused', listener)
  correlator.off('refused', listener)
  await post()
  expect(told).toEqual(first)
  expect(() => correlator.on('refused', 'no function' as never)).toThrow(TypeError)
})

test('where somebody listens to refusals there is no warning, and else there is one', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const quiet = createCorrelator({ store: memoryStore(), webhooks: [outsideWebhook()] })
  const stop = quiet.on('refused', () => {})
  const forge = () =>
    quiet.handler(new Request('https://example.com/outside', { method: 'POST', body: '[]' }))
  await forge()
  expect(warn).not.toHaveBeenCalled()
  stop()
  await forge()
  await forge()
  expect(warn).toHaveBeenCalledTimes(1)
  warn.mockRestore()
  await quiet.close()
})
