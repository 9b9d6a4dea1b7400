import type { EventEmitter } from 'node:events'
import { isUint8Array } from 'node:util/types'
import { invalid } from './mail-options.js'
import { canonicalAddress, rfcMessageId } from './matching.js'
import type { Address, Envelope, RecipientKind } from './message.js'
import { type Fields, fields, isFields, text } from './payload.js'

/** The part of Nodemailer's MailMessage that is used here; it is the same from version 6.9 to 10. */
export interface NodemailerMail {
  data: object
  readonly mailer: EventEmitter
  readonly message: {
    getAddresses(): object
    getEnvelope(): { from: string | false; to: string[] }
    messageId(): unknown
    getHeader(name: string): unknown
    buildHeaders(): string
  }
  normalize(callback: (error: Error | null, content?: unknown) => void): void
}

export interface Attachment {
  filename: string
  contentType: string
  content: Buffer
  /** The Content-ID, without brackets, of a part that the HTML shows. */
  contentId?: string
}

/** Who and what a message speaks of: what is known before its content is read. */
export interface MailHead {
  envelope: Envelope
  /** With its `<>`; empty when it was given as something else. */
  messageId: string
  from: Address[]
  replyTo: Address[]
  /** No address stands in more than one of these, or twice. */
  to: Address[]
  cc: Address[]
  bcc: Address[]
  subject?: string
}

/** A message with everything in it read and composed by Nodemailer: plain values from here on. */
export interface ResolvedMail extends MailHead {
  text?: string
  html?: string
  attachments: Attachment[]
  /** Every other header, in ASCII as it goes on the wire, unfolded. */
  headers: { name: string; value: string }[]
}

/** The head of a message that cannot be read. */
export const emptyHead: MailHead = {
  envelope: { from: false, to: [] },
  messageId: '',
  from: [],
  replyTo: [],
  to: [],
  cc: [],
  bcc: [],
}

export function mailHead(mail: NodemailerMail): MailHead {
  const { message } = mail
  const addresses = fields(message.getAddresses())
  const { from, to } = message.getEnvelope()
  const subject = headerText(message.getHeader('subject'))
  const seen = new Set<string>()
  // SendGrid refuses an address that stands in two places, and no mailbox wants a copy of each.
  const unique = (kind: RecipientKind): Address[] =>
    mailboxes(addresses[kind]).filter(({ address }) => {
      const key = canonicalAddress(address)
      return !seen.has(key) && seen.add(key)
    })
  return {
    envelope: { from, to: [...to] },
    messageId: checkedMessageId(message.messageId()),
    from: mailboxes(addresses['from']),
    replyTo: mailboxes(addresses['reply-to']),
    to: unique('to'),
    cc: unique('cc'),
    bcc: unique('bcc'),
    ...(subject !== undefined && { subject }),
  }
}

/** It may come as a number, or in the form of a header that is written as it is. */
function checkedMessageId(given: unknown): string {
  const id = rfcMessageId(text(isFields(given) ? given['value'] : given) ?? '') ?? ''
  return /^<[^<>\s]+>$/.test(id) ? id : ''
}

/** Reads the content, from files, URLs and streams too. The caller's objects stay as they are. */
export async function resolveMail(mail: NodemailerMail, head: MailHead): Promise<ResolvedMail> {
  checkContent(fields(mail.data))
  // Nodemailer resolves content in place, so it gets copies to do it in.
  mail.data = copyContent({ ...mail.data })
  const content = fields(
    await new Promise((resolve, reject) => {
      mail.normalize((error, data) => (error ? reject(error) : resolve(data)))
    }),
  )
  const { attachments } = content
  const plain = contentText(content['text'])
  const html = contentText(content['html'])
  return {
    ...head,
    ...(plain !== '' && { text: plain }),
    ...(html !== '' && { html }),
    attachments: Array.isArray(attachments) ? attachments.map(toAttachment) : [],
    headers: otherHeaders(mail.message.buildHeaders()),
  }
}

