import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { ConfigurationError, HistoryError } from '../../../src/errors.js'
import type { ParsedEvent } from '../../../src/event.js'
import { eventId, ownIdKey, providerKey } from '../../../src/matching.js'
import {
  mandrillHistory,
  type MandrillHistoryOptions,
  mandrillSimulator,
  mandrillWebhook,
} from '../../../src/providers/mandrill/index.js'
import type { HistoryPage, HistoryRequest, SentIds } from '../../../src/provider.js'
import {
  type ApiFailure,
  type RunningProvider,
  type SimulatedEvent,
  type SimulatedEventType,
  type SimulatedMessage,
  startProvider,
} from '../../../src/testing/index.js'
import type { MailOptions } from '../../../src/transporter.js'
import { startEndpoint } from '../../endpoint.js'
import { webhookRequest } from '../../webhook-request.js'
import { apiKey, closing, mail, transporterTo } from './sending.js'

const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute))
const wholeYear = { from: at(0), to: new Date('2027-01-01T00:00:00Z') }

interface Account {
  provider: RunningProvider
  /** Every message that was sent, the oldest first. */
  sent: SentIds[]
  /** What the webhook has told. */
  told: ParsedEvent[]
  send(changes?: MailOptions): Promise<SimulatedMessage>
  post(message: SimulatedMessage, ...events: Omit<SimulatedEvent, 'recipient'>[]): Promise<void>
}

/** A simulated Mandrill whose webhooks are read as they come. */
async function startAccount(): Promise<Account> {
  const told: ParsedEvent[] = []
  const key = { webhook: '' }
  const endpoint = closing(
    await startEndpoint(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const { 'content-type': type, 'x-mandrill-signature': signature } = request.headers
      const reading = await mandrillWebhook({ key: key.webhook, url: endpoint.url }).read(
        webhookRequest(
          { 'content-type': type, 'x-mandrill-signature': String(signature) },
          Buffer.concat(chunks),
        ),
        new Date(),
      )
      if (reading.kind === 'events') told.push(...reading.events)
      response.writeHead(reading.kind === 'events' ? 200 : 403).end()
    }),
  )
  const simulator = mandrillSimulator({ apiKey, webhookUrl: endpoint.url })
  key.webhook = simulator.webhookKey
  const provider = closing(
    await startProvider(simulator, { webhookUrl: endpoint.url, script: () => [] }),
  )
  const sent: SentIds[] = []
  return {
    provider,
    sent,
    told,
    async send(changes) {
      const { trackingId, recipients } = await transporterTo(provider).sendMail(mail(changes))
      const providerMessageIds = recipients.flatMap(
        ({ providerMessageId = [] }) => providerMessageId,
      )
      sent.push({ trackingId, sentAt: at(0), providerMessageIds })
      const message = provider.messages.at(-1)
      if (message === undefined) throw new Error('it was not taken')
      return message
    },
    async post(message, ...events) {
      const addressed = message.recipients.flatMap(({ address }) =>
        events.map((event) => ({ ...event, recipient: address })),
      )
      await provider.post(message, { events: addressed })
    },
  }
}

type Asked = Partial<HistoryRequest> & { options?: MandrillHistoryOptions }

function requestOf({ sent }: Account): HistoryRequest {
  return {
    ...wholeYear,
    sent: async (after) => sent.slice(sent.findIndex(({ trackingId }) => trackingId === after) + 1),
  }
}

function read(account: Account, { options, ...request }: Asked = {}): AsyncIterable<HistoryPage> {
  const history = mandrillHistory({ apiKey, baseUrl: account.provider.url, ...options })
  return history.read({ ...requestOf(account), ...request })
}

async function pagesOf(pages: AsyncIterable<HistoryPage>): Promise<HistoryPage[]> {
  const all: HistoryPage[] = []
  for await (const page of pages) all.push(page)
  return all
}

async function eventsOf(account: Account, asked?: Asked): Promise<ParsedEvent[]> {
  return (await pagesOf(read(account, asked))).flatMap(({ events }) => events)
}

const idOf = (event: ParsedEvent): string => eventId('mandrill', event)
const idsOf = (events: readonly ParsedEvent[]): string[] => events.map(idOf)
const typesOf = (events: readonly ParsedEvent[]): string[] => events.map(({ type }) => type)
const infoCalls = ({ provider }: Account): number =>
  provider.requests.filter(({ path }) => path.endsWith('/messages/info.json')).length

