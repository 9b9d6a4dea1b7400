import { describe, expect, test } from '@jest/globals'
import { headOf } from '../../../src/composed-mail.js'
import type { OutgoingDocument } from '../../../src/provider-client.js'
import { buildRawRequest } from '../../../src/providers/mandrill/raw-request.js'
import type { MandrillMailOptions } from '../../../src/providers/mandrill/index.js'
import type { RunningProvider } from '../../../src/testing/index.js'
import type { MailOptions } from '../../../src/transporter.js'
import { fields } from '../../../src/payload.js'
import { rawDocument } from '../../mail-fields.js'
import { valuesOf } from './documents.js'
import { ann, bob, startHouse } from './house.js'
import { failureOf, lastCall, mail, startMandrill, transporterTo } from './sending.js'

const trackingId = '0197a3c0-5b1e-7c3d-8f2a-9b6c4d1e0f35'
const now = Date.parse('2026-03-01T08:00:00Z')

const outgoing = (changes: Partial<OutgoingDocument> = {}): OutgoingDocument => ({
  envelope: { from: 'shop@example.com', to: ['ann@example.org'] },
  messageId: '<m-1@example.com>',
  from: [{ name: '', address: 'shop@example.com' }],
  replyTo: [],
  to: [{ name: '', address: 'ann@example.org' }],
  cc: [],
  bcc: [],
  headers: [],
  document: Buffer.from('From: shop@example.com\r\nTo: ann@example.org\r\n\r\nHello\r\n'),
  recipients: ['ann@example.org'],
  tags: [],
  metadata: {},
  templateData: {},
  own: {},
  ...changes,
})

type Own = MandrillMailOptions & Record<string, unknown>

const build = (changes: Partial<OutgoingDocument>): ReturnType<typeof buildRawRequest> =>
  buildRawRequest(outgoing(changes), trackingId, now)

const documentOf = (changes: Partial<OutgoingDocument>): string =>
  String(build(changes).request.body['raw_message'])

/** The values of a header that Mandrill reads. */
const headerOf = (name: string, changes: Partial<OutgoingDocument>): string[] =>
  valuesOf(documentOf(changes), name)

const own = (message: object): Partial<OutgoingDocument> => ({ own: { message } })

describe('a document', () => {
  test('goes as it is, behind what Mandrill is to know of it', () => {
    const document = outgoing().document.toString()
    expect(build({})).toEqual({
      lost: [],
      request: {
        call: 'sendRaw',
        addresses: ['ann@example.org'],
        body: {
          to: ['ann@example.org'],
          raw_message:
            `X-MC-Metadata: { "mailtrail_id": "${trackingId}"\r\n }\r\n` +
            `X-MC-PreserveRecipients: true\r\n${document}`,
        },
      },
    })
  })

  test('goes to those of the envelope, in the form of plain addresses', () => {
    const recipients = ['bob@example.org', 'audit@example.org']
    const { body, addresses } = build({ recipients }).request
    expect(body['to']).toEqual(recipients)
    expect(addresses).toEqual(recipients)
  })

  test('has parameters beside it where the call has them', () => {
    const given: Own = {
      async: true,
      ip_pool: 'Main',
      message: { return_path_domain: 'bounces.example.com' },
    }
    const { request, lost } = build({ own: given, sendAt: new Date('2026-03-02T08:00:00Z') })
    expect(request.body).toMatchObject({
      async: true,
      ip_pool: 'Main',
      send_at: '2026-03-02 08:00:00',
      return_path_domain: 'bounces.example.com',
    })
    expect(lost).toEqual([])
    expect(String(request.body['raw_message'])).not.toMatch(/bounces|Main/)
  })

  test("may be sent at a time in Mandrill's own form", () => {
    const send_at = '2026-03-03 08:00:00'
    const sendAt = new Date('2026-03-02T08:00:00Z')
    expect(build({ own: { send_at }, sendAt }).request.body).toMatchObject({ send_at })
  })
})

