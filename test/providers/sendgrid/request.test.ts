import { describe, expect, test } from '@jest/globals'
import { SendError } from '../../../src/index.js'
import { bodyOf, buildRequest } from '../../../src/providers/sendgrid/request.js'
import type { OutgoingMail } from '../../../src/provider-client.js'
import { sameAsAll } from '../../../src/recipient-data.js'

const trackingId = '0198b7a4-3c5e-7d21-9a43-5f2b8c6d1e70'
const templateId = 'd-0123456789abcdef0123456789abcdef'

const mailbox = (address: string, name = '') => ({ name, address })

const mail: OutgoingMail = {
  envelope: { from: 'shop@example.com', to: ['ann@example.com'] },
  messageId: '<order-42@example.com>',
  from: [mailbox('shop@example.com')],
  replyTo: [],
  to: [mailbox('ann@example.com')],
  cc: [],
  bcc: [],
  subject: 'Your order',
  text: 'Thanks',
  alternatives: [],
  attachments: [],
  headers: [],
  tags: [],
  metadata: {},
  templateData: {},
  own: {},
}

const now = Date.parse('2026-03-01T12:00:00Z')

const attachment = {
  filename: 'a.txt',
  contentType: 'text/plain',
  content: Buffer.from('Hallo'),
}

const calendar = {
  contentType: 'text/calendar',
  method: 'PUBLISH',
  filename: 'order.ics',
  content: Buffer.from('BEGIN:VCALENDAR'),
}

const requestOf = (change: Partial<OutgoingMail>) => {
  const { request, lost } = buildRequest({ ...mail, ...change }, trackingId, now)
  expect(lost).toEqual([])
  return request
}

const lostOf = (change: Partial<OutgoingMail>): string[] =>
  buildRequest({ ...mail, ...change }, trackingId, now).lost

const many = (count: number) =>
  Array.from({ length: count }, (_, index) => mailbox(`ann+${index}@example.com`))
const { subject: _subject, ...withoutSubject } = mail

