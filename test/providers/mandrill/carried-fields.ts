import { expect } from '@jest/globals'
import { addressParser } from 'postal-mime'
import { type Fields, fields } from '../../../src/payload.js'
import { calendar, type CarriedFields, fileContent, mailFields, pixel } from '../../mail-fields.js'
import { isSigned } from './dkim.js'
import { bytesOf, partWith, read, valuesOf } from './documents.js'

/** What reached Mandrill. */
export interface Arrived {
  /** The bodies of the calls, in order. */
  calls: Fields[]
  call: Fields
  /** The `message` of the first call. */
  message: Fields
}

const as = (field: string, expected: unknown, name = field) =>
  ({
    as: 'field',
    in: name,
    check: ({ message }: Arrived) => expect(message[field]).toEqual(expected),
  }) as const

const header = (name: string, expected: string, field = `headers.${name}`) =>
  ({
    as: 'field',
    in: field,
    check: ({ message }: Arrived) =>
      expect(Object.entries(fields(message['headers']))).toContainEqual([name, expected]),
  }) as const

const recipients = (...expected: object[]) => as('to', expected)

const ann = { email: 'ann@example.org', name: 'Ann', type: 'to' }

const attachment = (name: string, type: string, content: Uint8Array | string) =>
  as('attachments', [{ name, type, content: Buffer.from(content).toString('base64') }])

const refused = (names: string) => ({ as: 'refused', names }) as const

const calendarAs = (method: string, filename: string) =>
  ({
    as: 'MIME',
    check: async (document: string) => {
      const { attachments } = await read(document)
      // postal-mime ends the lines of a calendar in its own way.
      const asRead = calendar.replaceAll('\r\n', '\n')
      expect(
        attachments.map((part) => [part.mimeType, part.filename, bytesOf(part).toString()]),
      ).toEqual([
        ['text/calendar', null, asRead],
        ['application/ics', filename, asRead],
      ])
      expect(attachments[0]).toMatchObject({ method })
      const file = partWith(document, 'application/ics').split('\r\n\r\n')[1] ?? ''
      expect(Buffer.from(file, 'base64').toString()).toBe(calendar)
    },
  }) as const

