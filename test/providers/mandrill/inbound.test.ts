import { describe, expect, test } from '@jest/globals'
import type { InboundMail, ParsedEvent } from '../../../src/event.js'
import type { AttachmentKeeper } from '../../../src/index.js'
import { eventId } from '../../../src/matching.js'
import {
  type Entry,
  formOf,
  read,
  readBatch,
  readEntry,
  signedRequest,
} from './webhook-requests.js'

const id = '4f1c0d9be2a84c7fb2d35c6a91e07b44'

/** An inbound mail without a source, with other fields in it. */
const posted = (message: Entry = {}, changes: Entry = {}): Entry => ({
  event: 'inbound',
  ts: 1767226100,
  msg: { email: 'box@in.example.com', from_email: 'ann@example.org', ...message },
  ...changes,
})

async function inbound(message: Entry = {}): Promise<Extract<ParsedEvent, { type: 'inbound' }>> {
  const event = await readEntry(posted(message))
  if (event.type !== 'inbound') throw new Error(`it is ${event.type}`)
  return event
}

const mailOf = async (message: Entry): Promise<InboundMail> => (await inbound(message)).mail

const source = (...lines: string[]): string => lines.join('\n')

const mixed = source(
  'Return-Path: <bounces@example.org>',
  'From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>',
  'To: Box <box@in.example.com>',
  'Cc: Bob <bob@example.org>',
  'Reply-To: desk@example.org',
  'Subject: =?utf-8?b?R3LDvMOfZQ==?=',
  'Date: Thu, 1 Jan 2026 00:08:18 +0000',
  'Message-Id: <3@example.org>',
  'In-Reply-To: <2@example.com>',
  'References: <1@example.com> <2@example.com>',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: multipart/alternative; boundary=c',
  '',
  '--c',
  'Content-Type: text/plain; charset=iso-8859-1',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Gr=FC=DFe',
  '--c',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<p><img src="cid:logo">',
  '--c--',
  '--b',
  'Content-Type: image/png; name=logo.png',
  'Content-Id: <logo>',
  'Content-Transfer-Encoding: base64',
  '',
  'iVBORw0K',
  '--b',
  'Content-Type: text/plain; name=note.txt',
  'Content-Disposition: attachment; filename=note.txt',
  '',
  'first',
  '--b',
  'Content-Type: text/plain; name=note.txt',
  'Content-Disposition: attachment; filename=note.txt',
  '',
  'second',
  '--b--',
)

const base64 = (text: string): object => ({
  kind: 'embedded',
  base64: Buffer.from(text).toString('base64'),
})