describe('the request', () => {
  test('of the least mail has nothing that is empty', () => {
    expect(requestOf({})).toStrictEqual({
      personalizations: [
        { to: [{ email: 'ann@example.com' }], custom_args: { mailtrail_id: trackingId } },
      ],
      from: { email: 'shop@example.com' },
      subject: 'Your order',
      content: [{ type: 'text/plain', value: 'Thanks' }],
      headers: { 'Message-ID': '<order-42@example.com>' },
    })
  })

  test('of the least mail for each recipient has nothing that is empty either', () => {
    const { personalizations } = requestOf({ recipientData: new Map() })
    expect(personalizations).toStrictEqual([
      { to: [{ email: 'ann@example.com' }], custom_args: { mailtrail_id: trackingId } },
    ])
  })

  test('has every mailbox where it belongs, with its name', () => {
    const { personalizations, from, reply_to_list } = requestOf({
      from: [mailbox('shop@example.com', 'Shop; "the" one, Ö')],
      to: [mailbox('ann@example.com', 'Ann Ö'), mailbox('bob@example.com')],
      cc: [mailbox('carl@example.com')],
      bcc: [mailbox('audit@example.com', 'Audit')],
      replyTo: [mailbox('help@example.com', 'Help'), mailbox('desk@example.com')],
    })
    expect(from).toEqual({ email: 'shop@example.com', name: 'Shop; "the" one, Ö' })
    expect(personalizations).toEqual([
      {
        to: [{ email: 'ann@example.com', name: 'Ann Ö' }, { email: 'bob@example.com' }],
        cc: [{ email: 'carl@example.com' }],
        bcc: [{ email: 'audit@example.com', name: 'Audit' }],
        custom_args: { mailtrail_id: trackingId },
      },
    ])
    expect(reply_to_list).toEqual([
      { email: 'help@example.com', name: 'Help' },
      { email: 'desk@example.com' },
    ])
  })

  test.each<[string, { text?: string; html?: string }, string[][]]>([
    ['the text', { text: 'Thanks' }, [['text/plain', 'Thanks']]],
    ['the HTML', { html: '<p>Thanks' }, [['text/html', '<p>Thanks']]],
    [
      'the text before the HTML',
      { html: '<p>Thanks', text: 'Thanks' },
      [
        ['text/plain', 'Thanks'],
        ['text/html', '<p>Thanks'],
      ],
    ],
    ['a space where there is neither', {}, [['text/plain', ' ']]],
  ])('has %s as content', (_, given, parts) => {
    const { text: _text, ...bare } = mail
    const { request } = buildRequest({ ...bare, ...given }, trackingId, now)
    expect(request.content?.map(({ type, value }) => [type, value])).toEqual(parts)
  })

  test('has every form of the text, the calendar event last', () => {
    const { content } = requestOf({
      html: '<p>Thanks',
      amp: '<html ⚡4email>',
      watchHtml: '<b>Thanks',
      alternatives: [
        { contentType: 'Text/X-Web-Markdown; charset="UTF-8"', content: Buffer.from('*Thänks*') },
        { contentType: 'application/ld+json', content: Buffer.from('{}') },
      ],
      calendar,
    })
    expect(content).toEqual([
      { type: 'text/plain', value: 'Thanks' },
      { type: 'text/html', value: '<p>Thanks' },
      { type: 'text/x-amp-html', value: '<html ⚡4email>' },
      { type: 'text/watch-html', value: '<b>Thanks' },
      { type: 'text/x-web-markdown', value: '*Thänks*' },
      { type: 'application/ld+json', value: '{}' },
      { type: 'text/calendar', value: 'BEGIN:VCALENDAR' },
    ])
  })

  test('has an alternative where it belongs, when it is the text or the HTML itself', () => {
    const { text: _text, ...bare } = mail
    const alternatives = [
      { contentType: 'text/html', content: Buffer.from('<p>Thanks') },
      { contentType: 'text/plain', content: Buffer.from('Thanks') },
    ]
    const { request, lost } = buildRequest({ ...bare, amp: '<a>', alternatives }, trackingId, now)
    expect(lost).toEqual([])
    expect(request.content?.map(({ type }) => type)).toEqual([
      'text/plain',
      'text/html',
      'text/x-amp-html',
    ])
  })

  test('has a calendar event as a file too, under its name', () => {
    expect(requestOf({ calendar }).attachments).toEqual([
      {
        content: calendar.content.toString('base64'),
        filename: 'order.ics',
        type: 'application/ics',
        disposition: 'attachment',
      },
    ])
  })

  test('has each address to answer to once', () => {
    const { reply_to_list } = requestOf({
      replyTo: [
        mailbox('help@example.com', 'Help'),
        mailbox('desk@example.com'),
        mailbox('Help@example.com', 'Other'),
      ],
    })
    expect(reply_to_list).toEqual([
      { email: 'help@example.com', name: 'Help' },
      { email: 'desk@example.com' },
    ])
  })

  test('has the metadata as custom arguments, beside our id', () => {
    const metadata = { order: '42', orderID: 'a', 'with space': '', constructor: 'c' }
    expect(requestOf({ metadata }).personalizations[0]?.custom_args).toEqual({
      ...metadata,
      mailtrail_id: trackingId,
    })
  })

  test('has each tag once, as a category', () => {
    const { categories } = requestOf({ tags: ['order', 'spring sale', 'order'] })
    expect(categories).toEqual(['order', 'spring sale'])
  })

  test('has the headers beside the Message-ID, one with the same value once', () => {
    const { headers } = requestOf({
      headers: [
        { name: 'X-Order', value: '42' },
        { name: 'List-Unsubscribe', value: '<https://example.com/u/1>' },
        { name: 'x-order', value: '42' },
        { name: 'Sender', value: 'robot@example.com' },
      ],
    })
    expect(headers).toEqual({
      'X-Order': '42',
      'List-Unsubscribe': '<https://example.com/u/1>',
      Sender: 'robot@example.com',
      'Message-ID': '<order-42@example.com>',
    })
  })

  test('has attachments in base64 on one line, and inline those that the HTML shows', () => {
    const content = Buffer.alloc(200, 0xff)
    const { attachments } = requestOf({
      attachments: [
        { filename: 'ö.bin', contentType: 'application/octet-stream', content },
        { filename: 'logo.png', contentType: 'image/png', content, contentId: 'logo@example.com' },
        { filename: 'b.png', contentType: 'image/png', content, inline: true },
      ],
    })
    expect(attachments).toEqual([
      {
        content: content.toString('base64'),
        filename: 'ö.bin',
        type: 'application/octet-stream',
        disposition: 'attachment',
      },
      {
        content: content.toString('base64'),
        filename: 'logo.png',
        type: 'image/png',
        disposition: 'inline',
        content_id: 'logo@example.com',
      },
      {
        content: content.toString('base64'),
        filename: 'b.png',
        type: 'image/png',
        disposition: 'inline',
      },
    ])
  })

  test.each([
    ['text/plain', 'text/plain'],
    ['text/plain; charset=utf-8', 'text/plain'],
    ['text/plain;charset="UTF-8"', 'text/plain'],
    ['text/csv; charset=us-ascii; name="a.csv"', 'text/csv'],
    ['application/pdf;', 'application/pdf'],
    ['', 'application/octet-stream'],
  ])('has the attachment type %j as %s', (contentType, type) => {
    const { attachments } = requestOf({ attachments: [{ ...attachment, contentType }] })
    expect(attachments?.[0]?.type).toBe(type)
  })
})

