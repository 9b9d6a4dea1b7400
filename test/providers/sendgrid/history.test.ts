import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { ConfigurationError, HistoryError } from '../../../src/errors.js'
import type { ParsedEvent } from '../../../src/event.js'
import { eventId, providerKey } from '../../../src/matching.js'
import type { EventHistory, HistoryRequest } from '../../../src/provider.js'
import { sendgridHistory, sendgridWebhook } from '../../../src/providers/sendgrid/index.js'
import type { ApiRequest, SimulatedEvent } from '../../../src/simulator.js'
import type { ApiFailure, RunningProvider } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import {
  asking,
  event,
  eventsOf,
  type HistoryProviderOptions,
  json,
  pagesOf,
  sentMessage,
  startHistory,
} from './history-provider.js'
import { apiKey } from './sending.js'

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function start(options: HistoryProviderOptions = {}) {
  const started = await startHistory(options)
  closers.push(() => started.provider.close())
  return started
}

/** What webhooks were posted with, in the order they came. */
async function startReceiver() {
  const requests: { headers: Record<string, unknown>; body: Buffer }[] = []
  const endpoint = await startEndpoint((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      requests.push({ headers: request.headers, body: Buffer.concat(pieces) })
      response.end()
    })
  })
  closers.push(() => endpoint.close())
  return {
    url: endpoint.url,
    /** The events that the webhook reads from all of them. */
    async events(publicKey: string): Promise<ParsedEvent[]> {
      const webhook = sendgridWebhook({ publicKey })
      const readings = requests.map(({ headers, body }) => {
        const header = (name: string) => {
          const value = headers[name]
          return typeof value === 'string' ? value : undefined
        }
        return webhook.read({ method: 'POST', target: '/', header, body }, new Date())
      })
      return (await Promise.all(readings)).flatMap((reading) => {
        if (reading.kind === 'refused') throw new Error(reading.detail)
        return reading.events
      })
    },
  }
}

const idsOf = (events: readonly ParsedEvent[]) =>
  events.map((one) => eventId('sendgrid', one)).toSorted()
const keysOf = (events: readonly ParsedEvent[]) =>
  events.map((one) => providerKey('sendgrid', one)).toSorted()

const second = 1000
const minute = 60 * second
// A whole second, as SendGrid tells them.
const noon = new Date(Math.floor(Date.now() / second) * second - 60 * minute)
const later = (milliseconds: number): Date => new Date(noon.getTime() + milliseconds)
const span = () => asking(noon, later(30 * minute))

const notLogged = (request: ApiRequest) =>
  request.path.startsWith('/v3/logs/')
    ? json(404, { errors: [{ message: 'not found' }] })
    : undefined

const everyEvent: [string, Partial<SimulatedEvent> & Pick<SimulatedEvent, 'type'>][] = [
  ['accepted', { type: 'accepted' }],
  ['deferred', { type: 'deferred' }],
  ['delivered', { type: 'delivered' }],
  ['bounced for good', { type: 'bounced' }],
  ['bounced for now', { type: 'bounced', bounce: 'soft' }],
  ['rejected', { type: 'rejected' }],
  ['opened', { type: 'opened' }],
  ['clicked', { type: 'clicked', url: 'https://example.com/ü?a=1&b=%20' }],
  ['complained', { type: 'complained' }],
  ['unsubscribed', { type: 'unsubscribed' }],
  [
    'unsubscribed from a group',
    {
      type: 'unsubscribed',
      change: (entry) => ({ ...entry, event: 'group_unsubscribe', asm_group_id: 12345 }),
    },
  ],
  [
    'subscribed to a group again',
    {
      type: 'unsubscribed',
      change: (entry) => ({ ...entry, event: 'group_resubscribe', asm_group_id: 12345 }),
    },
  ],
]