/** Nodemailer would make nothing at all of other content, and the message would go out without it. */
function checkContent({ text: plain, html, attachments }: Fields): void {
  const named: [string, unknown][] = [
    ['text', plain],
    ['html', html],
    ...(Array.isArray(attachments) ? attachments : []).map(
      (attachment, index): [string, unknown] => [
        `attachments[${index}].content`,
        fields(attachment)['content'],
      ],
    ),
  ]
  const wrong = named.find(([, content]) => !isContent(content))
  if (wrong) {
    throw invalid(
      `${wrong[0]} must be a string, a Buffer, a stream of Node, or an object with path, href or content`,
    )
  }
}

function isContent(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true
  if (typeof value === 'string' || isUint8Array(value)) return true
  const { path, href, content, pipe } = fields(value)
  return typeof pipe === 'function' || Boolean(path ?? href) || content !== undefined
}

/** The headers as an object, which holds each name once; the names of others go to `lost`. */
export function headersByName(
  headers: ResolvedMail['headers'],
  lost: string[],
): Record<string, string> {
  const byName = new Map<string, { name: string; value: string }>()
  for (const header of headers) {
    const known = byName.get(header.name.toLowerCase())
    if (!known) byName.set(header.name.toLowerCase(), header)
    else if (known.value !== header.value) lost.push(`a second ${header.name} header`)
  }
  return Object.fromEntries([...byName.values()].map(({ name, value }) => [name, value]))
}

function mailboxes(value: unknown): Address[] {
  const entries = Array.isArray(value) ? value : []
  return entries.map(fields).flatMap(({ name, address }) => {
    if (typeof address !== 'string' || address === '') return []
    return [{ name: oneLine(text(name) ?? ''), address }]
  })
}

function headerText(value: unknown): string | undefined {
  const content = isFields(value) ? value['value'] : value
  return typeof content === 'string' ? oneLine(content) : undefined
}

/** What follows a line break would be a header of its own. */
function oneLine(value: string): string {
  return value.replace(/\s*[\r\n]+\s*/g, ' ').trim()
}

function copyContent(data: Fields): Fields {
  const copy = (value: unknown): unknown => {
    const plain = isFields(value) && !Buffer.isBuffer(value) && typeof value['pipe'] !== 'function'
    return plain ? { ...value } : value
  }
  const contents = ['html', 'text', 'watchHtml', 'amp', 'icalEvent']
  const lists = ['attachments', 'alternatives']
  return {
    ...data,
    ...Object.fromEntries(contents.map((name) => [name, copy(data[name])])),
    ...Object.fromEntries(
      lists.flatMap((name) => {
        const list = data[name]
        return Array.isArray(list) ? [[name, list.map(copy)]] : []
      }),
    ),
  }
}

function contentText(value: unknown): string {
  if (isUint8Array(value)) return Buffer.from(value).toString()
  return typeof value === 'string' ? value : ''
}

function toAttachment(value: unknown): Attachment {
  const { filename, contentType, content, encoding, cid } = fields(value)
  const contentId = text(cid)?.replace(/^<|>$/g, '')
  return {
    filename: String(filename),
    contentType: String(contentType),
    content: bytesOf(content, encoding),
    ...(contentId !== undefined && { contentId }),
  }
}

/** Nodemailer gives bytes in base64; of an attachment that is empty it gives anything. */
function bytesOf(content: unknown, encoding: unknown): Buffer {
  if (isUint8Array(content)) return Buffer.from(content)
  const written = typeof content === 'string' ? content : ''
  return Buffer.from(written, encoding === 'base64' ? 'base64' : 'utf8')
}

/** The provider composes these headers, whatever a message says. */
export const providerWrites =
  /^(?:date|mime-version|content-(?:type|transfer-encoding|disposition|id))$/i

// These have fields of their own.
const carriedElsewhere = /^(?:from|to|cc|bcc|subject|reply-to|message-id)$/i

function otherHeaders(block: string): { name: string; value: string }[] {
  return block.split(/\r?\n(?![ \t])/).flatMap((line) => {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    if (colon < 1 || carriedElsewhere.test(name) || providerWrites.test(name)) return []
    return [
      {
        name,
        value: line
          .slice(colon + 1)
          .replace(/\r?\n[ \t]+/g, ' ')
          .trim(),
      },
    ]
  })
}
