import { describe, expect, test } from '@jest/globals'
import { mailgunSimulator, mailgunWebhook } from '../../../src/providers/mailgun/index.js'
import { webhookRequest } from '../../webhook-request.js'
import type { SimulatedEvent, SimulatedMessage } from '../../../src/testing/index.js'

const apiKey = 'key-test'
const domain = 'mg.example.com'
const simulator = mailgunSimulator({ apiKey, domain })
const now = new Date('2025-10-09T08:53:20.500Z')

type Field = [name: string, value: string | File]

const simple: Field[] = [
  ['from', '"Acme, Billing" <billing@mg.example.com>'],
  ['to', 'Ana Ruiz <ana@shop.test>'],
  ['subject', 'Invoice'],
  ['text', 'Hello'],
]
const without = (name: string): Field[] => simple.filter(([other]) => other !== name)
const replaced = (name: string, value: string): Field[] => [...without(name), [name, value]]

/** What the API answers to a form, or to what else is posted. */
async function post(
  body: Field[] | string | Buffer,
  { path = `/v3/${domain}/messages`, method = 'POST', key = `api:${apiKey}`, type = '' } = {},
) {
  const form = new FormData()
  if (Array.isArray(body)) for (const [name, value] of body) form.append(name, value)
  const encoded = new Response(Array.isArray(body) ? form : body)
  const headers = {
    authorization: `Basic ${btoa(key)}`,
    'content-type': type || (encoded.headers.get('content-type') ?? ''),
  }
  const bytes = Buffer.from(await encoded.arrayBuffer())
  return simulator.answer({ method, path, headers, body: bytes }, now)
}

async function accepted(...more: Field[]): Promise<{ id: string; message: SimulatedMessage }> {
  const { answer, message } = await post([...simple, ...more])
  if (!message) throw new Error(`it was refused: ${answer.body}`)
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json'])
  const { id, message: words } = JSON.parse(answer.body)
  expect(words).toBe('Queued. Thank you.')
  return { id, message }
}

describe('the simulated API takes a message', () => {
  test('and makes an id for it', async () => {
    const { id, message } = await accepted()
    expect(id).toMatch(/^<20251009085320\.[\da-f]{16}@mg\.example\.com>$/)
    expect([`<${message.id}>`, `<${message.messageId}>`]).toEqual([id, id])
  })

  test.each([
    ['h:Message-Id', '<m-1@mg.example.com>'],
    ['h:message-id', 'm-1@mg.example.com'],
  ])('and keeps the id in %s as it is written', async (name, given) => {
    const { id, message } = await accepted([name, given])
    expect([id, message.id]).toEqual([given, 'm-1@mg.example.com'])
  })

  test('of a template, without a subject or a text', async () => {
    const { message } = await post([...without('subject').slice(0, 2), ['template', 'invoice']])
    expect(message?.subject).toBe('')
  })

  test.each([
    'Thu, 09 Oct 2025 12:00:00 +0000',
    'Thu, 09 Oct 2025 12:00:00 GMT',
    '9 Oct 2025 12:00 -0730',
    '1760011200',
  ])('for %s', async (time) => {
    expect((await accepted(['o:deliverytime', time])).message.id).not.toBe('')
  })

  test.each(['', 'm-1', '<m 1@mg.example.com>'])('but not %j for an id', async (given) => {
    expect((await accepted(['h:Message-Id', given])).id).toMatch(/^<20251009085320\./)
  })

  test('and knows what is in it', async () => {
    const { message } = await accepted(
      ['to', '"Bob, B." <bob@shop.test>, carl@shop.test'],
      ['cc', 'dora@shop.test'],
      ['bcc', 'emil@shop.test'],
      ['o:tag', 'invoice'],
      ['o:tag', 'eu'],
      ['v:order_id', '1042'],
    )
    expect(message).toMatchObject({
      subject: 'Invoice',
      tags: ['invoice', 'eu'],
      metadata: { order_id: '1042' },
    })
    expect(message.recipients.map(({ address }) => address)).toEqual([
      'ana@shop.test',
      'bob@shop.test',
      'carl@shop.test',
      'dora@shop.test',
      'emil@shop.test',
    ])
  })
})

