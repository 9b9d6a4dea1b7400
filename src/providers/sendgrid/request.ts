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
  attachments?: {
    content: string
    filename: string
    type: string
    disposition: 'inline' | 'attachment'
    content_id?: string
  }[]
  headers: Record<string, string>
  categories?: string[]
}

// Refused by SendGrid whatever their value is; the rest of its list has fields of its own.
const refusedHeaders = new Set(['x-sg-id', 'x-sg-eid', 'received', 'dkim-signature'])

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
  const headers = headersByName(
    mail.headers.filter(({ name }) => {
      const refused = refusedHeaders.has(name.toLowerCase())
      if (refused) lost.push(`the header ${name}`)
      return !refused
    }),
    lost,
  )
  return {
    lost,
    request: {
      personalizations: [
        {
          to: mail.to.map(mailbox),
          ...(mail.cc.length > 0 && { cc: mail.cc.map(mailbox) }),
          ...(mail.bcc.length > 0 && { bcc: mail.bcc.map(mailbox) }),
          custom_args: { ...customArgs(mail.metadata), [ownIdKey]: trackingId },
        },
      ],
      from: mailbox(from),
      ...(mail.replyTo.length > 0 && { reply_to_list: mail.replyTo.map(mailbox) }),
      subject: mail.subject,
      content: content(mail),
      ...(mail.attachments.length > 0 && { attachments: mail.attachments.map(attachment) }),
      headers: { ...headers, 'Message-ID': mail.messageId },
      ...(mail.tags.length > 0 && { categories: [...new Set(mail.tags)] }),
    },
  }
}

function mailbox({ name, address }: Address): Mailbox {
  return { email: address, ...(name !== '' && { name }) }
}

function customArgs(metadata: Record<string, string>): Record<string, string> {
  const reserved = Object.keys(metadata).filter(reservedKey)
  if (reserved.length > 0) {
    throw invalid(
      `SendGrid writes ${reserved.join(', ')} into its events itself: give the metadata another name`,
    )
  }
  return metadata
}

/** Plain text stands first, which SendGrid insists on; it takes no empty part, and not none. */
function content({ text, html }: OutgoingMail): SendgridRequest['content'] {
  const parts = [
    ...(text === undefined ? [] : [{ type: 'text/plain', value: text }]),
    ...(html === undefined ? [] : [{ type: 'text/html', value: html }]),
  ]
  return parts.length > 0 ? parts : [{ type: 'text/plain', value: ' ' }]
}

function attachment({
  filename,
  contentType,
  content: bytes,
  contentId,
}: Attachment): NonNullable<SendgridRequest['attachments']>[number] {
  if (bytes.length === 0) throw invalid(`SendGrid takes no empty attachment: ${filename} is empty`)
  return {
    content: bytes.toString('base64'),
    filename,
    // Parameters are refused: SendGrid allows no semicolon here.
    type: contentType.split(';')[0]?.trim() || 'application/octet-stream',
    disposition: contentId === undefined ? 'attachment' : 'inline',
    ...(contentId !== undefined && { content_id: contentId }),
  }
}