describe('an event that the webhook told', () => {
  test.each(everyEvent)('as %s is the same fact in Email Logs', async (_, told) => {
    const receiver = await startReceiver()
    const { simulator, provider, history } = await start({ webhookUrl: receiver.url })
    await provider.post(sentMessage('Zk3vQm0pT6-xYc1hR_8LdA'), {
      events: [event(told.type, later(minute), told)],
    })
    const [webhook, ...others] = await receiver.events(simulator.publicKey)
    const read = await eventsOf(history, span())
    expect(others).toEqual([])
    expect(read).toHaveLength(1)
    if (webhook === undefined) throw new Error('no webhook came')
    expect(idsOf(read)).toEqual(idsOf([webhook]))
    expect(keysOf(read)).toEqual(keysOf([webhook]))
    expect(keysOf(read)).not.toEqual([undefined])
    const { raw: _raw, ...facts } = webhook
    // What Email Logs has as false, it leaves out.
    const { machine: _machine, ...same } = { machine: undefined, ...facts }
    expect(read[0]).toMatchObject(same)
  })

  const alike = everyEvent.filter(([name]) => name !== 'opened' && name !== 'clicked')
  test.each(alike)('as %s is the same fact in Email Activity', async (_, told) => {
    const receiver = await startReceiver()
    const { simulator, provider, history } = await start({
      webhookUrl: receiver.url,
      instead: notLogged,
    })
    await provider.post(sentMessage('Zk3vQm0pT6-xYc1hR_8LdA'), {
      events: [event(told.type, later(minute), told)],
    })
    const webhooks = await receiver.events(simulator.publicKey)
    const read = await eventsOf(history, span())
    expect(webhooks).toHaveLength(1)
    expect(idsOf(read)).toEqual(idsOf(webhooks))
    expect(read[0]).toMatchObject({
      ownId: '01902d5e-7c00-7000-8000-000000000001',
      tags: ['order', 'spring'],
      metadata: { order: '42' },
      recipient: 'ann@example.com',
    })
  })

  test.each([
    ['opened', { userAgent: 'Mozilla/5.0' }],
    ['clicked', { userAgent: 'Mozilla/5.0', url: 'https://example.com/' }],
  ] as const)('as %s is in Email Activity without the IP address', async (type, facts) => {
    const { provider, history } = await start({ instead: notLogged })
    await provider.post(sentMessage('a'), { events: [event(type, later(minute))] })
    const [read] = await eventsOf(history, span())
    expect(read).toMatchObject({ type, ...facts, occurredAt: later(minute) })
    expect(read).not.toHaveProperty('ip')
  })

  test.each([
    ['hard', 'hard'],
    ['soft', 'block'],
    ['', 'unknown'],
  ])('as a %j bounce is of the kind %s in Email Activity', async (type, kind) => {
    const bounce = { event_name: 'bounced', processed: noon.toISOString(), bounce_type: type }
    const { history } = await start({
      instead: (request) =>
        request.path.startsWith('/v3/messages/')
          ? json(200, { msg_id: 'a.recvd-1', events: [{ ...bounce, reason: 'no more' }] })
          : (notLogged(request) ??
            listOf([{ msg_id: 'a.recvd-1', last_event_time: noon.toISOString() }])(request)),
    })
    expect(await eventsOf(history, span())).toMatchObject([
      { type: 'bounced', bounce: { kind, asynchronous: false }, response: 'no more' },
    ])
  })

  test('to several recipients is told of each', async () => {
    const receiver = await startReceiver()
    const { simulator, provider, history } = await start({ webhookUrl: receiver.url })
    const addresses = ['ann@example.com', 'Bob@Example.com', 'carl@example.com']
    await provider.post(sentMessage('a', addresses), {
      events: addresses.flatMap((recipient) => [
        event('accepted', later(minute), { recipient }),
        event('delivered', later(2 * minute), { recipient }),
      ]),
    })
    const read = await eventsOf(history, span())
    expect(read).toHaveLength(6)
    expect(idsOf(read)).toEqual(idsOf(await receiver.events(simulator.publicKey)))
  })
})

