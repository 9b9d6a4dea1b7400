import { invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import { formatMailbox } from '../../message.js'
import { type Attachment, headersByName } from '../../resolved-mail.js'
import type { OutgoingMail } from '../../transport.js'

/** The form fields of `POST /v3/{domain}/messages`; a list repeats the field. */
export interface MailgunRequest {
  fields: Record<string, string | string[]>
  attachments: MailgunFile[]
  inlines: MailgunFile[]
}

export interface MailgunFile {
  filename: string
  contentType: string
  content: Buffer
}

export function buildRequest(
  mail: OutgoingMail,
  trackingId: string,
): { request: MailgunRequest; lost: string[] } {
  const lost: string[] = []
  if (mail.from.length === 0) throw invalid('Mailgun needs a from address')
  if (mail.to.length === 0) throw invalid('Mailgun needs at least one recipient in to')
  if (!mail.subject) throw invalid('Mailgun needs a subject')
  const { html, attachments, inlines } = withInlineNames(mail)
  const { text = html === undefined ? ' ' : undefined } = mail
  for (const [key, value] of Object.entries(mail.metadata)) {
    // The SDK leaves empty fields out.
    if (value === '') lost.push(`metadata.${key}, which is empty`)
  }
  return {
    lost,
    request: {
      fields: {
        from: mail.from.map(formatMailbox),
        to: mail.to.map(formatMailbox),
        ...(mail.cc.length > 0 && { cc: mail.cc.map(formatMailbox) }),
        ...(mail.bcc.length > 0 && { bcc: mail.bcc.map(formatMailbox) }),
        subject: mail.subject,
        ...(text !== undefined && { text }),
        ...(html !== undefined && { html }),
        ...prefixed('h:', headersByName(mail.headers, lost)),
        ...(mail.replyTo.length > 0 && {
          'h:Reply-To': mail.replyTo.map(formatMailbox).join(', '),
        }),
        'h:Message-Id': mail.messageId,
        ...(mail.tags.length > 0 && { 'o:tag': mail.tags }),
        ...prefixed('v:', mail.metadata),
        [`v:${ownIdKey}`]: trackingId,
      },
      attachments: attachments.map(file),
      inlines,
    },
  }
}

function prefixed(prefix: string, values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]))
}

function file({ filename, contentType, content }: Attachment): MailgunFile {
  return { filename, contentType, content }
}

// Gmail refuses a mail with an attachment that is named like a program, `logo@example.com` for one.
const safeName = /^[\w-]+\.(?:png|jpe?g|gif|webp|svg|bmp)$/i

/**
 * Mailgun takes the file name of an inline part for its Content-ID. An id that cannot be a file
 * name is given another, in the HTML too.
 */
function withInlineNames({ html, attachments }: OutgoingMail): {
  html: string | undefined
  attachments: Attachment[]
  inlines: MailgunFile[]
} {
  const inlines: MailgunFile[] = []
  let rewritten = html
  for (const attachment of attachments) {
    const { contentId, contentType, content } = attachment
    if (contentId === undefined) continue
    const filename = safeName.test(contentId)
      ? contentId
      : `inline-${inlines.length + 1}.${/^image\/([a-z]+)/i.exec(contentType)?.[1] ?? 'bin'}`
    rewritten = rewritten?.replaceAll(`cid:${contentId}`, `cid:${filename}`)
    inlines.push({ filename, contentType, content })
  }
  const others = attachments.filter(({ contentId }) => contentId === undefined)
  return { html: rewritten, attachments: others, inlines }
}