describe('a header says', () => {
  test.each<[string, Partial<OutgoingDocument>, string, string[]]>([
    ['tags', { tags: ['order', 'eu west'] }, 'X-MC-Tags', ['order,eu west']],
    ['no tags', { tags: [] }, 'X-MC-Tags', []],
    [
      'own tags in place of those',
      { tags: ['a'], ...own({ tags: ['b', 'c'] }) },
      'X-MC-Tags',
      ['b,c'],
    ],
    ['a template', { templateId: 'order-shipped' }, 'X-MC-Template', ['order-shipped']],
    ['nothing of data that there is none of', {}, 'X-MC-MergeVars', []],
    ['importance', own({ important: true }), 'X-MC-Important', ['true']],
    ['a text to be made', own({ auto_text: true }), 'X-MC-Autotext', ['true']],
    ['no HTML to be made', own({ auto_html: false }), 'X-MC-AutoHtml', ['false']],
    ['styles to be written in', own({ inline_css: true }), 'X-MC-InlineCSS', ['true']],
    ['queries to be left', own({ url_strip_qs: true }), 'X-MC-URLStripQS', ['true']],
    ['a mail for each', own({ preserve_recipients: false }), 'X-MC-PreserveRecipients', ['false']],
    [
      'content not to be kept',
      own({ view_content_link: false }),
      'X-MC-ViewContentLink',
      ['false'],
    ],
    [
      'where copies go',
      own({ bcc_address: 'a@example.com' }),
      'X-MC-BccAddress',
      ['a@example.com'],
    ],
    [
      'the domain of links',
      own({ tracking_domain: 'click.example.com' }),
      'X-MC-TrackingDomain',
      ['click.example.com'],
    ],
    [
      'the domain that signs',
      own({ signing_domain: 'example.com' }),
      'X-MC-SigningDomain',
      ['example.com'],
    ],
    ['the language', own({ merge_language: 'handlebars' }), 'X-MC-MergeLanguage', ['handlebars']],
    ['the subaccount', own({ subaccount: 'shop-7' }), 'X-MC-Subaccount', ['shop-7']],
    [
      'domains that are analysed',
      own({ google_analytics_domains: ['a.example', 'b.example'] }),
      'X-MC-GoogleAnalytics',
      ['a.example,b.example'],
    ],
    [
      'a campaign',
      own({ google_analytics_campaign: 'spring sale' }),
      'X-MC-GoogleAnalyticsCampaign',
      ['spring sale'],
    ],
    ['nothing of what is undefined', own({ subaccount: undefined }), 'X-MC-Subaccount', []],
    ['nothing of what is null', own({ subaccount: null }), 'X-MC-Subaccount', []],
  ])('%s', (_, changes, name, values) => {
    expect(build(changes).lost).toEqual([])
    expect(headerOf(name, changes)).toEqual(values)
  })

  test('metadata, with our id and what Mandrill alone is given', () => {
    const changes = { metadata: { order: '42', shop: 's' }, ...own({ metadata: { order: 43 } }) }
    expect(headerOf('X-MC-Metadata', changes).map((json) => JSON.parse(json))).toEqual([
      { order: '43', shop: 's', mailtrail_id: trackingId },
    ])
  })

  test.each<[string, Partial<OutgoingDocument>, object]>([
    [
      'of the template',
      { templateData: { name: 'Zoë', count: 3, gift: false, note: null, none: undefined } },
      { name: 'Zoë', count: 3, gift: false, note: '' },
    ],
    [
      'that are objects, for handlebars',
      { templateData: { items: [{ title: 'Cup' }] }, ...own({ merge_language: 'handlebars' }) },
      { items: [{ title: 'Cup' }] },
    ],
    [
      'that Mandrill alone is given, in place of those',
      {
        templateData: { name: 'Zoë' },
        ...own({ global_merge_vars: [{ name: 'name', content: 'Ann' }] }),
      },
      { name: 'Ann' },
    ],
  ])('values %s', (_, changes, expected) => {
    expect(build(changes).lost).toEqual([])
    expect(headerOf('X-MC-MergeVars', changes).map((json) => JSON.parse(json))).toEqual([expected])
  })

  test('JSON in ASCII that no parser decodes, in lines of some 60 bytes', () => {
    const given = {
      city: 'Zürich 🏔 注文',
      word: '=?UTF-8?Q?a?=',
      odd: 'tab\there, "quoted", back\\slash\u007f\r\nnext',
      long: 'word '.repeat(200).trim(),
    }
    const document = documentOf({ templateData: given })
    const head = headOf(Buffer.from(document))
    expect(head).toMatch(/^[\t\r\n -~]*$/)
    expect(head).not.toContain('=?')
    expect(Math.max(...head.split('\r\n').map((line) => line.length))).toBeLessThan(120)
    const [json = ''] = valuesOf(document, 'X-MC-MergeVars')
    expect(JSON.parse(json)).toEqual(given)
  })

  test.each<[Partial<OutgoingDocument>, string[]]>([
    [{ trackOpens: true, trackClicks: true }, ['opens,clicks_all']],
    [{ trackOpens: true, trackClicks: false }, ['opens']],
    [{ trackOpens: false, trackClicks: true }, ['clicks_all']],
    [{ trackOpens: false, trackClicks: false }, ['none']],
    [{}, []],
    [own({ track_opens: true, track_clicks: false }), ['opens']],
    [{ trackClicks: true, ...own({ track_opens: false }) }, ['clicks_all']],
    [{ trackOpens: false, trackClicks: false, ...own({ track_opens: true }) }, ['opens']],
  ])('what is tracked: %j', (changes, values) => {
    expect(build(changes).lost).toEqual([])
    expect(headerOf('X-MC-Track', changes)).toEqual(values)
  })

  test('that recipients see each other, unless the document says something of it', () => {
    expect(headerOf('X-MC-PreserveRecipients', {})).toEqual(['true'])
    const document = Buffer.from('x-mc-preserverecipients: false\r\n\r\nHello\r\n')
    expect(headerOf('X-MC-PreserveRecipients', { document })).toEqual(['false'])
  })
})

