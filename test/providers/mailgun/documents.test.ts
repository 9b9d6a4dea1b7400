import { describe, expect, test } from '@jest/globals'
import type { MailOptions } from '../../../src/index.js'
import { buildMimeRequest } from '../../../src/providers/mailgun/mime-request.js'
import type { MailgunMailOptions } from '../../../src/providers/mailgun/index.js'
import type { OutgoingDocument } from '../../../src/provider-client.js'
import type { ScriptedPost, SimulatedEvent } from '../../../src/testing/index.js'
import { arrived, documentOf, headerValues } from './arrived.js'
import {
  domain,
  failureOf,
  mail,
  startMailgun,
  startWithWebhooks,
  transporterTo,
  withOtherIds,
} from './sending.js'

const messageId = '<doc-1@shop.test>'

/** A message that no fields can say. */
const asDocument = (changes: MailOptions = {}): MailOptions =>
  mail({ date: new Date('2026-03-01T08:00:00Z'), messageId, ...changes })

/** The form of the one call that a message makes. */
async function formOf(message: MailOptions, unsupported: 'throw' | 'ignore' = 'throw') {
  const provider = await startMailgun()
  await transporterTo(provider, { unsupported }).sendMail(message)
  const [request, ...others] = provider.requests
  if (!request) throw new Error('no call came')
  expect(others).toEqual([])
  return { ...(await arrived(request)), request }
}

describe('a document', () => {
  test('arrives as a file of its own type, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).filter(
      (byte) => byte !== 10 && byte !== 13,
    )
    const raw = Buffer.concat([
      Buffer.from(`Message-ID: ${messageId}\r\nFrom: a@mg.example.com\r\n\r\n--\r\n`),
      bytes,
      Buffer.from('\r\n\r\n--x--\r\n'),
    ])
    const envelope = { from: 'a@mg.example.com', to: 'ana@shop.test' }
    const { path, files, request } = await formOf({ raw, envelope })
    expect(path).toBe('/v3/mg.example.com/messages.mime')
    expect(files).toEqual([
      { field: 'message', name: 'MimeMessage', type: 'message/rfc822', content: raw },
    ])
    expect(request.body.includes(raw)).toBe(true)
  })

  test('goes to the bare addresses of everybody, in its headers or not', async () => {
    const form = await formOf(
      asDocument({
        to: ['"Ruiz, Ana" <ana@shop.test>', 'bob@bücher.example'],
        cc: 'Carl <carl@shop.test>',
        bcc: 'dora@shop.test',
      }),
    )
    expect(form.fields['to']).toEqual([
      'ana@shop.test',
      'bob@xn--bcher-kva.example',
      'carl@shop.test',
      'dora@shop.test',
    ])
    expect(String(documentOf(form))).not.toContain('dora@shop.test')
  })

  test('has nothing beside it but what Mailgun is to do with it', async () => {
    const sendAt = new Date(Date.now() + 3_600_000)
    const { fields, files } = await formOf(
      asDocument({
        tags: ['invoice', 'eu'],
        metadata: { order: '42' },
        sendAt,
        trackOpens: false,
        trackClicks: true,
        templateId: 'invoice',
        templateData: { name: 'Ana' },
        mailgun: {
          'o:testmode': true,
          'o:tracking-clicks': 'htmlonly',
          'v:plan': { id: 7 },
          't:variables': { shop: 'Acme' },
        },
      }),
    )
    expect(files).toHaveLength(1)
    expect(fields).toEqual({
      to: ['ana@shop.test'],
      template: ['invoice'],
      't:variables': ['{"name":"Ana","shop":"Acme"}'],
      'o:tag': ['invoice', 'eu'],
      'o:deliverytime': [sendAt.toUTCString().replace('GMT', '+0000')],
      'o:tracking-opens': ['no'],
      'o:tracking-clicks': ['htmlonly'],
      'o:testmode': ['yes'],
      'v:order': ['42'],
      'v:plan': ['{"id":7}'],
      'v:mailtrail_id': [expect.stringMatching(/^[\da-f-]{36}$/)],
    })
  })

  test.each(['without-an-at', '<a@b@c>'])('keeps %s for its Message-ID', async (given) => {
    const form = await formOf(mail({ messageId: given }))
    expect(headerValues(String(documentOf(form)), 'Message-ID')).toEqual([
      given.replace(/^(?!<)(.*)$/, '<$1>'),
    ])
  })

  test.each<[string, MailgunMailOptions]>([
    ['subject', { subject: 'Another' }],
    ['text', { text: 'Other text' }],
    ['html', { html: '<p>Other</p>' }],
    ['amp-html', { 'amp-html': '<html ⚡4email></html>' }],
    ['h:X-Shop', { 'h:X-Shop': 'eu' }],
  ])('cannot be given %s, which it says itself', async (name, mailgun) => {
    const provider = await startMailgun()
    const message = asDocument({ mailgun })
    const error = await failureOf(transporterTo(provider).sendMail(message))
    expect(error.message).toContain(`the mailgun transport cannot carry mailgun.${name}:`)
    expect(provider.requests).toEqual([])
    expect((await formOf(message, 'ignore')).fields).not.toHaveProperty(name)
  })

  test('cannot have fields that are not the caller’s to set', async () => {
    const provider = await startMailgun()
    // As a program without types gives it.
    const message = Object.assign(asDocument(), { mailgun: { 'v:mailtrail_id': 'x' } })
    const error = await failureOf(transporterTo(provider).sendMail(message))
    expect(error.message).toContain('mailgun.v:mailtrail_id cannot be used')
  })
})

