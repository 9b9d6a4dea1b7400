import { expect } from '@jest/globals'
import {
  calendar,
  type CarriedFields,
  fileContent,
  mailFields,
  pixel,
  rawDocument,
} from '../../mail-fields.js'
import { type Arrived, bytesOf, headerValues, mailboxesIn, readDocument } from './arrived.js'
import { isSigned } from './dkim.js'

const field = (name: string, ...values: unknown[]) =>
  ({
    as: 'field',
    in: name,
    check: ({ fields }: Arrived) => expect(fields[name]).toEqual(values),
  }) as const

const fieldsOf = (name: string, expected: Record<string, unknown>) =>
  ({
    as: 'field',
    in: name,
    check: ({ fields }: Arrived) => expect(fields).toMatchObject(expected),
  }) as const

const file = (name: string, type: string, content: Uint8Array | string) =>
  ({
    as: 'field',
    in: 'attachment',
    check: ({ files }: Arrived) =>
      expect(files).toEqual([{ field: 'attachment', name, type, content: Buffer.from(content) }]),
  }) as const

const refused = (names: string) => ({ as: 'refused', names }) as const

const image = Buffer.from(pixel, 'base64')

/** The files of a document, each by what is wanted of it. */
async function partsOf(document: string, ...wanted: string[]): Promise<unknown[][]> {
  const { attachments } = await readDocument(document)
  return attachments.map((part) =>
    wanted.map((name) => (name === 'content' ? bytesOf(part).toString() : Reflect.get(part, name))),
  )
}

/** The part of a document that has a line, as it stands there. */
function partWith(document: string, line: string): { head: string; body: string } {
  const part = document.split(/\r\n--[^\r\n]+/).find((text) => text.includes(line)) ?? ''
  const end = part.indexOf('\r\n\r\n')
  return { head: `${part.slice(0, end)}\r\n`, body: part.slice(end + 4) }
}

/** What a calendar event is in a document: another form of the text, and a file. */
function checkCalendar(document: string, method: string, filename: string): void {
  const alternative = partWith(document, 'Content-Type: text/calendar')
  expect(alternative.head).toContain(`text/calendar; charset=utf-8; method=${method}\r\n`)
  expect(alternative.body).toBe(calendar)
  const attached = partWith(document, 'Content-Type: application/ics')
  expect(attached.head).toContain(`Content-Disposition: attachment; filename=${filename}\r\n`)
  expect(Buffer.from(attached.body, 'base64').toString()).toBe(calendar)
}

