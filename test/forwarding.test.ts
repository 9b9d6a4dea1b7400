import { afterEach, describe, expect, jest, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ConfigurationError,
  createCorrelator,
  type MailEvent,
  memoryStore,
  type SentMessage,
} from '../src/index.js'
import { ForwardingError } from '../src/errors.js'
import { type Forwarding, type ForwardingOptions, forwardTo } from '../src/forwarding.js'
import { toSentMessage } from '../src/message.js'
import { sendgridSimulator, sendgridTransport } from '../src/providers/sendgrid/index.js'
import { startProvider } from '../src/testing/index.js'
import { recordOf } from '../src/testing/store-samples.js'
import { type Endpoint, startEndpoint } from './endpoint.js'
import { outsideWebhook, postEntries } from './outside-provider.js'
import { outsideClient, outsideTransport } from './outside-transport.js'
import { renderingsOf } from './watch-secrets.js'

interface Received {
  path: string | undefined
  headers: IncomingHttpHeaders
  body: string
  json: Record<string, unknown>
}

/** How a target answers its requests, by their number from 0. */
type Behaviour = (response: ServerResponse, index: number) => unknown

const takes: Behaviour = (response) => response.end()
const hangs: Behaviour = () => {}
const answers =
  (status: number): Behaviour =>
  (response) =>
    response.writeHead(status).end()
const dies: Behaviour = (response) => {
  response.writeHead(200, { 'content-length': 100 }).write('half')
  setTimeout(() => response.destroy(), 10)
}

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
  jest.restoreAllMocks()
})

async function startTarget(
  behave: Behaviour = takes,
): Promise<Endpoint & { received: Received[] }> {
  const received: Received[] = []
  const endpoint = await startEndpoint((request, response) => {
    void text(request).then((body) => {
      const { url: path, headers } = request
      received.push({ path, headers, body, json: JSON.parse(body) })
      behave(response, received.length - 1)
    })
  })
  ends.push(endpoint.close)
  return { ...endpoint, received }
}

/** The URL of a port on which nobody listens. */
async function deserted(): Promise<string> {
  const { url, close } = await startEndpoint(() => {})
  await close()
  return url
}

function forwarding(url: string, options: ForwardingOptions = {}) {
  const failures: [string, string][] = []
  const forward = forwardTo(url, {
    firstWait: 1,
    onFailure: (error, { trackingId }) => failures.push([trackingId, error.message]),
    ...options,
  })
  ends.push(() => forward.close({ timeout: 0 }))
  return { forward, failures }
}

const sentMessage = (): SentMessage => ({
  ...toSentMessage(recordOf('ann@example.com', 'bob@example.com')),
  failFlag: false,
})

const event: MailEvent = {
  type: 'delivered',
  id: '01234567-89ab-7def-8123-456789abcdef',
  provider: 'sendgrid',
  providerEvent: 'delivered',
  recipient: 'ann@example.com',
  occurredAt: new Date('2026-01-01T00:00:00Z'),
  receivedAt: new Date('2026-01-01T00:00:01Z'),
  tags: ['order'],
  metadata: { order: '42' },
  correlation: { status: 'matched', via: 'own-id' },
  raw: {
    email: 'ann@example.com',
    event: 'delivered',
    timestamp: 1,
    sg_event_id: 'e',
    sg_message_id: 'm',
  },
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; !condition();) {
    if (Date.now() > end) throw new Error('it did not happen')
    await delay(5)
  }
}

