import { describe, expect, test } from '@jest/globals'
import { type Fields, fields } from '../../../src/payload.js'
import { buildRequest } from '../../../src/providers/mandrill/request.js'
import type { Attachment } from '../../../src/resolved-mail.js'
import type { OutgoingMail } from '../../../src/provider-client.js'
import { failureOf, mail, startMandrill, transporterTo } from './sending.js'

const trackingId = '0197a3c0-5b1e-7c3d-8f2a-9b6c4d1e0f35'
const now = Date.parse('2026-03-01T08:00:00Z')

const outgoing = (changes: Partial<OutgoingMail> = {}): OutgoingMail => ({
  envelope: { from: 'shop@example.com', to: ['ann@example.org'] },
  messageId: '<m-1@example.com>',
  from: [{ name: '', address: 'shop@example.com' }],
  replyTo: [],
  to: [{ name: '', address: 'ann@example.org' }],
  cc: [],
  bcc: [],
  alternatives: [],
  attachments: [],
  headers: [],
  tags: [],
  metadata: {},
  templateData: {},
  own: {},
  ...changes,
})

const build = (changes: Partial<OutgoingMail>): ReturnType<typeof buildRequest> =>
  buildRequest(outgoing(changes), trackingId, now)

const messageOf = (changes: Partial<OutgoingMail>): Fields =>
  fields(build(changes).request.body['message'])

const file = (changes: Partial<Attachment> = {}): Attachment => ({
  filename: 'a.txt',
  contentType: 'text/plain',
  content: Buffer.from('a'),
  ...changes,
})

describe('a request', () => {
  test('of the least mail says no more than it must', () => {
    expect(build({})).toEqual({
      lost: [],
      request: {
        call: 'send',
        addresses: ['ann@example.org'],
        body: {
          message: {
            from_email: 'shop@example.com',
            to: [{ email: 'ann@example.org', type: 'to' }],
            preserve_recipients: true,
            headers: { 'Message-Id': '<m-1@example.com>' },
            metadata: { mailtrail_id: trackingId },
          },
        },
      },
    })
  })

  test('has every recipient in one list, and lets none of them see a bcc', () => {
    const request = messageOf({
      to: [
        { name: 'Ann', address: 'ann@example.org' },
        { name: '', address: 'zoe@example.org' },
      ],
      cc: [{ name: 'Bob', address: 'bob@example.org' }],
      bcc: [{ name: '', address: 'audit@example.org' }],
    })
    expect(request.to).toEqual([
      { email: 'ann@example.org', name: 'Ann', type: 'to' },
      { email: 'zoe@example.org', type: 'to' },
      { email: 'bob@example.org', name: 'Bob', type: 'cc' },
      { email: 'audit@example.org', type: 'bcc' },
    ])
    expect(request.preserve_recipients).toBe(true)
  })

  test.each<[string, Partial<OutgoingMail>]>([
    ['cc', { to: [], cc: [{ name: '', address: 'bob@example.org' }] }],
    ['bcc', { to: [], bcc: [{ name: '', address: 'bob@example.org' }] }],
  ])('can go to a %s alone, who does not stand in To', (type, changes) => {
    const request = messageOf(changes)
    expect(request.to).toEqual([{ email: 'bob@example.org', type }])
    expect(request.preserve_recipients).toBe(true)
  })

  test('has several addresses to reply to in one header', () => {
    const replyTo = [
      { name: 'Help, desk', address: 'help@example.com' },
      { name: '', address: 'b@example.com' },
    ]
    expect(messageOf({ replyTo })).toMatchObject({
      headers: { 'Reply-To': '"Help, desk" <help@example.com>, b@example.com' },
    })
  })

  test('has the names of a prototype as headers and metadata like any other', () => {
    const request = messageOf({
      headers: [
        { name: '__proto__', value: 'a' },
        { name: 'constructor', value: 'b' },
      ],
      metadata: { constructor: 'c' },
    })
    expect(JSON.stringify(request.headers)).toContain('"__proto__":"a","constructor":"b"')
    expect(JSON.stringify(request.metadata)).toContain('"constructor":"c"')
  })

  test('always has our id, last, under a name of its own', () => {
    expect(Object.entries(fields(messageOf({ metadata: { order: '42' } }).metadata))).toEqual([
      ['order', '42'],
      ['mailtrail_id', trackingId],
    ])
  })
})