describe('what makes a document of a message', () => {
  test.each<[string, MailOptions, string]>([
    ['a header with two values', { headers: { 'X-Shop': ['eu', 'us'] } }, 'X-Shop: eu'],
    ['a blind copy alone', { to: '', bcc: 'dora@shop.test' }, 'Subject: Invoice'],
    ['a name that is quoted again', { from: '"Ruíz, Ana" <a@mg.example.com>' }, 'From: =?'],
    ['the same in cc', { cc: '"Ana (Ruíz)" <b@shop.test>' }, 'Cc: =?'],
    ['the same in replyTo', { replyTo: { name: '"é"', address: 'b@shop.test' } }, 'Reply-To: =?'],
  ])('%s', async (_, changes, line) => {
    const form = await formOf(mail(changes))
    expect(String(documentOf(form))).toContain(line)
  })

  test.each<[string, MailOptions]>([
    ['a name in ASCII that is quoted', { from: '"Ruiz, Ana" <a@mg.example.com>' }],
    ['a name beyond ASCII', { from: 'Ana Ruíz <a@mg.example.com>' }],
    ['such a name in bcc, which nobody sees', { bcc: '"Ruíz, Ana" <dora@shop.test>' }],
    ['a header twice with one value', { headers: { 'X-Shop': ['eu', 'eu'] } }],
  ])('is not %s', async (_, changes) => {
    expect((await formOf(mail(changes))).path).toBe('/v3/mg.example.com/messages')
  })
})

