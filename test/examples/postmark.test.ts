import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer } from 'node:http'
import nodemailer from 'nodemailer'
import {
  type Correlator,
  createCorrelator,
  type KeySource,
  type MailOptions,
  memoryStore,
} from 'mailtrail'
import {
  type ApiFailure,
  providerContract,
  type RunningProvider,
  type SimulatedEvent,
  type SimulatedMessage,
  startProvider,
} from 'mailtrail/testing'
import {
  postmarkSimulator,
  postmarkTransport,
  postmarkWebhook,
} from '../../examples/postmark/index.js'

// Refusals, and a listener of `sent` that throws, are told as warnings.
jest.spyOn(process, 'emitWarning').mockImplementation(() => {})

const serverToken = '01234567-89ab-cdef-0123-456789abcdef'
const password = 'a password that is long enough'

const contract = providerContract({
  provider: 'postmark',
  open: () => ({
    simulator: postmarkSimulator({ serverToken, password }),
    webhook: (options) => postmarkWebhook({ password, ...options }),
    transport: (options) => postmarkTransport({ serverToken, ...options }),
    secrets: { sending: [serverToken], receiving: [password] },
  }),
  withoutKeys: [
    () => postmarkWebhook(),
    () => postmarkWebhook({ password: [] }),
    () => postmarkTransport(),
  ],
  untold: ['accepted', 'later bounce'],
  provesSenderAlone: true,
  unsupported: {
    'more than one of the tags': { tags: ['order', 'winter'] },
    'more than one from address': { from: ['shop@example.com', 'sales@example.com'] },
    templateId: { templateId: 'welcome' },
    sendAt: { sendAt: new Date(Date.now() + 3_600_000) },
    amp: { amp: '<!doctype html><html ⚡4email></html>' },
    recipientData: { recipientData: { 'ann.recipient@example.org': { data: { name: 'Ann' } } } },
    alternatives: { alternatives: [{ contentType: 'text/x-web-markdown', content: '**Hi**' }] },
    icalEvent: { icalEvent: { method: 'REQUEST', content: 'BEGIN:VCALENDAR' } },
    raw: { raw: 'From: shop@example.com\r\nTo: ann@example.org\r\n\r\nHi' },
    date: { date: new Date(0) },
  },
})

describe('Postmark does what every provider must', () => {
  test.each(contract)('$name', ({ run }) => run())
})

const mail: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: 'Ann <ann@example.org>',
  subject: 'Your order',
  text: 'Thanks',
}

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** It posts again as Postmark does, a minute of its schedule being a millisecond. */
async function startPostmark(webhookUrl?: string): Promise<RunningProvider> {
  const running = await startProvider(postmarkSimulator({ serverToken, password }), {
    ...(webhookUrl !== undefined && { webhookUrl }),
    script: () => [],
    retrySpeed: 60_000,
  })
  closing.push(() => running.close())
  return running
}