describe('it is said that the request loses', () => {
  test('all but the first sender', () => {
    const from = [mailbox('shop@example.com'), mailbox('boss@example.com')]
    expect(lostOf({ from })).toEqual(['more than one from address'])
  })

  test.each(['X-SG-ID', 'x-sg-eid', 'Received', 'DKIM-Signature', 'X-SMTPAPI', 'Return-Path'])(
    'the header %s',
    (name) => {
      const { request, lost } = buildRequest(
        { ...mail, headers: [{ name, value: 'x' }] },
        trackingId,
        now,
      )
      expect(lost).toEqual([`the header ${name}`])
      expect(Object.keys(request.headers)).toEqual(['Message-ID'])
    },
  )

  test('a second header of one name', () => {
    const headers = [
      { name: 'X-Order', value: '42' },
      { name: 'X-order', value: '43' },
    ]
    expect(lostOf({ headers })).toEqual(['a second X-order header'])
  })

  test.each([
    ['text/calendar; charset=utf-8; method=REQUEST', 'method=REQUEST of the attachment a.txt'],
    ['text/plain; charset=iso-8859-1', 'charset=iso-8859-1 of the attachment a.txt'],
  ])('of the attachment type %s: %s', (contentType, lost) => {
    expect(lostOf({ attachments: [{ ...attachment, contentType }] })).toEqual([lost])
  })

  test.each([
    ['an alternative in another charset', 'text/x; charset=iso-8859-1', 'ä', 'contentType'],
    ['one with another parameter', 'text/x; charset=utf-8; format=flowed', 'ä', 'contentType'],
    ['one whose type is none', 'text', 'ä', 'contentType'],
    ['a second text', 'TEXT/plain', 'ä', 'contentType'],
    ['an alternative that is empty', 'text/x', '', 'content'],
    ['one that is no UTF-8', 'text/x', Buffer.from([0xe4]), 'content'],
  ])('%s', (_, contentType, content, place) => {
    const first = { contentType: 'text/y', content: Buffer.from('y') }
    const other = { contentType, content: Buffer.from(content) }
    const { request, lost } = buildRequest(
      { ...mail, alternatives: [first, other] },
      trackingId,
      now,
    )
    expect(lost).toEqual([`alternatives[1].${place}`])
    expect(request.content?.map(({ type }) => type)).toEqual(['text/plain', 'text/y'])
  })

  test('the method of a calendar event that is more than PUBLISH', () => {
    const { request, lost } = buildRequest(
      { ...mail, calendar: { ...calendar, method: 'REQUEST' } },
      trackingId,
      now,
    )
    expect(lost).toEqual(['icalEvent.method'])
    expect(request.content?.at(-1)).toEqual({ type: 'text/calendar', value: 'BEGIN:VCALENDAR' })
  })

  test.each([
    ['REQUEST', 'BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR', []],
    ['CANCEL', 'BEGIN:VCALENDAR\nmethod:cancel\nEND:VCALENDAR', []],
    ['CANCEL', 'BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR', ['icalEvent.method']],
    ['PUBLISH', 'BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR', []],
  ])('but not the method %s of one that says it itself: %j', (method, content, gone) => {
    const event = { ...calendar, method, content: Buffer.from(content) }
    expect(buildRequest({ ...mail, calendar: event }, trackingId, now).lost).toEqual(gone)
  })

  test('a calendar event that is no UTF-8, but for its file', () => {
    const content = Buffer.from([0xe4])
    const { request, lost } = buildRequest(
      { ...mail, calendar: { ...calendar, content } },
      trackingId,
      now,
    )
    expect(lost).toEqual(['icalEvent.content'])
    expect(request.content).toEqual([{ type: 'text/plain', value: 'Thanks' }])
    expect(request.attachments?.[0]?.content).toBe(content.toString('base64'))
  })
})