const json = (body: unknown, status = 200, headers = {}): ApiFailure => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

/** An account with one message, and what is told of it when its `messages/info` says this. */
async function eventsIn(info: Record<string, unknown>, asked?: Asked): Promise<ParsedEvent[]> {
  const account = await startAccount()
  const { id } = await account.send()
  account.provider.failNext(json({ _id: id, email: 'ann@example.org', ts: 1767225600, ...info }))
  return eventsOf(account, asked)
}

describe('an event that the webhook has told', () => {
  test.each<[string, Omit<SimulatedEvent, 'recipient'>]>([
    ['send', { type: 'accepted' }],
    ['deferral', { type: 'deferred' }],
    ['delivered', { type: 'delivered' }],
    ['hard_bounce', { type: 'bounced' }],
    ['soft_bounce', { type: 'bounced', bounce: 'soft' }],
    ['reject', { type: 'rejected' }],
    ['open', { type: 'opened' }],
    ['click', { type: 'clicked', url: 'https://example.com/a?b=1&c=ü' }],
  ])('is the same in the history: %s', async (providerEvent, event) => {
    const account = await startAccount()
    const message = await account.send({ tags: ['order'], metadata: { user: '42' } })
    await account.post(message, { ...event, at: at(1) })
    const told = account.told.filter((one) => one.providerEvent === providerEvent)
    const found = (await eventsOf(account)).filter((one) => one.providerEvent === providerEvent)
    expect(found).toHaveLength(1)
    expect(idsOf(found)).toEqual(idsOf(told))
    expect(found.map((one) => providerKey('mandrill', one))).toEqual([undefined])
    const [{ raw: _raw, ...expected } = { raw: undefined }] = told
    expect(found).toMatchObject([{ ...expected, ...unquoted(expected) }])
    expect(found[0]?.ownId).toBe(account.sent[0]?.trackingId)
  })

  /** The answer of a bounce is quoted without who it came from. */
  function unquoted(event: object): object {
    const response: unknown = Reflect.get(event, 'response')
    return typeof response === 'string' ? { response: response.replace(/^smtp;/, '') } : {}
  }

  test('is the same of every recipient, and of visits at the same second from elsewhere', async () => {
    const account = await startAccount()
    const message = await account.send({ to: 'ann@example.org, bob@example.org' })
    const from = (ip: string) => (entry: Record<string, unknown>) => ({ ...entry, ip })
    const opened = { type: 'opened', at: at(3) } as const
    await account.post(
      message,
      { type: 'accepted', at: at(1) },
      { type: 'deferred', at: at(1) },
      { type: 'delivered', at: at(2) },
      opened,
      { ...opened, change: from('203.0.113.9') },
      { ...opened, change: (entry) => ({ ...entry, ip: null, user_agent: null }) },
      { type: 'clicked', at: at(3) },
    )
    const found = await eventsOf(account)
    expect(found).toHaveLength(14)
    expect(new Set(idsOf(found))).toEqual(new Set(idsOf(account.told)))
  })

  test('is another when Mandrill has made a summary of the browser', async () => {
    const account = await startAccount()
    const message = await account.send()
    const parsed = {
      os_family: 'Linux',
      os_name: 'Ubuntu',
      ua_family: 'Chrome',
      ua_name: 'Chrome 28.0.1500.53',
    }
    const change = (entry: Record<string, unknown>) => ({ ...entry, user_agent_parsed: parsed })
    await account.post(message, { type: 'opened', at: at(1), change })
    const [found] = await eventsOf(account)
    const userAgent = 'Linux/Ubuntu/Chrome/Chrome 28.0.1500.53'
    expect(found).toMatchObject({
      type: 'opened',
      ip: '203.0.113.80',
      occurredAt: at(1),
      userAgent,
    })
    expect(idsOf(account.told)).not.toContain(found && idOf(found))
  })
})