/** Mandrill's column of the table. */
export const carriedFields: CarriedFields<Arrived> = {
  // Addresses
  from: {
    as: 'field',
    in: 'from_email, from_name',
    check: ({ message }) =>
      expect(message).toMatchObject({
        from_email: 'shop@example.com',
        from_name: 'Müller, "the" Shop',
      }),
  },
  'several from': {
    as: 'MIME',
    check: (document) =>
      expect(addressParser(valuesOf(document, 'From').join(', '))).toEqual([
        { name: 'A', address: 'a@example.com' },
        { name: 'B', address: 'b@example.com' },
      ]),
  },
  sender: header('Sender', 'Desk <desk@example.com>'),
  to: recipients(
    { email: 'jane@example.org', name: 'Doe, Jane', type: 'to' },
    { email: 'bo@example.org', name: 'Бо "B" Б', type: 'to' },
    { email: 'carl@example.org', type: 'to' },
  ),
  'to, with a group': recipients(
    { email: 'ann@example.org', type: 'to' },
    { email: 'bob@example.org', type: 'to' },
  ),
  'to, at a domain with letters beyond ASCII': recipients({
    email: 'ann@xn--bcher-kva.example',
    name: 'Ann',
    type: 'to',
  }),
  cc: recipients(ann, { email: 'carl@example.org', name: 'Carl', type: 'cc' }),
  bcc: recipients(ann, { email: 'audit@example.org', name: 'Audit', type: 'bcc' }),
  'the same address in to, cc and bcc': recipients(
    { email: 'ann@example.org', type: 'to' },
    { email: 'carl@example.org', type: 'cc' },
    { email: 'audit@example.org', type: 'bcc' },
  ),
  'cc and bcc without to': recipients(
    { email: 'carl@example.org', type: 'cc' },
    { email: 'audit@example.org', type: 'bcc' },
  ),
  replyTo: header('Reply-To', '"Help" <help@example.com>'),
  'several replyTo': header('Reply-To', '"Help, Desk" <help@example.com>, sales@example.com'),
  'envelope.to': {
    as: 'MIME',
    check: async (document, { call }) => {
      expect(call['to']).toEqual(['other@example.org'])
      expect((await read(document)).to).toEqual([{ name: 'Ann', address: 'ann@example.org' }])
    },
  },
  'envelope.from': refused('envelope.from'),

  // Content
  subject: as('subject', 'Größe, 注文 & “quotes”'),
  text: as('text', 'Größe\r\n注文'),
  html: as('html', '<p>Größe</p>'),
  'text and html': {
    as: 'field',
    in: 'text, html',
    check: ({ message }) => expect(message).toMatchObject({ text: 'Hello', html: '<p>Hello</p>' }),
  },
  'html from a file': as('html', fileContent.toString()),
  'html from a URL': as('html', fileContent.toString()),
  'html from a stream': as('html', '<p>x</p>'),
  watchHtml: {
    as: 'MIME',
    check: (document) => expect(partWith(document, 'text/watch-html')).toContain('<b>Hello</b>'),
  },
  amp: {
    as: 'MIME',
    check: (document) =>
      expect(partWith(document, 'text/x-amp-html')).toContain(
        '<!doctype html><html =E2=9A=A14email>Hello</html>',
      ),
  },
  icalEvent: calendarAs('PUBLISH', 'order.ics'),
  'icalEvent with a method': calendarAs('REQUEST', 'invite.ics'),
  alternatives: {
    as: 'MIME',
    check: (document) =>
      expect(partWith(document, 'text/x-web-markdown')).toContain('*H=C3=ABllo*'),
  },
  'alternatives that are no text': {
    as: 'MIME',
    check: async (document) => {
      const [part, ...others] = (await read(document)).attachments
      expect(others).toEqual([])
      expect(part).toMatchObject({ mimeType: 'application/x-thing' })
      expect(part && [...bytesOf(part)]).toEqual([0, 255, 254])
    },
  },
  raw: {
    as: 'MIME',
    check: async (document, { call }) => {
      expect(call['to']).toEqual(['ann@example.org', 'hidden@example.org'])
      expect(document).not.toContain('hidden@example.org')
      expect(await read(document)).toMatchObject({
        from: { name: 'Shop', address: 'shop@example.com' },
        to: [{ name: 'Ann', address: 'ann@example.org' }],
        subject: 'Raw',
        messageId: '<raw-1@example.com>',
        text: 'Raw text\n',
      })
    },
  },
  'raw with an envelope': {
    as: 'MIME',
    check: async (document, { call }) => {
      expect(call['to']).toEqual(['ann@example.org', 'carl@example.org'])
      expect(document).not.toMatch(/hidden@example\.org|carl@example\.org/)
      expect(await read(document)).toMatchObject({ subject: 'Raw', text: 'Raw text\n' })
    },
  },

  // Attachments
  'attachments of a Buffer': attachment(
    'a.bin',
    'application/octet-stream',
    Buffer.from([0, 1, 255]),
  ),
  'attachments with a name beyond ASCII': {
    as: 'MIME',
    check: async (document) => {
      const { attachments } = await read(document)
      expect(attachments.map((part) => [part.filename, bytesOf(part).toString()])).toEqual([
        ['Größe 注文.bin', 'x'],
      ])
    },
  },
  'attachments of a text': attachment('a.txt', 'text/plain', 'Größe'),
  'attachments in an encoding': attachment('a.png', 'image/png', Buffer.from(pixel, 'base64')),
  'attachments of a path': attachment('mail-fields.ts', 'application/octet-stream', fileContent),
  'attachments of a URL': attachment('a.ts', 'application/octet-stream', fileContent),
  'attachments of a stream': attachment('a.bin', 'application/octet-stream', 'abc'),
  'attachments of a data URI': attachment(
    'attachment-1.png',
    'image/png',
    Buffer.from(pixel, 'base64'),
  ),
  'attachments[].contentType': attachment('a', 'application/x-order', 'x'),
  'attachments[].cid': {
    as: 'field',
    in: 'images',
    check: ({ message }) => {
      expect(message['html']).toBe('<img src="cid:logo@example.com">')
      expect(message['images']).toEqual([
        { name: 'logo@example.com', type: 'image/png', content: pixel },
      ])
      expect(message).not.toHaveProperty('attachments')
    },
  },
  'attachments[].cid of what is no image': {
    as: 'MIME',
    check: async (document) => {
      const { html, attachments } = await read(document)
      expect(html).toBe('<a href="cid:terms@example.com">Terms</a>\n')
      expect(
        attachments.map((part) => [part.contentId, part.filename, bytesOf(part).toString()]),
      ).toEqual([['<terms@example.com>', 'terms.pdf', 'x']])
    },
  },
  'attachments[].contentDisposition inline': {
    as: 'MIME',
    check: (document) =>
      expect(partWith(document, 'filename=a.txt')).toMatch(
        /\r\nContent-Disposition: inline; filename=a\.txt\r\n(?:.+\r\n)*\r\neA==$/,
      ),
  },
  'attachments[].contentDisposition attachment, with a cid': {
    as: 'MIME',
    check: async (document) => {
      const { attachments } = await read(document)
      expect(attachments.map((part) => [part.disposition, part.contentId, part.filename])).toEqual([
        ['attachment', '<a@b>', 'a.png'],
      ])
    },
  },
  'attachments[].contentTransferEncoding': attachment('a.txt', 'text/plain', 'x'),
  'attachments[].headers': {
    as: 'MIME',
    check: (document) =>
      expect(partWith(document, 'name=a.txt')).toContain('\r\nX-Part: first\r\n'),
  },
  'attachments[].filename false': {
    as: 'MIME',
    check: async (document) => {
      const { attachments } = await read(document)
      expect(attachments.map((part) => [part.filename, bytesOf(part).toString()])).toEqual([
        [null, 'x'],
      ])
    },
  },
  'attachments[].raw': {
    as: 'MIME',
    check: (document) =>
      expect(document).toContain(
        '\r\nContent-Type: text/x-raw\r\nContent-Disposition: attachment\r\n\r\nraw part\r\n',
      ),
  },
  attachDataUrls: {
    as: 'field',
    in: 'images',
    check: ({ message }) => {
      const [, cid] = /^<img src="cid:([^"]+)">$/.exec(String(message['html'])) ?? []
      expect(message['images']).toEqual([{ name: cid, type: 'image/png', content: pixel }])
    },
  },

  // Headers
  headers: {
    as: 'field',
    in: 'headers',
    check: ({ message }) =>
      expect(message['headers']).toEqual({
        'X-Order': '42',
        'X-Name': '=?UTF-8?Q?Gr=C3=B6=C3=9Fe?=',
        'Message-Id': expect.any(String),
      }),
  },
  'headers, a name beyond ASCII': { as: 'refused', names: 'the header X-Größe' },
  'headers as a list': header('X-Order', '42', 'headers'),
  'headers, prepared': header('X-Order', '=?x?=', 'headers'),
  'headers, a name several times': {
    as: 'MIME',
    check: (document) => expect(valuesOf(document, 'X-Order')).toEqual(['42', '43']),
  },
  'headers with line breaks': {
    as: 'field',
    in: 'headers',
    check: ({ message }) =>
      expect(message['headers']).toEqual({
        'X-Order': '42 X-Injected: yes',
        'Message-Id': expect.any(String),
      }),
  },
  list: {
    as: 'field',
    in: 'headers.List-…',
    check: ({ message }) =>
      expect(message['headers']).toMatchObject({
        'List-Unsubscribe': '<https://example.com/u> (Leave)',
        'List-Help': '<mailto:help@example.com>',
      }),
  },
  inReplyTo: header('In-Reply-To', '<question@example.org>'),
  references: header('References', '<first@example.org> <question@example.org>'),
  messageId: header('Message-Id', '<order-42@example.com>'),
  date: refused('date'),
  priority: {
    as: 'field',
    in: 'headers.X-Priority, …',
    check: ({ message }) =>
      expect(message['headers']).toMatchObject({
        'X-Priority': '1 (Highest)',
        'X-Msmail-Priority': 'High',
        Importance: 'High',
      }),
  },
  dkim: {
    as: 'MIME',
    check: (document) => {
      const { privateKey } = mailFields.dkim().dkim
      expect(isSigned(document, privateKey)).toBe(true)
      expect(isSigned(document.replace('Thanks', 'thanks'), privateKey)).toBe(false)
    },
  },
  dsn: refused('dsn'),

  // How it is composed
  encoding: as('text', 'Thanks'),
  textEncoding: as('text', 'Thanks'),
  disableFileAccess: refused('File access rejected'),
  disableUrlAccess: refused('Url access rejected'),
  'a plugin of the step compile': as('subject', 'Plugged in'),
  'a plugin of the step stream that sets a header': header('X-Plugged', 'in'),
  'a plugin of the step stream that changes the document': {
    as: 'MIME',
    check: async (document) => expect((await read(document)).text).toBe('Changed\n'),
  },

  // With any provider
  tags: as('tags', ['order', 'eu']),
  metadata: as('metadata', { order: '42', mailtrail_id: expect.any(String) }),
  templateId: {
    as: 'field',
    in: 'template_name',
    check: ({ call }) =>
      expect(call).toMatchObject({
        template_name: 'd-0123456789abcdef0123456789abcdef',
        template_content: [],
      }),
  },
  templateData: as('global_merge_vars', [{ name: 'name', content: 'Ann' }]),
  recipientData: {
    as: 'field',
    in: 'merge_vars, recipient_metadata',
    check: ({ calls, call, message }) => {
      expect(calls).toHaveLength(1)
      expect(call).toHaveProperty('template_name', 'd-0123456789abcdef0123456789abcdef')
      expect(message).toMatchObject({
        to: [ann, { email: 'bob@example.org', type: 'to' }],
        preserve_recipients: false,
        global_merge_vars: [
          { name: 'name', content: 'you' },
          { name: 'shop', content: 'Shop' },
        ],
        merge_vars: [
          { rcpt: 'ann@example.org', vars: [{ name: 'name', content: 'Ann' }] },
          { rcpt: 'bob@example.org', vars: [{ name: 'name', content: 'Bob' }] },
        ],
        metadata: { order: '42', mailtrail_id: expect.any(String) },
        recipient_metadata: [{ rcpt: 'ann@example.org', values: { user: '1' } }],
      })
    },
  },
  'recipientData with headers': {
    as: 'field',
    in: 'headers, a call for each',
    check: ({ calls }) =>
      expect(calls.map(({ message }) => message)).toMatchObject([
        {
          to: [ann],
          preserve_recipients: false,
          headers: { 'List-Unsubscribe': '<https://example.com/u/ann>' },
        },
        {
          to: [{ email: 'bob@example.org' }],
          preserve_recipients: false,
          headers: { 'List-Unsubscribe': '<https://example.com/u/bob>' },
        },
      ]),
  },
  sendAt: {
    as: 'field',
    in: 'send_at',
    check: ({ call }) => {
      const written = String(call['send_at'])
      expect(written).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
      const seconds = (Date.parse(`${written.replace(' ', 'T')}Z`) - Date.now()) / 1000
      expect(Math.abs(seconds - 3600)).toBeLessThan(60)
    },
  },
  trackOpens: as('track_opens', false),
  trackClicks: as('track_clicks', true),
}