describe('a document is refused', () => {
  const document = (changes: Partial<OutgoingDocument> = {}): OutgoingDocument => ({
    envelope: { from: 'a@mg.example.com', to: ['ana@shop.test'] },
    messageId,
    from: [{ name: '', address: 'a@mg.example.com' }],
    replyTo: [],
    to: [],
    cc: [],
    bcc: [],
    headers: [],
    tags: [],
    metadata: {},
    templateData: {},
    own: {},
    document: Buffer.from('Subject: x\r\n\r\nx'),
    recipients: ['ana@shop.test'],
    ...changes,
  })
  const many = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `r${index}@shop.test`)
  const build = (changes: Partial<OutgoingDocument>) =>
    buildMimeRequest(document(changes), '0199c8d2-5a10-7c31-9d54-0f6d2b8a7e11', 0)
  const sized = (size: number): Buffer => Buffer.alloc(size, 'x')
  const withHead = (line: string): Buffer => Buffer.from(`A: b\r\n${line}\r\nC: d\r\n\r\nx`)

  test.each<[string, Partial<OutgoingDocument>, string]>([
    ['without a sender', { from: [] }, 'needs a from address'],
    [
      'from a sender that is not delivered',
      { from: [{ name: '', address: 'jörg@mg.example.com' }] },
      'other than ASCII before its @',
    ],
    ['to nobody', { recipients: [] }, 'needs at least one recipient'],
    [
      'to too many',
      { recipients: many(1001) },
      'takes 1000 recipients at once, and these are 1001',
    ],
    [
      'for its size',
      { document: sized(25 * 1024 * 1024 + 1) },
      'takes messages of 26214400 bytes, and this one as a document is 26214401',
    ],
    ['with too many tags', { tags: Array(11).fill('t') }, 'takes 10 tags, and these are 11'],
    [
      'with too many options',
      { metadata: { note: 'x'.repeat(16 * 1024) } },
      'takes 16384 bytes of options',
    ],
    ['for a later day', { sendAt: new Date(8 * 24 * 3_600_000) }, 'up to 7 days ahead'],
    [
      'with other variables in its head',
      { document: withHead('X-Mailgun-Variables: {"mailtrail_id":"x"}') },
      'the header X-Mailgun-Variables cannot be used with Mailgun: use metadata in its place',
    ],
    [
      'that says itself what differs by recipient, in any letters',
      { document: withHead('x-MAILGUN-recipient-variables : {}') },
      'use recipientData in its place',
    ],
    [
      'with such a header beside it',
      { headers: [{ name: 'X-Mailgun-Variables', value: '{}' }] },
      'use metadata in its place',
    ],
  ])('%s', (_, changes, message) => {
    expect(() => build(changes)).toThrow(message)
  })

  test.each<[string, Partial<OutgoingDocument>]>([
    ['to a thousand', { recipients: many(1000) }],
    ['of 25 MB', { document: sized(25 * 1024 * 1024) }],
    ['with other headers of Mailgun', { document: withHead('X-Mailgun-Drop-Message: yes') }],
    [
      'that speaks of variables below its head',
      { document: Buffer.from('A: b\r\n\r\nX-Mailgun-Variables: {}\r\n') },
    ],
  ])('never %s', (_, changes) => {
    expect(build(changes).lost).toEqual([])
  })

  test.each<[string, Partial<OutgoingDocument>, string]>([
    [
      'much metadata',
      { metadata: { note: 'x'.repeat(4100) } },
      'metadata of over 4096 bytes as JSON, with our id, in its events',
    ],
    ['data without a template', { templateData: { a: 1 } }, 'templateData without templateId'],
    [
      'metadata with lone line breaks',
      { metadata: { note: 'a\rb' } },
      'metadata.note with line breaks other than CRLF',
    ],
    ...['a"b', 'a\nb', 'a\rb', 'a%22b', 'a%0Db', 'a%0ab'].map(
      (name): [string, Partial<OutgoingDocument>, string] => [
        `metadata by the name ${JSON.stringify(name)}`,
        { metadata: { [name]: 'x' } },
        `metadata by the name ${JSON.stringify(name)}`,
      ],
    ),
  ])('or goes without, where it has %s', (_, changes, lost) => {
    expect(build(changes).lost).toEqual([lost])
  })

  test.each<[string, MailOptions]>([
    ['X-Mailgun-Variables', { headers: { 'X-Mailgun-Variables': '{"a":1}' } }],
    [
      'X-Mailgun-Recipient-Variables',
      { headers: [{ key: 'x-mailgun-recipient-variables', value: '{}' }] },
    ],
    ['X-Mailgun-Variables', { raw: 'From: a@mg.example.com\nX-Mailgun-Variables: {}\n\nx\n' }],
  ])('over the whole way, with the header %s', async (name, changes) => {
    const provider = await startMailgun()
    for (const message of [mail(changes), asDocument(changes)]) {
      const error = await failureOf(
        transporterTo(provider, { unsupported: 'ignore' }).sendMail(message),
      )
      expect(error.message).toMatch(RegExp(`the header ${name} cannot be used`, 'i'))
    }
    expect(provider.requests).toEqual([])
  })
})