test('a bounce after the delivery is asynchronous, and one before it is not', async () => {
  const { provider, history } = await start()
  await provider.post(sentMessage('a'), {
    events: [
      event('bounced', later(minute)),
      event('delivered', later(2 * minute)),
      event('bounced', later(3 * minute)),
    ],
  })
  expect(
    (await eventsOf(history, span())).map(
      (one) => one.type === 'bounced' && one.bounce.asynchronous,
    ),
  ).toEqual([false, false, true])
})

describe('a span', () => {
  test('holds what happened from its beginning up to, but not at, its end', async () => {
    const { provider, history } = await start()
    await provider.post(sentMessage('a'), {
      events: [-second, 0, minute, 5 * minute - second, 5 * minute].map((at) =>
        event('opened', later(at)),
      ),
    })
    const read = await eventsOf(history, asking(noon, later(5 * minute)))
    expect(read.map(({ occurredAt }) => occurredAt)).toEqual([
      noon,
      later(minute),
      later(5 * minute - second),
    ])
  })

  test('holds the events of a message that has had others since', async () => {
    const { provider, history } = await start()
    await provider.post(sentMessage('a'), {
      events: [event('delivered', later(minute)), event('opened', later(50 * minute))],
    })
    const read = await eventsOf(history, asking(noon, later(5 * minute)))
    expect(read.map(({ type }) => type)).toEqual(['delivered'])
  })

  test('of nothing asks for nothing', async () => {
    const { provider, history } = await start()
    expect(await pagesOf(history, asking(noon, noon))).toEqual([])
    expect(provider.requests).toEqual([])
  })

  test('that has not begun holds nothing', async () => {
    const { provider, history } = await start()
    const year = 365 * 24 * 60 * minute
    expect(await pagesOf(history, asking(later(year), later(2 * year)))).toEqual([])
    expect(provider.requests).toEqual([])
  })

  test('from the beginning of time is one', async () => {
    const { provider, history } = await start()
    await provider.post(sentMessage('a'), { events: [event('delivered', later(minute))] })
    const before = asking(new Date(-1), new Date(8.64e15))
    const pages = await pagesOf(history, before)
    expect(pages).toHaveLength(1)
    const position = pages[0]?.position ?? ''
    expect(await pagesOf(history, { ...before, position })).toEqual([])
  })

  test('from before 1970 has positions, too', async () => {
    const { history } = await start({ instead: listOf(Array.from({ length: 1000 }, () => null)) })
    const early = asking(new Date(-5000), later(minute))
    const pages = history.read(early)[Symbol.asyncIterator]()
    const { value } = await pages.next()
    const rest = history.read({ ...early, position: value.position })[Symbol.asyncIterator]()
    expect((await rest.next()).value.events).toEqual([])
  })
})

/** Messages that were delivered one after the other, so many of them in each second. */
async function deliver(provider: RunningProvider, count: number, eachSecond: number) {
  for (let index = 0; index < count; index += 1) {
    await provider.post(sentMessage(`message-${index}`), {
      events: [event('delivered', later(Math.floor(index / eachSecond) * second))],
    })
  }
}

const messagesOf = (events: readonly ParsedEvent[]) =>
  events.map(({ providerMessageId }) => providerMessageId)
const listings = ({ requests }: RunningProvider) =>
  requests.filter(({ path }) => path.startsWith('/v3/messages?'))