describe('the simulated API refuses', () => {
  const invalid = 'parameter is not a valid address. please check documentation'
  const many = Array.from({ length: 1000 }, (_, index) => `a${index}@shop.test`).join(',')

  test.each<[string, Field[], string]>([
    ['no sender', without('from'), 'from parameter is missing'],
    ['no recipient', without('to'), 'to parameter is missing'],
    ['an empty recipient', replaced('to', ''), 'to parameter is missing'],
    ['a sender that is no address', replaced('from', 'Acme'), `from ${invalid}`],
    ['a recipient that is no address', replaced('to', 'ana@'), `to ${invalid}`],
    ['one bad recipient among good ones', [...simple, ['to', 'bob']], `to ${invalid}`],
    ['a name with a comma without quotes', replaced('to', 'Ruiz, Ana <a@b.c>'), `to ${invalid}`],
    ['a bad copy', [...simple, ['cc', 'bob@shop test']], `cc ${invalid}`],
    ['a bad blind copy', [...simple, ['bcc', '@shop.test']], `bcc ${invalid}`],
    ['too many', [...simple, ['bcc', many]], 'Too many recipients, max is 1000'],
    [
      'no content',
      without('text'),
      "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified",
    ],
    [
      'content twice',
      [...simple, ['html', 'h'], ['template', 't']],
      "Only one parameters 'html' or 'template' is allowed",
    ],
    ['a form with an option alone', [['o:testmode', 'yes']], 'from parameter is missing'],
    ...[
      '',
      'tomorrow',
      '2025-10-09T12:00:00Z',
      'Thu, 09 Oct 2025 12:00:00',
      'Thu, 09 Oct 2025 12:00:00 CET',
      'Thu, 09 Oct 2025 25:00:00 +0000',
    ].map((time): [string, Field[], string] => [
      `${time || 'nothing'} for a time`,
      [...simple, ['o:deliverytime', time]],
      'invalid delivery time format',
    ]),
    [
      'the name of a header',
      [...simple, ['h:X-Größe', '7']],
      'Header name must be pure ASCII: X-Größe',
    ],
    ...['o:tag', 'h:X-Long', 'v:long', 't:variables'].map((name): [string, Field[], string] => [
      `too much in ${name}`,
      [...simple, [name, 'ü'.repeat(8 * 1024)]],
      'Send options (parameters starting with o:, h:, or v:) are limited to 16KB total',
    ]),
  ])('%s', async (_, form, words) => {
    const { answer, message } = await post(form)
    expect(message).toBeUndefined()
    expect([answer.status, answer.headers['content-type']]).toEqual([400, 'application/json'])
    expect(JSON.parse(answer.body)).toEqual({ message: words })
  })

  test('a missing subject', async () => {
    expect((await post(without('subject'))).answer.status).toBe(400)
  })

  test.each([
    ['another key', { key: 'api:key-other' }],
    ['another user', { key: 'key-test:api' }],
    ['no user', { key: apiKey }],
  ])('%s, in plain text', async (_, credentials) => {
    const { answer, message } = await post(simple, credentials)
    expect(message).toBeUndefined()
    expect(answer).toEqual({
      status: 401,
      headers: { 'content-type': 'text/html; charset=utf-8' },
      body: 'Forbidden',
    })
  })

  test('a domain that it does not know', async () => {
    const { answer } = await post(simple, { path: '/v3/other.example.com/messages' })
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      404,
      { message: 'Domain not found: other.example.com' },
    ])
  })

  test.each([
    ['POST', '/v3/v3/mg.example.com/messages'],
    ['POST', '/mg.example.com/messages'],
    ['POST', '/'],
    ['GET', '/v3/mg.example.com/messages'],
  ])('%s %s, though with a 200', async (method, path) => {
    const { answer, message } = await post(simple, { method, path })
    expect(message).toBeUndefined()
    expect([answer.status, answer.body]).toEqual([200, 'Mailgun Magnificent API'])
  })

  test.each([
    [
      'JSON',
      '{}',
      'application/json',
      "Invalid request content type. Expecting 'multipart/form-data' but got 'application/json'",
    ],
    [
      'a form that is cut short',
      '--b\r\nContent-Disposition: form-data; name="to"\r\n\r\nan',
      'multipart/form-data; boundary=b',
      'malformed multipart/form-data request',
    ],
  ])('%s', async (_, body, type, words) => {
    const { answer } = await post(body, { type })
    expect([answer.status, JSON.parse(answer.body)]).toEqual([400, { message: words }])
  })

  test('more than 52.4 MiB', async () => {
    const { answer } = await post(Buffer.alloc(52.5 * 1024 * 1024), { type: 'multipart/form-data' })
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      413,
      { message: 'request size exceeds 52.4MiB limit' },
    ])
  })
})

