import { invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import type { Address } from '../../message.js'
import { headersByName } from '../../mail-head.js'
import type { Attachment } from '../../resolved-mail.js'
import type { OutgoingMail } from '../../provider-client.js'
import { type Filling, fillingOf, parametersOf, type SendgridMailOptions } from './mail-options.js'
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
export interface SendgridRequest extends SendgridMailOptions {
  personalizations: Personalization[]
  from: Mailbox
  reply_to_list?: Mailbox[]
  subject?: string
  content?: Content[]
  attachments?: SendgridAttachment[]
  headers: Record<string, string>
}

interface Personalization extends Filling {
  to: Mailbox[]
  cc?: Mailbox[]
  bcc?: Mailbox[]
  custom_args: Record<string, string>
}

interface Content {
  type: string
  value: string
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
  customArgsBytes: 10_000,
  messageBytes: 30 * 1024 * 1024,
}

/** @param now the time by which a later sending is measured, in ms */
export function buildRequest(
  mail: OutgoingMail,
  trackingId: string,
  now: number,
): { request: SendgridRequest; lost: string[] } {
  const lost: string[] = []
  const parameters = parametersOf(mail, now)
  const { template_id: templateId } = parameters
  const [from, ...otherSenders] = mail.from
  if (!from) throw invalid('SendGrid needs a from address')
  if (mail.to.length === 0) throw invalid('SendGrid needs at least one recipient in to')
  if (!mail.subject && templateId === undefined) throw invalid('SendGrid needs a subject')
  if (otherSenders.length > 0) lost.push('more than one from address')
  checkRecipients(mail)
  const content = toContent(mail, templateId)
  const attachments = mail.attachments.map((attachment) => toAttachment(attachment, lost))
  const filling = fillingOf(mail.templateData, templateId)
  checkSize([
    ...content.map(({ value }) => value),
    ...attachments.map((file) => file.content),
    JSON.stringify(filling),
  ])
  return {
    lost,
    request: {
      ...parameters,
      personalizations: [
        {
          to: mail.to.map(mailbox),
          ...(mail.cc.length > 0 && { cc: mail.cc.map(mailbox) }),
          ...(mail.bcc.length > 0 && { bcc: mail.bcc.map(mailbox) }),
          ...filling,
          custom_args: customArgs(mail.metadata, trackingId),
        },
      ],
      from: mailbox(from),
      ...(mail.replyTo.length > 0 && { reply_to_list: mail.replyTo.map(mailbox) }),
      ...(mail.subject && { subject: mail.subject }),
      ...(content.length > 0 && { content }),
      ...(attachments.length > 0 && { attachments }),
      headers: { ...headersByName(carriedHeaders(mail, lost), lost), 'Message-ID': mail.messageId },
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

/** Plain text first, as SendGrid insists; it takes no empty part, and no parts at all with a template alone. */
function toContent({ text, html }: OutgoingMail, templateId: string | undefined): Content[] {
  const parts = [
    ...(text === undefined ? [] : [{ type: 'text/plain', value: text }]),
    ...(html === undefined ? [] : [{ type: 'text/html', value: html }]),
  ]
  return parts.length > 0 || templateId !== undefined ? parts : [{ type: 'text/plain', value: ' ' }]
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