describe('the events of a document are known', () => {
  const recipient = 'ana@shop.test'
  const types = ['accepted', 'delivered', 'opened'] as const
  const scripted = (how: Partial<SimulatedEvent>): ScriptedPost[] =>
    types.map((type, index) => ({
      events: [{ type, recipient, ...how }],
      early: index === 0,
    }))

  /** As if Mailgun's events named its own id in the place of the document's. */
  const byItsId: Partial<SimulatedEvent> = {
    withoutOwnId: true,
    change: (entry) => ({
      ...entry,
      message: { headers: { 'message-id': `other-1@${domain}` } },
    }),
  }

  test.each([
    ['our id', {}, ['own-id', 'own-id', 'own-id']],
    ['its Message-ID', { withoutOwnId: true }, ['message-id', 'message-id', 'message-id']],
    // The first is ahead of the answer, by which Mailgun's id is learnt.
    ['the id of the answer', byItsId, ['provider-id', 'provider-id', 'provider-id']],
  ])('by %s, though the answer has another id', async (_, how, expected) => {
    const { correlator, told, provider, transporter } = await startWithWebhooks(
      { script: () => scripted(how) },
      withOtherIds,
    )
    const info = await transporter.sendMail(asDocument({ metadata: { order: '42' } }))
    await provider.settled()
    await correlator.drain()
    expect(info).toMatchObject({ messageId, providerMessageId: `other-1@${domain}` })
    expect(told.map(({ event }) => [event.type, event.correlation.via])).toEqual(
      types.map((type, index) => [type, expected[index]]),
    )
    expect(await correlator.message(info.trackingId)).toMatchObject({
      messageId,
      providerMessageId: `other-1@${domain}`,
      subject: 'Invoice',
      status: 'delivered',
      recipients: [{ address: recipient, status: 'delivered', engagement: { opened: {} } }],
    })
  })

  test('with its metadata, and for everybody it went to', async () => {
    const { correlator, told, provider, transporter } = await startWithWebhooks()
    const info = await transporter.sendMail(
      asDocument({ cc: 'bob@shop.test', bcc: 'carl@shop.test', metadata: { order: '42' } }),
    )
    await provider.settled()
    await correlator.drain()
    expect(info).toMatchObject({ messageId, providerMessageId: 'doc-1@shop.test' })
    expect(told.map(({ event }) => event.metadata)).toEqual(Array(6).fill({ order: '42' }))
    const message = await correlator.message(info.trackingId)
    expect(message?.recipients.map(({ address, kind, status }) => [address, kind, status])).toEqual(
      [
        ['ana@shop.test', 'to', 'delivered'],
        ['bob@shop.test', 'cc', 'delivered'],
        ['carl@shop.test', 'bcc', 'delivered'],
      ],
    )
  })

  test('of a raw one by the Message-ID that it came with', async () => {
    const raw = 'From: a@mg.example.com\nTo: ana@shop.test\nSubject: Raw\nMessage-ID: <r@x>\n\nx\n'
    const { correlator, told, provider, transporter } = await startWithWebhooks(
      { script: () => scripted({ withoutOwnId: true }) },
      withOtherIds,
    )
    const info = await transporter.sendMail({ raw })
    await provider.settled()
    await correlator.drain()
    expect(info).toMatchObject({ messageId: '<r@x>', providerMessageId: `other-1@${domain}` })
    expect(told.map(({ event }) => event.correlation.status)).toEqual(Array(3).fill('matched'))
  })
})
