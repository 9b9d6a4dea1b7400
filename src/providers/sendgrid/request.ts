import { invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import type { Address } from '../../message.js'
import { type Attachment, headersByName } from '../../resolved-mail.js'
import type { OutgoingMail } from '../../transport.js'
import { reservedKey } from './reserved-keys.js'

interface Mailbox {
  email: string
  name?: string
}

interface SendgridAttachment {
  /** In base64. */
  content: string
  filename: string
  type: string
  disposition: 'inline' | 'attachment'
  content_id?: string
}

/** The body of `POST /v3/mail/send`. */
export interface SendgridRequest {
  personalizations: {
    to: Mailbox[]
    cc?: Mailbox[]
    bcc?: Mailbox[]
    custom_args: Record<string, string>
  }[]
  from: Mailbox
  reply_to_list?: Mailbox[]
  subject: string
  content: { type: string; value: string }[]
  attachments?: SendgridAttachment[]
  headers: Record<string, string>
  categories?: string[]
}

// Refused whatever their value is, or of no effect here (X-SMTPAPI is SMTP's, Return-Path is
// SendGrid's own); the rest of SendGrid's list has fields of its own.
const uncarriedHeaders = new Set([
  'x-sg-id',
  'x-sg-eid',
  'received',
  'dkim-signature',
  'x-smtpapi',
  'return-path',
])

// The limits of the API reference; its page of errors knows larger ones for metadata.
const limits = {
  recipients: 1000,
  categories: 10,
  customArgsBytes: 10_000,
  messageBytes: 30 * 1024 * 1024,
}

export function buildRequest(
  mail: OutgoingMail,
  trackingId: string,
): { request: SendgridRequest; lost: string[] } {
  const lost: string[] = []
  const [from, ...otherSenders] = mail.from
  if (!from) throw invalid('SendGrid needs a from address')
  if (mail.to.length === 0) throw invalid('SendGrid needs at least one recipient in to')
  if (!mail.subject) throw invalid('SendGrid needs a subject')
  if (otherSenders.length > 0) lost.push('more than one from address')
  checkRecipients(mail)
  const content = toContent(mail)
  const attachments = mail.attachments.map((attachment) => toAttachment(attachment, lost))
  checkSize([...content.map(({ value }) => value), ...attachments.map((file) => file.content)])
  return {
    lost,
    request: {
      personalizations: [
        {
          to: mail.to.map(mailbox),
          ...(mail.cc.length > 0 && { cc: mail.cc.map(mailbox) }),
          ...(mail.bcc.length > 0 && { bcc: mail.bcc.map(mailbox) }),
          custom_args: customArgs(mail.metadata, trackingId),
        },
      ],
      from: mailbox(from),
      ...(mail.replyTo.length > 0 && { reply_to_list: mail.replyTo.map(mailbox) }),
      subject: mail.subject,
      content,
      ...(attachments.length > 0 && { attachments }),
      headers: { ...headersByName(carriedHeaders(mail, lost), lost), 'Message-ID': mail.messageId },
      ...(mail.tags.length > 0 && { categories: categories(mail.tags) }),
    },
  }
}

function checkRecipients({ to, cc, bcc }: OutgoingMail): void {
  const count = to.length + cc.length + bcc.length
  if (count > limits.recipients) {
    throw invalid(`SendGrid takes ${limits.recipients} recipients at once, and these are ${count}`)
  }
}

/** Looked at here, for an upload that is cut short by the server's limit has an unknown outcome. */
function checkSize(parts: string[]): void {
  const size = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0)
  if (size > limits.messageBytes) {
    throw invalid(`SendGrid takes 30 MB with attachments in base64, and these are ${size} bytes`)
  }
}

function mailbox({ name, address }: Address): Mailbox {
  return { email: address, ...(name !== '' && { name }) }
}

function carriedHeaders({ headers }: OutgoingMail, lost: string[]): OutgoingMail['headers'] {
  return headers.filter(({ name }) => {
    const carried = !uncarriedHeaders.has(name.toLowerCase())
    if (!carried) lost.push(`the header ${name}`)
    return carried
  })
}

function customArgs(metadata: Record<string, string>, trackingId: string): Record<string, string> {
  const reserved = Object.keys(metadata).filter(reservedKey)
  if (reserved.length > 0) {
    throw invalid(
      `SendGrid writes ${reserved.join(', ')} into its events itself: give the metadata another name`,
    )
  }
  const args = { ...metadata, [ownIdKey]: trackingId }
  const size = Buffer.byteLength(JSON.stringify(args))
  if (size > limits.customArgsBytes) {
    throw invalid(
      `SendGrid takes ${limits.customArgsBytes} bytes of metadata as JSON, and with our id these are ${size}`,
    )
  }
  return args
}

function categories(tags: string[]): string[] {
  const unique = [...new Set(tags)]
  if (unique.length > limits.categories) {
    throw invalid(`SendGrid takes ${limits.categories} tags, and these are ${unique.length}`)
  }
  for (const tag of unique) {
    if (!/^[ -~]{1,255}$/.test(tag)) {
      throw invalid(`SendGrid takes tags of 1 to 255 ASCII characters: ${JSON.stringify(tag)}`)
    }
  }
  return unique
}

/** Plain text stands first, which SendGrid insists on; it takes no empty part, and not none. */
function toContent({ text, html }: OutgoingMail): SendgridRequest['content'] {
  const parts = [
    ...(text === undefined ? [] : [{ type: 'text/plain', value: text }]),
    ...(html === undefined ? [] : [{ type: 'text/html', value: html }]),
  ]
  return parts.length > 0 ? parts : [{ type: 'text/plain', value: ' ' }]
}

// SendGrid names the file itself, and takes text for UTF-8.
const needlessParameter = /^(?:name=|charset="?(?:utf-?8|us-ascii)"?$)/i

function toAttachment(
  { filename, contentType, content, contentId }: Attachment,
  lost: string[],
): SendgridAttachment {
  if (content.length === 0) {
    throw invalid(`SendGrid takes no empty attachment: ${filename} is empty`)
  }
  // SendGrid allows no semicolon here.
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim())
  for (const parameter of parameters) {
    if (parameter !== '' && !needlessParameter.test(parameter)) {
      lost.push(`${parameter} of the attachment ${filename}`)
    }
  }
  return {
    content: content.toString('base64'),
    filename,
    type: type || 'application/octet-stream',
    disposition: contentId === undefined ? 'attachment' : 'inline',
    ...(contentId !== undefined && { content_id: contentId }),
  }
}