describe('a mail with its source', () => {
  test('is read from that, and two files of one name are two', async () => {
    const mail = await mailOf({
      raw_msg: mixed,
      from_email: 'joerg@example.org',
      headers: { Subject: 'as Mandrill has it' },
      text: 'as Mandrill has it',
      html: 'as Mandrill has it',
      attachments: { 'note.txt': { name: 'note.txt', content: 'second', base64: false } },
      images: { logo: { name: 'logo', type: 'image/png', content: 'AAAA' } },
    })
    expect({ ...mail, headers: mail.headers.length }).toEqual({
      envelope: { from: 'bounces@example.org', to: ['box@in.example.com'] },
      from: { name: 'Jörg', address: 'joerg@example.org' },
      to: [{ name: 'Box', address: 'box@in.example.com' }],
      cc: [{ name: 'Bob', address: 'bob@example.org' }],
      replyTo: [{ name: '', address: 'desk@example.org' }],
      subject: 'Grüße',
      date: new Date('2026-01-01T00:08:18Z'),
      messageId: '<3@example.org>',
      inReplyTo: '<2@example.com>',
      references: ['<1@example.com>', '<2@example.com>'],
      text: 'Grüße\n',
      html: '<p><img src="cid:logo">\n',
      attachments: [
        { filename: 'note.txt', contentType: 'text/plain', size: 6, content: base64('first\n') },
        { filename: 'note.txt', contentType: 'text/plain', size: 7, content: base64('second\n') },
      ],
      inline: {
        logo: {
          filename: 'logo.png',
          contentType: 'image/png',
          size: 6,
          contentId: 'logo',
          content: { kind: 'embedded', base64: 'iVBORw0K' },
        },
      },
      headers: 11,
      problems: [],
    })
  })

  test('has what it does not say from what Mandrill has read', async () => {
    const mail = await mailOf({
      raw_msg: source('Received: by mx', '', ''),
      subject: 'Re: Your order',
      from_name: 'Ann  ',
      to: [['box@in.example.com', null]],
      cc: [['bob@example.org', 'Bob']],
      text: 'Thanks',
      html: '<p>Thanks</p>',
      attachments: { 'a.txt': { name: 'a.txt', type: 'text/plain', content: 'a', base64: false } },
    })
    expect(mail).toMatchObject({
      from: { name: 'Ann', address: 'ann@example.org' },
      to: [{ name: '', address: 'box@in.example.com' }],
      cc: [{ name: 'Bob', address: 'bob@example.org' }],
      subject: 'Re: Your order',
      html: '<p>Thanks</p>',
      attachments: [{ filename: 'a.txt', content: base64('a') }],
    })
  })

  test('whose bytes went through JSON has the text that Mandrill has decoded', async () => {
    const raw_msg = source('Content-Type: text/plain; charset=iso-8859-1', '', 'Grüße')
    expect((await mailOf({ raw_msg, text: 'Grüße' })).text).toBe('Grüße')
    // Without that there is nothing better.
    expect((await mailOf({ raw_msg })).text).toBeDefined()
  })

  test('that is too much to be read is attached as it came, after what Mandrill has read', async () => {
    const raw_msg = source('Subject: a', '', 'a\n'.repeat(50_000))
    const attachments = { 'a.txt': { name: 'a.txt', content: 'a', base64: false } }
    const headers = { Subject: 'a', Received: ['one', 'two'] }
    const mail = await mailOf({ raw_msg, text: 'a', headers, attachments })
    expect(mail).toMatchObject({
      subject: 'a',
      text: 'a',
      headers: [
        { name: 'Subject', value: 'a' },
        { name: 'Received', value: 'one' },
        { name: 'Received', value: 'two' },
      ],
      attachments: [{ filename: 'a.txt' }, { filename: 'message.eml', size: raw_msg.length }],
      problems: [expect.stringContaining('it is attached as it came')],
    })
  })

  test('that is one of too many of short lines is told as Mandrill has read it', async () => {
    const raw_msg = source('Subject: a', '', 'a\n'.repeat(35_000))
    const long = source('Subject: b', '', `${'b'.repeat(60)}\n`.repeat(31_000))
    const heavy = posted({ raw_msg, headers: { Subject: 'as read' }, text: 'as read' })
    const events = await readBatch([...Array(4).fill(heavy), posted({ raw_msg: long })])
    const told = events.map((event) => (event.type === 'inbound' ? event.mail : undefined))
    expect(told.map((mail) => [mail?.subject, mail?.text?.length, mail?.problems.length])).toEqual([
      ['a', 70_000, 0],
      ['a', 70_000, 0],
      ['as read', 7, 1],
      ['as read', 7, 1],
      ['b', 500_000, 1],
    ])
  }, 20_000)

  test('that is none is told as Mandrill has read it', async () => {
    const mail = await mailOf({ raw_msg: 'broken\n', headers: { Subject: 'a' }, text: 'as read' })
    expect(mail).toMatchObject({ subject: 'a', text: 'as read', attachments: [], problems: [] })
    expect((await mailOf({ raw_msg: '\n\nbroken' })).text?.trim()).toBe('broken')
  })
})

