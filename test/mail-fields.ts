import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import type { MailOptions, ProviderTransporter } from '../src/transporter.js'

/** What every message of the table has, unless a field says otherwise. */
export const plainMail: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: 'Ann <ann@example.org>',
  subject: 'Your order',
  text: 'Thanks',
}

/** One by one pixel, in base64. */
export const pixel =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=='

/** A file that attachments are made of. */
export const file = join(__dirname, 'mail-fields.ts')
export const fileContent = readFileSync(file)

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

export const calendar = [
  'BEGIN:VCALENDAR',
  'VERSION:2.0',
  'PRODID:-//Shop//Orders//EN',
  'BEGIN:VEVENT',
  'UID:order-42@example.com',
  'DTSTAMP:20260301T080000Z',
  'DTSTART:20260302T080000Z',
  'SUMMARY:Your order comes',
  'END:VEVENT',
  'END:VCALENDAR',
  '',
].join('\r\n')

export const rawDocument = [
  'From: Shop <shop@example.com>',
  'To: Ann <ann@example.org>',
  'Bcc: hidden@example.org',
  'Subject: Raw',
  'Message-ID: <raw-1@example.com>',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'Raw text',
  '',
].join('\r\n')

/** A message that has the field, made anew for each send: streams can be read once. */
type MailWith = (urls: { file: string }) => MailOptions

/**
 * Every field that a message can have, by the name that the README's table gives it, and a message of
 * which it is the one that matters. `urls.file` serves `fileContent`.
 */