describe('a mail is refused', () => {
  test.each<[string, OutgoingMail, RegExp]>([
    ['without a sender', { ...mail, from: [] }, /needs a from address/],
    ['with cc alone', { ...mail, to: [], cc: many(1) }, /recipient in to/],
    ['with bcc alone', { ...mail, to: [], bcc: many(1) }, /recipient in to/],
    ['without a subject', withoutSubject, /needs a subject/],
    ['with an empty subject', { ...mail, subject: '' }, /needs a subject/],
    ['with 1001 recipients', { ...mail, to: many(500), cc: many(500), bcc: many(1) }, /are 1001/],
    ['with 11 tags', { ...mail, tags: [...'abcdefghijk'] }, /takes 10 tags/],
    ['with an empty tag', { ...mail, tags: [''] }, /1 to 255 ASCII characters: ""/],
    ['with a tag that is no ASCII', { ...mail, tags: ['größe'] }, /ASCII characters: "größe"/],
    ['with a tag of 256 characters', { ...mail, tags: ['x'.repeat(256)] }, /1 to 255 ASCII/],
    ['with a tag of two lines', { ...mail, tags: ['a\nb'] }, /ASCII characters: "a\\nb"/],
    [
      'with metadata over 10,000 bytes',
      { ...mail, metadata: { order: 'ö'.repeat(5000) } },
      /10000 bytes of metadata/,
    ],
    [
      'with an empty attachment',
      { ...mail, attachments: [{ ...attachment, content: Buffer.alloc(0) }] },
      /a\.txt is empty/,
    ],
    [
      'with more than 10,000 bytes of data without a dynamic template',
      { ...mail, templateData: { text: 'ö'.repeat(5000) } },
      /takes 10000 bytes of templateData as JSON .*, and these are 10015$/,
    ],
    ['with 1001 addresses to answer to', { ...mail, replyTo: many(1001) }, /replyTo.* are 1001$/],
    [
      'with an empty calendar event',
      { ...mail, calendar: { ...calendar, content: Buffer.alloc(0) } },
      /order\.ics is empty/,
    ],
    [
      'with a line break in the name of a file',
      { ...mail, attachments: [attachment, { ...attachment, filename: 'a\r\nb' }] },
      /no line break in attachments\[1\]\.filename$/,
    ],
    [
      'with a line break in the type of a file',
      { ...mail, attachments: [{ ...attachment, contentType: 'text/plain\nb' }] },
      /no line break in attachments\[0\]\.contentType$/,
    ],
    [
      'with a line break in a content id',
      { ...mail, attachments: [{ ...attachment, contentId: 'a\rb' }] },
      /no line break in attachments\[0\]\.cid$/,
    ],
    [
      'with a line break in the name of a calendar event',
      { ...mail, calendar: { ...calendar, filename: 'a\nb' } },
      /no line break in icalEvent\.filename$/,
    ],
  ])('%s', (_, refused, message) => {
    expect(() => buildRequest(refused, trackingId, now)).toThrow(SendError)
    expect(() => buildRequest(refused, trackingId, now)).toThrow(message)
    expect(() => buildRequest(refused, trackingId, now)).toThrow(
      expect.objectContaining({ category: 'validation', retryable: false, outcome: 'not-sent' }),
    )
  })

  test.each([
    'asm_group_id',
    'attempt',
    'bounce_classification',
    'category',
    'cert_err',
    'custom_args',
    'domain',
    'email',
    'event',
    'from',
    'ip',
    'marketing_campaign_id',
    'marketing_campaign_name',
    'marketing_campaign_split_id',
    'marketing_campaign_version',
    'mc_stats',
    'newsletter',
    'nlvx_anything',
    'phase_id',
    'pool',
    'post_type',
    'reason',
    'response',
    'send_at',
    'sg_event_id',
    'sg_anything',
    'singlesend_id',
    'singlesend_name',
    'smtp-id',
    'status',
    'template_id',
    'template_hash',
    'timestamp',
    'tls',
    'type',
    'unique_args',
    'url',
    'url_offset',
    'useragent',
  ])('with metadata named %s, which SendGrid writes itself', (name) => {
    expect(() => requestOf({ metadata: { [name]: 'x' } })).toThrow(`SendGrid writes ${name} into`)
  })

  test('at none of the limits themselves', () => {
    const request = requestOf({
      to: many(1000),
      tags: [...'abcdefghi', 'x'.repeat(255)],
      metadata: { order: 'x'.repeat(9900) },
      replyTo: many(1000),
      templateData: { text: 'x'.repeat(9900) },
      attachments: [{ ...attachment, content: Buffer.alloc(22 * 1024 * 1024) }],
    })
    expect(request.personalizations[0]?.to).toHaveLength(1000)
    expect(request.categories).toHaveLength(10)
  })
})

