import { Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { eventId } from '../../../src/matching.js'
import { mailgunWebhook } from '../../../src/providers/mailgun/index.js'
import {
  type Field,
  type File,
  multipart,
  type Post,
  readMail,
  readOne,
  readPost,
  sample,
  signatureFields,
  signingKey,
  urlEncoded,
} from './reading.js'

const headersOf = (...pairs: unknown[]): Field => ['message-headers', JSON.stringify(pairs)]

const from: Field = ['from', 'Ana <ana@shop.test>']
const common: Field[] = [
  ['recipient', 'support@in.example.com'],
  ['sender', 'ana@shop.test'],
  ['subject', 'Re: Invoice'],
  from,
]
const plainHeaders = headersOf(
  ['X-Mailgun-Incoming', 'Yes'],
  ['From', 'Ana <ana@shop.test>'],
  ['Subject', 'Re: Invoice'],
  ['Message-Id', '<reply@shop.test>'],
)
const plain: Field = ['body-plain', 'Paid.']

/** A mail as it is forwarded: the order of the fields is that of captured posts. */
const forwarded = (...rest: Field[]): Post =>
  urlEncoded([...common, plainHeaders, ...signatureFields(), plain, ...rest])

const stripes = (name: string): Buffer => Buffer.from(`${name}\0\xff\r\n--x`, 'latin1')

const files: File[] = ['attachment-1', 'attachment-2', 'attachment-3'].map((name) => ({
  name,
  filename: `${name}.png`,
  contentType: 'image/png',
  content: stripes(name),
}))

describe('a parsed mail', () => {
  test('is told with what Mailgun says, where its headers say nothing', async () => {
    const post = urlEncoded([...common, headersOf(), ...signatureFields(), plain])
    const { mail, event } = await readMail(post)
    expect(mail).toMatchObject({
      envelope: { from: 'ana@shop.test', to: ['support@in.example.com'] },
      from: { name: 'Ana', address: 'ana@shop.test' },
      subject: 'Re: Invoice',
      text: 'Paid.',
      to: [],
      headers: [],
      problems: [],
    })
    expect(event.occurredAt).toEqual(new Date(1760000000000))
  })

  test.each<[string, string | undefined, string[]]>([
    ['one', 'a@in.example.com', ['a@in.example.com']],
    ['a list', 'a@in.example.com,  b@in.example.com', ['a@in.example.com', 'b@in.example.com']],
    ['a comma in quotes', '"a,b"@in.example.com', ['"a,b"@in.example.com']],
    ['a name', 'A <a@in.example.com>', ['a@in.example.com']],
    ['no space around it', ' a@in.example.com ,', ['a@in.example.com']],
  ])('has for recipients %s', async (_, recipient, to) => {
    const fields: Field[] = recipient === undefined ? [] : [['recipient', recipient]]
    const post = urlEncoded([...fields, ...common.slice(1), plainHeaders, ...signatureFields()])
    const { mail, event } = await readMail(post)
    expect([mail.envelope.to, event.recipient]).toEqual([to, to[0]])
  })

  test.each<[string, Field[]]>([
    ['an empty sender', [['sender', '']]],
    ['an empty sender in brackets', [['sender', '<>']]],
    ['no sender', []],
  ])('that is a bounce has %s', async (_, sender) => {
    const [recipient, , subject] = common
    if (!recipient || !subject) throw new Error('they are there')
    const { mail } = await readMail(
      urlEncoded([recipient, ...sender, subject, from, plainHeaders, ...signatureFields()]),
    )
    expect(mail.envelope.from).toBe('')
  })

  test('has all its texts of one type', async () => {
    const html: Field[] = [
      ['body-html', '<p>1</p>'],
      ['body-html', '<p>2</p>'],
    ]
    const { mail } = await readMail(forwarded(...html, ['body-plain', 'Really.']))
    expect([mail.html, mail.text]).toEqual(['<p>1</p>\n<p>2</p>', 'Paid.\nReally.'])
  })

  test('may have no text at all, as one that is a file alone', async () => {
    const post = multipart([...common, plainHeaders, ...signatureFields()], files.slice(0, 1))
    const { mail } = await readMail(post)
    expect([mail.text, mail.html, mail.attachments.length]).toEqual([undefined, undefined, 1])
  })

  test('has its texts of other types as attachments', async () => {
    const calendar = 'BEGIN:VCALENDAR\r\nSUMMARY:Día\r\nEND:VCALENDAR'
    const { mail } = await readMail(
      forwarded(['body-calendar', calendar], ['body-x-amp-html', 'a']),
    )
    expect(mail.attachments).toEqual([
      {
        contentType: 'text/calendar',
        size: Buffer.byteLength(calendar),
        content: { kind: 'embedded', base64: Buffer.from(calendar).toString('base64') },
      },
      expect.objectContaining({ contentType: 'text/x-amp-html' }),
    ])
  })

  test.each<[string, Field[], object | undefined]>([
    [
      'with everything',
      [
        ['stripped-text', 't'],
        ['stripped-html', 'h'],
        ['stripped-signature', 's'],
      ],
      { text: 't', html: 'h', signature: 's' },
    ],
    [
      'with one of them',
      [
        ['stripped-text', 't'],
        ['stripped-signature', ''],
      ],
      { text: 't' },
    ],
    ['with none of them', [], undefined],
  ])('is parted from quotes, %s', async (_, fields, stripped) => {
    expect((await readMail(forwarded(...fields))).mail.stripped).toEqual(stripped)
  })

  test('is parted within bounds', async () => {
    const { mail } = await readMail(forwarded(['stripped-text', `a\0${'b'.repeat(600_000)}`]))
    expect(mail.stripped?.text).toBe(`a${'b'.repeat(499_999)}`)
    expect(mail.problems).toEqual([expect.stringContaining('the stripped text is longer')])
  })

  test('has its headers as fields too, for want of a list of them that can be read', async () => {
    for (const broken of ['', '[', '{}']) {
      const { mail } = await readMail(
        urlEncoded([
          ...common,
          ['In-Reply-To', '<sent@mg.example.com>'],
          ['Received', 'one'],
          ['Received', 'two'],
          ['message-headers', broken],
          ...signatureFields(),
        ]),
      )
      expect(mail).toMatchObject({
        inReplyTo: '<sent@mg.example.com>',
        from: { address: 'ana@shop.test' },
        problems: ['message-headers could not be read'],
      })
      expect(mail.headers.map(({ value }) => value)).toEqual([
        '<sent@mg.example.com>',
        'one',
        'two',
      ])
    }
  })

  test.each<[string, unknown, string]>([
    ['text', 'a', 'a'],
    [
      'a list of itself and its parameters',
      ['multipart/mixed', { boundary: 'b' }],
      'multipart/mixed',
    ],
    ['a number', 7, '7'],
    ['null', null, ''],
    ['a list of nothing', [], ''],
    ['an object', {}, ''],
  ])('has a header whose value is %s', async (_, value, expected) => {
    const post = urlEncoded([
      ...common,
      headersOf(['X', value], 7, [], [8, 9]),
      ...signatureFields(),
    ])
    expect((await readMail(post)).mail.headers).toEqual([{ name: 'X', value: expected }])
  })

  test('in no charset that it should have is read all the same', async () => {
    const { type, body } = forwarded()
    const latin = Buffer.concat([body, Buffer.from('&body-plain=Gr%FC%DFe')])
    expect((await readMail({ type, body: latin })).mail.text).toBe('Paid.\nGrüße')
  })
})

describe('the attachments of a mail', () => {
  const attached = (map: string): Post =>
    multipart(
      [
        ...common,
        plainHeaders,
        ...signatureFields(),
        ['body-html', '<img src="cid:one"><img src="cid:two">'],
        ['attachment-count', '3'],
        ['content-id-map', map],
      ],
      files,
    )

  test.each<[string, string, string[]]>([
    [
      'by its id',
      '{"<one>": "attachment-1", "<two>":"attachment-3"}',
      ['one=attachment-1.png', 'two=attachment-3.png', 'attachment-2.png'],
    ],
    [
      'by an id that two have',
      '{"<one>": "attachment-1", "<one>": "attachment-2"}',
      ['one=attachment-1.png', 'attachment-2.png', 'attachment-3.png'],
    ],
    [
      'by no empty id',
      '{"": "attachment-1", "<>": "attachment-2", "one": "attachment-3"}',
      ['one=attachment-3.png', 'attachment-1.png', 'attachment-2.png'],
    ],
    [
      'by its other id, where one is empty',
      '{"<>": "attachment-1", "<one>": "attachment-1"}',
      ['one=attachment-1.png', 'attachment-2.png', 'attachment-3.png'],
    ],
    [
      'by an id with quotes in it',
      '{"<\\"q\\">": "attachment-1", "<two>": "attachment-2"}',
      ['two=attachment-2.png', 'attachment-1.png', 'attachment-3.png'],
    ],
    [
      'by none, for want of a map that can be read',
      '{"<one>": ["attachment-1"], 7: "x", "<two>"',
      ['attachment-1.png', 'attachment-2.png', 'attachment-3.png'],
    ],
  ])('are what the HTML speaks of %s', async (_, map, expected) => {
    const { mail } = await readMail(attached(map))
    expect([
      ...Object.entries(mail.inline).map(([id, { filename }]) => `${id}=${filename}`),
      ...mail.attachments.map(({ filename }) => filename),
    ]).toEqual(expected)
    expect(mail.problems).toEqual([])
  })

  test('are kept byte by byte where they are to be', async () => {
    const kept: Buffer[] = []
    const webhook = mailgunWebhook({
      signingKey,
      inbound: {
        async attachments(content) {
          kept.push(Buffer.concat(await Readable.from(content).toArray()))
          return `place-${kept.length}`
        },
      },
    })
    const { mail } = await readMail(attached('{}'), webhook)
    expect(kept).toEqual(files.map(({ name }) => stripes(name)))
    expect(mail.attachments.map(({ content }) => content)).toEqual([
      { kind: 'kept', location: 'place-1' },
      { kind: 'kept', location: 'place-2' },
      { kind: 'kept', location: 'place-3' },
    ])
  })

  test('that cannot be kept make the mail come again', async () => {
    const attachments = () => Promise.reject(new Error('no room'))
    const webhook = mailgunWebhook({ signingKey, inbound: { attachments } })
    await expect(readPost(attached('{}'), webhook)).rejects.toThrow('no room')
  })
})

describe('the source of a mail', () => {
  const mime = (source: string, ...fields: Field[]): Post =>
    urlEncoded([...common, ['body-mime', source], ...fields, ...signatureFields()])

  const latin = 'Subject: Gr=C3=BC=C3=9Fe\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr'

  test('is taken as the bytes that came, in either kind of form', async () => {
    const bytes = Buffer.concat([Buffer.from(latin), Buffer.from('\xfc\xdfe', 'latin1')])
    const encoded = bytes.toString('latin1').replace(/[^\w]/g, (character) => {
      const code = character.charCodeAt(0).toString(16).padStart(2, '0')
      return `%${code}`
    })
    const form = urlEncoded([...common, ...signatureFields()])
    const inForm = Buffer.concat([form.body, Buffer.from(`&body-mime=${encoded}`)])
    expect((await readMail({ ...form, body: inForm })).mail.text?.trim()).toBe('Grüße')

    const { type, body } = multipart([...common, ...signatureFields(), ['body-mime', 'source']])
    const at = body.indexOf('source')
    const inParts = Buffer.concat([body.subarray(0, at), bytes, body.subarray(at + 6)])
    expect((await readMail({ type, body: inParts })).mail.text?.trim()).toBe('Grüße')
  })

  test('may be posted as a file', async () => {
    const file = { name: 'body-mime', filename: 'mail.eml', content: 'Subject: filed\r\n\r\nHello' }
    const { mail } = await readMail(multipart([...common, ...signatureFields()], [file]))
    expect(mail).toMatchObject({ subject: 'filed', attachments: [] })
  })

  test.each([
    ['empty', ''],
    ['no mail', '\0\u{1F4A9}'],
    ['broken', 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-'],
  ])('may be %s', async (_, source) => {
    const { mail } = await readMail(mime(source))
    expect(mail).toMatchObject({ from: { address: 'ana@shop.test' }, subject: 'Re: Invoice' })
  })

  test('is not in the payload', async () => {
    const { event } = await readMail(mime('Subject: s\r\n\r\nsecret words'))
    expect(JSON.stringify(event.raw)).not.toContain('secret words')
  })

  test('goes before an event, which a header may claim', async () => {
    expect((await readOne(mime('Subject: s\r\n\r\nx', ['event', 'bounced']))).type).toBe('inbound')
  })
})

describe('a mail that Mailgun stores', () => {
  const host = 'https://storage-us-east4.api.mailgun.net/v3/domains/in.example.com/messages/key'
  const stored = (attachments: string, ...more: Field[]): Post =>
    urlEncoded([
      ...signatureFields(),
      ['domain', 'in.example.com'],
      ...common,
      ['message-url', host],
      plainHeaders,
      ['attachments', attachments],
      plain,
      ...more,
    ])

  test('is told as that, and where the whole of it is stands in the payload', async () => {
    const { event, mail } = await readMail(stored('[]'))
    expect(event).toMatchObject({ providerEvent: 'stored', raw: { 'message-url': host } })
    expect([mail.text, mail.attachments]).toEqual(['Paid.', []])
  })

  test.each<[string, unknown, object[], string[]]>([
    [
      'as they are',
      [{ url: `${host}/0`, 'content-type': 'text/plain', name: 'a.txt', size: 5 }],
      [
        {
          filename: 'a.txt',
          contentType: 'text/plain',
          size: 5,
          content: { kind: 'remote', url: `${host}/0` },
        },
      ],
      [],
    ],
    [
      'without what is not said',
      [
        { url: 'https://api.mailgun.net/0', size: '7' },
        { url: 'https://api.mailgun.net/1', size: -7 },
      ],
      [
        { contentType: 'application/octet-stream', size: 7 },
        { contentType: 'application/octet-stream', size: 0 },
      ],
      [],
    ],
    [
      'without those that are anywhere else, where the API key must not go',
      [
        { url: 'https://evil.test/a' },
        { url: 'http://api.mailgun.net/a' },
        { url: 'https://api.mailgun.net.evil.test/a' },
        { url: 'https://notmailgun.net/a' },
        { url: 'https://api.mailgun.net@evil.test/a' },
        { url: 'file:///etc/passwd' },
        { url: 'no url' },
        { url: 7 },
        {},
        null,
        'x',
      ],
      [],
      ['11 of the attachments are left out: they have no URL of Mailgun, or are too many'],
    ],
    ['of no list', {}, [], ['the list of attachments could not be read']],
  ])('has its attachments %s', async (_, attachments, expected, problems) => {
    const { mail } = await readMail(stored(JSON.stringify(attachments)))
    expect(mail.attachments).toMatchObject(expected)
    expect(mail.problems).toEqual(problems)
  })

  test.each(['https://evil.test/', 'http://api.mailgun.net/', 'no URL', ''])(
    'is nowhere else than at Mailgun, where the API key must not go: %j',
    async (url) => {
      const fields: Field[] = [...common, ['message-url', url], plainHeaders, plain]
      const { event } = await readMail(urlEncoded([...fields, ...signatureFields()]))
      expect(event.raw).not.toHaveProperty('message-url')
    },
  )

  test('has a list that is broken', async () => {
    const { mail } = await readMail(stored('[{'))
    expect(mail.problems).toEqual(['the list of attachments could not be read'])
  })

  test('has no more attachments than a mail may', async () => {
    const many = Array.from({ length: 5000 }, (_, at) => ({ url: `${host}/${at}`, size: 1 }))
    const { mail } = await readMail(stored(JSON.stringify(many)))
    expect(mail.attachments).toHaveLength(1000)
    expect(mail.problems).toEqual([expect.stringContaining('4000 of the attachments are left out')])
  })

  test('knows which of them the HTML speaks of', async () => {
    const { mail } = await readMail(
      stored(
        JSON.stringify([{ url: `${host}/0`, name: 'logo.png', size: 1 }]),
        ['content-id-map', JSON.stringify({ '<logo>': `${host}/0` })],
        ['body-html', '<img src="cid:logo">'],
      ),
    )
    expect(Object.keys(mail.inline)).toEqual(['logo'])
  })
})

describe('what Mailgun has found out about a mail', () => {
  const results: [string, string][] = [
    ['X-Mailgun-Spam-Rules', 'DKIM_VALID'],
    ['X-Mailgun-Dkim-Check-Result', 'Fail'],
    ['X-Mailgun-Spf', 'SoftFail'],
    ['X-Mailgun-Sscore', '6.5'],
    ['X-Mailgun-Sflag', 'Yes'],
  ]
  const incoming = ['X-Mailgun-Incoming', 'Yes']
  const claims = results.map(([name]) => [name, name === 'X-Mailgun-Sscore' ? '-9' : 'Pass'])
  const readResults = async (...pairs: unknown[]) => {
    const post = urlEncoded([...common, headersOf(...pairs), ...signatureFields(), plain])
    const { spam, dkim, spf } = (await readMail(post)).mail
    return { spam, dkim, spf }
  }
  const found = {
    spam: { score: 6.5, flagged: true, report: 'DKIM_VALID' },
    dkim: 'Fail',
    spf: 'SoftFail',
  }

  test('is read from its headers', async () => {
    expect(await readResults(...results, incoming)).toEqual(found)
    expect(await readResults(...results)).toEqual(found)
  })

  test('is not what the sender claims, whether Mailgun says something or not', async () => {
    expect(await readResults(...results, incoming, ...claims)).toEqual(found)
    expect(await readResults(...results, ...claims)).toEqual(found)
    expect(await readResults(incoming, ...claims)).toEqual({})
    expect(await readResults(['x-mailgun-incoming', 'Yes'], ...claims, incoming)).toEqual({})
  })

  test.each<[string, string[], object | undefined]>([
    ['a score that is none', ['X-Mailgun-Sscore', 'high'], undefined],
    ['an empty score', ['X-Mailgun-Sscore', ''], undefined],
    ['a flag that is none', ['X-Mailgun-Sflag', 'maybe'], undefined],
    ['a flag of no', ['x-mailgun-sflag', 'No'], { flagged: false }],
  ])('with %s', async (_, header, spam) => {
    expect((await readResults(header)).spam).toEqual(spam)
  })

  test('stands in the source of a mail too', async () => {
    const source = results.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const post = urlEncoded([
      ...common,
      ['body-mime', `${source}Subject: s\r\n\r\nx`],
      ...signatureFields(),
    ])
    expect((await readMail(post)).mail).toMatchObject(found)
  })
})

describe('who writes a mail with a header that has the name of a field', () => {
  /** Every header is posted as a field of its own, wherever that stands. */
  const posts = (...pairs: [string, string][]): [string, Post][] => {
    const list = headersOf(['X-Mailgun-Incoming', 'Yes'], ...pairs, ['From', 'Ana <ana@shop.test>'])
    const own: Field[] = [...common, list, ...signatureFields(), plain]
    return [
      ['behind', urlEncoded([...own, ...pairs])],
      ['before', urlEncoded([...pairs, ...own])],
      ['behind, in a multipart form', multipart([...own, ...pairs])],
    ]
  }

  test.each<[string, [string, string][]]>([
    [
      'signs nothing away',
      [
        ['token', 'x'],
        ['timestamp', '1'],
        ['signature', 'y'],
      ],
    ],
    [
      'changes no envelope',
      [
        ['recipient', 'eve@in.example.com'],
        ['sender', 'boss@shop.test'],
      ],
    ],
    [
      'changes no text',
      [
        ['body-plain', 'forged'],
        ['stripped-text', 'forged'],
      ],
    ],
    [
      'tells no event',
      [
        ['event', 'bounced'],
        ['Message-Id', '<sent@mg.example.com>'],
      ],
    ],
    ['gives no source', [['body-mime', 'Subject: forged\r\n\r\nforged']]],
    ['changes no headers', [['message-headers', '[["Subject", "forged"]]']]],
    [
      'gives no address to fetch anything from',
      [
        ['message-url', 'https://api.mailgun.net/forged'],
        ['attachments', '[{"url":"https://api.mailgun.net/forged","size":1}]'],
      ],
    ],
  ])('%s', async (_, pairs) => {
    for (const [, post] of posts(...pairs)) {
      const { event, mail } = await readMail(post)
      expect(event.providerEvent).toBe('inbound')
      expect(event.occurredAt).toEqual(new Date(1760000000000))
      expect(mail).toMatchObject({
        envelope: { from: 'ana@shop.test', to: ['support@in.example.com'] },
        from: { address: 'ana@shop.test' },
        subject: 'Re: Invoice',
        text: 'Paid.',
        attachments: [],
      })
      expect(mail.stripped).toBeUndefined()
    }
  })

  test('tells no event either where the list of headers is broken', async () => {
    for (const marker of ['X-Mailgun-Incoming', 'X-Envelope-From', 'Received', 'stripped-text']) {
      const event = await readOne(
        urlEncoded([
          ['event', 'bounced'],
          ['recipient', 'a@b.c'],
          [marker, 'x'],
          ...signatureFields(),
        ]),
      )
      expect([marker, event.type]).toEqual([marker, 'inbound'])
    }
  })

  test('tells no event either where next to nothing else is there', async () => {
    const event = await readOne(
      urlEncoded([
        ['event', 'bounced'],
        ['recipient', 'support@in.example.com'],
        ['sender', ''],
        headersOf(['event', 'bounced']),
        ...signatureFields(),
      ]),
    )
    expect(event.type).toBe('inbound')
  })

  test('may say the same as Mailgun does', async () => {
    for (const [, post] of posts(['recipient', 'support@in.example.com'])) {
      expect((await readMail(post)).mail.envelope.to).toEqual(['support@in.example.com'])
    }
  })

  test('keeps every value in the payload', async () => {
    for (const [, post] of posts(['recipient', 'eve@in.example.com'])) {
      const { raw } = await readOne(post)
      expect(raw).toHaveProperty('recipient', expect.arrayContaining(['eve@in.example.com']))
    }
  })
})

describe('what is a mail is told by what is in it', () => {
  test.each<[string, Field[], string]>([
    ['an event', [['event', 'opened']], 'opened'],
    [
      'an event with a variable named sender',
      [
        ['event', 'opened'],
        ['sender', 'x'],
      ],
      'opened',
    ],
    [
      'an event with a variable named subject',
      [
        ['event', 'opened'],
        ['subject', 'x'],
      ],
      'opened',
    ],
    ['an event called inbound', [['event', 'inbound']], 'inbound'],
    ['a sender', [['sender', 'a@b.c']], 'inbound'],
    ['an address of the mail', [['message-url', 'https://api.mailgun.net/x']], 'inbound'],
    ['a source', [['body-mime', 'Subject: x\r\n\r\ny']], 'inbound'],
    ['neither', [['country', 'ES']], 'unknown'],
  ])('%s', async (_, fields, type) => {
    const recipient: Field = ['recipient', 'ana@shop.test']
    const event = await readOne(urlEncoded([recipient, ...fields, ...signatureFields()]))
    expect(event.type).toBe(type)
  })
})

test('a mail without a recipient is unknown, with what can be told of it', async () => {
  const event = await readOne(urlEncoded([...common.slice(1), ...signatureFields(), plain]))
  expect(event).toMatchObject({
    type: 'unknown',
    error: 'the mail could not be read: it has no recipient',
    providerEvent: 'inbound',
    raw: { sender: 'ana@shop.test' },
  })
})

test('mails that cannot be read are told apart by what they say, and not by their signatures', async () => {
  const idOf = async (words: string, once: string) => {
    const form: Field[] = [
      ['sender', 'ana@shop.test'],
      ['body-plain', words],
    ]
    const signature = signatureFields(
      signingKey,
      once === 'one' ? '1760000000' : '1760000600',
      once,
    )
    return eventId('mailgun', await readOne(urlEncoded([...form, ...signature])))
  }
  expect(await idOf('a', 'one')).toBe(await idOf('a', 'two'))
  expect(await idOf('a', 'one')).not.toBe(await idOf('b', 'one'))
})

describe('the payload of a mail', () => {
  test('has what Mailgun tells, without the contents and without what proves the post', async () => {
    const event = await readOne(sample('inbound-attachments.request.multipart'))
    const names = Object.keys(Object(event.raw))
    expect(names).toEqual(
      expect.arrayContaining(['recipient', 'sender', 'timestamp', 'content-id-map', 'Message-Id']),
    )
    expect(names.filter((name) => /^body-|^stripped-|^attachment-\d/.test(name))).toEqual([])
    expect(names).not.toContain('message-headers')
    expect(names).not.toContain('token')
    expect(names).not.toContain('signature')
  })

  test('is bounded', async () => {
    const long: Field[] = Array.from({ length: 100 }, (_, at) => [`X-${at}`, 'x'.repeat(20_000)])
    const { raw } = await readOne(forwarded(['__proto__', 'x'], ...long))
    expect(raw).toMatchObject({ 'X-0': 'x'.repeat(10_000), recipient: 'support@in.example.com' })
    expect(JSON.stringify(raw).length).toBeLessThan(210_000)
    expect(Object.getPrototypeOf(raw)).toBe(Object.prototype)
  })
})