describe('a file', () => {
  test.each<[string, Partial<Attachment>, string]>([
    ['an attachment', {}, 'attachments'],
    ['an image without a cid', { contentType: 'image/png' }, 'attachments'],
    ['an image with a cid', { contentType: 'image/png', contentId: 'logo' }, 'images'],
    ['an image in capitals', { contentType: 'Image/PNG', contentId: 'logo' }, 'images'],
    ['an SVG with a cid', { contentType: 'image/svg+xml', contentId: 'logo' }, 'images'],
    ['a sound with a cid', { contentType: 'audio/ogg', contentId: 'logo' }, 'attachments'],
  ])('that is %s goes to the %s', (_, changes, list) => {
    const request = messageOf({ attachments: [file(changes)] })
    const other = list === 'images' ? 'attachments' : 'images'
    expect(request[list]).toHaveLength(1)
    expect(request).not.toHaveProperty(other)
  })

  test('shown in the message has its cid in place of a name, as Mandrill asks for it', () => {
    const image = file({
      filename: 'a.png',
      contentType: 'image/png',
      contentId: 'logo@example.com',
    })
    expect(messageOf({ attachments: [image] }).images).toEqual([
      { type: 'image/png', name: 'logo@example.com', content: 'YQ==' },
    ])
  })

  test('is base64 text, whatever is in it', () => {
    const content = Buffer.from([0x00, 0xff, 0xfe, 0x0a])
    const empty = Buffer.alloc(0)
    const attachments = [file({ content }), file({ content: empty })]
    expect(messageOf({ attachments })).toMatchObject({
      attachments: [{ content: 'AP/+Cg==' }, { content: '' }],
    })
  })
})

describe('what is lost is told:', () => {
  test.each<[string, Partial<OutgoingMail>, string]>([
    [
      'a second sender',
      { from: ['a@example.com', 'b@example.com'].map((address) => ({ name: '', address })) },
      'more than one from address',
    ],
    [
      'a cid of what is no image',
      { attachments: [file({ contentId: 'sound', contentType: 'audio/ogg' })] },
      "the cid sound, which is not an image's",
    ],
    [
      'a header that stands there twice',
      {
        headers: [
          { name: 'X-Trace', value: 'a' },
          { name: 'x-trace', value: 'b' },
        ],
      },
      'a second x-trace header',
    ],
  ])('%s', (_, changes, lost) => {
    expect(build(changes).lost).toEqual([lost])
  })
})

describe('what Mandrill would refuse is refused before:', () => {
  const megabytes25 = 25 * 1024 * 1024
  const room = 250 - JSON.stringify({ x: '', mailtrail_id: trackingId }).length

  test.each<[string, Partial<OutgoingMail>, RegExp]>([
    ['no sender', { from: [] }, /needs a from address/],
    ['no recipient', { to: [] }, /needs at least one recipient/],
    ['an empty tag', { tags: [''] }, /no empty tag/],
    ['a tag that begins with _', { tags: ['ok', '_mine'] }, /no tag that begins with _: _mine/],
    ['a tag of 51 characters', { tags: ['x'.repeat(51)] }, /up to 50 characters/],
    ['metadata that begins with _', { metadata: { _mine: '1' } }, /begins with _: _mine/],
    ['a subject of 999 characters', { subject: 'x'.repeat(999) }, /up to 998 .* this one has 999/],
    [
      'files and texts of over 25 MB',
      {
        text: 'é',
        html: 'x'.repeat(20),
        attachments: [file({ content: Buffer.alloc(megabytes25 * 0.75 - 12) })],
      },
      /takes 25 MB with attachments in base64, and these are 26214406 bytes/,
    ],
    ['metadata over 250 bytes', { metadata: { x: 'y'.repeat(room + 1) } }, /these are 251/],
    [
      'metadata over 250 bytes in fewer characters',
      { metadata: { x: 'é'.repeat(Math.ceil((room + 1) / 2)) } },
      /takes 250 bytes/,
    ],
  ])('%s', (_, changes, message) => {
    expect(() => build(changes)).toThrow(message)
    expect(() => build(changes)).toThrow(
      expect.objectContaining({ category: 'validation', outcome: 'not-sent', retryable: false }),
    )
  })

  test.each<[string, Partial<OutgoingMail>]>([
    ['a tag of 50 characters', { tags: ['x'.repeat(50)] }],
    ['metadata of 250 bytes', { metadata: { x: 'y'.repeat(room) } }],
    ['a subject of 998 characters', { subject: 'x'.repeat(998) }],
    ['a file of 25 MB', { attachments: [file({ content: Buffer.alloc(megabytes25 * 0.75) })] }],
  ])('but not %s', (_, changes) => {
    expect(build(changes).lost).toEqual([])
  })

  test('and nothing goes out', async () => {
    const provider = await startMandrill()
    const error = await failureOf(transporterTo(provider).sendMail(mail({ tags: ['_mine'] })))
    expect(error).toMatchObject({ category: 'validation', code: 'EMESSAGE', outcome: 'not-sent' })
    expect(provider.requests).toHaveLength(0)
  })
})
