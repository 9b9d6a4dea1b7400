import { expect } from '@jest/globals'
import type { MailOptions } from '../../../src/index.js'
import type { SendgridRequest } from '../../../src/providers/sendgrid/request.js'
import { calendar, type CarriedFields, fileContent, pixel } from '../../mail-fields.js'

/** SendGrid's ids of templates are of this form and no other. */
export const templateId = 'd-0123456789abcdef0123456789abcdef'

/** The call that a message took. */
export interface Arrived {
  /** The message as it was given. */
  mail: MailOptions
  /** Our id of it. */
  trackingId: string
  /** The JSON of the call. */
  body: SendgridRequest
}

type Part = readonly [type: string, value: string]

const plain: Part = ['text/plain', 'Thanks']

const hasContent =
  (...parts: Part[]) =>
  ({ body }: Arrived): void =>
    expect(body.content).toStrictEqual(parts.map(([type, value]) => ({ type, value })))

/** Files, with their bytes in place of base64. */
const hasFiles =
  (
    ...files: {
      filename: string
      type: string
      content: string | Uint8Array
      cid?: string
      inline?: true
    }[]
  ) =>
  ({ body }: Arrived): void =>
    expect(
      body.attachments?.map(({ content, ...file }) => ({
        ...file,
        content: Buffer.from(content, 'base64'),
      })),
    ).toStrictEqual(
      files.map(({ filename, type, content, cid, inline }) => ({
        filename,
        type,
        content: Buffer.from(content),
        disposition: cid !== undefined || inline ? 'inline' : 'attachment',
        ...(cid !== undefined && { content_id: cid }),
      })),
    )

/** Every header but the Message-ID that each message has. */
const hasHeaders =
  (headers: Record<string, string>) =>
  ({ body }: Arrived): void => {
    const { 'Message-ID': _messageId, ...others } = body.headers
    expect(others).toStrictEqual(headers)
  }

/** The one personalization: its recipients, and what else there is beside our id. */
const isFor =
  (recipients: object, args: Record<string, string> = {}, filling: object = {}) =>
  ({ body, trackingId }: Arrived): void =>
    expect(body.personalizations).toStrictEqual([
      { ...recipients, ...filling, custom_args: { ...args, mailtrail_id: trackingId } },
    ])

const ann = { to: [{ email: 'ann@example.org', name: 'Ann' }] }
const png = Buffer.from(pixel, 'base64')