describe('what has no time in the history', () => {
  test.each<[string, SimulatedEventType]>([
    ['spam', 'complained'],
    ['unsub', 'unsubscribed'],
    ['hard_bounce', 'bounced'],
  ])('is told without one, and as the same fact each time: %s', async (providerEvent, type) => {
    const account = await startAccount()
    const message = await account.send()
    await account.post(
      message,
      { type: 'accepted', at: at(1) },
      { type, bounce: 'later', at: at(2) },
    )
    const untimed = async (asked?: Asked): Promise<ParsedEvent[]> =>
      (await eventsOf(account, asked)).filter((event) => event.occurredAt === undefined)
    const first = await untimed({ from: at(10) })
    expect(first).toMatchObject([
      { type, providerEvent, providerMessageId: message.id, recipient: 'ann@example.org' },
    ])
    expect(first.every((event) => !('occurredAt' in event))).toBe(true)
    await account.post(message, { type: 'delivered', at: at(1) }, { type: 'opened', at: at(20) })
    expect(idsOf(await untimed({ from: at(15) }))).toEqual(idsOf(first))
    expect(await untimed({ from: at(0), to: at(1) })).toEqual([])
  })

  test('is a bounce that is told among the attempts no more', async () => {
    const smtp_events = [{ ts: 1767225661, type: 'bounced', diag: '550 5.1.1 No such user' }]
    const info = { state: 'bounced', bounce_description: 'bad_mailbox' }
    expect(await eventsIn({ ...info, smtp_events })).toMatchObject([
      {
        type: 'bounced',
        occurredAt: new Date(1767225661_000),
        response: '550 5.1.1 No such user',
        bounce: { kind: 'hard', smtpCode: 550, enhancedCode: '5.1.1', asynchronous: false },
      },
    ])
    const [later] = await eventsIn({ ...info, smtp_events: [{ ...smtp_events[0], ts: 'soon' }] })
    expect(later).toMatchObject({ type: 'bounced', response: 'bad_mailbox' })
    expect(later).not.toHaveProperty('occurredAt')
  })
})

describe('the state of a message', () => {
  const taken = { ts: 1767225602, type: 'sent', diag: '250 2.0.0 OK 1767225602' }

  test('and its first attempt tell when it was sent', async () => {
    expect(await eventsIn({ state: 'sent' })).toMatchObject([
      { type: 'accepted', occurredAt: at(0) },
    ])
    const [sent] = await eventsIn({ state: 'sent', smtp_events: [taken] })
    expect(sent).toMatchObject({ type: 'accepted', occurredAt: new Date(1767225602_000) })
  })

  test('is a delivery where the receiving server took it', async () => {
    const smtp_events = [taken]
    expect((await eventsIn({ state: 'sent', smtp_events })).slice(1)).toMatchObject([
      { type: 'delivered', response: taken.diag, smtpCode: 250, discriminator: taken.diag },
    ])
    const delivered = { ...taken, ts: 1767225603, type: 'delivered' }
    expect(
      (await eventsIn({ state: 'sent', smtp_events: [taken, delivered] })).slice(1),
    ).toMatchObject([{ type: 'delivered', occurredAt: new Date(1767225603_000) }])
    expect(
      typesOf(await eventsIn({ state: 'sent', smtp_events: [{ ...taken, diag: '354 go on' }] })),
    ).toEqual(['accepted'])
  })

  test('is a bounce after it was sent', async () => {
    expect(typesOf(await eventsIn({ state: 'bounced', smtp_events: [taken] }))).toEqual([
      'accepted',
      'delivered',
      'bounced',
    ])
  })

  test("has its own word on a bounce, and the receiving server's where it says nothing", async () => {
    const smtp_events = [{ ts: 1767225661, type: 'bounced', diag: '550 5.1.1 No such user' }]
    const responseOf = async (diag: unknown): Promise<unknown> => {
      const [event] = await eventsIn({ state: 'bounced', diag, smtp_events })
      return event && Reflect.get(event, 'response')
    }
    expect(await responseOf('smtp;550 5.7.1 Refused')).toBe('smtp;550 5.7.1 Refused')
    expect(await responseOf(null)).toBe('550 5.1.1 No such user')
  })

  test.each(['queued', 'scheduled', 'deferred', 'canceled', 'of-tomorrow', null, 7])(
    'tells nothing when it is %j',
    async (state) => {
      expect(await eventsIn({ state })).toEqual([])
    },
  )

  test('says why it was rejected', async () => {
    expect(await eventsIn({ state: 'rejected', reject: { reason: 'spam' } })).toMatchObject([
      { type: 'rejected', reason: 'spam', occurredAt: at(0) },
    ])
  })

  test('has the last three attempts alone', async () => {
    const account = await startAccount()
    const message = await account.send()
    await account.post(
      message,
      ...[1, 2, 3, 4].map((minute) => ({ type: 'deferred' as const, at: at(minute) })),
    )
    expect(idsOf(await eventsOf(account))).toEqual(idsOf(account.told.slice(1)))
  })
})