describe('the simulated API takes a document', () => {
  const path = `/v3/${domain}/messages.mime`
  const document = (text: string): Field => ['message', new File([text], 'message.mime')]
  const head = 'From: a@mg.example.com\r\n'

  test.each([
    ['Message-ID: <doc-1@shop.test>\r\nSubject: Invoice\r\n', '<doc-1@shop.test>', 'Invoice'],
    ['message-id:\r\n <doc-1@shop.test>\r\n', '<doc-1@shop.test>', ''],
    [
      'Subject: =?UTF-8?Q?Gr=C3=B6=C3=9Fe_?=\r\n =?utf-8?B?5rOo?= x\r\n',
      /^<20251009085320\./,
      'Größe 注 x',
    ],
  ])('of the head %j', async (lines, id, subject) => {
    const { answer, message } = await post(
      [
        ['to', 'ana@shop.test, bob@shop.test'],
        ['to', 'carl@shop.test'],
        document(`${head}${lines}\r\nMessage-ID: <no@shop.test>\r\n\r\n`),
        ['o:tag', 'invoice'],
        ['v:order_id', '1042'],
      ],
      { path },
    )
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body).id).toMatch(id)
    expect(message).toMatchObject({
      subject,
      tags: ['invoice'],
      metadata: { order_id: '1042' },
      recipients: ['ana', 'bob', 'carl'].map((name) => ({ address: `${name}@shop.test` })),
    })
    expect(`<${message?.messageId}>`).toMatch(id)
  })

  const to: Field = ['to', 'ana@shop.test']
  test.each<[string, Field[], string]>([
    ['nobody to send to', [document(head)], 'to parameter is missing'],
    ['no document', [to], 'message parameter is missing'],
    ['a document that is no file', [to, ['message', head]], "'message' parameter is not a file"],
    [
      'a bad recipient',
      [['to', 'ana'], document(head)],
      'to parameter is not a valid address. please check documentation',
    ],
    [
      'too many',
      [['to', Array(1001).fill('a@shop.test').join(',')], document(head)],
      'Too many recipients, max is 1000',
    ],
    [
      'a bad time',
      [to, document(head), ['o:deliverytime', 'tomorrow']],
      'invalid delivery time format',
    ],
  ])('but not with %s', async (_, form, words) => {
    const { answer, message } = await post(form, { path })
    expect(message).toBeUndefined()
    expect([answer.status, JSON.parse(answer.body)]).toEqual([400, { message: words }])
  })

  test('only as a multipart form', async () => {
    const type = 'application/x-www-form-urlencoded'
    const { answer } = await post('to=ana%40shop.test', { path, type })
    expect([answer.status, answer.body]).toEqual([
      400,
      expect.stringContaining("Expecting 'multipart/form-data'"),
    ])
  })

  test.each(['/v3/mg.example.com/messages.eml', '/v3/mg.example.com/messages.mime/'])(
    'at no other path, such as %s',
    async (other) => {
      expect((await post([], { path: other })).answer.body).toBe('Mailgun Magnificent API')
    },
  )
})