describe('what no header says is named:', () => {
  const long: Own = { template_content: [{ name: 'main', content: 'x' }] }

  test.each<[Partial<OutgoingDocument>, string]>([
    [{ trackOpens: true }, 'trackOpens without trackClicks'],
    [{ trackClicks: false }, 'trackClicks without trackOpens'],
    [own({ track_opens: false }), 'mandrill.message.track_opens without trackClicks'],
    [{ tags: ['a,b'] }, 'the tag "a,b"'],
    [{ tags: [' a'] }, 'the tag " a"'],
    [{ tags: ['é'] }, 'the tag "é"'],
    [{ tags: ['a\r\nBcc: b'] }, 'the tag "a\\r\\nBcc: b"'],
    [{ tags: ['=?utf-8?q?a?='] }, 'the tag "=?utf-8?q?a?="'],
    [own({ tags: 'a' }), 'mandrill.message.tags'],
    [own({ tags: ['a', 7] }), 'mandrill.message.tags'],
    [{ templateId: 'a|b' }, 'templateId'],
    [{ templateId: 'größe' }, 'templateId'],
    [own({ html: '<p>' }), 'mandrill.message.html'],
    [own({ text: 'x' }), 'mandrill.message.text'],
    [own({ subject: 'x' }), 'mandrill.message.subject'],
    [own({ from_name: 'x' }), 'mandrill.message.from_name'],
    [own({ headers: { 'X-Shop': '7' } }), 'mandrill.message.headers'],
    [own({ attachments: [] }), 'mandrill.message.attachments'],
    [own({ images: [] }), 'mandrill.message.images'],
    [own({ merge: true }), 'mandrill.message.merge'],
    [own({ subaccount: 'a\r\nBcc: b' }), 'mandrill.message.subaccount'],
    [own({ subaccount: 7 }), 'mandrill.message.subaccount'],
    [own({ google_analytics_domains: [] }), 'mandrill.message.google_analytics_domains'],
    [own({ google_analytics_domains: ['a,b'] }), 'mandrill.message.google_analytics_domains'],
    [own({ global_merge_vars: {} }), 'mandrill.message.global_merge_vars'],
    [
      own({ global_merge_vars: [{ name: '_rcpt', content: 'a' }] }),
      'mandrill.message.global_merge_vars',
    ],
    [own({ of_tomorrow: true }), 'mandrill.message.of_tomorrow'],
    [{ templateId: 'a', own: long }, 'mandrill.template_content'],
    [{ own: { of_tomorrow: true } }, 'mandrill.of_tomorrow'],
  ])('%j', (changes, lost) => {
    expect(build(changes).lost).toEqual([lost])
    expect(documentOf(changes)).not.toMatch(/^Bcc/im)
  })

  test('and the other tags go', () => {
    expect(headerOf('X-MC-Tags', { tags: ['a', 'b,c', 'd'] })).toEqual(['a,d'])
  })
})