describe('a mail without its source', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an empty text', ''],
    ['blanks', ' \n'],
    ['a list', []],
  ])('that has %s for it is read as Mandrill has taken it apart', async (_, raw_msg) => {
    const headers = {
      'Message-Id': '<3@example.org>',
      'In-Reply-To': '<2@example.com>',
      References: '<1@example.com>\n <2@example.com>',
      'Return-Path': '<bounces@example.org>',
    }
    const mail = await mailOf({ raw_msg, headers, text: 'Thanks', html: '<p>', subject: 'Re' })
    expect(mail).toMatchObject({
      envelope: { from: 'bounces@example.org', to: ['box@in.example.com'] },
      messageId: '<3@example.org>',
      inReplyTo: '<2@example.com>',
      references: ['<1@example.com>', '<2@example.com>'],
      subject: 'Re',
      text: 'Thanks',
      html: '<p>',
    })
    expect(mail.headers).toHaveLength(4)
  })

  test.each<[string, unknown]>([
    ['an empty list', []],
    ['null', null],
    ['nothing', undefined],
    ['a text', 'Subject: a'],
    ['headers of nothing', { Subject: null, Received: [null, {}], To: {} }],
  ])('has no headers when they are %s', async (_, headers) => {
    expect((await mailOf({ headers })).headers).toEqual([])
  })

  test.each<[string, unknown, unknown[]]>([
    [
      'pairs',
      [
        ['a@b.c', 'Ann'],
        ['d@e.f', null],
      ],
      [
        { name: 'Ann', address: 'a@b.c' },
        { name: '', address: 'd@e.f' },
      ],
    ],
    [
      'a comma that was left at an address',
      [
        ['a@b.c,', ' Ann '],
        ['d@e.f , ', ''],
      ],
      [
        { name: 'Ann', address: 'a@b.c' },
        { name: '', address: 'd@e.f' },
      ],
    ],
    ['bare addresses', ['a@b.c'], [{ name: '', address: 'a@b.c' }]],
    [
      'junk',
      [null, [], [null], [{}], [''], [','], 5, ['a@b.c']],
      [
        { name: '', address: '5' },
        { name: '', address: 'a@b.c' },
      ],
    ],
    ['null', null, []],
    ['an object', { 0: ['a@b.c'] }, []],
  ])('has recipients from %s', async (_, pairs, addresses) => {
    const mail = await mailOf({ to: pairs, cc: pairs })
    expect(mail.to).toEqual(addresses)
    expect(mail.cc).toEqual(addresses)
  })

  test('of endless recipients has a thousand, and costs little', async () => {
    const began = performance.now()
    const to = [[`${','.repeat(500_000)}x`, ' '.repeat(500_000)], ...Array(5000).fill(['a@b.c'])]
    expect((await mailOf({ to })).to.length).toBeLessThanOrEqual(1000)
    const long = await mailOf({
      to: [['a@b.c', 'x'.repeat(100_000)]],
      headers: { 'Return-Path': 'x'.repeat(100_000) },
    })
    expect(long.to[0]?.name.length).toBeLessThan(1000)
    expect(long.envelope.from.length).toBeLessThan(1000)
    expect(performance.now() - began).toBeLessThan(5000)
  })

  test.each<[string, unknown]>([
    ['null', null],
    ['nothing', undefined],
    ['an empty text', ''],
  ])('has no subject when that is %s', async (_, subject) => {
    expect(await mailOf({ subject, from_name: subject })).not.toHaveProperty('subject')
  })
})

