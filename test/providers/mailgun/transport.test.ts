import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { join } from 'node:path'
import nodemailer from 'nodemailer'
import {
  ConfigurationError,
  createCorrelator,
  type MailOptions,
  memoryStore,
  type SentMessage,
} from '../../../src/index.js'
import {
  mailgunSimulator,
  mailgunTransport,
  type MailgunTransportOptions,
  mailgunWebhook,
} from '../../../src/providers/mailgun/index.js'
import {
  type ApiRequest,
  type RunningProvider,
  type ScriptedPost,
  startProvider,
} from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { collectErrors, collectTold } from '../../told-events.js'

const apiKey = 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0'
const domain = 'mg.example.com'
const uuid = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

const simple: MailOptions = {
  from: 'billing@mg.example.com',
  to: 'ana@shop.test',
  subject: 'Invoice',
  text: 'Hello',
}

let provider: RunningProvider
let open: { close(): Promise<void> }[] = []

/** Has it closed when the test is over, however it ends. */
function closing<T extends { close(): Promise<void> }>(opened: T): T {
  open.push(opened)
  return opened
}

beforeEach(async () => {
  provider = closing(await startProvider(mailgunSimulator({ apiKey, domain })))
})
afterEach(async () => {
  await Promise.all(open.map((opened) => opened.close()))
  open = []
})

const connect = (options: MailgunTransportOptions = {}) =>
  nodemailer.createTransport(
    mailgunTransport({ apiKey, domain, baseUrl: provider.url, ...options }),
  )

async function form(request: ApiRequest | undefined): Promise<FormData> {
  if (!request) throw new Error('no request came')
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  return new Response(request.body, { headers }).formData()
}
const texts = (all: FormData) => [...all].filter(([, value]) => typeof value === 'string')
const files = (all: FormData) =>
  Promise.all(
    [...all].flatMap(([name, value]) =>
      typeof value === 'string'
        ? []
        : [value.arrayBuffer().then((bytes) => [name, value.name, value.type, Buffer.from(bytes)])],
    ),
  )

