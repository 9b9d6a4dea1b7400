import { mergedDeep } from '../../deep-merge.js'
import { headersByName } from '../../mail-head.js'
import { invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import { formatMailbox, type RecipientKind } from '../../message.js'
import type { Fields } from '../../payload.js'
import type { BuiltRequest, OutgoingMail } from '../../provider-client.js'
import type { Attachment } from '../../resolved-mail.js'
import { isImageType, lostContentId, severalSenders } from './beyond-fields.js'
import {
  checkedMetadata,
  checkedTags,
  checkSize,
  checkSubject,
  refuseMetadataHeader,
  refuseUnwritable,
} from './limits.js'
import type { MandrillAttachment } from './mail-options.js'
import { mergeVars } from './merge-vars.js'
import { namedAlike, readOwn } from './own-fields.js'
import { toEach } from './recipient-data.js'
import { toSendAt } from './send-at.js'

/** A send call. */
export interface MandrillRequest {
  /** The method of the SDK. */
  call: 'send' | 'sendTemplate' | 'sendRaw'
  /** Its body, without the key. */
  body: Fields
  /** Every address it goes to, in the order of the body. */
  addresses: string[]
}

/** The fields of a message that it carries beyond those that each provider does. */
export const carries: ReadonlySet<string> = new Set([
  'templateId',
  'templateData',
  'sendAt',
  'trackOpens',
  'trackClicks',
  'recipientData',
  'mandrill',
])

export function buildRequest(
  mail: OutgoingMail,
  trackingId: string,
  now: number,
): BuiltRequest<MandrillRequest> {
  const { templateId, templateData, sendAt } = mail
  const lost: string[] = []
  refuseUnwritable('templateData', templateData)
  refuseUnwritable('mandrill', mail.own)
  const own = readOwn(mail.own)
  if (templateId === undefined && own.call['template_content'] !== undefined) {
    throw invalid('mandrill.template_content cannot be given without a templateId')
  }
  checkSubject(mail.subject)
  const to = recipientsOf(mail)
  const headers = headersOf(mail, lost)
  refuseMetadataHeader([...Object.keys(headers), ...Object.keys(own.headers)])
  const language = own.message['merge_language']
  const vars = mergeVars('templateData', templateData, language)
  const metadata = { ...mail.metadata, ...own.metadata, [ownIdKey]: trackingId }
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
    metadata: checkedMetadata(metadata),
    ...filesOf(mail, lost),
    ...(mail.recipientData && toEach(mail, mail.recipientData, { metadata, vars, own })),
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
  { from }: OutgoingMail,
  lost: string[],
): { from_email: string; from_name?: string } {
  const [sender] = from
  if (!sender) throw invalid('Mandrill needs a from address')
  lost.push(...severalSenders({ from }))
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
    if (contentId !== undefined) lost.push(lostContentId(contentId))
  }
  const files = {
    ...(attachments.length > 0 && {
      attachments: attachments.map((attachment) => file(attachment, attachment.filename)),
    }),
    ...(images.length > 0 && {
      images: images.map((image) => ({
        ...file(image, image.contentId ?? ''),
        // Mandrill asks for the word as it stands here.
        type: image.contentType.replace(/^image/i, 'image'),
      })),
    }),
  }
  const contents = Object.values(files).flatMap((list) => list.map(({ content }) => content))
  checkSize(
    [mail.html ?? '', mail.text ?? ''].reduce(
      (sum, part) => sum + Buffer.byteLength(part),
      // Base64 is as many bytes as characters.
      contents.reduce((sum, content) => sum + content.length, 0),
    ),
  )
  return files
}

/** Mandrill takes the name for the Content-ID. */
function isImage({ contentId, contentType }: Attachment): boolean {
  return contentId !== undefined && isImageType(contentType)
}

// A message to many may take a call for each of them, and all of the calls wait to be made.
const encoded = new WeakMap<Buffer, string>()

function file({ contentType, content }: Attachment, name: string): MandrillAttachment {
  const base64 = encoded.get(content) ?? content.toString('base64')
  encoded.set(content, base64)
  return { type: contentType, name, content: base64 }
}