/** A correlator behind a port of this machine. */
async function startCorrelator(
  passwords: KeySource = password,
): Promise<{ correlator: Correlator; url: string }> {
  const webhooks = [postmarkWebhook({ password: passwords })]
  const correlator = createCorrelator({ store: memoryStore(), webhooks, foreignAfter: 0 })
  const server = createServer(correlator.nodeHandler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  closing.push(async () => {
    server.closeAllConnections()
    server.close()
    await correlator.close()
  })
  return { correlator, url: `http://127.0.0.1:${port}/webhooks/postmark` }
}

const transporterTo = (running: RunningProvider, correlator?: Correlator) =>
  nodemailer.createTransport(
    postmarkTransport({
      serverToken,
      baseUrl: running.url,
      retries: 0,
      ...(correlator && { correlator }),
    }),
  )

test('a mail goes out through Nodemailer, its events come back, and its status is right', async () => {
  const { correlator, url } = await startCorrelator()
  const postmark = await startPostmark(url)
  const heard: string[] = []
  correlator.onAny((event, message) => void heard.push(`${event.type} of ${message?.subject}`))
  const transporter = transporterTo(postmark, correlator)
  const info = await transporter.sendMail({
    ...mail,
    cc: 'bob@example.org',
    tags: ['order'],
    metadata: { order: '42' },
  })
  const [message] = postmark.messages
  expect(info.providerMessageId).toBe(message?.id)
  expect((await correlator.message(info.trackingId))?.status).toBe('accepted')

  const tell = (type: 'delivered' | 'bounced' | 'opened', recipient: string) =>
    message && postmark.post(message, { events: [{ type, recipient }] })
  await tell('delivered', 'ann@example.org')
  await tell('opened', 'ann@example.org')
  await tell('bounced', 'bob@example.org')
  await correlator.waitFor(info.trackingId, 'bounced', { recipient: 'bob@example.org' })
  await correlator.drain()

  expect(postmark.posted.map(({ status }) => status)).toEqual([200, 200, 200])
  const known = await correlator.message(info.trackingId)
  expect(known?.status).toBe('bounced')
  expect(known?.recipients).toMatchObject([
    { address: 'ann@example.org', status: 'delivered', engagement: { opened: { count: 1 } } },
    { address: 'bob@example.org', status: 'bounced', engagement: {} },
  ])
  expect(known?.events).toMatchObject([
    { type: 'delivered', smtpCode: 250, tags: ['order'], metadata: { order: '42' } },
    { type: 'opened', ip: '203.0.113.80', userAgent: 'Mozilla/5.0' },
    { type: 'bounced', bounce: { kind: 'hard', smtpCode: 550, enhancedCode: '5.1.1' } },
  ])
  expect(heard).toEqual([
    'delivered of Your order',
    'opened of Your order',
    'bounced of Your order',
  ])
})

test('a bounce after delivery is the last word, though Postmark tells it as any other', async () => {
  const { correlator, url } = await startCorrelator()
  const postmark = await startPostmark(url)
  const { trackingId } = await transporterTo(postmark, correlator).sendMail(mail)
  const [message] = postmark.messages
  for (const type of ['delivered', 'bounced'] as const) {
    const events = [{ type, recipient: 'ann@example.org' }]
    expect(message && (await postmark.post(message, { events }))).toMatchObject([{ status: 200 }])
  }
  await correlator.drain()
  const known = await correlator.message(trackingId)
  expect(known?.status).toBe('bounced')
  expect(known?.events[1]).toMatchObject({ type: 'bounced', bounce: { asynchronous: false } })
})

test('the request says all of a mail, in the names of the API', async () => {
  const postmark = await startPostmark()
  const info = await transporterTo(postmark).sendMail({
    ...mail,
    to: ['"Ann, the first" <ann@example.org>', 'Zoë <zoe@bücher.example>'],
    bcc: 'carl@example.org',
    replyTo: ['help@example.com', 'sales@example.com'],
    html: '<img src="cid:logo">',
    headers: { 'X-Order': '42' },
    attachments: [
      { filename: 'a.txt', content: 'a' },
      { filename: 'logo.png', content: Buffer.from('b'), cid: 'logo' },
    ],
    tags: ['order'],
    metadata: { order: '42' },
    trackOpens: true,
    trackClicks: false,
    postmark: { MessageStream: 'broadcast' },
  })
  expect(postmark.messages[0]?.request).toEqual({
    From: '"Shop" <shop@example.com>',
    To: '"Ann, the first" <ann@example.org>, "Zoë" <zoe@xn--bcher-kva.example>',
    Bcc: 'carl@example.org',
    ReplyTo: 'help@example.com, sales@example.com',
    Subject: 'Your order',
    HtmlBody: '<img src="cid:logo">',
    TextBody: 'Thanks',
    Tag: 'order',
    Metadata: { order: '42', mailtrail_id: info.trackingId },
    TrackOpens: true,
    TrackLinks: 'None',
    MessageStream: 'broadcast',
    Headers: [
      { Name: 'X-Order', Value: '42' },
      { Name: 'Message-ID', Value: info.messageId },
      { Name: 'X-PM-KeepID', Value: 'true' },
    ],
    Attachments: [
      { Name: 'a.txt', ContentType: 'text/plain', Content: 'YQ==' },
      { Name: 'logo.png', ContentType: 'image/png', Content: 'Yg==', ContentID: 'cid:logo' },
    ],
  })
})

test('an option of Postmark that is none is refused by its name', async () => {
  const postmark = await startPostmark()
  const withOther: object = { postmark: { To: 'eve@example.org' } }
  await expect(transporterTo(postmark).sendMail({ ...mail, ...withOther })).rejects.toThrow(
    /cannot carry postmark\.To/,
  )
  expect(postmark.requests).toEqual([])
})

describe('recipients that are inactive', () => {
  const inactive = 'inactive@example.org'

  test('are rejected, and the others are accepted', async () => {
    const postmark = await startPostmark()
    const info = await transporterTo(postmark).sendMail({ ...mail, cc: `In <${inactive}>` })
    expect(info).toMatchObject({ accepted: ['ann@example.org'], rejected: [inactive] })
  })

  // The words are in the tests of Postmark's own libraries, and of django-anymail.
  test.each([
    'Message OK, but will not deliver to these inactive addresses: B@example.org, c@example.org',
    'Message OK, but will not deliver to these inactive addresses: B@example.org, c@example.org.',
    'Message OK, but will not deliver to these inactive addresses: B@example.org, c@example.org. Inactive recipients are ones that have generated a hard bounce.',
  ])('are known by the words: %s', async (Message) => {
    const postmark = await startPostmark()
    const body = JSON.stringify({ MessageID: 'a1', ErrorCode: 0, Message })
    postmark.failNext({ kind: 'answer', status: 200, body })
    const cc = ['b@example.org', 'c@example.org']
    const info = await transporterTo(postmark).sendMail({ ...mail, cc })
    expect(info).toMatchObject({ accepted: ['ann@example.org'], rejected: cc })
    expect(info.providerMessageId).toBe('a1')
  })

  test('and nobody else: it is rejected, and nothing was sent', async () => {
    const { correlator } = await startCorrelator()
    const postmark = await startPostmark()
    const sending = transporterTo(postmark, correlator).sendMail({ ...mail, to: inactive })
    await expect(sending).rejects.toMatchObject({ category: 'rejected', outcome: 'not-sent' })
    const { messages } = await correlator.find()
    expect(messages).toMatchObject([{ status: 'rejected', failFlag: true }])
  })
})

const answer = (status: number, ErrorCode: number): ApiFailure => ({
  kind: 'answer',
  status,
  body: JSON.stringify({ ErrorCode, Message: 'Why it failed.' }),
})

describe('an error of the API', () => {
  test.each([
    [422, 300, 'validation'],
    [422, 400, 'rejected'],
    [422, 401, 'rejected'],
    [422, 405, 'rejected'],
    [422, 412, 'rejected'],
    [422, 413, 'rejected'],
    [401, 10, 'auth'],
    [429, 429, 'rate-limit'],
    [503, 100, 'server'],
  ])('%i with the code %i is of the category %s', async (status, code, category) => {
    const postmark = await startPostmark()
    postmark.failNext(answer(status, code))
    await expect(transporterTo(postmark).sendMail(mail)).rejects.toMatchObject({
      category,
      outcome: 'not-sent',
      message: `Postmark answered ${status}: Why it failed.`,
    })
  })

  test('is no acceptance where somebody else answers 200', async () => {
    const postmark = await startPostmark()
    postmark.failNext({ kind: 'answer', status: 200, body: '<html>Log in</html>' })
    await expect(transporterTo(postmark).sendMail(mail)).rejects.toMatchObject({
      category: 'server',
      outcome: 'unknown',
      statusCode: 200,
    })
  })
})

test.each<[string, MailOptions]>([
  ['more than 50 recipients', { to: Array.from({ length: 51 }, (_, at) => `a${at}@example.org`) }],
  ['nothing to say', { text: '' }],
  ['metadata that is too long', { metadata: { order: '4'.repeat(81) } }],
  ['metadata of a long name', { metadata: { ['order'.repeat(5)]: '42' } }],
])('a message with %s is refused by Postmark, and was not sent', async (_, changes) => {
  const postmark = await startPostmark()
  const sending = transporterTo(postmark).sendMail({ ...mail, ...changes })
  await expect(sending).rejects.toMatchObject({
    category: 'validation',
    outcome: 'not-sent',
    statusCode: 422,
  })
  expect(postmark.messages).toEqual([])
})

test('verify() checks the token', async () => {
  const postmark = await startPostmark()
  expect(await transporterTo(postmark).verify()).toBe(true)
  const wrong = postmarkTransport({ serverToken: 'another', baseUrl: postmark.url })
  await expect(nodemailer.createTransport(wrong).verify()).rejects.toMatchObject({
    category: 'auth',
  })
  postmark.failNext({ kind: 'cut' })
  await expect(transporterTo(postmark).verify()).rejects.toMatchObject({ outcome: 'not-sent' })
})

/** What the webhook makes of an entry, as a listener would get it. */
async function eventOf(entry: object): Promise<object> {
  const body = Buffer.from(JSON.stringify(entry))
  const request = { method: 'POST', target: '/postmark', header: () => undefined, body }
  const reading = await postmarkWebhook({ password }).read(request, new Date())
  if (reading.kind === 'refused') throw new Error(reading.detail)
  const [{ raw, ...event } = { raw: undefined }] = reading.events
  expect(raw).toEqual(entry)
  return event
}

const common = {
  MessageID: '883953f4-6105-42a2-a16a-77a8eac79483',
  MessageStream: 'outbound',
  ServerID: 23,
  Tag: 'welcome-email',
  Metadata: { order: '42', mailtrail_id: '019ac000-0000-7000-8000-000000000001' },
}

const labels = {
  providerMessageId: '883953f4-6105-42a2-a16a-77a8eac79483',
  ownId: '019ac000-0000-7000-8000-000000000001',
  tags: ['welcome-email'],
  metadata: { order: '42' },
}

describe('a post of the documents', () => {
  test('Delivery', async () => {
    const DeliveredAt = '2019-11-05T16:33:54.9070259Z'
    const Details = 'Test delivery webhook details'
    const entry = { RecordType: 'Delivery', ...common, Recipient: 'john@example.com' }
    expect(await eventOf({ ...entry, DeliveredAt, Details })).toEqual({
      type: 'delivered',
      response: Details,
      providerEvent: 'Delivery',
      recipient: 'john@example.com',
      occurredAt: new Date('2019-11-05T16:33:54.907Z'),
      ...labels,
    })
  })

  test('SpamComplaint', async () => {
    const entry = {
      RecordType: 'SpamComplaint',
      ...common,
      Type: 'SpamComplaint',
      TypeCode: 100_001,
      Email: 'john@example.com',
      BouncedAt: '2019-11-05T16:33:54.9070259Z',
    }
    expect(await eventOf(entry)).toMatchObject({
      type: 'complained',
      recipient: 'john@example.com',
    })
  })

  test('Open', async () => {
    const entry = {
      RecordType: 'Open',
      ...common,
      FirstOpen: true,
      Recipient: 'john@example.com',
      ReceivedAt: '2019-11-05T16:33:54.9070259Z',
      UserAgent: 'Mozilla/5.0',
      Geo: { City: 'Novi Sad', IP: '188.2.95.4' },
    }
    expect(await eventOf(entry)).toMatchObject({
      type: 'opened',
      ip: '188.2.95.4',
      userAgent: 'Mozilla/5.0',
    })
  })

  test('Click, in the HTML and in the text', async () => {
    const entry = {
      RecordType: 'Click',
      ...common,
      ClickLocation: 'HTML',
      OriginalLink: 'https://example.com',
      Recipient: 'john@example.com',
      ReceivedAt: '2017-10-25T15:21:11.9065619Z',
    }
    expect(await eventOf(entry)).toMatchObject({
      type: 'clicked',
      url: 'https://example.com',
      discriminator: 'HTML',
    })
  })

  test.each([
    ['HardBounce', { type: 'bounced', bounce: { kind: 'hard', smtpCode: 550 } }],
    ['SoftBounce', { type: 'bounced', bounce: { kind: 'soft' } }],
    ['Blocked', { type: 'bounced', bounce: { kind: 'block' } }],
    ['DMARCPolicy', { type: 'bounced', bounce: { kind: 'block' } }],
    ['SpamNotification', { type: 'bounced', bounce: { kind: 'block' } }],
    ['Unknown', { type: 'bounced', bounce: { kind: 'unknown' } }],
    ['Transient', { type: 'deferred', response: 'smtp;550 5.1.1 No such user', smtpCode: 550 }],
    ['DnsError', { type: 'deferred' }],
    ['BadEmailAddress', { type: 'rejected', reason: 'invalid' }],
    ['ManuallyDeactivated', { type: 'rejected', reason: 'blocked' }],
    ['AutoResponder', { type: 'unknown' }],
    ['constructor', { type: 'unknown' }],
  ])('Bounce of the type %s', async (Type, fact) => {
    const entry = {
      RecordType: 'Bounce',
      ...common,
      ID: 4_323_372,
      Type,
      Email: 'john@example.com',
      BouncedAt: '2019-11-05T16:33:54.9070259Z',
      Details: 'smtp;550 5.1.1 No such user',
    }
    expect(await eventOf(entry)).toMatchObject({ ...fact, recipient: 'john@example.com' })
  })

  const scope = { kind: 'group', id: 'outbound' }
  const listed = { type: 'suppression', list: 'reject', address: 'john@example.com', scope }
  test.each([
    ['Recipient', true, 'ManualSuppression', { type: 'unsubscribed', scope }],
    ['Customer', true, 'ManualSuppression', { ...listed, action: 'added' }],
    ['Recipient', true, 'HardBounce', { ...listed, action: 'added', reason: 'HardBounce' }],
    ['Customer', false, null, { ...listed, action: 'removed' }],
  ])('SubscriptionChange by the %s, %j, %j', async (Origin, SuppressSending, reason, fact) => {
    const entry = {
      RecordType: 'SubscriptionChange',
      ...common,
      ChangedAt: '2020-02-01T10:53:34.416071Z',
      Recipient: 'john@example.com',
      Origin,
      SuppressSending,
      SuppressionReason: reason,
    }
    expect(await eventOf(entry)).toMatchObject({
      ...fact,
      occurredAt: new Date('2020-02-01T10:53:34.416Z'),
    })
  })

  test('of another kind is told as unknown', async () => {
    expect(await eventOf({ RecordType: 'Inbound', From: 'john@example.com' })).toMatchObject({
      type: 'unknown',
      providerEvent: 'Inbound',
    })
  })
})

test('who unsubscribed from one stream is still mailed through another', async () => {
  const { correlator, url } = await startCorrelator()
  const postmark = await startPostmark(url)
  const transporter = transporterTo(postmark, correlator)
  await transporter.sendMail({ ...mail, postmark: { MessageStream: 'broadcast' } })
  const [message] = postmark.messages
  await unsubscribe(postmark, message)
  await correlator.drain()
  await expect(
    transporter.sendMail({ ...mail, postmark: { MessageStream: 'broadcast' } }),
  ).rejects.toMatchObject({ category: 'rejected' })
  expect((await transporter.sendMail(mail)).accepted).toEqual(['ann@example.org'])

  // Reactivated in Postmark, it is mailed again.
  const reactivation = { SuppressSending: false, SuppressionReason: null, Origin: 'Customer' }
  await unsubscribe(postmark, message, {
    at: new Date(Date.now() + 1000),
    change: (entry) => ({ ...entry, ...reactivation, MessageID: null, Metadata: {} }),
  })
  await correlator.drain()
  const again = await transporter.sendMail({ ...mail, postmark: { MessageStream: 'broadcast' } })
  expect(again.accepted).toEqual(['ann@example.org'])
})

async function unsubscribe(
  postmark: RunningProvider,
  message: SimulatedMessage | undefined,
  changes: Partial<SimulatedEvent> = {},
): Promise<void> {
  const events: SimulatedEvent[] = [
    { type: 'unsubscribed', recipient: 'ann@example.org', ...changes },
  ]
  expect(message && (await postmark.post(message, { events }))).toMatchObject([{ status: 200 }])
}

test('a post that meets a wrong password comes again, until that is put right', async () => {
  const passwords = ['mistyped']
  const { correlator, url } = await startCorrelator(() => passwords)
  correlator.on('refused', () => void passwords.push(password))
  const postmark = await startPostmark(url)
  const { trackingId } = await transporterTo(postmark, correlator).sendMail(mail)
  const [message] = postmark.messages
  const events = [{ type: 'delivered', recipient: 'ann@example.org' }] as const
  const posted = message && (await postmark.post(message, { events: [...events] }))
  expect(posted?.map(({ status }) => status)).toEqual([401, 200])
  expect((await correlator.message(trackingId))?.status).toBe('delivered')
})

// 403 ends Postmark's retries, and any other status than 200 brings the post again.
test.each([
  ['with another password', { authorization: `Basic ${btoa('postmark:another')}` }, '{}', 401],
  ['without a password', {}, '{}', 401],
  ['that is not JSON', { authorization: `Basic ${btoa(`postmark:${password}`)}` }, '{', 403],
  ['of nothing known', { authorization: `Basic ${btoa(`postmark:${password}`)}` }, '[]', 200],
])(
  'a post %s is answered so that Postmark does what it should',
  async (_, headers, body, status) => {
    const { url } = await startCorrelator()
    expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(status)
  },
)