describe('what Mandrill would refuse, or take for something else, is refused before:', () => {
  const room = 250 - JSON.stringify({ x: '', mailtrail_id: trackingId }).length
  const withHeader = (line: string) => ({
    document: Buffer.from(`From: shop@example.com\r\n${line}\r\n\r\nHello\r\n`),
  })

  test.each<[string, Partial<OutgoingDocument>, string | RegExp]>([
    [
      'a document that is no UTF-8',
      { document: Buffer.from('Subject: Gr\xfc\xdfe\r\n\r\nHello', 'latin1') },
      'Mandrill takes a document as text, and this one is not in UTF-8',
    ],
    ['nobody to send to', { recipients: [] }, /needs at least one recipient/],
    ['a tag that begins with _', { tags: ['_mine'] }, /no tag that begins with _: _mine/],
    ['a tag of 51 characters', { tags: ['x'.repeat(51)] }, /up to 50 characters/],
    ['metadata that begins with _', { metadata: { _rcpt: '1' } }, /begins with _: _rcpt/],
    ['metadata over 250 bytes', { metadata: { x: 'y'.repeat(room + 1) } }, /these are 251/],
    ['data that begins with _', { templateData: { _rcpt: '1' } }, /begins with _: _rcpt/],
    ['data that is no JSON', { templateData: { n: 1n } }, /templateData cannot be written as JSON/],
    ['parameters that are no JSON', own({ important: 1n }), /mandrill cannot be written as JSON/],
    ['an object for the language of Mailchimp', { templateData: { a: {} } }, /'handlebars' only/],
    ['a subject of 999 characters', { subject: 'x'.repeat(999) }, /up to 998 .* this one has 999/],
    [
      'a document of over 25 MB',
      { document: Buffer.alloc(25 * 1024 * 1024 + 1, 'x') },
      /takes 25 MB .* these are 26214401 bytes/,
    ],
    [
      'a value too long for a line',
      { templateData: { name: 'Ann', x: 'y'.repeat(959) } },
      /^the header X-MC-MergeVars would have a line of 999 bytes, and mail takes 998/,
    ],
    [
      'tags too long for a line',
      { tags: Array.from({ length: 25 }, (_, index) => `${index}`.padStart(40, 'x')) },
      /^the header X-MC-Tags would have a line of \d+ bytes/,
    ],
    [
      'metadata in a header of its own',
      withHeader('x-mc-metadata: {"mailtrail_id": "x"}'),
      'the header x-mc-metadata cannot be given, for it could replace our id: use the option metadata',
    ],
    [
      'tags in a header and in an option',
      { tags: ['a'], ...withHeader('X-Mc-Tags: b') },
      'the message has the header X-MC-Tags itself, beside options that say the same',
    ],
    [
      'who sees whom in a header and in an option',
      { ...own({ preserve_recipients: true }), ...withHeader('X-MC-PreserveRecipients: false') },
      'the message has the header X-MC-PreserveRecipients itself, beside options that say the same',
    ],
    ['a parameter that would do harm', own({ to: [] }), /mandrill\.message\.to cannot be given/],
  ])('%s', (_, changes, message) => {
    expect(() => build(changes)).toThrow(
      expect.objectContaining({
        category: 'validation',
        outcome: 'not-sent',
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      }),
    )
  })

  test.each<[string, Partial<OutgoingDocument>]>([
    ['metadata of 250 bytes', { metadata: { x: 'y'.repeat(room) } }],
    ['a subject of 998 characters', { subject: 'x'.repeat(998) }],
    ['a document of 25 MB', { document: Buffer.alloc(25 * 1024 * 1024, 'x') }],
    ['a line of 998 bytes', { templateData: { name: 'Ann', x: 'y'.repeat(958) } }],
    ['a header that no option says', withHeader('X-MC-Tags: b')],
  ])('but not %s', (_, changes) => {
    expect(build(changes).lost).toEqual([])
  })
})