describe('an event', () => {
  test('is posted with its message, as JSON, without what the provider sent', async () => {
    const { url, received } = await startTarget()
    const message = sentMessage()
    await forwarding(`${url}/hooks?key=k`).forward.event(event, message)
    const { raw, ...rest } = event
    expect(received).toHaveLength(1)
    expect(received[0]).toMatchObject({
      path: '/hooks?key=k',
      headers: {
        'content-type': 'application/json',
        'webhook-id': event.id,
        'user-agent': expect.stringMatching(/^mailtrail\//),
      },
    })
    expect(received[0]?.json).toEqual(
      JSON.parse(JSON.stringify({ type: 'delivered', event: rest, message })),
    )
    expect(raw).toBeDefined()
  })

  test('is posted without a message that it does not have, and with the raw one where asked', async () => {
    const { url, received } = await startTarget(answers(299))
    await forwarding(url, { raw: true }).forward.event(event, undefined)
    expect(received[0]?.json).toEqual(JSON.parse(JSON.stringify({ type: 'delivered', event })))
  })

  test.each<[string, Behaviour, string]>([
    ['answers 500', answers(500), 'the target answered 500'],
    ['answers 404', answers(404), 'the target answered 404'],
    ['answers 300', answers(300), 'the target answered 300'],
    ['hangs', hangs, 'the target did not answer in time'],
    [
      'is slow',
      (response) => setTimeout(() => response.end(), 2000),
      'the target did not answer in time',
    ],
    [
      'does not end its answer',
      (response) => response.writeHead(200).write('x'),
      'the target did not answer in time',
    ],
    ['dies after its headers', dies, 'the connection to the target failed with ECONNRESET'],
    [
      'breaks the connection',
      (response) => response.destroy(),
      'the connection to the target failed with ECONNRESET',
    ],
  ])('is not taken when the target %s', async (_, behave, message) => {
    const { url } = await startTarget(behave)
    const { forward } = forwarding(url, { timeout: 100 })
    const begun = performance.now()
    const error = await failureOf(forward.event(event, undefined))
    expect(performance.now() - begun).toBeLessThan(1500)
    expect(error).toBeInstanceOf(ForwardingError)
    expect(error).toMatchObject({ code: 'EFORWARDING', message: `not forwarded: ${message}` })
    const [status] = /\d{3}$/.exec(message) ?? []
    expect(Reflect.get(Object(error), 'statusCode')).toBe(status && Number(status))
  })

  test('is not taken when nobody listens', async () => {
    const { forward } = forwarding(await deserted())
    await expect(forward.event(event, undefined)).rejects.toThrow('failed with ECONNREFUSED')
  })

  test('is not taken when encryption is not agreed on in time', async () => {
    const server = createTcpServer(() => {}).listen(0, '127.0.0.1')
    ends.push(() => server.close().unref())
    await once(server, 'listening')
    const { port } = Object(server.address())
    const { forward } = forwarding(`https://127.0.0.1:${port}`, { timeout: 100 })
    await expect(forward.event(event, undefined)).rejects.toThrow('failed with ETIMEDOUT')
  })

  test('goes nowhere else', async () => {
    const elsewhere = await startTarget()
    const { url } = await startTarget((response) =>
      response.writeHead(307, { location: elsewhere.url }).end(),
    )
    const { forward } = forwarding(url)
    await expect(forward.event(event, undefined)).rejects.toThrow('the target answered 307')
    expect(elsewhere.received).toEqual([])
  })

  test('waits five seconds for its answer unless something else is said', async () => {
    const timers = jest.spyOn(globalThis, 'setTimeout')
    const { url } = await startTarget()
    await forwarding(url).forward.event(event, undefined)
    expect(timers).toHaveBeenCalledWith(expect.anything(), 5000)
  })

  test('reaches a target that fails at first, at least once, each time under the same id', async () => {
    const failures: Behaviour[] = [answers(503), dies, (response) => response.destroy()]
    const { url, received } = await startTarget((response, index) =>
      (failures[index] ?? takes)(response, index),
    )
    const correlator = createCorrelator({ store: memoryStore(), webhooks: [outsideWebhook()] })
    ends.push(() => correlator.close())
    const errors: string[] = []
    correlator.onError(({ message }) => void errors.push(message))
    correlator.onAny(forwarding(url).forward.event, { name: 'analytics' })
    const server = await startEndpoint(correlator.nodeHandler)
    ends.push(server.close)
    const trackingIds: string[] = []
    for (const message of ['m-1', 'm-2', 'm-3', 'm-4']) {
      const recipients = ['ann@example.com']
      const sent = { provider: 'outside', providerMessageId: message, recipients }
      trackingIds.push(await correlator.record(sent))
      const entries = ['accepted', 'delivered'].map((type, index) => ({
        type,
        at: 1_760_000_000 + index,
        to: 'ann@example.com',
        message,
      }))
      expect((await postEntries(`${server.url}/outside`, entries)).status).toBe(202)
    }
    await correlator.drain()
    const stored = await Promise.all(trackingIds.map((id) => correlator.message(id)))
    const ids = stored.flatMap((message) => message?.events.map(({ id }) => id) ?? [])
    expect(ids).toHaveLength(8)
    const taken = received.slice(failures.length)
    expect(taken.map(({ headers }) => headers['webhook-id']).toSorted()).toEqual(ids.toSorted())
    expect(taken[0]?.json).toMatchObject({ message: { provider: 'outside' } })
    expect(errors).toHaveLength(failures.length)
    expect(errors[0]).toContain('the listener "analytics" failed')
  })
})

describe('requests are signed', () => {
  const key = randomBytes(32)
  const other = randomBytes(24)
  const sign = (by: Buffer, { headers, body }: Received): string => {
    const content = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
    return `v1,${createHmac('sha256', by).update(content).digest('base64')}`
  }

  test.each([
    ['with', `whsec_${key.toString('base64')}`],
    ['without', key.toString('base64')],
  ])('as Standard Webhooks says, by a secret %s its prefix', async (_, secret) => {
    const { url, received } = await startTarget()
    await forwarding(url, { secret }).forward.event({ ...event, tags: ['größe'] }, undefined)
    const [request] = received
    if (!request) throw new Error('nothing came')
    expect(request.headers['webhook-signature']).toBe(sign(key, request))
    const timestamp = Number(request.headers['webhook-timestamp'])
    expect(Math.abs(Date.now() / 1000 - timestamp)).toBeLessThan(5)
  })

  test('as the library of the specification signs', async () => {
    jest.spyOn(Date, 'now').mockReturnValue(1_614_265_330_000)
    const { url, received } = await startTarget()
    const { forward } = forwarding(url, { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' })
    await forward.event(event, undefined)
    expect(received[0]?.headers).toMatchObject({
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,k8fhS1DuUJM+7g6v5OSAFjtvFzoheOWMSV/DP2Fn20Y=',
    })
  })

  test('by each of several secrets', async () => {
    const { url, received } = await startTarget()
    const secret = [key, other].map((one) => one.toString('base64'))
    const { forward } = forwarding(url, { secret })
    forward.sent(sentMessage())
    await forward.close()
    const [request] = received
    if (!request) throw new Error('nothing came')
    const signatures = String(request.headers['webhook-signature']).split(' ')
    expect(signatures).toEqual([sign(key, request), sign(other, request)])
  })

  test('only where there is a secret', async () => {
    const { url, received } = await startTarget()
    await forwarding(url).forward.event(event, undefined)
    expect(received[0]?.headers).not.toHaveProperty('webhook-signature')
  })
})

describe('a sent message', () => {
  test('is posted in few words, without addresses', async () => {
    const { url, received } = await startTarget()
    const { forward, failures } = forwarding(url)
    const message = { ...sentMessage(), templateId: 't-1', providerMessageId: 'm-1' }
    forward.sent(message)
    await forward.close()
    expect(received[0]?.headers['webhook-id']).toBe(message.trackingId)
    expect(received[0]?.json).toEqual({
      type: 'email_send_success',
      at: message.sentAt.toISOString(),
      subject: message.subject,
      recipients: 2,
      templateId: 't-1',
      tags: ['order'],
      metadata: { order: '42' },
      trackingId: message.trackingId,
      provider: message.provider,
      providerMessageId: 'm-1',
    })
    expect(failures).toEqual([])
  })

  test('is posted with why it failed', async () => {
    const { url, received } = await startTarget()
    const client = outsideClient({ send: () => Promise.reject(new Error('no')) })
    const transporter = nodemailer.createTransport(outsideTransport(client, { retries: 0 }))
    const { forward } = forwarding(url)
    transporter.on('sent', forward.sent)
    const mail = { from: 'shop@example.com', to: 'ann@example.com', subject: 'x', text: 'y' }
    await expect(transporter.sendMail(mail)).rejects.toThrow('no')
    await forward.close()
    expect(received[0]?.json).toMatchObject({
      type: 'email_send_failed',
      recipients: 1,
      error: { code: 'EUNKNOWN', category: 'unknown', outcome: 'unknown' },
    })
  })

  test('is posted as it was when it was sent', async () => {
    const { url, received } = await startTarget()
    const { forward } = forwarding(url)
    const message = sentMessage()
    forward.sent(message)
    message.tags.push('late')
    await forward.close()
    expect(received[0]?.json).toMatchObject({ tags: ['order'] })
  })

  test('is tried again until the target takes it, under the same id', async () => {
    const failures: Behaviour[] = [answers(500), dies, answers(429)]
    const { url, received } = await startTarget((response, index) =>
      (failures[index] ?? takes)(response, index),
    )
    const { forward, failures: told } = forwarding(url)
    forward.sent(sentMessage())
    await forward.close()
    expect(received).toHaveLength(4)
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(told).toEqual([])
  })

  test('is tried again with growing waits', async () => {
    const times: number[] = []
    const { url } = await startTarget((response) => {
      times.push(performance.now())
      response.writeHead(500).end()
    })
    const { forward } = forwarding(url, { firstWait: 60 })
    forward.sent(sentMessage())
    await until(() => times.length === 4)
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    expect(waits[0]).toBeGreaterThan(25)
    expect(waits[1]).toBeGreaterThan(55)
    expect(waits[2]).toBeGreaterThan(115)
  })

  test('is given up after as many tries as asked for, and that is told', async () => {
    const { url, received } = await startTarget(answers(500))
    const { forward, failures } = forwarding(url, { retries: 1 })
    const message = sentMessage()
    forward.sent(message)
    await forward.close()
    expect(received).toHaveLength(2)
    expect(failures).toEqual([[message.trackingId, 'not forwarded: the target answered 500']])
  })

  test('waits while as many as asked for are being posted', async () => {
    let open = 0
    let most = 0
    const { url, received } = await startTarget((response) => {
      open += 1
      most = Math.max(most, open)
      setTimeout(() => {
        open -= 1
        response.end()
      }, 20)
    })
    const { forward } = forwarding(url, { concurrency: 3 })
    for (let index = 0; index < 10; index += 1) forward.sent(sentMessage())
    await forward.close()
    expect([received.length, most]).toEqual([10, 3])
  })

  test('is posted four at a time, with room for a thousand more, unless something else is said', async () => {
    const { url, received } = await startTarget(hangs)
    const { forward, failures } = forwarding(url)
    for (let index = 0; index < 1005; index += 1) forward.sent(sentMessage())
    expect(failures).toHaveLength(1)
    await until(() => received.length === 4)
    await delay(30)
    expect(received).toHaveLength(4)
  })

  test('that does not fit is told of, and the others are posted', async () => {
    const { url, received } = await startTarget()
    const { forward, failures } = forwarding(url, { concurrency: 1, queue: 2 })
    const messages = Array.from({ length: 5 }, sentMessage)
    for (const message of messages) forward.sent(message)
    await forward.close()
    const ids = messages.map(({ trackingId }) => trackingId)
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual(ids.slice(0, 3))
    const why = 'not forwarded: too many messages wait to be forwarded'
    expect(failures).toEqual(ids.slice(3).map((id) => [id, why]))
  })

  test('takes no longer to send where the target hangs', async () => {
    const { url, received } = await startTarget(hangs)
    const provider = await startProvider(sendgridSimulator({ apiKey: 'SG.key' }))
    ends.push(provider.close)
    const transporter = nodemailer.createTransport(
      sendgridTransport({ apiKey: 'SG.key', baseUrl: provider.url }),
    )
    const { forward } = forwarding(url, { concurrency: 1 })
    transporter.on('sent', forward.sent)
    const mail = { from: 'shop@example.com', to: 'ann@example.com', subject: 'x', text: 'y' }
    for (let index = 0; index < 5; index += 1) {
      const begun = performance.now()
      await transporter.sendMail(mail)
      expect(performance.now() - begun).toBeLessThan(1000)
    }
    await until(() => received.length === 1)
    expect(provider.messages).toHaveLength(5)
  })

  test('is not posted in the turn in which it was sent', async () => {
    const timers = jest.spyOn(globalThis, 'setTimeout')
    const { forward } = forwarding(await deserted())
    timers.mockClear()
    forward.sent(sentMessage())
    await Promise.resolve()
    expect(timers).not.toHaveBeenCalled()
  })
})

describe('closing', () => {
  const inMs = async (work: Promise<unknown>): Promise<number> => {
    const begun = performance.now()
    await work
    return performance.now() - begun
  }

  test('waits for what is queued', async () => {
    const { url, received } = await startTarget((response) => setTimeout(() => response.end(), 20))
    const { forward, failures } = forwarding(url, { concurrency: 1 })
    for (let index = 0; index < 4; index += 1) forward.sent(sentMessage())
    await forward.close()
    expect([received.length, failures]).toEqual([4, []])
  })

  test('waits no longer than it may, and tells of what is left', async () => {
    const { url, received } = await startTarget(hangs)
    const { forward, failures } = forwarding(url, { concurrency: 2, timeout: 1000 })
    const messages = Array.from({ length: 3 }, sentMessage)
    for (const message of messages) forward.sent(message)
    expect(await inMs(forward.close({ timeout: 60 }))).toBeLessThan(800)
    const why = 'not forwarded: the time for closing was over'
    const expected = messages.map(({ trackingId }) => [trackingId, why])
    expect(failures).toEqual(expected)
    // What was on its way ends by itself, and is neither tried again nor told of again.
    await delay(1100)
    expect(failures).toEqual(expected)
    expect(received).toHaveLength(2)
  })

  test('waits for no further try', async () => {
    const { url, received } = await startTarget(answers(500))
    const { forward, failures } = forwarding(url, { firstWait: 1200 })
    forward.sent(sentMessage())
    await until(() => received.length === 1)
    expect(await inMs(forward.close({ timeout: 20 }))).toBeLessThan(550)
    expect(failures).toHaveLength(1)
    await delay(1300)
    expect(received).toHaveLength(1)
  })

  test('ends sent messages, which is told, and not events', async () => {
    const { url, received } = await startTarget()
    const { forward, failures } = forwarding(url)
    await forward.close()
    const message = sentMessage()
    forward.sent(message)
    await forward.event(event, undefined)
    expect(failures).toEqual([[message.trackingId, 'not forwarded: it came after the end']])
    expect(received).toHaveLength(1)
  })
})

describe('failures', () => {
  const warnings: string[] = []
  const catchWarnings = (): void => {
    warnings.splice(0)
    jest
      .spyOn(process, 'emitWarning')
      .mockImplementation((warning) => void warnings.push(String(warning)))
  }
  const closed = async (forward: Forwarding): Promise<Forwarding> => {
    await forward.close()
    return forward
  }

  test('are shown once where nobody listens', async () => {
    catchWarnings()
    const forward = await closed(forwardTo('http://127.0.0.1:1'))
    forward.sent(sentMessage())
    forward.sent(sentMessage())
    expect(warnings).toEqual([
      'a sent message was not forwarded: it came after the end (only the first is shown: give forwardTo an onFailure)',
    ])
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no log')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no log'))],
  ])('harm nothing when their listener %s', async (_, onFailure) => {
    catchWarnings()
    const forward = await closed(forwardTo('http://127.0.0.1:1', { onFailure }))
    forward.sent(sentMessage())
    await delay(1)
    expect(warnings).toEqual(['a listener of failures failed: no log'])
  })

  const secrets = [
    'user-1234',
    'pass-1234',
    'token-1234',
    'ann@example.com',
    '127.0.0.1',
    'localhost',
  ]

  test.each<[string, Behaviour | undefined]>([
    ['answers with what it was sent', (response) => response.writeHead(500).end('ann@example.com')],
    ['hangs', hangs],
    ['dies', dies],
    ['is not there', undefined],
  ])('hold no secret and no address when the target %s', async (_, behave) => {
    const base = behave ? (await startTarget(behave)).url : await deserted()
    const secretUrl = `${base.replace('http://', 'http://user-1234:pass-1234@')}/token-1234`
    const secret = randomBytes(32).toString('base64')
    const found: unknown[] = []
    const { forward } = forwarding(secretUrl, {
      secret,
      timeout: 50,
      retries: 0,
      onFailure: (error) => found.push(error),
    })
    forward.sent(sentMessage())
    await forward.close()
    found.push(await failureOf(forward.event(event, sentMessage())))
    expect(found).toHaveLength(2)
    for (const error of found) {
      expect(error).toBeInstanceOf(ForwardingError)
      const shown = renderingsOf(error).join('\n')
      for (const one of [...secrets, secret]) expect(shown).not.toContain(one)
    }
  })

  test('of a name that is not known do not tell the name', async () => {
    const { forward } = forwarding('http://token-1234.invalid')
    const error = await failureOf(forward.event(event, undefined))
    expect(String(error)).toMatch(/failed with E/)
    expect(renderingsOf(error).join('\n')).not.toContain('token-1234')
  })
})