export const mailFields = {
  // Addresses
  from: () => ({ from: { name: 'Müller, "the" Shop', address: 'shop@example.com' } }),
  'several from': () => ({
    from: [
      { name: 'A', address: 'a@example.com' },
      { name: 'B', address: 'b@example.com' },
    ],
  }),
  sender: () => ({ sender: 'Desk <desk@example.com>' }),
  to: () => ({
    to: [
      '"Doe, Jane" <jane@example.org>',
      { name: 'Бо "B" Б', address: 'bo@example.org' },
      'carl@example.org',
    ],
  }),
  'to, with a group': () => ({ to: 'Friends: ann@example.org, bob@example.org;' }),
  'to, at a domain with letters beyond ASCII': () => ({ to: 'Ann <ann@bücher.example>' }),
  cc: () => ({ cc: 'Carl <carl@example.org>' }),
  bcc: () => ({ bcc: 'Audit <audit@example.org>' }),
  'the same address in to, cc and bcc': () => ({
    to: 'ann@example.org, Ann@Example.org',
    cc: 'ANN@example.org, carl@example.org',
    bcc: 'carl@example.org, audit@example.org',
  }),
  'cc and bcc without to': () => ({ to: '', cc: 'carl@example.org', bcc: 'audit@example.org' }),
  replyTo: () => ({ replyTo: 'Help <help@example.com>' }),
  'several replyTo': () => ({ replyTo: ['"Help, Desk" <help@example.com>', 'sales@example.com'] }),
  'envelope.to': () => ({ envelope: { from: 'shop@example.com', to: ['other@example.org'] } }),
  'envelope.from': () => ({ envelope: { from: 'bounce@example.com', to: ['ann@example.org'] } }),

  // Content
  subject: () => ({ subject: 'Größe, 注文 & “quotes”' }),
  text: () => ({ text: 'Größe\r\n注文' }),
  html: () => ({ html: '<p>Größe</p>' }),
  'text and html': () => ({ text: 'Hello', html: '<p>Hello</p>' }),
  'html from a file': () => ({ html: { path: file } }),
  'html from a URL': (urls) => ({ html: { href: urls.file } }),
  'html from a stream': () => ({ html: Readable.from([Buffer.from('<p>'), Buffer.from('x</p>')]) }),
  watchHtml: () => ({ html: '<p>Hello</p>', watchHtml: '<b>Hello</b>' }),
  amp: () => ({ html: '<p>Hello</p>', amp: '<!doctype html><html ⚡4email>Hello</html>' }),
  icalEvent: () => ({ icalEvent: { filename: 'order.ics', content: calendar } }),
  'icalEvent with a method': () => ({ icalEvent: { method: 'request', content: calendar } }),
  alternatives: () => ({
    alternatives: [{ contentType: 'text/x-web-markdown', content: '*Hëllo*' }],
  }),
  'alternatives that are no text': () => ({
    alternatives: [{ contentType: 'application/x-thing', content: Buffer.from([0, 255, 254]) }],
  }),
  raw: () => ({
    from: undefined,
    to: undefined,
    subject: undefined,
    text: undefined,
    raw: rawDocument,
  }),
  'raw with an envelope': () => ({
    from: undefined,
    to: undefined,
    subject: undefined,
    text: undefined,
    envelope: { from: 'shop@example.com', to: 'ann@example.org, carl@example.org' },
    raw: rawDocument,
  }),

  // Attachments
  'attachments of a Buffer': () => ({
    attachments: [{ filename: 'a.bin', content: Buffer.from([0, 1, 255]) }],
  }),
  'attachments with a name beyond ASCII': () => ({
    attachments: [{ filename: 'Größe 注文.bin', content: 'x' }],
  }),
  'attachments of a text': () => ({ attachments: [{ filename: 'a.txt', content: 'Größe' }] }),
  'attachments in an encoding': () => ({
    attachments: [{ filename: 'a.png', content: pixel, encoding: 'base64' }],
  }),
  'attachments of a path': () => ({ attachments: [{ path: file }] }),
  'attachments of a URL': (urls) => ({ attachments: [{ filename: 'a.ts', href: urls.file }] }),
  'attachments of a stream': () => ({
    attachments: [
      { filename: 'a.bin', content: Readable.from([Buffer.from('ab'), Buffer.from('c')]) },
    ],
  }),
  'attachments of a data URI': () => ({
    attachments: [{ path: `data:image/png;base64,${pixel}` }],
  }),
  'attachments[].contentType': () => ({
    attachments: [{ filename: 'a', contentType: 'application/x-order', content: 'x' }],
  }),
  'attachments[].cid': () => ({
    html: '<img src="cid:logo@example.com">',
    attachments: [
      { filename: 'logo.png', content: pixel, encoding: 'base64', cid: 'logo@example.com' },
    ],
  }),
  'attachments[].cid of what is no image': () => ({
    html: '<a href="cid:terms@example.com">Terms</a>',
    attachments: [{ filename: 'terms.pdf', content: 'x', cid: 'terms@example.com' }],
  }),
  'attachments[].contentDisposition inline': () => ({
    attachments: [{ filename: 'a.txt', content: 'x', contentDisposition: 'inline' }],
  }),
  'attachments[].contentDisposition attachment, with a cid': () => ({
    html: '<p>x</p>',
    attachments: [
      { filename: 'a.png', content: 'x', cid: 'a@b', contentDisposition: 'attachment' },
    ],
  }),
  'attachments[].contentTransferEncoding': () => ({
    attachments: [{ filename: 'a.txt', content: 'x', contentTransferEncoding: '7bit' }],
  }),
  'attachments[].headers': () => ({
    attachments: [{ filename: 'a.txt', content: 'x', headers: { 'X-Part': 'first' } }],
  }),
  'attachments[].filename false': () => ({ attachments: [{ filename: false, content: 'x' }] }),
  'attachments[].raw': () => ({
    attachments: [
      { raw: 'Content-Type: text/x-raw\r\nContent-Disposition: attachment\r\n\r\nraw part' },
    ],
  }),
  attachDataUrls: () => ({
    attachDataUrls: true,
    html: `<img src="data:image/png;base64,${pixel}">`,
  }),

  // Headers
  headers: () => ({ headers: { 'X-Order': '42', 'X-Name': 'Größe' } }),
  'headers, a name beyond ASCII': () => ({ headers: { 'X-Größe': 'no' } }),
  'headers as a list': () => ({ headers: [{ key: 'X-Order', value: '42' }] }),
  'headers, prepared': () => ({ headers: { 'X-Order': { prepared: true, value: '=?x?=' } } }),
  'headers, a name several times': () => ({ headers: { 'X-Order': ['42', '43'] } }),
  'headers with line breaks': () => ({ headers: { 'X-Order': '42\r\nX-Injected: yes' } }),
  list: () => ({
    list: {
      unsubscribe: { url: 'https://example.com/u', comment: 'Leave' },
      help: 'help@example.com',
    },
  }),
  inReplyTo: () => ({ inReplyTo: '<question@example.org>' }),
  references: () => ({ references: ['<first@example.org>', '<question@example.org>'] }),
  messageId: () => ({ messageId: '<order-42@example.com>' }),
  date: () => ({ date: new Date('2026-03-01T08:00:00Z') }),
  priority: () => ({ priority: 'high' }),
  dkim: () => ({ dkim: { domainName: 'example.com', keySelector: 'one', privateKey } }),
  dsn: () => ({ dsn: { id: 'x', return: 'headers', notify: 'failure' } }),

  // How it is composed
  encoding: () => ({ encoding: 'utf-8' }),
  textEncoding: () => ({ textEncoding: 'base64' }),
  disableFileAccess: () => ({ disableFileAccess: true, attachments: [{ path: file }] }),
  disableUrlAccess: (urls) => ({ disableUrlAccess: true, attachments: [{ href: urls.file }] }),
  'a plugin of the step compile': () => ({}),
  'a plugin of the step stream that sets a header': () => ({}),
  'a plugin of the step stream that changes the document': () => ({}),

  // With any provider
  tags: () => ({ tags: ['order', 'eu'] }),
  metadata: () => ({ metadata: { order: '42' } }),
  templateId: () => ({ templateId: 'd-0123456789abcdef0123456789abcdef', text: undefined }),
  templateData: () => ({
    templateId: 'd-0123456789abcdef0123456789abcdef',
    text: undefined,
    templateData: { name: 'Ann' },
  }),
  recipientData: () => ({
    to: ['Ann <ann@example.org>', 'bob@example.org'],
    templateId: 'd-0123456789abcdef0123456789abcdef',
    text: undefined,
    templateData: { name: 'you', shop: 'Shop' },
    metadata: { order: '42' },
    recipientData: {
      'ann@example.org': { data: { name: 'Ann' }, metadata: { user: '1' } },
      'bob@example.org': { data: { name: 'Bob' } },
    },
  }),
  'recipientData with headers': () => ({
    to: ['Ann <ann@example.org>', 'bob@example.org'],
    recipientData: {
      'ann@example.org': { headers: { 'List-Unsubscribe': '<https://example.com/u/ann>' } },
      'bob@example.org': { headers: { 'List-Unsubscribe': '<https://example.com/u/bob>' } },
    },
  }),
  sendAt: () => ({ sendAt: new Date(Date.now() + 3_600_000) }),
  trackOpens: () => ({ trackOpens: false }),
  trackClicks: () => ({ trackClicks: true }),
} as const satisfies Record<string, MailWith>