describe('an attachment', () => {
  const bytesOf = async (file: Entry): Promise<string> => {
    const { attachments } = await mailOf({ attachments: { 'a.bin': { name: 'a.bin', ...file } } })
    const content = attachments[0]?.content
    return content?.kind === 'embedded' ? Buffer.from(content.base64, 'base64').toString() : ''
  }

  test.each<[string, Entry, string]>([
    ['said to be base64', { content: 'aGVsbG8=', base64: true }, 'hello'],
    ['said to be base64, of text', { content: 'aGVsbG8=', base64: true, type: 'text/a' }, 'hello'],
    ['said to be none', { content: 'aGVsbG8=', base64: false }, 'aGVsbG8='],
    ['said to be none, of UTF-8', { content: 'Grüße', base64: false }, 'Grüße'],
    ['that does not say, and looks so', { content: 'aGVsbG8=', type: 'a/b' }, 'hello'],
    ['that does not say, and is text', { content: 'aGVsbG8=', type: 'text/plain' }, 'aGVsbG8='],
    ['that does not say, and is too short', { content: '123', type: 'a/b' }, '123'],
    ['that does not say, and has other characters', { content: 'a b=', type: 'a/b' }, 'a b='],
    ['that does not say, and ends oddly', { content: 'aGVsbG9=', type: 'a/b' }, 'aGVsbG9='],
    ['that says it in words', { content: 'aGVsbG8=', base64: 'false' }, 'aGVsbG8='],
    ['of nothing', { content: null, base64: true }, ''],
  ])('%s has the right content', async (_, file, content) => {
    expect(await bytesOf(file)).toBe(content)
  })

  test.each<[string, unknown, string[]]>([
    ['by its own name', { key: { name: 'own.txt', content: 'a' } }, ['own.txt']],
    ['by its key', { 'key.txt': { content: 'a' } }, ['key.txt']],
    ['in a list', [{ name: 'a.txt', content: 'a' }, { name: 'b.txt' }], ['a.txt', 'b.txt']],
    ['without folders', { a: { name: '../../etc/passwd', content: 'a' } }, ['passwd']],
    ['in an empty list', [], []],
    ['nowhere', undefined, []],
    ['in null', null, []],
    ['among nothing', { a: null, b: 'text', c: [] }, []],
  ])('is found %s', async (_, attachments, names) => {
    const mail = await mailOf({ attachments })
    expect(mail.attachments.map(({ filename }) => filename)).toEqual(names)
  })

  test('that is an image is base64 without saying so, and what the HTML speaks of by its name', async () => {
    const { attachments, inline } = await mailOf({
      html: '<img src="cid:logo@example.org">',
      images: {
        'logo@example.org': { name: '<logo@example.org>', type: 'image/png', content: 'aGVsbG8=' },
        'other.png': { name: 'other.png', type: 'image/png', content: 'aGVsbG8=', base64: false },
      },
    })
    expect(inline).toEqual({
      'logo@example.org': expect.objectContaining({ content: base64('hello') }),
    })
    expect(attachments).toMatchObject([{ filename: 'other.png', content: base64('hello') }])
  })

  test('goes where it is to be kept', async () => {
    const kept: string[] = []
    const attachments: AttachmentKeeper = async (content, head) => {
      kept.push(Buffer.concat(await content.toArray()).toString())
      return `bucket/${head.filename}`
    }
    const request = signedRequest(formOf([posted({ raw_msg: mixed }), posted()]))
    const reading = await read(request, { inbound: { attachments } })
    expect(kept.map((content) => content.trim())).toEqual(['\ufffdPNG', 'first', 'second'])
    expect(JSON.stringify(reading)).toContain('{"kind":"kept","location":"bucket/note.txt"}')
  })

  test('that cannot be kept makes the whole batch come again', async () => {
    const attachments = (): Promise<string> => Promise.reject(new Error('the bucket is gone'))
    const request = signedRequest(formOf([posted(), posted({ raw_msg: mixed })]))
    await expect(read(request, { inbound: { attachments } })).rejects.toThrow('the bucket is gone')
  })
})

describe('the envelope', () => {
  test.each<[string, Entry, string]>([
    ['the header of the receiving server', { headers: { 'return-path': '<a@b.c>' } }, 'a@b.c'],
    ['that header without brackets', { headers: { 'Return-Path': ' a@b.c ' } }, 'a@b.c'],
    ['the first of them', { headers: { 'Return-Path': ['<a@b.c>', '<d@e.f>'] } }, 'a@b.c'],
    ['nothing, for a bounce', { headers: { 'Return-Path': '<>' } }, ''],
    ['who it says it is from', { headers: { From: 'Ann <ann@example.org>' } }, 'ann@example.org'],
    ['nothing, when nobody is told', { from_email: null }, ''],
  ])('is from %s', async (_, message, from) => {
    expect((await mailOf(message)).envelope.from).toBe(from)
  })

  test.each<[unknown, string[]]>([
    ['Box@in.example.com ', ['Box@in.example.com']],
    [null, []],
    [undefined, []],
    [{}, []],
  ])('to %j is to %j, whoever the headers name', async (email, to) => {
    const event = await inbound({ email, to: [['list@example.com', null]] })
    expect(event.mail.envelope.to).toEqual(to)
    expect(event.recipient).toBe(to[0])
  })
})