describe('what is given', () => {
  test('may be a URL object, and have a name and a password', async () => {
    const { url, received } = await startTarget()
    const target = new URL(url)
    target.username = 'user'
    target.password = 'p ss'
    await forwardTo(target).event(event, undefined)
    const credentials = Buffer.from('user:p ss').toString('base64')
    expect(received[0]?.headers.authorization).toBe(`Basic ${credentials}`)
  })

  test.each(['', '/hooks', 'token-1234', 'ftp://token-1234.example.com', 'file:///token-1234'])(
    'must be a URL of http or https: %j',
    (url) => {
      const create = () => forwardTo(url)
      expect(create).toThrow(ConfigurationError)
      expect(create).toThrow(/^forwardTo: the URL must be a whole one, of http or https$/)
    },
  )

  const short = randomBytes(23).toString('base64')
  test.each<[string, unknown]>([
    ['is forgotten in the environment', undefined],
    ['is empty', ''],
    ['is none of several', []],
    ['is no base64', 'open sesame, '.repeat(4)],
    ['is too short', short],
    ['is too long', randomBytes(65).toString('base64')],
    ['is too short beside another', [randomBytes(32).toString('base64'), short]],
  ])('must be no secret that %s', (_, secret) => {
    const create = () => forwardTo('https://example.com', { secret } as ForwardingOptions)
    expect(create).toThrow(ConfigurationError)
    expect(create).toThrow(/^forwardTo: secret must be 24 to 64 bytes in base64/)
  })

  test.each<[string, object]>([
    ['timeout', { timeout: 0 }],
    ['timeout', { timeout: Infinity }],
    ['concurrency', { concurrency: 0 }],
    ['concurrency', { concurrency: 1.5 }],
    ['queue', { queue: -1 }],
    ['retries', { retries: '3' }],
    ['firstWait', { firstWait: Number.NaN }],
    ['onFailure', { onFailure: 'log' }],
  ])('must make sense: %s in %j', (option, options) => {
    const create = () => forwardTo('https://example.com', options as ForwardingOptions)
    expect(create).toThrow(ConfigurationError)
    expect(create).toThrow(`forwardTo: ${option} must be`)
  })
})