describe('a body that SendGrid would refuse is refused before the call:', () => {
  test.each<[string, OutgoingMail]>([
    [
      'over 30 MB with attachments in base64',
      { ...mail, attachments: [{ ...attachment, content: Buffer.alloc(23 * 1024 * 1024 + 1) }] },
    ],
    [
      'over 30 MB in the data of its template',
      { ...mail, templateId, templateData: { text: 'x'.repeat(30 * 1024 * 1024) } },
    ],
    [
      'over 30 MB with the quotation marks of its text written as JSON',
      { ...mail, text: '"'.repeat(16 * 1024 * 1024) },
    ],
    [
      'over 30 MB with what each recipient has of its own',
      {
        ...mail,
        to: many(1000),
        templateId,
        recipientData: new Map([
          ['ann+0@example.com', { ...sameAsAll, data: { text: 'x'.repeat(31 * 1024 * 1024) } }],
        ]),
      },
    ],
    ['over 30 MB in its text', { ...mail, text: 'ö'.repeat(16 * 1024 * 1024) }],
  ])('%s', (_, mailOfThatSize) => {
    const { request } = buildRequest(mailOfThatSize, trackingId, now)
    expect(() => bodyOf(request)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('takes 30 MB'),
        category: 'validation',
        outcome: 'not-sent',
      }),
    )
  })

  test('but not one of as much as it takes', () => {
    const { request } = buildRequest(mail, trackingId, now)
    expect(JSON.parse(bodyOf(request))).toEqual(JSON.parse(JSON.stringify(request)))
  })
})
