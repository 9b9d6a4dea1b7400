import { invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import { formatMailbox } from '../../message.js'
import { type Attachment, headersByName } from '../../resolved-mail.js'
import type { OutgoingMail } from '../../transport.js'

interface MandrillFile {
  type: string
  name: string
  content: string
}

/** The body of `messages/send`, without the key. */
export interface MandrillRequest {
  message: {
    from_email: string
    from_name?: string
    to: { email: string; name?: string; type: 'to' | 'cc' | 'bcc' }[]
    preserve_recipients: true
    subject?: string
    html?: string
    text?: string
    headers: Record<string, string>
    tags?: string[]
    metadata: Record<string, string>
    attachments?: MandrillFile[]
    images?: MandrillFile[]
  }
}

// The limit that its documents give; what lies beyond is told nowhere, so it is not tried.
const metadataLimit = 250

export function buildRequest(
  mail: OutgoingMail,
  trackingId: string,
): { request: MandrillRequest; lost: string[] } {
  const lost: string[] = []
  const [from, ...otherSenders] = mail.from
  if (!from) throw invalid('Mandrill needs a from address')
  if (otherSenders.length > 0) lost.push('more than one from address')
  const to = (['to', 'cc', 'bcc'] as const).flatMap((type) =>
    mail[type].map(({ name, address }) => ({ email: address, ...(name !== '' && { name }), type })),
  )
  if (to.length === 0) throw invalid('Mandrill needs at least one recipient')
  const images = mail.attachments.filter(isImage)
  const attachments = mail.attachments.filter((attachment) => !isImage(attachment))
  for (const { contentId } of attachments) {
    if (contentId !== undefined) lost.push(`the cid ${contentId}, which is not an image's`)
  }
  return {
    lost,
    request: {
      message: {
        from_email: from.address,
        ...(from.name !== '' && { from_name: from.name }),
        to,
        // Without it an account's setting may give each recipient, a bcc too, a mail of its own.
        preserve_recipients: true,
        ...(mail.subject && { subject: mail.subject }),
        ...(mail.html !== undefined && { html: mail.html }),
        ...(mail.text !== undefined && { text: mail.text }),
        headers: {
          ...headersByName(mail.headers, lost),
          ...(mail.replyTo.length > 0 && {
            'Reply-To': mail.replyTo.map(formatMailbox).join(', '),
          }),
          'Message-Id': mail.messageId,
        },
        ...(mail.tags.length > 0 && { tags: checkedTags(mail.tags) }),
        metadata: checkedMetadata({ ...mail.metadata, [ownIdKey]: trackingId }),
        ...(attachments.length > 0 && {
          attachments: attachments.map((attachment) => file(attachment, attachment.filename)),
        }),
        ...(images.length > 0 && {
          images: images.map((image) => file(image, image.contentId ?? '')),
        }),
      },
    },
  }
}

/** Only images can be shown inside a message; Mandrill takes the name for the Content-ID. */
function isImage({ contentId, contentType }: Attachment): boolean {
  return contentId !== undefined && /^image\//i.test(contentType)
}

function file({ contentType, content }: Attachment, name: string): MandrillFile {
  return { type: contentType, name, content: content.toString('base64') }
}

function checkedTags(tags: string[]): string[] {
  for (const tag of tags) {
    if (tag === '') throw invalid('Mandrill takes no empty tag')
    if (tag.startsWith('_')) throw invalid(`Mandrill takes no tag that begins with _: ${tag}`)
    if (tag.length > 50) throw invalid(`Mandrill takes tags of up to 50 characters: ${tag}`)
  }
  return tags
}

function checkedMetadata(metadata: Record<string, string>): Record<string, string> {
  const reserved = Object.keys(metadata).find((key) => key.startsWith('_'))
  if (reserved !== undefined) {
    throw invalid(`Mandrill takes no metadata whose name begins with _: ${reserved}`)
  }
  const size = Buffer.byteLength(JSON.stringify(metadata))
  if (size > metadataLimit) {
    throw invalid(
      `Mandrill takes ${metadataLimit} bytes of metadata as JSON, and with our id these are ${size}`,
    )
  }
  return metadata
}