describe('what arrives', () => {
  test('is one call of the Messages API, with the key of the transport', async () => {
    await connect().sendMail(simple)
    expect(provider.requests).toEqual([
      expect.objectContaining({
        method: 'POST',
        path: '/v3/mg.example.com/messages',
        headers: expect.objectContaining({
          authorization: `Basic ${btoa(`api:${apiKey}`)}`,
          'content-type': expect.stringMatching(/^multipart\/form-data; boundary=/),
        }),
      }),
    ])
  })

  test('is the whole mail', async () => {
    const { trackingId } = await connect().sendMail({
      from: ['"Acme, Billing" <billing@mg.example.com>', 'shop@mg.example.com'],
      sender: 'desk@mg.example.com',
      to: [{ name: 'Ana Ruíz', address: 'ana@shop.test' }, 'bob@shop.test'],
      cc: '"Carl (Sales)" <carl@shop.test>',
      bcc: ['dora@shop.test'],
      replyTo: 'Billing <billing@mg.example.com>, desk@mg.example.com',
      subject: 'Factura n.º 1042',
      text: 'Hola\nAna',
      html: '<p>Hola</p>',
      messageId: '<m-1@mg.example.com>',
      inReplyTo: '<q-1@shop.test>',
      references: ['<q-0@shop.test>', '<q-1@shop.test>'],
      priority: 'high',
      list: { unsubscribe: 'https://shop.test/u' },
      headers: { 'X-Shop': 'größer', 'x-long': 'word '.repeat(40).trim() },
      tags: ['invoice', 'eu'],
      metadata: { order_id: '1042', empty: '', constructor: 'c' },
    })
    expect(texts(await form(provider.requests[0]))).toEqual([
      ['from', '"Acme, Billing" <billing@mg.example.com>'],
      ['from', 'shop@mg.example.com'],
      ['to', '"Ana Ruíz" <ana@shop.test>'],
      ['to', 'bob@shop.test'],
      ['cc', '"Carl (Sales)" <carl@shop.test>'],
      ['bcc', 'dora@shop.test'],
      ['subject', 'Factura n.º 1042'],
      ['text', 'Hola\r\nAna'],
      ['html', '<p>Hola</p>'],
      ['h:X-Shop', '=?UTF-8?Q?gr=C3=B6=C3=9Fer?='],
      ['h:X-Long', 'word '.repeat(40).trim()],
      ['h:Sender', 'desk@mg.example.com'],
      ['h:In-Reply-To', '<q-1@shop.test>'],
      ['h:References', '<q-0@shop.test> <q-1@shop.test>'],
      ['h:X-Priority', '1 (Highest)'],
      ['h:X-Msmail-Priority', 'High'],
      ['h:Importance', 'High'],
      ['h:List-Unsubscribe', '<https://shop.test/u>'],
      ['h:Reply-To', '"Billing" <billing@mg.example.com>, desk@mg.example.com'],
      ['h:Message-Id', '<m-1@mg.example.com>'],
      ['o:tag', 'invoice'],
      ['o:tag', 'eu'],
      ['v:order_id', '1042'],
      ['v:empty', ''],
      ['v:constructor', 'c'],
      ['v:mailtrail_id', trackingId],
    ])
  })

  test('has its files, byte for byte and with their types', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    await connect().sendMail({
      ...simple,
      html: '<img src="cid:logo@shop.test">',
      attachments: [
        { filename: 'factura nº "1042".pdf', content: bytes },
        { filename: 'note.txt', content: 'größe' },
        { filename: 'b64.bin', content: 'AAEC', encoding: 'base64' },
        { filename: 'logo.png', cid: 'logo@shop.test', content: bytes },
        { content: 'unnamed' },
      ],
    })
    const all = await form(provider.requests[0])
    expect(all.get('html')).toBe('<img src="cid:logo.png">')
    expect(await files(all)).toEqual([
      ['attachment', 'factura nº "1042".pdf', 'application/pdf', bytes],
      ['attachment', 'note.txt', 'text/plain; charset=utf-8', Buffer.from('größe')],
      ['attachment', 'b64.bin', 'application/octet-stream', Buffer.from([0, 1, 2])],
      ['attachment', 'attachment-5.bin', 'application/octet-stream', Buffer.from('unnamed')],
      ['inline', 'logo.png', 'image/png', bytes],
    ])
    // A name in `filename*` makes Mailgun lose the attachment (django-anymail#125).
    const raw = provider.requests[0]?.body.toString() ?? ''
    expect(raw).toContain('filename="factura nº %221042%22.pdf"')
    expect(raw).not.toContain('filename*')
  })

  test('leaves the object of the caller as it was', async () => {
    const mail = (): MailOptions => ({
      ...simple,
      to: [{ name: 'Ana', address: 'ana@shop.test' }],
      html: '<img src="cid:a">',
      headers: { 'X-Shop': 'eu' },
      tags: ['t'],
      metadata: { order: '1' },
      attachments: [
        { cid: 'a', filename: 'a.png', content: Buffer.from('x') },
        { path: join(__dirname, 'fixtures/opened.request.json') },
      ],
    })
    const given = mail()
    await connect().sendMail(given)
    expect(given).toEqual(mail())
  })

  test('goes by the key of each of two transports', async () => {
    const simulator = mailgunSimulator({ apiKey: 'key-other', domain: 'eu.example.com' })
    const other = closing(await startProvider(simulator))
    const transporters = [
      connect(),
      connect({ apiKey: 'key-other', domain: 'eu.example.com', baseUrl: `${other.url}/` }),
    ]
    await Promise.all([0, 1, 0, 1].map((index) => transporters[index]?.sendMail(simple)))
    expect([provider.messages.length, other.messages.length]).toEqual([2, 2])
  })

  test('lacks what Mailgun would not take, where that was asked for', async () => {
    const mail = {
      ...simple,
      attachments: [{ filename: '100%22.txt', content: 'x' }],
      metadata: { note: 'a\nb' },
    }
    await expect(connect().sendMail(mail)).rejects.toThrow(
      'cannot carry metadata.note with line breaks other than CRLF, attachments[0].filename as it is',
    )
    expect(provider.requests).toEqual([])
    await connect({ unsupported: 'ignore' }).sendMail(mail)
    const all = await form(provider.requests[0])
    expect(all.get('v:note')).toBe('a\r\nb')
    expect((await files(all)).map(([field, name]) => [field, name])).toEqual([
      ['attachment', '100".txt'],
    ])
  })

  test('keeps the type of a file whose parameters are beyond ASCII', async () => {
    const contentType = 'application/pdf; name="Übersicht.pdf"'
    await connect().sendMail({
      ...simple,
      attachments: [{ filename: 'a.pdf', content: 'x', contentType }],
    })
    const file = (await form(provider.requests[0])).get('attachment')
    expect(file instanceof File && file.type).toBe('application/pdf')
  })
})