/** Something that only a document says. */
const asDocument = (changes: MailOptions = {}): MailOptions =>
  mail({ headers: { 'X-Trace': ['a', 'b'] }, ...changes })

const lastDocument = (provider: RunningProvider): string =>
  String(fields(lastCall(provider))['raw_message'])

describe('on the way through Nodemailer', () => {
  test('a document goes to its own call, and is answered for each recipient', async () => {
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail(
      asDocument({
        to: ['ann@example.org', 'reject@test.mandrillapp.com'],
        bcc: 'audit@example.org',
        tags: ['order'],
        metadata: { order: '42' },
      }),
    )
    expect(provider.requests.map(({ path }) => path)).toEqual(['/api/1.3/messages/send-raw'])
    expect(lastCall(provider)).toHaveProperty('to', [
      'ann@example.org',
      'reject@test.mandrillapp.com',
      'audit@example.org',
    ])
    expect(lastDocument(provider)).not.toContain('audit@example.org')
    expect(valuesOf(lastDocument(provider), 'X-Trace')).toEqual(['a', 'b'])
    expect(info).toMatchObject({
      accepted: ['ann@example.org', 'audit@example.org'],
      rejected: ['reject@test.mandrillapp.com'],
      recipients: [
        { kind: 'to', status: 'accepted' },
        { kind: 'to', status: 'rejected', reason: 'hard-bounce' },
        { kind: 'bcc', status: 'accepted' },
      ],
    })
    expect(provider.messages).toMatchObject([
      {
        subject: 'Your order',
        tags: ['order'],
        metadata: { order: '42', mailtrail_id: info.trackingId },
        messageId: info.messageId.slice(1, -1),
      },
    ])
  })

  test('what was given is the same afterwards', async () => {
    const given = (): MailOptions =>
      asDocument({
        templateData: { name: 'Zoë' },
        metadata: { order: '42' },
        tags: ['a'],
        mandrill: { async: true, message: { subaccount: 'shop', metadata: { shop: 's' } } },
      })
    const provider = await startMandrill()
    const one = given()
    await transporterTo(provider).sendMail(one)
    expect(provider.messages).toHaveLength(1)
    expect(one).toStrictEqual(given())
  })

  test('what has no header there is refused by name, unless the caller can do without', async () => {
    const provider = await startMandrill()
    const lossy = asDocument({ trackOpens: true, tags: ['a,b'], date: new Date(0) })
    const error = await failureOf(transporterTo(provider).sendMail(lossy))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(error.message).toContain('cannot carry date:')
    const { date: _, ...undated } = lossy
    expect((await failureOf(transporterTo(provider).sendMail(undated))).message).toContain(
      'cannot carry the tag "a,b", trackOpens without trackClicks:',
    )
    expect(provider.requests).toHaveLength(0)
    await transporterTo(provider, { unsupported: 'ignore' }).sendMail(lossy)
    expect(valuesOf(lastDocument(provider), 'X-MC-Track')).toEqual([])
  })

  test.each(['Date', 'date', 'DATE'])(
    'a header %s does not make a document of a message, for Mandrill writes it anew',
    async (name) => {
      const provider = await startMandrill()
      const dated = mail({ headers: { [name]: 'Sun, 1 Mar 2026 08:00:00 +0000' } })
      const error = await failureOf(transporterTo(provider).sendMail(dated))
      expect(error.message).toContain(`cannot carry the header ${name}:`)
      await transporterTo(provider, { unsupported: 'ignore' }).sendMail(dated)
      expect(provider.requests.map(({ path }) => path)).toEqual(['/api/1.3/messages/send'])
    },
  )

  test.each<[string, MailOptions]>([
    ['a message', mail({ headers: { 'X-MC-Metadata': '{}' } })],
    [
      'a message for Mandrill alone',
      mail({ mandrill: { message: { headers: { 'x-mc-metadata': '' } } } }),
    ],
    ['a message that goes as a document', asDocument({ headers: { 'X-Mc-Metadata': ['a', 'b'] } })],
    [
      'a document',
      { raw: rawDocument.replace('Subject:', 'X-MC-Metadata: {"a":\r\n "b"}\r\nSubject:') },
    ],
    [
      'one recipient',
      mail({ recipientData: { 'ann@example.org': { headers: { 'X-MC-METADATA': '{}' } } } }),
    ],
  ])('metadata in a header of %s is refused, for it could replace our id', async (_, changes) => {
    const provider = await startMandrill()
    const error = await failureOf(transporterTo(provider).sendMail(changes))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(error.message).toMatch(
      /^the header x-mc-metadata cannot be given, .*: use the option metadata$/i,
    )
    expect(provider.requests).toHaveLength(0)
  })

  test('other headers for Mandrill are headers like any other, as fields and as a document', async () => {
    const provider = await startMandrill()
    const headers = { 'X-MC-Subaccount': 'shop' }
    await transporterTo(provider).sendMail(mail({ headers }))
    expect(fields(fields(lastCall(provider))['message'])['headers']).toMatchObject({
      'X-Mc-Subaccount': 'shop',
    })
    await transporterTo(provider).sendMail(mail({ headers: { ...headers, 'X-Trace': ['a', 'b'] } }))
    expect(valuesOf(lastDocument(provider), 'X-MC-Subaccount')).toEqual(['shop'])
  })

  test('the answer to a document may be a failure like any other', async () => {
    const provider = await startMandrill()
    provider.failNext({ kind: 'cut' })
    const error = await failureOf(transporterTo(provider).sendMail(asDocument()))
    expect(error).toMatchObject({ category: 'network', outcome: 'unknown' })
  })
})

