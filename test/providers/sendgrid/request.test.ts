import { describe, expect, test } from '@jest/globals'
import { SendError } from '../../../src/index.js'
import { buildRequest } from '../../../src/providers/sendgrid/request.js'
import type { OutgoingMail } from '../../../src/provider-client.js'

const trackingId = '0198b7a4-3c5e-7d21-9a43-5f2b8c6d1e70'

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

const requestOf = (change: Partial<OutgoingMail>) => {
  const { request, lost } = buildRequest({ ...mail, ...change }, trackingId, now)
  expect(lost).toEqual([])
  return request
}

const lostOf = (change: Partial<OutgoingMail>): string[] =>
  buildRequest({ ...mail, ...change }, trackingId, now).lost

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
})

describe('a mail is refused', () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => mailbox(`ann+${index}@example.com`))
  const { subject: _subject, ...withoutSubject } = mail

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
      'over 30 MB with attachments in base64',
      { ...mail, attachments: [{ ...attachment, content: Buffer.alloc(23 * 1024 * 1024 + 1) }] },
      /takes 30 MB/,
    ],
    [
      'over 30 MB in the data of its template',
      { ...mail, templateData: { text: 'x'.repeat(30 * 1024 * 1024) } },
      /takes 30 MB/,
    ],
    ['over 30 MB in its text', { ...mail, text: 'ö'.repeat(16 * 1024 * 1024) }, /takes 30 MB/],
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
      attachments: [{ ...attachment, content: Buffer.alloc(22 * 1024 * 1024) }],
    })
    expect(request.personalizations[0]?.to).toHaveLength(1000)
    expect(request.categories).toHaveLength(10)
  })
})