export type MailField = keyof typeof mailFields

/** What a plugin does, where the field is one. */
export const plugins: { [Name in MailField]?: (transporter: ProviderTransporter) => void } = {
  'a plugin of the step compile': (transporter) => {
    transporter.use('compile', (mail, done) => {
      mail.data.subject = 'Plugged in'
      done()
    })
  },
  'a plugin of the step stream that sets a header': (transporter) => {
    transporter.use('stream', (mail, done) => {
      mail.message.setHeader('X-Plugged', 'in')
      done()
    })
  },
  'a plugin of the step stream that changes the document': (transporter) => {
    transporter.use('stream', (mail, done) => {
      mail.message.transform(
        () =>
          new Transform({
            transform: (chunk, _encoding, next) =>
              next(null, chunk.toString().replace('Thanks', 'Changed')),
          }),
      )
      done()
    })
  },
}

/** How a provider takes a field. `Arrived` is the body of its API call, taken apart. */
export type Carried<Arrived> =
  /** In a field of the provider's API: `in` names it for the README. */
  | { as: 'field'; in: string; check: (arrived: Arrived) => void | Promise<void> }
  /** In a MIME document; the check gets that too. */
  | { as: 'MIME'; check: (document: string, arrived: Arrived) => void | Promise<void> }
  /** It is refused, and the error names it so. */
  | { as: 'refused'; names: string }

/** A provider's column of the table: it says something of every field. */
export type CarriedFields<Arrived> = Readonly<Record<MailField, Carried<Arrived>>>