test('events of a document find their message by our id, and by the id of each recipient', async () => {
  const house = await startHouse([
    {
      events: [
        { type: 'delivered', recipient: ann },
        { type: 'opened', recipient: bob, withoutOwnId: true },
      ],
    },
  ])
  const sentId = await house.send(
    asDocument({ to: ann, bcc: bob, tags: ['order'], metadata: { order: '42' } }),
  )
  await house.settle()
  expect(house.errors).toEqual([])
  expect(house.provider.requests.map(({ path }) => path)).toEqual(['/api/1.3/messages/send-raw'])
  expect(house.told).toMatchObject([
    {
      event: {
        type: 'delivered',
        recipient: ann,
        correlation: { status: 'matched', via: 'own-id' },
        tags: ['order'],
        metadata: { order: '42' },
        raw: { msg: { subject: 'Your order', sender: 'shop@example.com' } },
      },
      message: { trackingId: sentId },
    },
    {
      event: {
        type: 'opened',
        recipient: bob,
        correlation: { status: 'matched', via: 'provider-id' },
      },
      message: { trackingId: sentId },
    },
  ])
  expect((await house.correlator.message(sentId))?.recipients).toMatchObject([
    { address: ann, kind: 'to', status: 'delivered' },
    { address: bob, kind: 'bcc', status: 'accepted', engagement: { opened: { count: 1 } } },
  ])
})