test('events of a span are told from its begin up to but not at its end, in their order', async () => {
  const account = await startAccount()
  const message = await account.send()
  const opened = (minute: number) => ({ type: 'opened', at: at(minute) }) as const
  await account.post(message, opened(4), opened(3), opened(1), opened(2))
  const found = await eventsOf(account, { from: at(2), to: at(4) })
  expect(found.map(({ occurredAt }) => occurredAt)).toEqual([at(2), at(3)])
})

test('events of a message are told in their order, whatever that of the answer', async () => {
  const opens_detail = [3, 1].map((minute) => ({ ts: at(minute).getTime() / 1000 }))
  const clicks_detail = [{ ts: at(2).getTime() / 1000, url: 'https://example.com/' }]
  const found = await eventsIn({ state: 'spam', opens_detail, clicks_detail })
  expect(typesOf(found)).toEqual(['accepted', 'opened', 'clicked', 'opened', 'complained'])
})

test('an event bears of its message what webhooks do, but for the lists of all visits', async () => {
  const metadata = { order: 42, [ownIdKey]: '01893cd6-1a2b-7c3d-8e4f-0123456789ab' }
  const visit = { ts: 1767225660, ip: '203.0.113.80', location: 'Georgia, US', ua: 'Mozilla/5.0' }
  const [event] = await eventsIn({
    state: 'deferred',
    tags: ['order'],
    metadata,
    opens: 1,
    opens_detail: [visit],
    clicks: 0,
    clicks_detail: [],
    subject: 'Your order',
  })
  expect(event).toMatchObject({
    tags: ['order'],
    metadata: { order: '42' },
    ownId: metadata[ownIdKey],
    raw: {
      event: 'open',
      ip: visit.ip,
      location: visit.location,
      user_agent: visit.ua,
      ts: visit.ts,
      msg: { subject: 'Your order', state: 'deferred', email: 'ann@example.org' },
    },
  })
  expect(JSON.stringify(event?.raw)).not.toMatch(/opens|clicks/)
})

