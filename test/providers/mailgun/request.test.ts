import { describe, expect, test } from '@jest/globals'
import { SendError } from '../../../src/index.js'
import { beyondFields } from '../../../src/providers/mailgun/message-head.js'
import { buildRequest } from '../../../src/providers/mailgun/request.js'
import type { Attachment } from '../../../src/resolved-mail.js'
import type { OutgoingMail } from '../../../src/provider-client.js'

const trackingId = '0199c8d2-5a10-7c31-9d54-0f6d2b8a7e11'
const ana = { name: 'Ana Ruiz', address: 'ana@shop.test' }
const bob = { name: '', address: 'bob@shop.test' }

const simple: OutgoingMail = {
  envelope: { from: 'billing@mg.example.com', to: ['ana@shop.test'] },
  messageId: '<m-1@mg.example.com>',
  from: [{ name: 'Acme, Billing', address: 'billing@mg.example.com' }],
  replyTo: [],
  to: [ana],
  cc: [],
  bcc: [],
  subject: 'Invoice 1042',
  text: 'Hello',
  alternatives: [],
  attachments: [],
  headers: [],
  tags: [],
  metadata: {},
  templateData: {},
  own: {},
}

const now = Date.parse('2025-10-09T12:00:00.000Z')

const built = (changes: Partial<OutgoingMail> = {}) =>
  buildRequest({ ...simple, ...changes }, trackingId, now)
const fieldsOf = (changes: Partial<OutgoingMail> = {}): Record<string, string[]> =>
  built(changes).request.fields

const part = (changes: Partial<Attachment> = {}): Attachment => ({
  filename: 'logo.png',
  contentType: 'image/png',
  content: Buffer.from('x'),
  ...changes,
})

test('a mail of one line becomes this form', () => {
  expect(built()).toEqual({
    lost: [],
    request: {
      fields: {
        from: ['"Acme, Billing" <billing@mg.example.com>'],
        to: ['"Ana Ruiz" <ana@shop.test>'],
        cc: [],
        bcc: [],
        subject: ['Invoice 1042'],
        text: ['Hello'],
        'h:Message-Id': ['<m-1@mg.example.com>'],
        'o:tag': [],
        'v:mailtrail_id': [trackingId],
      },
      attachments: [],
      inlines: [],
    },
  })
})

test('a mail with everything becomes these fields', () => {
  const everything = {
    from: [ana, bob],
    to: [ana, bob],
    cc: [{ name: 'Zoë "Z" Müller', address: 'zoe@müller.test' }],
    bcc: [bob],
    replyTo: [ana, bob],
    html: '<p>Hello</p>',
    headers: [
      { name: 'List-Unsubscribe', value: '<https://shop.test/u>' },
      { name: 'X-Empty', value: '' },
    ],
    tags: ['invoice', 'eu'],
    metadata: { order_id: '1042', empty: '', constructor: 'c' },
  }
  expect(fieldsOf(everything)).toEqual({
    from: ['"Ana Ruiz" <ana@shop.test>', 'bob@shop.test'],
    to: ['"Ana Ruiz" <ana@shop.test>', 'bob@shop.test'],
    cc: ['"Zoë \\"Z\\" Müller" <zoe@müller.test>'],
    bcc: ['bob@shop.test'],
    subject: ['Invoice 1042'],
    text: ['Hello'],
    html: ['<p>Hello</p>'],
    'h:List-Unsubscribe': ['<https://shop.test/u>'],
    'h:X-Empty': [''],
    'h:Reply-To': ['"Ana Ruiz" <ana@shop.test>, bob@shop.test'],
    'h:Message-Id': ['<m-1@mg.example.com>'],
    'o:tag': ['invoice', 'eu'],
    'v:order_id': ['1042'],
    'v:empty': [''],
    'v:constructor': ['c'],
    'v:mailtrail_id': [trackingId],
  })
})

test.each([
  [4000, []],
  [4100, ['metadata of over 4096 bytes as JSON, with our id, in its events']],
])('metadata of some %i bytes is lost: %j', (length, expected) => {
  const { request, lost } = built({ metadata: { note: 'x'.repeat(length) } })
  expect(lost).toEqual(expected)
  expect(request.fields['v:note']).toEqual(['x'.repeat(length)])
})