describe('reading page by page', () => {
  test('goes on behind each position, with another history too', async () => {
    const { provider, history } = await start()
    await deliver(provider, 7, 3)
    const pages = await pagesOf(history, span())
    const all = pages.flatMap(({ events }) => events)
    expect(new Set(messagesOf(all)).size).toBe(7)
    expect(pages.length).toBe(7)
    for (const [index, { position }] of pages.entries()) {
      const other = sendgridHistory({ apiKey, baseUrl: provider.url })
      const rest = await eventsOf(other, { ...span(), position })
      expect(messagesOf(rest)).toEqual(messagesOf(all.slice(index + 1)))
    }
  })

  test('does not ask for a page before the one ahead is taken', async () => {
    const { provider, history } = await start()
    await deliver(provider, 3, 1)
    const pages = history.read(span())[Symbol.asyncIterator]()
    await pages.next()
    expect(provider.requests).toHaveLength(2)
    await pages.next()
    expect(provider.requests).toHaveLength(3)
    await pages.return?.()
    expect(provider.requests).toHaveLength(3)
  })

  test('reads more messages than are told at once', async () => {
    const { provider, history } = await start()
    await deliver(provider, 2100, 100)
    const read = messagesOf(await eventsOf(history, span()))
    expect(read).toHaveLength(2100)
    expect(new Set(read).size).toBe(2100)
    // An hour is halved until it holds less, and widened again.
    expect(listings(provider).length).toBeLessThan(16)
  }, 30_000)

  test('goes on where it was refused while it looked for what it can list', async () => {
    const refusals = { every: 2, calls: 0 }
    const { provider, history } = await start({
      instead: ({ path }) => {
        if (!path.startsWith('/v3/messages?')) return undefined
        refusals.calls += 1
        return refusals.calls % refusals.every === 0
          ? json(429, { errors: [{ message: 'too many requests' }] })
          : undefined
      },
    })
    await deliver(provider, 1300, 650)
    const read: ParsedEvent[] = []
    let position: string | undefined
    let failures = 0
    for (let done = false; !done && failures < 30;) {
      try {
        const request = { ...span(), ...(position !== undefined && { position }) }
        for await (const page of history.read(request)) {
          read.push(...page.events)
          position = page.position
        }
        done = true
      } catch (error) {
        expect(error).toMatchObject({ name: 'HistoryError', retryable: true })
        failures += 1
      }
    }
    expect(failures).toBeGreaterThan(1)
    expect(failures).toBeLessThan(30)
    expect(new Set(messagesOf(read)).size).toBe(1300)
    expect(read).toHaveLength(1300)
  }, 30_000)

  test('says so when one second holds more than can be told', async () => {
    const { provider, history } = await start()
    await deliver(provider, 1000, 1000)
    const error = await failureOf(history, span())
    expect(error).toMatchObject({ retryable: false })
    expect(error.message).toContain(noon.toISOString())
  })

  test('meets a message that has another event meanwhile', async () => {
    const { provider, history } = await start()
    await deliver(provider, 1200, 600)
    const seen = new Set<string | undefined>()
    let moved = false
    for await (const { events } of history.read(span())) {
      for (const one of messagesOf(events)) seen.add(one)
      if (!moved && seen.size === 10) {
        moved = true
        await provider.post(sentMessage('message-1100'), {
          events: [event('opened', later(55 * minute))],
        })
      }
    }
    expect(seen.size).toBe(1200)
  }, 30_000)

  test.each(['', 'x', '1 0 a', '-1 5 a', '1 2', '999999999999 1 a', '1 2 a b'])(
    'refuses the position %j',
    async (position) => {
      const { provider, history } = await start()
      const error = await failureOf(history, { ...span(), position })
      expect(error).toMatchObject({ retryable: false })
      expect(error.message).toContain('position')
      expect(provider.requests).toEqual([])
    },
  )
})

