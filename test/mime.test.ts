import { describe, expect, test } from '@jest/globals'
import { readHead, readMime } from '../src/mime.js'

const source = (text: string): Buffer => Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1')

describe('a MIME source', () => {
  test('is taken apart into headers, text, HTML and files', async () => {
    const mail = await readMime(
      source(`From: Ann <ann@example.com>
To: box@in.example.com
Subject: Re: Order
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=c

--c
Content-Type: text/plain; charset=iso-8859-15

Gr\xfc\xdfe, 5 \xa4
--c
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Gr=C3=BC=C3=9Fe <img src=3D"cid:logo"></p>
--c--
--b
Content-Type: image/png; name=logo.png
Content-ID: <logo>
Content-Transfer-Encoding: base64
Content-Disposition: inline; filename=logo.png

iVBORw0K
--b
Content-Type: message/rfc822

Subject: inner

inside
--b--
`),
    )
    expect(mail.text?.trim()).toBe('Grüße, 5 €')
    expect(mail.html?.trim()).toBe('<p>Grüße <img src="cid:logo"></p>')
    expect(mail.parts).toMatchObject([
      { filename: 'logo.png', contentType: 'image/png', contentId: 'logo' },
      { contentType: 'message/rfc822' },
    ])
    expect([...(mail.parts[0]?.content ?? [])]).toEqual([137, 80, 78, 71, 13, 10])
    expect(mail.headers[0]).toEqual({ name: 'From', value: 'Ann <ann@example.com>' })
    expect(mail.problems).toEqual([])
  })

  test('whose head is no UTF-8 is taken for windows-1252', async () => {
    const { headers } = await readMime(source('Subject: J\xf6rg \x80\n\nx'))
    expect(headers).toEqual([{ name: 'Subject', value: 'Jörg €' }])
  })

  test.each([
    ['of one column', 'Subject: a\n\n' + 'a\n'.repeat(450_000)],
    [
      'of endless parts',
      'Content-Type: multipart/mixed; boundary=b\n\n' + '--b\n\nx\n'.repeat(100_000),
    ],
    ['of mails in mails', 'Content-Type: message/rfc822\n\n'.repeat(30_000)],
    ['of empty headers', 'X:\n'.repeat(250_000) + '\nx'],
    ['of one header', `X: ${'a'.repeat(900_000)}\n\nx`],
    [
      'of boxes in boxes',
      Array.from(
        { length: 900 },
        (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\n\n--b${at}\n`,
      ).join(''),
    ],
  ])(
    '%s costs less than a second, and is attached as it came where it is too much',
    async (_, text) => {
      const began = performance.now()
      const mail = await readMime(source(text))
      expect(performance.now() - began).toBeLessThan(2000)
      expect(mail.problems.concat(mail.parts.map(({ contentType }) => contentType))).toContain(
        'message/rfc822',
      )
    },
  )

  test('of 40,000 lines is read, and of one more it is attached as it came', async () => {
    // What is left of the lines is its head and the empty line.
    const most = source(`Subject: x\n\n${'a\n'.repeat(39_998)}`)
    const read = await readMime(most)
    expect(read.problems).toEqual([])
    expect(read.text?.split('\n').length).toBeGreaterThan(39_990)
    const { problems, parts } = await readMime(Buffer.concat([most, source('a\n')]))
    expect(problems).toEqual([expect.stringContaining('more than 40000 lines of text')])
    expect(parts.map(({ contentType }) => contentType)).toEqual(['message/rfc822'])
  })

  test('that is nothing of the kind is a text', async () => {
    expect((await readMime(Buffer.from([0, 255, 10, 10, 1]))).problems).toEqual([])
    expect((await readMime(Buffer.alloc(0))).problems).toEqual([])
  })
})

describe('the head of a mail', () => {
  const head = (headers: Record<string, string>) =>
    readHead(Object.entries(headers).map(([name, value]) => ({ name, value })))

  test('has mailboxes, encoded or not, in groups and lists', async () => {
    expect(
      await head({
        FROM: '=?iso-8859-1?Q?J=F6rg?= <joerg@example.com>',
        To: '"Smith, John" <john@example.com>, team: a@b.c, d@e.f;, bare@example.com',
        cc: 'Undisclosed recipients:;',
        'Reply-To': 'Smith, Ann <ann@example.com>',
      }),
    ).toMatchObject({
      from: { name: 'Jörg', address: 'joerg@example.com' },
      to: [
        { name: 'Smith, John', address: 'john@example.com' },
        { name: '', address: 'a@b.c' },
        { name: '', address: 'd@e.f' },
        { name: '', address: 'bare@example.com' },
      ],
      cc: [],
      replyTo: [{ name: 'Smith, Ann', address: 'ann@example.com' }],
    })
  })

  test('names the mails of its thread', async () => {
    expect(
      await head({
        'Message-ID': ' <3@x> ',
        'In-Reply-To': 'your mail <2@x> of today',
        References: '<1@x>\r\n <2@x> <1@x>',
      }),
    ).toMatchObject({ messageId: '<3@x>', inReplyTo: '<2@x>', references: ['<1@x>', '<2@x>'] })
    expect(await head({ 'in-reply-to': '2@x' })).toMatchObject({
      inReplyTo: '<2@x>',
      references: [],
    })
    expect(await head({ 'in-reply-to': 'no id' })).not.toHaveProperty('inReplyTo')
  })

  test.each([
    ['Mon, 01 Jan 2024 00:00:00 +0000 (UTC)', '2024-01-01T00:00:00.000Z'],
    ['yesterday', undefined],
    ['Mon, 01 Jan 1024 00:00:00 +0000', undefined],
    ['Mon, 01 Jan 12024 00:00:00 +0000', undefined],
  ])('of %s is of the time %s', async (date, expected) => {
    expect((await head({ Date: date })).date?.toISOString()).toBe(expected)
  })

  test('of endless addresses costs less than a second', async () => {
    const began = performance.now()
    const { to } = await head({ To: 'a:;,'.repeat(250_000) + 'a@b.c' })
    expect(to.length).toBeLessThanOrEqual(1000)
    expect((await head({ To: 'a@b.c,'.repeat(5000) })).to).toHaveLength(1000)
    expect(performance.now() - began).toBeLessThan(2000)
  })
})