describe('what Mandrill has found out about a mail', () => {
  test.each<[unknown, string | undefined]>([
    [{ signed: true, valid: true }, 'pass'],
    [{ signed: true, valid: false }, 'fail'],
    [{ signed: true }, 'fail'],
    [{ signed: false, valid: false }, 'none'],
    [{ signed: '1', valid: '0' }, 'fail'],
    [{}, undefined],
    [[], undefined],
    [null, undefined],
    ['pass', undefined],
  ])('of DKIM, %j is %s', async (dkim, word) => {
    expect((await mailOf({ dkim })).dkim).toBe(word)
  })

  test.each<[unknown, string | undefined]>([
    [{ result: 'softfail', detail: 'transitioning' }, 'softfail'],
    [{ result: null }, undefined],
    [[], undefined],
    [undefined, undefined],
  ])('of SPF, %j is %s', async (spf, word) => {
    expect((await mailOf({ spf })).spf).toBe(word)
  })

  const rules = [
    { name: 'HTML_MESSAGE', score: 0, description: 'BODY: HTML included in message' },
    { name: 'RDNS_NONE', score: 1.3, description: null },
    { name: null, score: 0, description: null },
    { name: null, score: 0.1, description: ' only words ' },
    null,
  ]

  test.each<[string, unknown, unknown]>([
    ['a score', { score: 5.1000000000000005 }, { score: 5.1000000000000005 }],
    ['a score below nothing', { score: '-0.6' }, { score: -0.6 }],
    ['a score of nothing', { score: 0, matched_rules: [] }, { score: 0 }],
    [
      'rules',
      { score: null, matched_rules: rules },
      {
        report: '0 HTML_MESSAGE BODY: HTML included in message\n1.3 RDNS_NONE\n0.1 only words',
      },
    ],
    ['junk', { score: 'high', matched_rules: 'none' }, undefined],
    ['an empty list', [], undefined],
    ['nothing', undefined, undefined],
  ])('of spam, %s', async (_, spam_report, spam) => {
    expect((await mailOf({ spam_report })).spam).toEqual(spam)
  })

  test('of spam, endless rules within bounds', async () => {
    const endless = Array(1000).fill({ name: 'x'.repeat(1000), score: 1, description: 'y' })
    const mail = await mailOf({ spam_report: { matched_rules: endless } })
    expect(mail.spam?.report?.length).toBeLessThan(60_000)
  })
})