describe('what comes back', () => {
  test('has the ids, and every recipient as accepted', async () => {
    const info = await connect().sendMail({
      ...simple,
      cc: 'bob@shop.test',
      bcc: 'carl@shop.test',
      messageId: '<m-1@mg.example.com>',
    })
    const accepted = { status: 'accepted', providerStatus: 'queued' }
    expect(info).toEqual({
      envelope: {
        from: 'billing@mg.example.com',
        to: ['ana@shop.test', 'bob@shop.test', 'carl@shop.test'],
      },
      messageId: '<m-1@mg.example.com>',
      accepted: ['ana@shop.test', 'bob@shop.test', 'carl@shop.test'],
      rejected: [],
      pending: [],
      response: 'Queued. Thank you.',
      trackingId: expect.stringMatching(uuid),
      provider: 'mailgun',
      providerMessageId: 'm-1@mg.example.com',
      recipients: [
        { address: 'ana@shop.test', kind: 'to', ...accepted },
        { address: 'bob@shop.test', kind: 'cc', ...accepted },
        { address: 'carl@shop.test', kind: 'bcc', ...accepted },
      ],
    })
  })

  test.each<[string, unknown, string]>([
    ['in brackets', { id: '<20251009.1@mg.example.com>', message: 'Queued.' }, 'Queued.'],
    ['bare', { id: '20251009.1@mg.example.com', message: 'Queued.' }, 'Queued.'],
    ['without a message', { id: ' <20251009.1@mg.example.com> ' }, 'Queued'],
    ['with more', { id: '20251009.1@mg.example.com', message: null, new: [1] }, 'Queued'],
  ])("is Mailgun's id, bare, when it comes %s", async (_, body, response) => {
    provider.failNext({
      kind: 'answer',
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(await connect().sendMail(simple)).toMatchObject({
      providerMessageId: '20251009.1@mg.example.com',
      response,
    })
  })

  test('is told on the transporter and on the transport, once each', async () => {
    const transport = mailgunTransport({ apiKey, domain, baseUrl: provider.url })
    const transporter = nodemailer.createTransport(transport)
    const heard: [string, SentMessage, boolean][] = []
    transporter.on('sent', (message, failFlag) => heard.push(['sent', message, failFlag]))
    transporter.on('emailSent', (message, failFlag) => heard.push(['emailSent', message, failFlag]))
    const onTransport = new Promise<void>((resolve) => {
      transport.on('emailSent', (message, failFlag) => {
        heard.push(['transport', message, failFlag])
        resolve()
      })
    })
    const [info] = await Promise.all([
      transporter.sendMail({ ...simple, tags: ['t'], metadata: { order: '1' } }),
      onTransport,
    ])
    expect(heard.map(([name, , failFlag]) => [name, failFlag])).toEqual([
      ['sent', false],
      ['emailSent', false],
      ['transport', false],
    ])
    for (const [, message] of heard) {
      expect(message).toMatchObject({
        trackingId: info.trackingId,
        provider: 'mailgun',
        providerMessageId: info.providerMessageId,
        messageId: info.messageId,
        subject: 'Invoice',
        tags: ['t'],
        metadata: { order: '1' },
        failFlag: false,
      })
    }
  })
})

describe('what becomes of it', () => {
  test.each([
    ['our id', {}, ['own-id', 'own-id']],
    // Its own id is learnt with the answer, and the first event is ahead of that.
    ['the ids of Mailgun', { withoutOwnId: true }, ['message-id', 'provider-id']],
  ])('is known by %s, from the first event on', async (_, how, [early, later]) => {
    const simulator = mailgunSimulator({ apiKey, domain })
    const webhook = mailgunWebhook({ signingKey: simulator.signingKey })
    const correlator = closing(createCorrelator({ store: memoryStore(), webhooks: [webhook] }))
    const told = collectTold(correlator)
    const errors = collectErrors(correlator)
    const endpoint = closing(await startEndpoint(correlator.nodeHandler))
    const recipient = 'ana@shop.test'
    const script = (): ScriptedPost[] => [
      { events: [{ type: 'accepted', recipient, ...how }], early: true },
      { events: [{ type: 'deferred', recipient, ...how }] },
      { events: [{ type: 'delivered', recipient, ...how }], times: 2 },
      { events: [{ type: 'opened', recipient, ...how }] },
      { events: [{ type: 'bounced', recipient, ...how }], forged: true },
    ]
    const webhookUrl = `${endpoint.url}/webhooks/mailgun`
    const mailgun = closing(await startProvider(simulator, { webhookUrl, script }))
    const transporter = connect({ baseUrl: mailgun.url, correlator })
    const { trackingId } = await transporter.sendMail({ ...simple, metadata: { order: '1' } })
    await mailgun.settled()
    await correlator.drain()
    expect(mailgun.posted.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 406])
    expect(told.map(({ event }) => [event.type, event.correlation.via])).toEqual([
      ['accepted', early],
      ['deferred', later],
      ['delivered', later],
      ['opened', later],
    ])
    expect(errors).toHaveLength(1)
    expect(await correlator.message(trackingId)).toMatchObject({
      status: 'delivered',
      recipients: [{ address: recipient, engagement: { opened: { count: 1 } } }],
    })
  })
})

describe('creating a transport', () => {
  const environment = { ...process.env }
  beforeEach(() => {
    for (const name of ['MAILGUN_API_KEY', 'MAILGUN_DOMAIN', 'MAILGUN_URL']) {
      delete process.env[name]
    }
  })
  afterEach(() => {
    process.env = { ...environment }
  })

  test.each<[string, MailgunTransportOptions, string]>([
    ['without a key', { domain }, 'MAILGUN_API_KEY'],
    ['with an empty key', { apiKey: '', domain }, 'MAILGUN_API_KEY'],
    ['without a domain', { apiKey }, 'MAILGUN_DOMAIN'],
    ['with an address for a base', { apiKey, domain, baseUrl: 'api.mailgun.net' }, 'baseUrl'],
    ['with an empty base', { apiKey, domain, baseUrl: '' }, 'baseUrl'],
    ['with another scheme', { apiKey, domain, baseUrl: 'smtp://mailgun.net' }, 'baseUrl'],
    ...[
      'a/b',
      'a%2Fb',
      'a?b',
      'a#b',
      'a b',
      'a\nb',
      '..',
      'a..b',
      '.a',
      'a@b',
      'bücher.example',
    ].map((wrong): [string, MailgunTransportOptions, string] => [
      `with ${JSON.stringify(wrong)} for a domain`,
      { apiKey, domain: wrong },
      'is not a domain',
    ]),
  ])('%s is refused at once', (_, options, message) => {
    const create = () => mailgunTransport(options)
    expect(create).toThrow(ConfigurationError)
    expect(create).toThrow(message)
    expect(create).not.toThrow(apiKey)
  })

  test('takes everything from the environment', async () => {
    const MAILGUN_URL = provider.url
    Object.assign(process.env, { MAILGUN_API_KEY: apiKey, MAILGUN_DOMAIN: domain, MAILGUN_URL })
    await nodemailer.createTransport(mailgunTransport()).sendMail(simple)
    expect(provider.messages).toHaveLength(1)
  })
})