describe('pages', () => {
  /** An account with so many messages, each opened once. */
  async function startWith(count: number): Promise<Account> {
    const account = await startAccount()
    for (let index = 0; index < count; index += 1) {
      await account.post(await account.send(), { type: 'opened', at: at(index) })
    }
    return account
  }

  test('have 20 messages, and end at the last of them', async () => {
    const account = await startWith(45)
    const pages = await pagesOf(read(account))
    expect(pages.map(({ events }) => events.length)).toEqual([20, 20, 5])
    expect(pages.map(({ position }) => position)).toEqual(
      [19, 39, 44].map((index) => account.sent[index]?.trackingId),
    )
    expect(idsOf(pages.flatMap(({ events }) => events))).toEqual(idsOf(account.told))
  })

  test('go on behind each position, in another history', async () => {
    const account = await startWith(45)
    const pages = await pagesOf(read(account))
    for (const [index, { position }] of pages.entries()) {
      const rest = await pagesOf(read(account, { position }))
      expect(rest).toEqual(pages.slice(index + 1))
    }
  })

  test('are asked for one by one, as they are taken, and by four calls at a time', async () => {
    const account = await startWith(25)
    const iterator = read(account)[Symbol.asyncIterator]()
    expect(infoCalls(account)).toBe(0)
    await iterator.next()
    expect(infoCalls(account)).toBe(20)
    await iterator.return?.()
    expect(infoCalls(account)).toBe(20)
  })

  test('ask for no more than four messages at a time', async () => {
    let open = 0
    let most = 0
    const endpoint = closing(
      await startEndpoint((_request, response) => {
        open += 1
        most = Math.max(most, open)
        setTimeout(() => {
          open -= 1
          response.writeHead(200).end('{}')
        }, 20)
      }),
    )
    const ids = Array.from({ length: 10 }, (_, index) => `id-${index}`)
    const account = await startAccount()
    account.sent.push({ trackingId: 'a', sentAt: at(0), providerMessageIds: ids })
    await pagesOf(read(account, { options: { baseUrl: endpoint.url } }))
    expect(most).toBe(4)
  })

  test('take batches of any size, until there are no more', async () => {
    const account = await startWith(5)
    const { sent } = account
    const asked: (string | undefined)[] = []
    const pages = await pagesOf(
      read(account, {
        sent: async (after) => {
          asked.push(after)
          const start = sent.findIndex(({ trackingId }) => trackingId === after) + 1
          return sent.slice(start, start + 2)
        },
      }),
    )
    expect(pages.map(({ events }) => events.length)).toEqual([2, 2, 1])
    const [, second, , fourth, fifth] = sent.map(({ trackingId }) => trackingId)
    expect(asked).toEqual([undefined, second, fourth, fifth])
  })

  test('of a message to many leave its position until it is finished', async () => {
    const account = await startWith(1)
    const many = Array.from({ length: 45 }, (_, index) => `reader${index}@example.org`)
    const message = await account.send({ to: many })
    await account.post(message, { type: 'opened', at: at(50) })
    const [first, second] = account.sent.map(({ trackingId }) => trackingId)
    const pages = await pagesOf(read(account))
    expect(pages.map(({ position }) => position)).toEqual([first, first, second])
    expect(idsOf(pages.flatMap(({ events }) => events)).toSorted()).toEqual(
      idsOf(account.told).toSorted(),
    )
    account.sent.shift()
    const [unfinished] = await pagesOf(read(account))
    expect(unfinished).toMatchObject({ position: '' })
    expect(await pagesOf(read(account, { position: '' }))).toHaveLength(3)
  })

  test('pass over messages without an id', async () => {
    const account = await startAccount()
    account.sent.push({ trackingId: 'a', sentAt: at(0), providerMessageIds: [] })
    expect(await pagesOf(read(account))).toEqual([{ events: [], position: 'a' }])
    expect(infoCalls(account)).toBe(0)
  })
})

test.each([404, 500])(
  'a message that Mandrill has no more is passed over, with %i',
  async (status) => {
    const account = await startAccount()
    await account.post(await account.send(), { type: 'opened', at: at(1) })
    await account.post(await account.send(), { type: 'opened', at: at(2) })
    const gone = {
      status: 'error',
      code: 11,
      name: 'Unknown_Message',
      message: 'No message exists',
    }
    account.provider.failNext(json(gone, status))
    account.provider.failNext(json({ ...gone, status: 'error' }, status))
    expect(await pagesOf(read(account))).toEqual([
      { events: [], position: account.sent[1]?.trackingId },
    ])
    await account.send()
    expect(await eventsOf(account)).toHaveLength(2)
  },
)

test('what Mandrill takes for no id is passed over', async () => {
  const account = await startAccount()
  account.sent.push({ trackingId: 'a', sentAt: at(0), providerMessageIds: [''] })
  await account.post(await account.send(), { type: 'opened', at: at(1) })
  expect(typesOf(await eventsOf(account))).toEqual(['opened'])
  expect(infoCalls(account)).toBe(2)
})