describe('the time of sending', () => {
  const build = (sendAt: string) =>
    buildRequest({ ...simple, sendAt: new Date(sendAt) }, trackingId, now).request.fields

  test('may be seven days ahead', () => {
    expect(build('2025-10-16T12:00:00.000Z')['o:deliverytime']).toEqual([
      'Thu, 16 Oct 2025 12:00:00 +0000',
    ])
  })

  test('may not be a moment more', () => {
    expect(() => build('2025-10-16T12:00:00.001Z')).toThrow(
      'Mailgun takes a sendAt of up to 7 days ahead, and not 2025-10-16T12:00:00.001Z',
    )
  })
})

describe('the content', () => {
  const content = ({ text, html }: { text?: string; html?: string }) => {
    const { text: _text, ...others } = simple
    return buildRequest(
      { ...others, ...(text !== undefined && { text }), ...(html !== undefined && { html }) },
      trackingId,
      now,
    ).request.fields
  }

  test('may be HTML alone', () => {
    const { text, html } = content({ html: '<p>Hello</p>' })
    expect([text, html]).toEqual([undefined, ['<p>Hello</p>']])
  })

  test('is a space where there is none, for Mailgun needs one', () => {
    const { text, html } = content({})
    expect([text, html]).toEqual([[' '], undefined])
  })
})

describe('the Message-ID', () => {
  test.each([
    ['as it is', '<m-1@mg.example.com>', ['<m-1@mg.example.com>']],
    ['in brackets that it came without', 'm-1@mg.example.com', ['<m-1@mg.example.com>']],
  ])('goes %s', (_, messageId, expected) => {
    expect(fieldsOf({ messageId })['h:Message-Id']).toEqual(expected)
  })

  test.each(['', '<>', 'm-1', '<m-1>', '<@mg.example.com>', '<m 1@mg.example.com>', '<a@b@c>'])(
    '%j is lost, for Mailgun would take another',
    (messageId) => {
      const { request, lost } = built({ messageId })
      expect(lost).toEqual(['a messageId that is not of the form <left@right>'])
      expect(request.fields).not.toHaveProperty('h:Message-Id')
    },
  )
})

describe('headers', () => {
  test('of one name and one value go once', () => {
    const headers = [
      { name: 'X-Shop', value: 'eu' },
      { name: 'X-SHOP', value: 'eu' },
    ]
    const { request, lost } = built({ headers })
    expect([request.fields['h:X-Shop'], request.fields['h:X-SHOP'], lost]).toEqual([
      ['eu'],
      undefined,
      [],
    ])
  })

  test('of one name and two values are told as lost, but for the first', () => {
    const headers = [
      { name: 'X-Shop', value: 'eu' },
      { name: 'X-Shop', value: 'us' },
    ]
    const { request, lost } = built({ headers })
    expect([request.fields['h:X-Shop'], lost]).toEqual([['eu'], ['a second X-Shop header']])
  })
})

test.each<[string, Partial<OutgoingMail>]>([
  ['from', { from: [{ name: 'Zoë, of Acme', address: 'billing@mg.example.com' }] }],
  ['to', { to: [{ name: 'Zoë "Z"', address: 'zoe@shop.test' }] }],
  ['cc', { cc: [{ name: 'Zoë (Acme)', address: 'zoe@shop.test' }] }],
  ['replyTo', { replyTo: [{ name: 'Acme) Zoë', address: 'zoe@shop.test' }] }],
])(
  'a name in %s that Mailgun would quote again is a reason for a document, and no loss',
  (_, changes) => {
    expect(beyondFields({ ...simple, ...changes })).toEqual([
      'a name with a comma, quotes or parentheses beside other than ASCII',
    ])
    expect(built(changes).lost).toEqual([])
  },
)

test('AMP goes beside text and HTML, with the names of inline parts in its links', () => {
  const { amp, html } = {
    amp: '<html ⚡4email><img src="cid:logo@shop.com"></html>',
    html: '<img src="cid:logo@shop.com">',
  }
  const attachments = [part({ contentId: 'logo@shop.com' })]
  expect(fieldsOf({ amp, html, attachments })).toMatchObject({
    text: ['Hello'],
    'amp-html': ['<html ⚡4email><img src="cid:logo.png"></html>'],
    html: ['<img src="cid:logo.png">'],
  })
})