/** How SendGrid takes every field. It takes no documents, so what its fields cannot say is refused. */
export const carriedFields: CarriedFields<Arrived> = {
  // Addresses
  from: {
    as: 'field',
    in: 'from',
    check: ({ body }) =>
      expect(body.from).toStrictEqual({ email: 'shop@example.com', name: 'Müller, "the" Shop' }),
  },
  'several from': { as: 'refused', names: 'more than one from address' },
  sender: { as: 'field', in: 'headers', check: hasHeaders({ Sender: 'Desk <desk@example.com>' }) },
  to: {
    as: 'field',
    in: 'personalizations[].to',
    check: isFor({
      to: [
        { email: 'jane@example.org', name: 'Doe, Jane' },
        { email: 'bo@example.org', name: 'Бо "B" Б' },
        { email: 'carl@example.org' },
      ],
    }),
  },
  'to, with a group': {
    as: 'field',
    in: 'personalizations[].to',
    check: isFor({ to: [{ email: 'ann@example.org' }, { email: 'bob@example.org' }] }),
  },
  'to, at a domain with letters beyond ASCII': {
    as: 'field',
    in: 'personalizations[].to',
    check: isFor({ to: [{ email: 'ann@xn--bcher-kva.example', name: 'Ann' }] }),
  },
  cc: {
    as: 'field',
    in: 'personalizations[].cc',
    check: isFor({ ...ann, cc: [{ email: 'carl@example.org', name: 'Carl' }] }),
  },
  bcc: {
    as: 'field',
    in: 'personalizations[].bcc',
    check: isFor({ ...ann, bcc: [{ email: 'audit@example.org', name: 'Audit' }] }),
  },
  'the same address in to, cc and bcc': {
    as: 'field',
    in: 'personalizations[]',
    check: isFor({
      to: [{ email: 'ann@example.org' }],
      cc: [{ email: 'carl@example.org' }],
      bcc: [{ email: 'audit@example.org' }],
    }),
  },
  'cc and bcc without to': { as: 'refused', names: 'at least one recipient in to' },
  replyTo: {
    as: 'field',
    in: 'reply_to_list',
    check: ({ body }) =>
      expect(body.reply_to_list).toStrictEqual([{ email: 'help@example.com', name: 'Help' }]),
  },
  'several replyTo': {
    as: 'field',
    in: 'reply_to_list',
    check: ({ body }) =>
      expect(body.reply_to_list).toStrictEqual([
        { email: 'help@example.com', name: 'Help, Desk' },
        { email: 'sales@example.com' },
      ]),
  },
  'envelope.to': { as: 'refused', names: 'envelope.to' },
  'envelope.from': { as: 'refused', names: 'envelope.from' },

  // Content
  subject: {
    as: 'field',
    in: 'subject',
    check: ({ body }) => expect(body.subject).toBe('Größe, 注文 & “quotes”'),
  },
  text: { as: 'field', in: 'content', check: hasContent(['text/plain', 'Größe\r\n注文']) },
  html: { as: 'field', in: 'content', check: hasContent(plain, ['text/html', '<p>Größe</p>']) },
  'text and html': {
    as: 'field',
    in: 'content',
    check: hasContent(['text/plain', 'Hello'], ['text/html', '<p>Hello</p>']),
  },
  'html from a file': {
    as: 'field',
    in: 'content',
    check: hasContent(plain, ['text/html', fileContent.toString()]),
  },
  'html from a URL': {
    as: 'field',
    in: 'content',
    check: hasContent(plain, ['text/html', fileContent.toString()]),
  },
  'html from a stream': {
    as: 'field',
    in: 'content',
    check: hasContent(plain, ['text/html', '<p>x</p>']),
  },
  watchHtml: {
    as: 'field',
    in: 'content',
    check: hasContent(plain, ['text/html', '<p>Hello</p>'], ['text/watch-html', '<b>Hello</b>']),
  },
  amp: {
    as: 'field',
    in: 'content',
    check: hasContent(
      plain,
      ['text/html', '<p>Hello</p>'],
      ['text/x-amp-html', '<!doctype html><html ⚡4email>Hello</html>'],
    ),
  },
  icalEvent: {
    as: 'field',
    in: 'content and attachments',
    check: (arrived) => {
      hasContent(plain, ['text/calendar', calendar])(arrived)
      hasFiles({ filename: 'order.ics', type: 'application/ics', content: calendar })(arrived)
    },
  },
  'icalEvent with a method': { as: 'refused', names: 'icalEvent.method' },
  alternatives: {
    as: 'field',
    in: 'content',
    check: hasContent(plain, ['text/x-web-markdown', '*Hëllo*']),
  },
  'alternatives that are no text': { as: 'refused', names: 'alternatives[0].content' },
  raw: { as: 'refused', names: 'raw' },
  'raw with an envelope': { as: 'refused', names: 'raw' },

  // Attachments
  'attachments of a Buffer': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({
      filename: 'a.bin',
      type: 'application/octet-stream',
      content: new Uint8Array([0, 1, 255]),
    }),
  },
  'attachments with a name beyond ASCII': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({
      filename: 'Größe 注文.bin',
      type: 'application/octet-stream',
      content: 'x',
    }),
  },
  'attachments of a text': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({ filename: 'a.txt', type: 'text/plain', content: 'Größe' }),
  },
  'attachments in an encoding': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({ filename: 'a.png', type: 'image/png', content: png }),
  },
  'attachments of a path': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({
      filename: 'mail-fields.ts',
      type: 'application/octet-stream',
      content: fileContent,
    }),
  },
  'attachments of a URL': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({ filename: 'a.ts', type: 'application/octet-stream', content: fileContent }),
  },
  'attachments of a stream': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({ filename: 'a.bin', type: 'application/octet-stream', content: 'abc' }),
  },
  'attachments of a data URI': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({ filename: 'attachment-1.png', type: 'image/png', content: png }),
  },
  'attachments[].contentType': {
    as: 'field',
    in: 'attachments[].type',
    check: hasFiles({ filename: 'a', type: 'application/x-order', content: 'x' }),
  },
  'attachments[].cid': {
    as: 'field',
    in: 'attachments[].content_id',
    check: (arrived) => {
      hasFiles({ filename: 'logo.png', type: 'image/png', content: png, cid: 'logo@example.com' })(
        arrived,
      )
      hasContent(plain, ['text/html', '<img src="cid:logo@example.com">'])(arrived)
    },
  },
  'attachments[].cid of what is no image': {
    as: 'field',
    in: 'attachments[].content_id',
    check: hasFiles({
      filename: 'terms.pdf',
      type: 'application/pdf',
      content: 'x',
      cid: 'terms@example.com',
    }),
  },
  'attachments[].contentDisposition inline': {
    as: 'field',
    in: 'attachments[].disposition',
    check: hasFiles({ filename: 'a.txt', type: 'text/plain', content: 'x', inline: true }),
  },
  'attachments[].contentDisposition attachment, with a cid': {
    as: 'refused',
    names: 'attachments[0].contentDisposition',
  },
  'attachments[].contentTransferEncoding': {
    as: 'field',
    in: 'attachments',
    check: hasFiles({ filename: 'a.txt', type: 'text/plain', content: 'x' }),
  },
  'attachments[].headers': { as: 'refused', names: 'attachments[0].headers' },
  'attachments[].filename false': { as: 'refused', names: 'attachments[0].filename' },
  'attachments[].raw': { as: 'refused', names: 'attachments[0].raw' },
  attachDataUrls: {
    as: 'field',
    in: 'content and attachments',
    check: (arrived) => {
      const cid = /^<img src="cid:([\w@-]+)">$/.exec(arrived.body.content?.[1]?.value ?? '')?.[1]
      expect(cid).toEqual(expect.any(String))
      hasContent(plain, ['text/html', `<img src="cid:${cid}">`])(arrived)
      hasFiles({ filename: 'image-1.png', type: 'image/png', content: png, cid: cid ?? '' })(
        arrived,
      )
    },
  },

  // Headers
  headers: {
    as: 'field',
    in: 'headers',
    check: hasHeaders({ 'X-Order': '42', 'X-Name': '=?UTF-8?Q?Gr=C3=B6=C3=9Fe?=' }),
  },
  'headers, a name beyond ASCII': { as: 'refused', names: 'the header X-Größe' },
  'headers as a list': { as: 'field', in: 'headers', check: hasHeaders({ 'X-Order': '42' }) },
  'headers, prepared': { as: 'field', in: 'headers', check: hasHeaders({ 'X-Order': '=?x?=' }) },
  'headers, a name several times': { as: 'refused', names: 'a second X-Order header' },
  'headers with line breaks': {
    as: 'field',
    in: 'headers',
    check: hasHeaders({ 'X-Order': '42 X-Injected: yes' }),
  },
  list: {
    as: 'field',
    in: 'headers',
    check: hasHeaders({
      'List-Unsubscribe': '<https://example.com/u> (Leave)',
      'List-Help': '<mailto:help@example.com>',
    }),
  },
  inReplyTo: {
    as: 'field',
    in: 'headers',
    check: hasHeaders({ 'In-Reply-To': '<question@example.org>' }),
  },
  references: {
    as: 'field',
    in: 'headers',
    check: hasHeaders({ References: '<first@example.org> <question@example.org>' }),
  },
  messageId: {
    as: 'field',
    in: 'headers',
    check: ({ body }) =>
      expect(body.headers).toStrictEqual({ 'Message-ID': '<order-42@example.com>' }),
  },
  date: { as: 'refused', names: 'date' },
  priority: {
    as: 'field',
    in: 'headers',
    check: hasHeaders({
      'X-Priority': '1 (Highest)',
      'X-Msmail-Priority': 'High',
      Importance: 'High',
    }),
  },
  dkim: { as: 'refused', names: 'dkim' },
  dsn: { as: 'refused', names: 'dsn' },

  // How it is composed
  encoding: { as: 'field', in: 'content', check: hasContent(plain) },
  textEncoding: { as: 'field', in: 'content', check: hasContent(plain) },
  disableFileAccess: { as: 'refused', names: 'File access rejected' },
  disableUrlAccess: { as: 'refused', names: 'Url access rejected' },
  'a plugin of the step compile': {
    as: 'field',
    in: 'subject',
    check: ({ body }) => expect(body.subject).toBe('Plugged in'),
  },
  'a plugin of the step stream that sets a header': {
    as: 'field',
    in: 'headers',
    check: hasHeaders({ 'X-Plugged': 'in' }),
  },
  'a plugin of the step stream that changes the document': {
    as: 'refused',
    names: 'what a plugin of the step stream changes',
  },

  // With any provider
  tags: {
    as: 'field',
    in: 'categories',
    check: ({ body }) => expect(body.categories).toStrictEqual(['order', 'eu']),
  },
  metadata: {
    as: 'field',
    in: 'personalizations[].custom_args',
    check: isFor(ann, { order: '42' }),
  },
  templateId: {
    as: 'field',
    in: 'template_id',
    check: ({ body }) => {
      expect(body.template_id).toBe(templateId)
      expect(body).not.toHaveProperty('content')
    },
  },
  templateData: {
    as: 'field',
    in: 'personalizations[].dynamic_template_data',
    check: isFor(ann, {}, { dynamic_template_data: { name: 'Ann' } }),
  },
  recipientData: {
    as: 'field',
    in: 'personalizations',
    check: ({ body, trackingId }) =>
      expect(body.personalizations).toStrictEqual([
        {
          ...ann,
          dynamic_template_data: { name: 'Ann', shop: 'Shop' },
          custom_args: { order: '42', user: '1', mailtrail_id: trackingId },
        },
        {
          to: [{ email: 'bob@example.org' }],
          dynamic_template_data: { name: 'Bob', shop: 'Shop' },
          custom_args: { order: '42', mailtrail_id: trackingId },
        },
      ]),
  },
  'recipientData with headers': {
    as: 'field',
    in: 'personalizations[].headers',
    check: ({ body, trackingId }) =>
      expect(body.personalizations).toStrictEqual([
        {
          ...ann,
          headers: { 'List-Unsubscribe': '<https://example.com/u/ann>' },
          custom_args: { mailtrail_id: trackingId },
        },
        {
          to: [{ email: 'bob@example.org' }],
          headers: { 'List-Unsubscribe': '<https://example.com/u/bob>' },
          custom_args: { mailtrail_id: trackingId },
        },
      ]),
  },
  sendAt: {
    as: 'field',
    in: 'send_at',
    check: ({ body, mail }) =>
      expect(body.send_at).toBe(Math.floor(new Date(mail.sendAt ?? 0).getTime() / 1000)),
  },
  trackOpens: {
    as: 'field',
    in: 'tracking_settings.open_tracking',
    check: ({ body }) =>
      expect(body.tracking_settings).toStrictEqual({ open_tracking: { enable: false } }),
  },
  trackClicks: {
    as: 'field',
    in: 'tracking_settings.click_tracking',
    check: ({ body }) =>
      expect(body.tracking_settings).toStrictEqual({
        click_tracking: { enable: true, enable_text: false },
      }),
  },
}