describe('a call that fails', () => {
  /** The error of a history whose first call fails so. */
  async function errorOf(failure: ApiFailure, asked?: Asked): Promise<HistoryError> {
    const account = await startAccount()
    await account.post(await account.send(), { type: 'opened', at: at(1) })
    account.provider.failNext(failure)
    const error: unknown = await pagesOf(read(account, asked)).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    if (!(error instanceof HistoryError)) throw new Error(`not a HistoryError: ${String(error)}`)
    expect(JSON.stringify(error) + String(error)).not.toMatch(/@|example\.org/)
    // The same question is answered then.
    expect(await eventsOf(account)).toHaveLength(1)
    return error
  }

  const fault = (name: string, message = 'No'): object => ({
    status: 'error',
    code: -1,
    name,
    message,
  })

  test.each<[string, ApiFailure, RegExp]>([
    [
      'a wrong key',
      json(fault('Invalid_Key', 'Invalid API key'), 401),
      /^Mandrill answered 401: Invalid_Key: Invalid API key\. Give an API key of the account that sent/,
    ],
    ['a wrong key of old', json(fault('Invalid_Key'), 500), /messages\/info/],
    ['a wrong key with status 200', json(fault('Invalid_Key')), /messages\/info/],
    ['a key without the permission', json(fault('GeneralError'), 403), /messages\/info/],
    ['a plan without the call', json(fault('PaymentRequired'), 402), /see its plan/],
    ['a plan of old', json(fault('PaymentRequired'), 500), /see its plan/],
    ['an id that is refused', json(fault('ValidationError'), 500), /ValidationError: No$/],
    ['another path', { kind: 'answer', status: 404, body: '<html>' }, /The baseUrl must be/],
    [
      'a redirect',
      { kind: 'answer', status: 302, headers: { location: '/' } },
      /The baseUrl must be/,
    ],
  ])('says what to do of %s', async (_, failure, message) => {
    const error = await errorOf(failure)
    expect(error.message).toMatch(message)
    expect(error.retryable).toBe(false)
  })

  test.each<[string, ApiFailure, number | undefined, RegExp]>([
    [
      'a limit with a wait',
      json(fault('RequestLimitExceeded'), 429, { 'retry-after': '17' }),
      17_000,
      /^Mandrill answered 429: RequestLimitExceeded: No$/,
    ],
    ['a limit without', json(fault('RequestLimitExceeded'), 429), undefined, /429/],
    ['a limit of old', json(fault('RequestLimitExceeded'), 500), undefined, /RequestLimit/],
    ['a failure', json(fault('GeneralError'), 500), undefined, /GeneralError: No$/],
    [
      'a service that is away',
      json(fault('ServiceUnavailable'), 503, { 'retry-after': '60' }),
      60_000,
      /503/,
    ],
    [
      'JSON that is not of its API',
      json({ error: 'overloaded' }, 503),
      undefined,
      /^Mandrill answered 503: Service Unavailable, not in the words of its API$/,
    ],
    [
      "a gateway's page",
      { kind: 'answer', status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' },
      undefined,
      /^Mandrill answered 502: Bad Gateway, not in the words of its API$/,
    ],
    [
      'a page in place of the answer',
      { kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
      undefined,
      /^Mandrill answered 200: OK, not in the words of its API$/,
    ],
    [
      'an answer that breaks off',
      { kind: 'answer', status: 200, body: '{"_id":"4f1c' },
      undefined,
      /not in the words of its API$/,
    ],
    ['a connection that breaks', { kind: 'cut' }, undefined, /failed with ECONNRESET$/],
    ['one that breaks before', { kind: 'refused' }, undefined, /failed with ECONNRESET$/],
  ])('may be made again after %s', async (_, failure, retryAfter, message) => {
    const error = await errorOf(failure)
    expect(error.message).toMatch(message)
    expect(error).toMatchObject({ retryable: true, code: 'EHISTORY' })
    expect(error.retryAfter).toBe(retryAfter)
  })

  test('has so much time', async () => {
    const error = await errorOf({ kind: 'silent' }, { options: { timeout: 100 } })
    expect(error).toMatchObject({ message: 'Mandrill did not answer in time', retryable: true })
  })

  test('shows neither the key nor an address that it is answered with', async () => {
    const message = `the key ${apiKey} of ann@example.org is wrong`
    const { message: shown } = await errorOf(json(fault('Invalid_Key', message), 401))
    expect(shown).toContain('the key <secret> of <address> is wrong')
  })

  test('to nobody is one that may be made again', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    server.close()
    await once(server, 'close')
    const account = await startAccount()
    await account.send()
    await expect(
      eventsOf(account, { options: { baseUrl: `http://127.0.0.1:${port}` } }),
    ).rejects.toMatchObject({
      message: 'the connection to Mandrill failed with ECONNREFUSED',
      retryable: true,
    })
  })

  test('leaves the pages before it, and the rest is read from there', async () => {
    const account = await startAccount()
    for (let index = 0; index < 25; index += 1) {
      await account.post(await account.send(), { type: 'opened', at: at(index) })
    }
    const iterator = read(account)[Symbol.asyncIterator]()
    const first = await iterator.next()
    account.provider.failNext(json(fault('GeneralError'), 500))
    await expect(iterator.next()).rejects.toBeInstanceOf(HistoryError)
    const position = String(first.value?.position)
    const events = [...(first.value?.events ?? []), ...(await eventsOf(account, { position }))]
    expect(idsOf(events)).toEqual(idsOf(account.told))
  })
})

describe('an answer that is not what Mandrill says', () => {
  const deep = (levels: number): unknown =>
    JSON.parse('{"a":'.repeat(levels) + '1' + '}'.repeat(levels))
  const ok = { ts: 1767225660, ip: '203.0.113.80', ua: 'Mozilla/5.0' }

  test.each<[string, unknown]>([
    ['null', null],
    ['a list', []],
    ['a text', 'PONG!'],
    ['without an id', { email: 'ann@example.org', opens_detail: [ok] }],
    [
      'about another message',
      { _id: 'another', state: 'sent', ts: 1767225600, opens_detail: [ok] },
    ],
  ])('tells nothing and fails no page: %s', async (_, body) => {
    const account = await startAccount()
    await account.send()
    await account.post(await account.send(), { type: 'opened', at: at(1) })
    account.provider.failNext(json(body))
    account.provider.failNext(json(body))
    expect(await eventsOf(account)).toEqual([])
    await account.send()
    expect(await eventsOf(account)).toHaveLength(1)
  })

  test.each<[string, Record<string, unknown>]>([
    ['lists that are none', { opens_detail: { 0: ok }, clicks_detail: 'x', smtp_events: null }],
    ['entries that are none', { opens_detail: [null, 7, 'x', [], [[]]], smtp_events: [null, 1] }],
    [
      'times that are none',
      { opens_detail: [{ ...ok, ts: 'soon' }, { ...ok, ts: -1 }, { ip: 1 }] },
    ],
    ['a time without end', { opens_detail: [{ ...ok, ts: 1e300 }] }],
    ['types that are none', { smtp_events: [{ ts: 1767225660, type: { toString: 1 } }] }],
    ['a state that is none', { state: { toString: 1, valueOf: 1 } }],
    ['a message of any size', { subject: 'x'.repeat(70_000), opens_detail: [ok] }],
    ['a visit nested too deeply', { opens_detail: [{ ...ok, location: deep(100) }] }],
    ['a prototype', JSON.parse('{"__proto__":{"state":"sent"}}')],
  ])('has nothing to tell: %s', async (_, info) => {
    expect(await eventsIn(info)).toEqual([])
  })

  test('tells what else there is', async () => {
    const found = await eventsIn({
      state: 'spam',
      tags: { no: 'list' },
      metadata: [],
      smtp_events: [{ type: 'bounced' }, { type: 'deferred', ts: '1767225630', diag: { no: 1 } }],
      opens_detail: [{ ts: {} }, ok, { ...ok, ts: 1767225661, ip: { no: 1 }, ua: [] }],
      clicks_detail: [{ ...ok, ts: 1767225662 }],
    })
    expect(found).toMatchObject([
      { type: 'accepted' },
      { type: 'deferred', occurredAt: new Date(1767225630_000) },
      { type: 'opened', ip: ok.ip, userAgent: ok.ua, tags: [], metadata: {} },
      { type: 'opened', occurredAt: new Date(1767225661_000) },
      { type: 'clicked', url: '' },
      { type: 'complained' },
    ])
    expect(found[3]).not.toHaveProperty('ip')
  })

  test('may have the number of the account before the id', async () => {
    const account = await startAccount()
    const { id } = await account.send()
    account.provider.failNext(json({ _id: `1773449.${id}`, opens_detail: [ok] }))
    expect(await eventsOf(account)).toMatchObject([{ type: 'opened', providerMessageId: id }])
  })

  test('may be nested without end', async () => {
    const account = await startAccount()
    const { id } = await account.send()
    const metadata = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`
    const body = `{"_id":"${id}","ts":1767225600,"state":"sent","metadata":${metadata}}`
    account.provider.failNext({ kind: 'answer', status: 200, body })
    expect(await eventsOf(account)).toEqual([])
  })

  test('of any number of visits is read in no time, up to a number', async () => {
    const opens_detail = Array.from({ length: 100_000 }, (_, index) => ({
      ...ok,
      ts: 1767225660 + index,
    }))
    const started = performance.now()
    const found = await eventsIn({ opens_detail }, { from: at(2) })
    expect(found).toHaveLength(10_000)
    expect(found[0]?.occurredAt).toEqual(at(2))
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('a signal', () => {
  test('ends it before a call is made', async () => {
    const account = await startAccount()
    await account.send()
    const reason = new Error('enough')
    const asked: unknown[] = []
    const pages = read(account, {
      signal: AbortSignal.abort(reason),
      sent: async (after) => (asked.push(after), account.sent),
    })
    await expect(pagesOf(pages)).rejects.toBe(reason)
    expect(asked).toEqual([])
    expect(infoCalls(account)).toBe(0)
  })

  test('ends it between the calls of a page', async () => {
    const stop = new AbortController()
    let calls = 0
    const endpoint = closing(
      await startEndpoint((_request, response) => {
        calls += 1
        stop.abort(new Error('enough'))
        response.writeHead(200).end('{}')
      }),
    )
    const ids = Array.from({ length: 20 }, (_, index) => `id-${index}`)
    const account = await startAccount()
    account.sent.push({ trackingId: 'a', sentAt: at(0), providerMessageIds: ids })
    const pages = read(account, { signal: stop.signal, options: { baseUrl: endpoint.url } })
    await expect(pagesOf(pages)).rejects.toThrow('enough')
    expect(calls).toBe(4)
  })

  test('ends it between pages', async () => {
    const stop = new AbortController()
    const account = await startAccount()
    const first = await account.send()
    await account.post(first, { type: 'opened', at: at(1) })
    const iterator = read(account, { signal: stop.signal })[Symbol.asyncIterator]()
    expect((await iterator.next()).value).toMatchObject({ events: [{ type: 'opened' }] })
    stop.abort(new Error('enough'))
    await expect(iterator.next()).rejects.toThrow('enough')
  })
})

test('what sent() rejects with is passed on', async () => {
  const account = await startAccount()
  const failure = new Error('the store is away')
  await expect(pagesOf(read(account, { sent: () => Promise.reject(failure) }))).rejects.toBe(
    failure,
  )
})

describe('options', () => {
  const infoPath = '/api/1.3/messages/info.json'

  test.each([
    ['', infoPath],
    ['/', infoPath],
    ['/api/1.4', '/api/1.4/messages/info.json'],
  ])('a baseUrl that ends in %j is asked at %s', async (end, path) => {
    const account = await startAccount()
    const { id } = await account.send()
    await eventsOf(account, { options: { baseUrl: account.provider.url + end } })
    const { method, path: asked, headers, body } = account.provider.requests.at(-1) ?? {}
    expect({ method, asked }).toEqual({ method: 'POST', asked: path })
    expect(headers?.['content-type']).toBe('application/json')
    expect(JSON.parse(String(body))).toEqual({ key: apiKey, id })
  })

  test('the key comes from the environment too', async () => {
    const account = await startAccount()
    await account.post(await account.send(), { type: 'opened', at: at(1) })
    process.env['MANDRILL_API_KEY'] = ` ${apiKey} `
    try {
      const history = mandrillHistory({ baseUrl: account.provider.url })
      const pages = await pagesOf(history.read(requestOf(account)))
      expect(pages).toMatchObject([{ events: [{ type: 'opened' }] }])
    } finally {
      delete process.env['MANDRILL_API_KEY']
    }
  })

  test.each<[string, MandrillHistoryOptions, RegExp]>([
    ['no key', {}, /^mandrillHistory: apiKey is missing.*MANDRILL_API_KEY$/],
    ['a URL that is none', { apiKey, baseUrl: 'mandrillapp.com' }, /^mandrillHistory: baseUrl/],
    ['no time at all', { apiKey, timeout: 0 }, /^mandrillHistory: timeout/],
  ])('are refused: %s', (_, options, message) => {
    const make = (): unknown => mandrillHistory(options)
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(message)
  })

  test('it has the name of the provider', () => {
    expect(mandrillHistory({ apiKey }).provider).toBe('mandrill')
  })
})