describe('the size of a mail', () => {
  // Of 25 MB, less a line of base64 and the text of it.
  const most = Math.floor((25 * 1024 * 1024 - 'Hello'.length) / 78) * 57
  const sized = (size: number) => () =>
    built({ attachments: [part({ content: Buffer.alloc(size) })] })

  test('may be 25 MB', () => expect(sized(most)).not.toThrow())

  test('may not be a line more', () => {
    expect(sized(most + 1)).toThrow(
      'Mailgun takes messages of 26214400 bytes, and this one with its files in base64 is 26214401',
    )
  })

  test.each<[string, Partial<OutgoingMail>]>([
    ['text', { text: 'ü'.repeat(13 * 1024 * 1024) }],
    ['html', { html: 'x'.repeat(25 * 1024 * 1024) }],
    ['amp', { amp: 'x'.repeat(25 * 1024 * 1024) }],
    ['inline parts', { attachments: [part({ contentId: 'a', content: Buffer.alloc(most + 1) })] }],
    ['an own field', { own: { html: 'x'.repeat(25 * 1024 * 1024) } }],
  ])('is also that of %s', (_, changes) => {
    expect(() => built(changes)).toThrow('Mailgun takes messages of 26214400 bytes')
  })
})

describe('refused is', () => {
  const many = (count: number, of = 'to') =>
    Array.from({ length: count }, (_, index) => ({ name: '', address: `${of}${index}@shop.test` }))

  test.each<[string, Partial<OutgoingMail>, string]>([
    ['a mail without a sender', { from: [] }, 'needs a from address'],
    ['a mail with recipients in cc alone', { to: [], cc: [ana] }, 'one recipient in to'],
    ['a mail with an empty subject', { subject: '' }, 'needs a subject'],
    [
      'a sender that Mailgun makes an invalid header of',
      { from: [bob, { name: '', address: 'jörg@mg.example.com' }] },
      'other than ASCII',
    ],
    [
      'a mail to too many',
      { to: many(500), cc: many(300, 'cc'), bcc: many(201, 'bcc') },
      'takes 1000 recipients at once, and these are 1001',
    ],
    ['a mail with too many tags', { tags: Array(11).fill('t') }, 'takes 10 tags, and these are 11'],
    [
      'a header that would take the place of our id',
      { headers: [{ name: 'x-mailgun-variables', value: '{}' }] },
      'the header x-mailgun-variables cannot be used with Mailgun: use metadata in its place',
    ],
    [
      'a header that would make a message for each recipient',
      { headers: [{ name: 'X-Mailgun-Recipient-Variables', value: '{}' }] },
      'use recipientData in its place',
    ],
    ['an empty tag', { tags: ['t', ''] }, 'tags of 1 to 128 ASCII characters: ""'],
    ['a tag that is too long', { tags: ['t'.repeat(129)] }, 'tags of 1 to 128'],
    ['a tag that is not ASCII', { tags: ['größe'] }, '"größe"'],
    ['a tag with a line break', { tags: ['a\nb'] }, '"a\\nb"'],
  ])('%s', (_, changes, message) => {
    const build = () => built(changes)
    expect(build).toThrow(SendError)
    expect(build).toThrow(message)
  })

  test('a mail without a subject', () => {
    const { subject: _subject, ...mail } = simple
    expect(() => buildRequest(mail, trackingId, now)).toThrow('needs a subject')
  })

  test.each<[string, Partial<OutgoingMail>]>([
    ['a thousand recipients', { to: many(500), bcc: many(500, 'bcc') }],
    ['ten tags', { tags: Array(10).fill('t') }],
    ['another header of Mailgun', { headers: [{ name: 'X-Mailgun-Track', value: 'no' }] }],
    ['a tag of 128 characters', { tags: ['~'.repeat(128)] }],
    ['a sender in a domain with other letters', { from: [{ name: '', address: 'a@müller.test' }] }],
  ])('nothing of %s', (_, changes) => expect(() => built(changes)).not.toThrow())
})

describe('a file', () => {
  test('goes as it is', () => {
    const attachment = part({ filename: 'factura nº "1".pdf', contentType: 'application/pdf' })
    expect(built({ attachments: [attachment] }).request).toMatchObject({
      attachments: [attachment],
      inlines: [],
    })
  })

  test.each([
    ['text/plain', 'größe', 'text/plain; charset=utf-8'],
    ['text/calendar; method=REQUEST', 'x', 'text/calendar; method=REQUEST; charset=utf-8'],
    ['text/csv; charset=iso-8859-1', 'x', 'text/csv; charset=iso-8859-1'],
    ['TEXT/html; Charset="utf-8"', 'x', 'TEXT/html; Charset="utf-8"'],
    ['application/json', '{}', 'application/json'],
  ])('of type %s with %j goes as %s', (contentType, content, expected) => {
    const attachments = [part({ contentType, content: Buffer.from(content) })]
    expect(built({ attachments }).request.attachments[0]?.contentType).toBe(expected)
  })

  test('of text in an unknown charset is given none', () => {
    const attachments = [part({ contentType: 'text/plain', content: Buffer.from([0x67, 0xfc]) })]
    expect(built({ attachments }).request.attachments[0]?.contentType).toBe('text/plain')
  })
})