describe('the event of a mail', () => {
  test('is of when Mandrill received it, by its name, with its tags', async () => {
    const event = await inbound({ tags: ['desk', null] })
    expect(event).toMatchObject({
      providerEvent: 'inbound',
      occurredAt: new Date('2026-01-01T00:08:20Z'),
      recipient: 'box@in.example.com',
      tags: ['desk'],
      metadata: {},
    })
    const late = await readEntry(posted({}, { ts: null, event: 'Inbound' }))
    expect(late).toMatchObject({ type: 'inbound', providerEvent: 'Inbound' })
    expect(late).not.toHaveProperty('occurredAt')
  })

  test.each<[string, string, string | undefined]>([
    ['as Mandrill writes it', `bounce-md_30123456.695f0ab1.v1-${id}@mandrillapp.com`, id],
    ['in capitals', `BOUNCE-MD_1.A.V1-${id.toUpperCase()}@MX.EXAMPLE.COM`, id],
    ['of another length', `bounce-md_1.a.v1-${id}0@example.com`, undefined],
    ['of another kind', `reply-md_1.a.v1-${id}@example.com`, undefined],
    ['in the domain', `bounce-md_1@v1-${id}.example.com`, undefined],
    ['nowhere', 'box@in.example.com', undefined],
  ])(
    'ties a delivery report to its message by the id in its address, %s',
    async (_, email, found) => {
      expect((await inbound({ email })).providerMessageId).toBe(found)
    },
  )

  test('ties a reply to its message by our id in its address', async () => {
    const own = '0197a3c0-5b1e-7c3d-8f2a-9b6c4d1e0f35'
    expect((await inbound({ email: `reply+${own}@in.example.com` })).ownId).toBe(own)
  })

  test('is the same when the same mail comes again, and another for another mailbox', async () => {
    const ids = await Promise.all(
      [
        posted({ raw_msg: mixed }),
        posted({ raw_msg: mixed }, { ts: 1767229999 }),
        posted({ raw_msg: mixed, email: 'other@in.example.com' }),
        posted({ raw_msg: mixed.replace('second', 'third') }),
      ].map(async (one) => eventId('mandrill', await readEntry(one))),
    )
    expect(ids[1]).toBe(ids[0])
    expect(new Set(ids).size).toBe(3)
  })

  test.each<[string, Entry]>([
    ['no message', { msg: undefined }],
    ['null for a message', { msg: null }],
    ['an empty list for a message', { msg: [] }],
    ['a text for a message', { msg: 'Subject: a' }],
  ])('is unknown with %s, and says why', async (_, changes) => {
    expect(await readEntry(posted({}, changes))).toMatchObject({
      type: 'unknown',
      error: 'it holds no mail',
      providerEvent: 'inbound',
      occurredAt: new Date('2026-01-01T00:08:20Z'),
    })
  })

  test('is told for a message of nothing at all', async () => {
    expect(await readEntry({ event: 'inbound', msg: {} })).toMatchObject({
      type: 'inbound',
      mail: { envelope: { from: '', to: [] }, headers: [], attachments: [] },
    })
  })

  test('that is nested too deeply is unknown, and harms no other', async () => {
    const deep: unknown = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`)
    const events = await readBatch([posted({ deep }), posted()])
    expect(events).toMatchObject([
      { type: 'unknown', error: 'it is nested too deeply' },
      { type: 'inbound' },
    ])
  })
})

describe('the payload that is kept of a mail', () => {
  const rawOf = async (message: Entry, changes: Entry = {}): Promise<unknown> =>
    (await readEntry(posted(message, changes))).raw

  test('has all but the contents that the mail has', async () => {
    const spam_report = { score: 1, matched_rules: [{ name: 'A', score: 1, description: null }] }
    const raw = await rawOf({
      raw_msg: mixed,
      text: 'a',
      html: 'b',
      headers: { Subject: 'c' },
      subject: 'c',
      attachments: { 'a.txt': { name: 'a.txt', type: 'text/plain', content: 'd', base64: false } },
      images: { 'b.png': { name: 'b.png', type: 'image/png', content: 'e' } },
      spam_report,
      new_key: null,
    })
    expect(raw).toEqual({
      event: 'inbound',
      ts: 1767226100,
      msg: {
        email: 'box@in.example.com',
        from_email: 'ann@example.org',
        subject: 'c',
        attachments: { 'a.txt': { name: 'a.txt', type: 'text/plain', base64: false } },
        images: { 'b.png': { name: 'b.png', type: 'image/png' } },
        spam_report,
        new_key: null,
      },
    })
  })

  test.each<[string, unknown, unknown]>([
    ['an empty list', [], []],
    ['a list', [{ name: 'a', content: 'b' }, null], [{ name: 'a' }, null]],
    ['null', null, null],
    ['no objects', { a: 'b' }, { a: 'b' }],
  ])('has files as they came: %s', async (_, attachments, kept) => {
    expect(await rawOf({ attachments })).toMatchObject({ msg: { attachments: kept } })
  })

  test.each<[string, Entry, Entry]>([
    ['a long text', { subject: 'x'.repeat(1_000_000) }, {}],
    ['a long text at the top', {}, { extra: 'x'.repeat(1_000_000) }],
    ['many texts', { tags: Array(20_000).fill('x'.repeat(100)) }, {}],
    ['long names', { extra: { ['x'.repeat(1_000_000)]: 1 } }, {}],
    [
      'many files',
      {
        attachments: Object.fromEntries(
          Array.from({ length: 1000 }, (_, index) => [
            `${index}.txt`,
            { name: 'x'.repeat(900), content: 'y' },
          ]),
        ),
      },
      {},
    ],
    ['lists of lists', { extra: Array(100).fill(Array(100).fill(['x'.repeat(100)])) }, {}],
    ['no message', {}, { msg: 'x'.repeat(1_000_000) }],
  ])('is cut where there is %s', async (_, message, changes) => {
    const raw = await rawOf(message, changes)
    expect(JSON.stringify(raw).length).toBeLessThan(400_000)
    expect(raw).toMatchObject({ event: 'inbound' })
  })

  test('is cut between characters', async () => {
    const raw = JSON.stringify(await rawOf({ subject: `x${'😀'.repeat(100_000)}` }))
    expect(raw).not.toMatch(/\\ud8/i)
    expect(raw.isWellFormed()).toBe(true)
  })
})
