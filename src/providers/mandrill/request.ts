import { mergedDeep } from '../../deep-merge.js'
import { invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import { formatMailbox, type RecipientKind } from '../../message.js'
import type { Fields } from '../../payload.js'
import { headersByName } from '../../mail-head.js'
import type { Attachment } from '../../resolved-mail.js'
import type { OutgoingMail } from '../../provider-client.js'
import type { MandrillAttachment } from './mail-options.js'
import { mergeVars } from './merge-vars.js'
import { namedAlike, readOwn } from './own-fields.js'
import { toSendAt } from './send-at.js'

/** A send call. */
export interface MandrillRequest {
  /** The method of the SDK. */
  call: 'send' | 'sendTemplate'
  /** Its body, without the key. */
  body: Fields
  /** Every address it goes to, in the order of the body. */
  addresses: string[]
}

// The limit that its documents give; what lies beyond is told nowhere, so it is not tried.
const metadataLimit = 250

export function buildRequest(
  mail: OutgoingMail,
  trackingId: string,
  now: Date,
): { request: MandrillRequest; lost: string[] } {
  const { templateId, templateData, sendAt } = mail
  const lost: string[] = []
  refuseUnwritable('templateData', templateData)
  refuseUnwritable('mandrill', mail.own)
  const own = readOwn(mail.own)
  if (templateId === undefined && own.call['template_content'] !== undefined) {
    throw invalid('mandrill.template_content cannot be given without a templateId')
  }
  const to = recipientsOf(mail)
  const headers = headersOf(mail, lost)
  const vars = mergeVars(templateData, own.message['merge_language'])
  const message = {
    ...senderOf(mail, lost),
    to,
    // Without it an account's setting may give each recipient, a bcc too, a mail of its own.
    preserve_recipients: true,
    ...(mail.subject && { subject: mail.subject }),
    ...(mail.html !== undefined && { html: mail.html }),
    ...(mail.text !== undefined && { text: mail.text }),
    headers,
    ...(mail.trackOpens !== undefined && { track_opens: mail.trackOpens }),
    ...(mail.trackClicks !== undefined && { track_clicks: mail.trackClicks }),
    ...(vars.length > 0 && { global_merge_vars: vars }),
    ...(mail.tags.length > 0 && { tags: checkedTags(mail.tags) }),
    metadata: checkedMetadata({ ...mail.metadata, ...own.metadata, [ownIdKey]: trackingId }),
    ...filesOf(mail, lost),
  }
  const call = {
    message,
    ...(templateId !== undefined && { template_name: templateId, template_content: [] }),
    ...(sendAt && { send_at: toSendAt(sendAt, now) }),
  }
  const ownMessage = { ...own.message, headers: namedAlike(own.headers, headers) }
  return {
    lost,
    request: {
      call: templateId === undefined ? 'send' : 'sendTemplate',
      body: mergedDeep(call, { ...own.call, message: ownMessage }),
      addresses: to.map(({ email }) => email),
    },
  }
}

function senderOf(
  { from: [sender, ...others] }: OutgoingMail,
  lost: string[],
): { from_email: string; from_name?: string } {
  if (!sender) throw invalid('Mandrill needs a from address')
  if (others.length > 0) lost.push('more than one from address')
  return { from_email: sender.address, ...(sender.name !== '' && { from_name: sender.name }) }
}

function recipientsOf(mail: OutgoingMail): { email: string; name?: string; type: RecipientKind }[] {
  const to = (['to', 'cc', 'bcc'] as const).flatMap((type) =>
    mail[type].map(({ name, address }) => ({ email: address, ...(name !== '' && { name }), type })),
  )
  if (to.length === 0) throw invalid('Mandrill needs at least one recipient')
  return to
}

function headersOf(mail: OutgoingMail, lost: string[]): Record<string, string> {
  return {
    ...headersByName(mail.headers, lost),
    ...(mail.replyTo.length > 0 && {
      'Reply-To': mail.replyTo.map(formatMailbox).join(', '),
    }),
    'Message-Id': mail.messageId,
  }
}

function filesOf(
  mail: OutgoingMail,
  lost: string[],
): { attachments?: MandrillAttachment[]; images?: MandrillAttachment[] } {
  const images = mail.attachments.filter(isImage)
  const attachments = mail.attachments.filter((attachment) => !isImage(attachment))
  for (const { contentId } of attachments) {
    if (contentId !== undefined) lost.push(`the cid ${contentId}, which is not an image's`)
  }
  return {
    ...(attachments.length > 0 && {
      attachments: attachments.map((attachment) => file(attachment, attachment.filename)),
    }),
    ...(images.length > 0 && {
      images: images.map((image) => file(image, image.contentId ?? '')),
    }),
  }
}

/** The SDK answers for it as it does for a broken connection, which leaves open what was sent. */
function refuseUnwritable(name: string, value: Fields): void {
  try {
    JSON.stringify(value)
  } catch {
    throw invalid(`${name} cannot be written as JSON`)
  }
}

/** Only images can be shown inside a message; Mandrill takes the name for the Content-ID. */
function isImage({ contentId, contentType }: Attachment): boolean {
  return contentId !== undefined && /^image\//i.test(contentType)
}

function file({ contentType, content }: Attachment, name: string): MandrillAttachment {
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