describe('inline parts', () => {
  const inline = (contentId: string, filename = 'logo.png') => part({ contentId, filename })
  const inlined = (html: string, ...attachments: Attachment[]) => {
    const { request } = built({ html, attachments })
    return [request.fields['html']?.[0], request.inlines.map(({ filename }) => filename)]
  }

  test('keep their file names, and the HTML asks for those', () => {
    expect(inlined('<img src="cid:logo@shop.com">', inline('logo@shop.com'))).toEqual([
      '<img src="cid:logo.png">',
      ['logo.png'],
    ])
  })

  test('are no attachments', () => {
    const { attachments, inlines } = built({
      html: '<img src="cid:logo">',
      attachments: [inline('logo'), part({ filename: 'a.pdf' })],
    }).request
    expect(attachments.map(({ filename }) => filename)).toEqual(['a.pdf'])
    expect(inlines).toEqual([
      { filename: 'logo.png', contentType: 'image/png', content: Buffer.from('x') },
    ])
  })

  test.each([
    ['"cid:a"', '"cid:one.png"'],
    ["'CID:a'", "'cid:one.png'"],
    ['=cid:a>', '=cid:one.png>'],
    ['url(cid:a)', 'url(cid:one.png)'],
    ['url(&quot;cid:a&quot;)', 'url(&quot;cid:one.png&quot;)'],
    ['"cid:a 1x, cid:ab 2x"', '"cid:one.png 1x, cid:two.png 2x"'],
    ['"cid:ab"', '"cid:two.png"'],
    ['"cid:abc"', '"cid:abc"'],
    ['"cid:%61"', '"cid:one.png"'],
    ['"cid:%E0%A4%A"', '"cid:%E0%A4%A"'],
    ['"acid:a"', '"acid:a"'],
    ['"cid:__proto__"', '"cid:__proto__"'],
    ['"cid:one.png"', '"cid:one.png"'],
    ['see cid:a for more', 'see cid:a for more'],
    ['"cid:photo (1).png"', '"cid:three.png"'],
    ['"cid:photo%20(1).png"', '"cid:three.png"'],
    ['url(cid:photo (1).png)', 'url(cid:three.png)'],
    ['"cid:x&y"', '"cid:four.png"'],
    ['"cid:x&amp;y"', '"cid:four.png"'],
    ['&quot;cid:x&amp;y&quot;', '&quot;cid:four.png&quot;'],
  ])('are asked for in %s as in %s', (asked, expected) => {
    const parts = [
      inline('a', 'one.png'),
      inline('ab', 'two.png'),
      inline('photo (1).png', 'three.png'),
      inline('x&y', 'four.png'),
    ]
    expect(inlined(asked, ...parts)[0]).toBe(expected)
  })

  test('of names that are no Content-ID get other ones', () => {
    const html = '"cid:a" "cid:b" "cid:c"'
    const parts = [inline('a', 'größe 1.png'), inline('b', 'x/y.svg'), inline('c', 'no dot')]
    expect(inlined(html, ...parts)).toEqual([
      '"cid:inline-1.png" "cid:inline-2.svg" "cid:inline-3"',
      ['inline-1.png', 'inline-2.svg', 'inline-3'],
    ])
  })

  test('never share a name', () => {
    const html = '"cid:a" "cid:b" "cid:c" "cid:d"'
    const parts = [
      inline('a', 'inline-2.png'),
      inline('b', 'logo.png'),
      inline('c', 'logo.png'),
      inline('d', 'logo.png'),
    ]
    expect(inlined(html, ...parts)).toEqual([
      '"cid:inline-1.png" "cid:logo.png" "cid:inline-3.png" "cid:inline-4.png"',
      ['inline-1.png', 'logo.png', 'inline-3.png', 'inline-4.png'],
    ])
  })

  test('may trade names with each other', () => {
    const parts = [inline('a.png', 'b.png'), inline('b.png', 'a.png')]
    expect(inlined('"cid:a.png" "cid:b.png"', ...parts)).toEqual([
      '"cid:b.png" "cid:a.png"',
      ['b.png', 'a.png'],
    ])
  })

  test('of one id are all sent, and the HTML asks for the first', () => {
    expect(inlined('"cid:a"', inline('a', 'one.png'), inline('a', 'two.png'))).toEqual([
      '"cid:one.png"',
      ['one.png', 'two.png'],
    ])
  })
})