describe('the simulated batch mode', () => {
  test.each(['', 'x', '[]', 'null', '7'])('is refused with %j', async (json) => {
    const { answer } = await post([...simple, ['recipient-variables', json]])
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      400,
      { message: "'recipient-variables' parameter is not a valid JSON" },
    ])
  })

  test('tells of each recipient with what it has, and leaves what it lacks', async () => {
    const { message } = await accepted(
      ['to', 'bob@shop.test'],
      ['v:order', '%recipient.v:order% of %recipient.number%'],
      ['v:same', 'x'],
      [
        'recipient-variables',
        '{"ana@shop.test":{"v:order":"A","number":1},"bob@shop.test":{"v:order":"B"}}',
      ],
    )
    const variables = (address: string) =>
      simulator.entry(message, { type: 'opened', recipient: address }, now)['user-variables']
    expect(variables('ana@shop.test')).toEqual({ order: 'A of 1', same: 'x' })
    expect(variables('bob@shop.test')).toEqual({ order: 'B of %recipient.number%', same: 'x' })
    expect(variables('eve@shop.test')).toEqual({
      order: '%recipient.v:order% of %recipient.number%',
      same: 'x',
    })
  })
})

describe('the simulated webhook', () => {
  const recipient = 'ana@shop.test'

  async function told(event: Omit<SimulatedEvent, 'recipient'>, forged = false) {
    const { message } = await accepted(['o:tag', 'invoice'], ['v:order_id', '1042'])
    const entry = simulator.entry(message, { recipient, ...event }, now)
    const [request, ...others] = simulator.webhooks([entry], now, forged)
    if (!request) throw new Error('it makes no request')
    expect(others).toEqual([])
    const webhook = mailgunWebhook({ signingKey: simulator.signingKey })
    return {
      message,
      reading: await webhook.read(webhookRequest(request.headers, request.body), now),
    }
  }

  test.each<[Omit<SimulatedEvent, 'recipient'>, object]>([
    [{ type: 'accepted' }, {}],
    [{ type: 'deferred' }, { smtpCode: 451 }],
    [{ type: 'delivered' }, { smtpCode: 250 }],
    [{ type: 'bounced' }, { bounce: { kind: 'hard', asynchronous: false } }],
    [{ type: 'bounced', bounce: 'soft' }, { bounce: { kind: 'soft', asynchronous: false } }],
    [{ type: 'bounced', bounce: 'later' }, { bounce: { kind: 'hard', asynchronous: true } }],
    [{ type: 'rejected' }, { reason: 'bounced' }],
    [{ type: 'opened' }, { machine: false }],
    [{ type: 'clicked', url: 'https://shop.test/1' }, { url: 'https://shop.test/1' }],
    [{ type: 'complained' }, {}],
    [{ type: 'unsubscribed' }, { scope: { kind: 'all' } }],
  ])('%j is read as that', async (event, facts) => {
    const { message, reading } = await told(event)
    expect(reading).toMatchObject({
      kind: 'events',
      events: [
        {
          type: event.type,
          recipient,
          providerMessageId: message.id,
          occurredAt: now,
          tags: ['invoice'],
          metadata: { order_id: '1042' },
          ...facts,
        },
      ],
    })
  })

  test('tells another time, and no variables, where it is asked to', async () => {
    const at = new Date('2025-10-08T00:00:00Z')
    const { reading } = await told({ type: 'delivered', at, withoutOwnId: true })
    expect(reading).toMatchObject({ events: [{ occurredAt: at, metadata: {} }] })
  })

  test('has one event in each post, and a token of its own', () => {
    const posts = simulator.webhooks([{ event: 'opened' }, { event: 'clicked' }], now)
    const bodies = posts.map(({ body }) => JSON.parse(body.toString()))
    expect(bodies.map((body) => body['event-data'])).toEqual([
      { event: 'opened' },
      { event: 'clicked' },
    ])
    const [first, second] = bodies.map((body) => body.signature)
    expect(first).toMatchObject({
      timestamp: '1760000000',
      token: expect.stringMatching(/^[\da-f]{50}$/),
      signature: expect.stringMatching(/^[\da-f]{64}$/),
    })
    expect(first.token).not.toBe(second.token)
  })

  test('is refused when it is forged', async () => {
    const { reading } = await told({ type: 'delivered' }, true)
    expect(reading).toMatchObject({ kind: 'refused', reason: 'bad-signature' })
  })
})