/** Mailgun's column of the table. */
export const carriedFields: CarriedFields<Arrived> = {
  // Addresses
  from: {
    as: 'MIME',
    check: (document) =>
      expect(mailboxesIn(document, 'From')).toEqual([
        { name: 'Müller, "the" Shop', address: 'shop@example.com' },
      ]),
  },
  'several from': field('from', '"A" <a@example.com>', '"B" <b@example.com>'),
  sender: field('h:Sender', 'Desk <desk@example.com>'),
  to: {
    as: 'MIME',
    check: (document, { fields }) => {
      expect(fields['to']).toEqual(['jane@example.org', 'bo@example.org', 'carl@example.org'])
      expect(mailboxesIn(document, 'To')).toEqual([
        { name: 'Doe, Jane', address: 'jane@example.org' },
        { name: 'Бо "B" Б', address: 'bo@example.org' },
        { name: '', address: 'carl@example.org' },
      ])
    },
  },
  'to, with a group': field('to', 'ann@example.org', 'bob@example.org'),
  'to, at a domain with letters beyond ASCII': field('to', '"Ann" <ann@xn--bcher-kva.example>'),
  cc: field('cc', '"Carl" <carl@example.org>'),
  bcc: field('bcc', '"Audit" <audit@example.org>'),
  'the same address in to, cc and bcc': fieldsOf('to, cc, bcc', {
    to: ['ann@example.org'],
    cc: ['carl@example.org'],
    bcc: ['audit@example.org'],
  }),
  'cc and bcc without to': {
    as: 'MIME',
    check: (document, { fields }) => {
      expect(fields['to']).toEqual(['carl@example.org', 'audit@example.org'])
      expect(mailboxesIn(document, 'Cc')).toEqual([{ name: '', address: 'carl@example.org' }])
      expect(headerValues(document, 'To')).toEqual([])
      expect(document).not.toContain('audit@example.org')
    },
  },
  replyTo: field('h:Reply-To', '"Help" <help@example.com>'),
  'several replyTo': field('h:Reply-To', '"Help, Desk" <help@example.com>, sales@example.com'),
  'envelope.to': {
    as: 'MIME',
    check: (document, { fields }) => {
      expect(fields['to']).toEqual(['other@example.org'])
      expect(mailboxesIn(document, 'To')).toEqual([{ name: 'Ann', address: 'ann@example.org' }])
    },
  },
  'envelope.from': refused('envelope.from'),

  // Content
  subject: field('subject', 'Größe, 注文 & “quotes”'),
  text: field('text', 'Größe\r\n注文'),
  html: field('html', '<p>Größe</p>'),
  'text and html': fieldsOf('text, html', { text: ['Hello'], html: ['<p>Hello</p>'] }),
  'html from a file': field('html', fileContent.toString().replaceAll('\n', '\r\n')),
  'html from a URL': field('html', fileContent.toString().replaceAll('\n', '\r\n')),
  'html from a stream': field('html', '<p>x</p>'),
  watchHtml: {
    as: 'MIME',
    check: async (document) => {
      const { head, body } = partWith(document, 'Content-Type: text/watch-html')
      expect([head, body]).toEqual([expect.stringContaining('charset=utf-8'), '<b>Hello</b>'])
      expect(partWith(document, 'Content-Type: text/html').body).toBe('<p>Hello</p>')
      expect(partWith(document, 'Content-Type: text/plain').body).toBe('Thanks')
    },
  },
  amp: fieldsOf('amp-html', {
    'amp-html': ['<!doctype html><html ⚡4email>Hello</html>'],
    html: ['<p>Hello</p>'],
    text: ['Thanks'],
  }),
  icalEvent: {
    as: 'MIME',
    check: (document) => checkCalendar(document, 'PUBLISH', 'order.ics'),
  },
  'icalEvent with a method': {
    as: 'MIME',
    check: (document) => checkCalendar(document, 'REQUEST', 'invite.ics'),
  },
  alternatives: {
    as: 'MIME',
    check: (document) => {
      const { head, body } = partWith(document, 'Content-Type: text/x-web-markdown')
      expect(head).toContain('Content-Transfer-Encoding: quoted-printable\r\n')
      expect(body).toBe('*H=C3=ABllo*')
    },
  },
  'alternatives that are no text': {
    as: 'MIME',
    check: async (document) => {
      const { attachments } = await readDocument(document)
      expect(attachments.map((part) => [part.mimeType, [...bytesOf(part)]])).toEqual([
        ['application/x-thing', [0, 255, 254]],
      ])
    },
  },
  raw: {
    as: 'MIME',
    check: (document, { fields }) => {
      expect(fields['to']).toEqual(['ann@example.org', 'hidden@example.org'])
      expect(document).toBe(rawDocument.replace('Bcc: hidden@example.org\r\n', ''))
    },
  },
  'raw with an envelope': {
    as: 'MIME',
    check: (document, { fields }) => {
      expect(fields['to']).toEqual(['ann@example.org', 'carl@example.org'])
      expect(document).toBe(rawDocument.replace('Bcc: hidden@example.org\r\n', ''))
    },
  },

  // Attachments
  'attachments of a Buffer': file('a.bin', 'application/octet-stream', Buffer.from([0, 1, 255])),
  'attachments with a name beyond ASCII': file('Größe 注文.bin', 'application/octet-stream', 'x'),
  'attachments of a text': file('a.txt', 'text/plain; charset=utf-8', 'Größe'),
  'attachments in an encoding': file('a.png', 'image/png', image),
  'attachments of a path': file('mail-fields.ts', 'application/octet-stream', fileContent),
  'attachments of a URL': file('a.ts', 'application/octet-stream', fileContent),
  'attachments of a stream': file('a.bin', 'application/octet-stream', 'abc'),
  'attachments of a data URI': file('attachment-1.png', 'image/png', image),
  'attachments[].contentType': file('a', 'application/x-order', 'x'),
  'attachments[].cid': {
    as: 'field',
    in: 'inline',
    check: ({ fields, files }) => {
      expect(fields['html']).toEqual(['<img src="cid:logo.png">'])
      expect(files).toEqual([
        { field: 'inline', name: 'logo.png', type: 'image/png', content: image },
      ])
    },
  },
  'attachments[].cid of what is no image': {
    as: 'field',
    in: 'inline',
    check: ({ fields, files }) => {
      expect(fields['html']).toEqual(['<a href="cid:terms.pdf">Terms</a>'])
      expect(files).toEqual([
        { field: 'inline', name: 'terms.pdf', type: 'application/pdf', content: Buffer.from('x') },
      ])
    },
  },
  'attachments[].contentDisposition inline': {
    as: 'MIME',
    check: (document) => {
      const { head, body } = partWith(document, 'Content-Type: text/plain; name=a.txt')
      expect(head).toContain('Content-Disposition: inline; filename=a.txt\r\n')
      expect(Buffer.from(body, 'base64').toString()).toBe('x')
    },
  },
  'attachments[].contentDisposition attachment, with a cid': {
    as: 'MIME',
    check: async (document) =>
      expect(await partsOf(document, 'disposition', 'contentId', 'filename', 'content')).toEqual([
        ['attachment', '<a@b>', 'a.png', 'x'],
      ]),
  },
  'attachments[].contentTransferEncoding': file('a.txt', 'text/plain; charset=utf-8', 'x'),
  'attachments[].headers': {
    as: 'MIME',
    check: async (document) => {
      expect(partWith(document, 'name=a.txt').head).toContain('\r\nX-Part: first\r\n')
      expect(await partsOf(document, 'filename', 'content')).toEqual([['a.txt', 'x']])
    },
  },
  'attachments[].filename false': {
    as: 'MIME',
    check: async (document) =>
      expect(await partsOf(document, 'filename', 'content')).toEqual([[null, 'x']]),
  },
  'attachments[].raw': {
    as: 'MIME',
    check: (document) => {
      const { head, body } = partWith(document, 'Content-Type: text/x-raw')
      expect(head).toContain('\r\nContent-Disposition: attachment\r\n')
      expect(body).toBe('raw part')
    },
  },
  attachDataUrls: {
    as: 'field',
    in: 'inline',
    check: ({ fields, files }) => {
      expect(fields['html']).toEqual(['<img src="cid:image-1.png">'])
      expect(files).toEqual([
        { field: 'inline', name: 'image-1.png', type: 'image/png', content: image },
      ])
    },
  },

  // Headers
  headers: fieldsOf('h:X-Order, h:X-Name', {
    'h:X-Order': ['42'],
    'h:X-Name': ['=?UTF-8?Q?Gr=C3=B6=C3=9Fe?='],
  }),
  'headers, a name beyond ASCII': refused('X-Größe'),
  'headers as a list': field('h:X-Order', '42'),
  'headers, prepared': field('h:X-Order', '=?x?='),
  'headers, a name several times': {
    as: 'MIME',
    check: (document) => expect(headerValues(document, 'X-Order')).toEqual(['42', '43']),
  },
  'headers with line breaks': field('h:X-Order', '42 X-Injected: yes'),
  list: fieldsOf('h:List-…', {
    'h:List-Unsubscribe': ['<https://example.com/u> (Leave)'],
    'h:List-Help': ['<mailto:help@example.com>'],
  }),
  inReplyTo: field('h:In-Reply-To', '<question@example.org>'),
  references: field('h:References', '<first@example.org> <question@example.org>'),
  messageId: field('h:Message-Id', '<order-42@example.com>'),
  date: {
    as: 'MIME',
    check: (document) =>
      expect(headerValues(document, 'Date')).toEqual(['Sun, 01 Mar 2026 08:00:00 +0000']),
  },
  priority: fieldsOf('h:X-Priority, …', {
    'h:X-Priority': ['1 (Highest)'],
    'h:X-Msmail-Priority': ['High'],
    'h:Importance': ['High'],
  }),
  dkim: {
    as: 'MIME',
    check: (document) => expect(isSigned(document, mailFields.dkim().dkim.privateKey)).toBe(true),
  },
  dsn: refused('dsn'),

  // How it is composed
  encoding: field('text', 'Thanks'),
  textEncoding: field('text', 'Thanks'),
  disableFileAccess: refused('File access rejected'),
  disableUrlAccess: refused('Url access rejected'),
  'a plugin of the step compile': field('subject', 'Plugged in'),
  'a plugin of the step stream that sets a header': field('h:X-Plugged', 'in'),
  'a plugin of the step stream that changes the document': {
    as: 'MIME',
    check: async (document) => expect((await readDocument(document)).text).toBe('Changed\n'),
  },

  // With any provider
  tags: field('o:tag', 'order', 'eu'),
  metadata: field('v:order', '42'),
  templateId: field('template', 'd-0123456789abcdef0123456789abcdef'),
  templateData: field('t:variables', '{"name":"Ann"}'),
  recipientData: {
    as: 'field',
    in: 'recipient-variables',
    check: ({ fields }) => {
      expect(fields).toEqual({
        from: ['"Shop" <shop@example.com>'],
        to: ['"Ann" <ann@example.org>', 'bob@example.org'],
        subject: ['Your order'],
        template: ['d-0123456789abcdef0123456789abcdef'],
        't:variables': ['{"name":"%recipient.name%","shop":"Shop"}'],
        'v:order': ['42'],
        'v:user': ['%recipient.v:user%'],
        'v:mailtrail_id': [expect.stringMatching(/^[\da-f-]{36}$/)],
        'h:Message-Id': [expect.any(String)],
        'recipient-variables': [expect.any(String)],
      })
      expect(JSON.parse(fields['recipient-variables']?.[0] ?? '')).toEqual({
        'ann@example.org': { name: 'Ann', 'v:user': '1' },
        'bob@example.org': { name: 'Bob', 'v:user': '' },
      })
    },
  },
  'recipientData with headers': {
    as: 'field',
    in: 'recipient-variables',
    check: ({ fields }) => {
      expect(fields).toMatchObject({
        to: ['"Ann" <ann@example.org>', 'bob@example.org'],
        'h:List-Unsubscribe': ['%recipient.h:List-Unsubscribe%'],
      })
      expect(JSON.parse(fields['recipient-variables']?.[0] ?? '')).toEqual({
        'ann@example.org': { 'h:List-Unsubscribe': '<https://example.com/u/ann>' },
        'bob@example.org': { 'h:List-Unsubscribe': '<https://example.com/u/bob>' },
      })
    },
  },
  sendAt: {
    as: 'field',
    in: 'o:deliverytime',
    check: ({ fields }) => {
      const [time = ''] = fields['o:deliverytime'] ?? []
      expect(time).toMatch(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000$/)
      expect(Math.abs(Date.parse(time) - Date.now() - 3_600_000)).toBeLessThan(60_000)
    },
  },
  trackOpens: field('o:tracking-opens', 'no'),
  trackClicks: field('o:tracking-clicks', 'yes'),
}