describe('what is asked for', () => {
  test('is encoded, and authorised', async () => {
    const { provider, history } = await start()
    await provider.post(sentMessage('a'), { events: [event('delivered', later(minute))] })
    await pagesOf(history, span())
    const [list, detail, ...others] = provider.requests
    expect(others).toEqual([])
    const query = new URL(list?.path ?? '', provider.url).searchParams
    expect(query.get('limit')).toBe('1000')
    expect(query.get('query')).toMatch(
      new RegExp(
        `^last_event_time BETWEEN TIMESTAMP "${noon.toISOString()}" AND TIMESTAMP "[\\dT:.-]+\\.999Z"$`,
      ),
    )
    expect(list?.path).not.toMatch(/[ "]/)
    expect(detail?.path).toMatch(/^\/v3\/logs\/a\.recvd-/)
    for (const { headers } of provider.requests) {
      expect(headers).toMatchObject({
        authorization: `Bearer ${apiKey}`,
        accept: 'application/json',
      })
    }
  })

  test.each(['..', '.', '', ' ', 'a b', 'ü', 'x'.repeat(301), null, true, {}, ['a']])(
    'is nothing of a message with the id %j',
    async (id) => {
      const { provider, history } = await start({
        instead: listOf([{ msg_id: id, last_event_time: noon.toISOString() }]),
      })
      expect(await pagesOf(history, span())).toEqual([])
      expect(provider.requests).toHaveLength(1)
    },
  )

  test('is a message whose id has white space around it, as documents show it', async () => {
    const { provider, history } = await start({
      instead: listOf([{ msg_id: ' a.recvd-1 ', last_event_time: noon.toISOString() }]),
    })
    await pagesOf(history, span())
    expect(provider.requests[1]?.path).toBe('/v3/logs/a.recvd-1')
  })

  test('is a message whose id would lead elsewhere', async () => {
    const { provider, history } = await start({
      instead: listOf([{ msg_id: '../user/profile?a#b', last_event_time: noon.toISOString() }]),
    })
    await pagesOf(history, span())
    expect(provider.requests.map(({ path }) => path)).toContain(
      '/v3/logs/..%2Fuser%2Fprofile%3Fa%23b',
    )
  })
})

const list = /^\/v3\/messages\?/
const listOf = (messages: unknown) => (request: ApiRequest) =>
  list.test(request.path) ? json(200, { messages }) : undefined

/** What a reading ends with. It is looked at whether it holds the key or an address. */
async function failureOf(history: EventHistory, request: HistoryRequest): Promise<HistoryError> {
  const error: unknown = await pagesOf(history, request).catch((reason: unknown) => reason)
  if (!(error instanceof HistoryError)) throw new Error('it did not end with a HistoryError')
  const written = inspect(error, { depth: 10, showHidden: true })
  expect(written).not.toContain(apiKey)
  expect(written).not.toMatch(/ann@example/)
  return error
}

const answerWith = (
  status: number,
  body: string,
  headers: Record<string, string> = {},
): ApiFailure => ({ kind: 'answer', status, headers, body })
const saying = (message: string) => JSON.stringify({ errors: [{ field: null, message }] })

describe('a refusal', () => {
  test('of a key that may not read says what to do', async () => {
    const { history } = await start({ scopes: ['mail.send'] })
    const error = await failureOf(history, span())
    expect(error).toMatchObject({ retryable: false, code: 'EHISTORY' })
    expect(error.message).toMatch(/403: access forbidden .*email_activity\.read.*add-on/)
  })

  test.each([400, 401])('of an account without the add-on says so, with %i', async (status) => {
    const { provider, history } = await start()
    provider.failNext(answerWith(status, saying('authorization required')))
    const error = await failureOf(history, span())
    expect(error).toMatchObject({ retryable: false })
    expect(error.message).toContain('add-on')
  })

  test('in other words than known says what to do all the same', async () => {
    const { provider, history } = await start()
    provider.failNext(answerWith(403, '<html>', { 'content-type': 'text/html' }))
    expect((await failureOf(history, span())).message).toContain('email_activity.read')
  })

  test('of a wrong key says what to do', async () => {
    const { history } = await start({ history: { apiKey: 'SG.another-key-0123456789' } })
    const error = await failureOf(history, span())
    expect(error).toMatchObject({ retryable: false })
    expect(error.message).toMatch(/401: .*invalid.*API Keys/)
  })

  test('of a key of another region says which address to take', async () => {
    const { provider, history } = await start()
    provider.failNext(answerWith(401, saying('user not authorized: regional attribute')))
    expect((await failureOf(history, span())).message).toContain('https://api.eu.sendgrid.com')
  })

  test.each<[string, () => Record<string, string>, number, number]>([
    ['Retry-After in seconds', () => ({ 'retry-after': '7' }), 7000, 7000],
    [
      'X-RateLimit-Reset',
      () => ({ 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 60) }),
      40_000,
      61_000,
    ],
    ['the minute, where it says nothing', () => ({}), 60_000, 60_000],
    [
      'the minute, where its time is past',
      () => ({ 'x-ratelimit-reset': '1755427523' }),
      60_000,
      60_000,
    ],
  ])('for too many calls tells when to come again by %s', async (_, headers, least, most) => {
    const { provider, history } = await start()
    provider.failNext(answerWith(429, saying('too many requests'), headers()))
    const error = await failureOf(history, span())
    expect(error.retryable).toBe(true)
    expect(error.retryAfter).toBeGreaterThanOrEqual(least)
    expect(error.retryAfter).toBeLessThanOrEqual(most)
    expect(await pagesOf(history, span())).toEqual([])
  })

  test.each(['/v3/logs/', '/v3/messages/'])('in %s keeps the pages before it', async (root) => {
    const answers = { calls: 0 }
    const { provider, history } = await start({
      instead: (request) => {
        if (request.path.startsWith(root)) {
          answers.calls += 1
          if (answers.calls === 2) {
            return json(429, { errors: [{ message: 'too many requests for ann@example.com' }] })
          }
        }
        return root === '/v3/messages/' ? notLogged(request) : undefined
      },
    })
    await deliver(provider, 3, 1)
    const read: ParsedEvent[] = []
    let position = ''
    const reading = async () => {
      for await (const page of history.read(span())) {
        read.push(...page.events)
        position = page.position
      }
    }
    await expect(reading()).rejects.toMatchObject({ retryable: true, name: 'HistoryError' })
    expect(messagesOf(read)).toEqual(['message-0'])
    read.push(...(await eventsOf(history, { ...span(), position })))
    expect(messagesOf(read)).toEqual(['message-0', 'message-1', 'message-2'])
  })

  test.each([500, 502, 503, 504])('with %i may be asked again', async (status) => {
    const { provider, history } = await start()
    provider.failNext(answerWith(status, '<html>down</html>', { 'content-type': 'text/html' }))
    const error = await failureOf(history, span())
    expect(error).toMatchObject({ retryable: true })
    expect(error.message).not.toContain('html')
    expect(await pagesOf(history, span())).toEqual([])
  })

  test.each([302, 400, 404, 405])('with %i need not be asked again', async (status) => {
    const { provider, history } = await start()
    provider.failNext(answerWith(status, '', { location: 'https://example.com/' }))
    expect(await failureOf(history, span())).toMatchObject({ retryable: false })
    expect(provider.requests).toHaveLength(1)
  })

  test('that quotes the key is told without it', async () => {
    const { provider, history } = await start()
    provider.failNext(answerWith(400, saying(`no such thing: ${apiKey} of ann@example.com`)))
    expect((await failureOf(history, span())).message).toContain('<secret> of <address>')
  })
})

describe('a connection', () => {
  test.each<ApiFailure>([{ kind: 'cut' }, { kind: 'refused' }])(
    'that breaks may be tried again: %j',
    async (failure) => {
      const { provider, history } = await start()
      provider.failNext(failure)
      const error = await failureOf(history, span())
      expect(error).toMatchObject({ retryable: true })
      expect(error.message).toContain('ECONNRESET')
      expect(await pagesOf(history, span())).toEqual([])
    },
  )

  test('that stays silent is given up', async () => {
    const { provider, history } = await start({ history: { timeout: 50 } })
    provider.failNext({ kind: 'silent' })
    const error = await failureOf(history, span())
    expect(error).toMatchObject({ retryable: true })
    expect(error.message).toContain('ETIMEDOUT')
  })

  test('to nobody may be tried again', async () => {
    const { provider } = await start()
    const history = sendgridHistory({ apiKey, baseUrl: provider.url })
    await provider.close()
    closers.pop()
    expect(await failureOf(history, span())).toMatchObject({ retryable: true })
  })
})

const detailOf = (detail: unknown) => (request: ApiRequest) => {
  if (list.test(request.path)) {
    return json(200, { messages: [{ msg_id: 'a.recvd-1', last_event_time: noon.toISOString() }] })
  }
  return request.path.startsWith('/v3/logs/') ? json(200, detail) : undefined
}
const delivery = {
  event: 'delivered',
  email: 'ann@example.com',
  timestamp: noon.getTime() / 1000,
  sg_message_id: 'a.recvd-1',
  sg_event_id: 'e',
}

describe('an answer', () => {
  test.each([
    '<html>Sign in</html>',
    '',
    'null',
    '[]',
    '"a"',
    '{}',
    '{"messages":{}}',
    '{"messages',
  ])('that is no list is told: %s', async (body) => {
    const { provider, history } = await start()
    provider.failNext(answerWith(200, body))
    const error = await failureOf(history, span())
    expect(error).toMatchObject({ retryable: false })
    expect(error.message).toContain('is this its address?')
  })

  test('with null for an empty list is one', async () => {
    const { history } = await start({ instead: listOf(null) })
    expect(await pagesOf(history, span())).toEqual([])
  })

  test.each([[null], [[]], ['a'], [{ events: {} }], [{ events: 'a' }]])(
    'that is no message is told: %j',
    async (detail) => {
      const { history } = await start({ instead: detailOf(detail) })
      expect((await failureOf(history, span())).message).toContain('is this its address?')
    },
  )

  test.each([[{}], [{ events: null }], [{ events: [] }]])(
    'may have no events: %j',
    async (detail) => {
      const { history } = await start({ instead: detailOf(detail) })
      expect(await pagesOf(history, span())).toEqual([{ events: [], position: expect.any(String) }])
    },
  )

  test('of a message that is known no more tells nothing of it', async () => {
    const { history } = await start({
      instead: listOf([{ msg_id: 'gone', last_event_time: noon.toISOString() }]),
    })
    expect(await eventsOf(history, span())).toEqual([])
  })

  test('is read as far as it can be', async () => {
    let deep: unknown = 'end'
    for (let level = 0; level < 200; level += 1) deep = { deep }
    const wide = Object.fromEntries(Array.from({ length: 3000 }, (_, key) => [`key-${key}`, 1]))
    const { history } = await start({
      instead: detailOf({
        to_email: 'ann@example.com',
        sg_message_id: 'a.recvd-1',
        category: ['order'],
        custom_args: { order: '42', event: 'open' },
        events: [
          null,
          1,
          'a',
          [],
          {},
          { event: 'delivered' },
          { event: 'delivered', timestamp: 'tomorrow' },
          { ...delivery, timestamp: -5 },
          { ...delivery, custom_args: { deep } },
          { ...delivery, custom_args: wide },
          { event: 'received', timestamp: delivery.timestamp, recv_msgid: 'a' },
          { event: 'news', timestamp: delivery.timestamp },
          delivery,
        ],
      }),
    })
    const read = await eventsOf(history, span())
    expect(read).toMatchObject([
      { type: 'unknown', providerEvent: 'news', recipient: 'ann@example.com' },
      {
        type: 'delivered',
        tags: ['order'],
        metadata: { order: '42' },
        providerMessageId: 'a',
        providerEventId: 'e',
      },
    ])
    expect(read).toHaveLength(2)
  })

  test('with times that were not asked for leads neither astray nor in a circle', async () => {
    const times = ['9999-12-31T00:00:00Z', '1970-01-01T00:00:00Z', 'tomorrow', null, {}, 1e300]
    const ids = times.map((_, index) => `message-${index}`)
    const { history } = await start({
      instead: (request) =>
        list.test(request.path)
          ? json(200, {
              messages: times.map((at, index) => ({ msg_id: ids[index], last_event_time: at })),
            })
          : json(200, {
              events: [{ ...delivery, sg_message_id: request.path.replace(/.*\//, '') }],
            }),
    })
    const pages = await pagesOf(history, span())
    expect(messagesOf(pages.flatMap(({ events }) => events)).toSorted()).toEqual(ids)
    for (const [index, { position }] of pages.entries()) {
      const rest = await eventsOf(history, { ...span(), position })
      const unread = messagesOf(pages.slice(index + 1).flatMap(({ events }) => events))
      expect(messagesOf(rest)).toEqual(expect.arrayContaining(unread))
    }
  })

  test('of Email Activity may write its times and arguments in other ways', async () => {
    const seconds = noon.getTime() / 1000
    const written = [
      noon.toISOString(),
      noon.toISOString().replace('T', ' ').replace('.000Z', ''),
      noon.toISOString().replace('Z', '+00:00'),
      seconds,
      String(seconds),
    ]
    const events = written.map((processed) => ({ event_name: 'delivered', processed }))
    for (const args of ['{"order":"42"}', { order: '42' }, "{'order'", 'Null', null, 7]) {
      const { history } = await start({
        instead: (request) =>
          request.path.startsWith('/v3/messages/')
            ? json(200, {
                msg_id: 'a.recvd-1',
                to_email: 'ann@example.com',
                unique_args: args,
                events,
              })
            : (notLogged(request) ??
              listOf([{ msg_id: 'a.recvd-1', last_event_time: noon.toISOString() }])(request)),
      })
      const read = await eventsOf(history, span())
      expect(read.map(({ occurredAt }) => occurredAt)).toEqual(written.map(() => noon))
      const known = JSON.stringify(args).includes('42')
      expect(read[0]?.metadata).toEqual(known ? { order: '42' } : {})
    }
  })
})

describe('an abort', () => {
  test('before the reading lets no call be made', async () => {
    const { provider, history } = await start()
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(pagesOf(history, { ...span(), signal })).rejects.toThrow('enough')
    expect(provider.requests).toEqual([])
  })

  test('between pages ends it', async () => {
    const { provider, history } = await start()
    await deliver(provider, 3, 1)
    const abort = new AbortController()
    const read: ParsedEvent[] = []
    const reading = async () => {
      for await (const { events } of history.read({ ...span(), signal: abort.signal })) {
        read.push(...events)
        abort.abort(new Error('enough'))
      }
    }
    await expect(reading()).rejects.toThrow('enough')
    expect(messagesOf(read)).toEqual(['message-0'])
    expect(provider.requests).toHaveLength(2)
  })
})

describe('options', () => {
  const variable = 'SENDGRID_API_KEY'
  beforeEach(() => void delete process.env[variable])
  afterEach(() => void delete process.env[variable])

  test('take the key of the environment', async () => {
    const { provider } = await start()
    process.env[variable] = ` ${apiKey}\n`
    expect(await pagesOf(sendgridHistory({ baseUrl: `${provider.url}/` }), span())).toEqual([])
    expect(provider.requests[0]?.path).toMatch(/^\/v3\/messages\?/)
  })

  test('are for SendGrid', () => {
    expect(sendgridHistory({ apiKey }).provider).toBe('sendgrid')
  })

  test.each([
    [{}, /sendgridHistory: apiKey is missing.*SENDGRID_API_KEY/],
    [{ apiKey: ' ' }, /apiKey is missing/],
    [{ apiKey: 'SG.key with spaces' }, /apiKey is not one/],
    [{ apiKey: 'SG.ключ-0123456789' }, /apiKey is not one/],
    [{ apiKey, baseUrl: 'ftp://example.com' }, /sendgridHistory: baseUrl/],
    [{ apiKey, timeout: 0 }, /sendgridHistory: timeout/],
    [{ apiKey, timeout: Infinity }, /timeout/],
  ])('are refused: %j', (options, message) => {
    expect(() => sendgridHistory(options)).toThrow(ConfigurationError)
    expect(() => sendgridHistory(options)).toThrow(message)
  })
})
