import { headersByName, type MailHead } from '../../mail-head.js'
import { invalid } from '../../mail-options.js'
import { formatMailbox } from '../../message.js'
import type { Fields } from '../../payload.js'
import type { BuiltRequest, OutgoingMail } from '../../provider-client.js'
import { fileOf, isReadOtherwise, type MailgunFile, sizeInMail } from './files.js'
import { withInlines } from './inline-parts.js'
import { checkMessageBytes, checkRecipients } from './limits.js'
import { checkHead, keptMessageId, lostInFields } from './message-head.js'
import { checkOptions, optionFields, prefixed, templateOf } from './option-fields.js'
import { type Form, withOwnFields } from './own-fields.js'
import { withPlaceholders } from './recipient-variables.js'

/** The form of `POST /v3/{domain}/messages`, or of `/messages.mime` where it has a document. */
export interface MailgunRequest {
  /** The SDK drops an empty lone text, so each value is in a list. */
  fields: Form
  attachments: MailgunFile[]
  inlines: MailgunFile[]
  /** The whole message. */
  document?: MailgunFile
}

/** The fields of a message that go to Mailgun beyond those that each provider carries. */
export const carries: ReadonlySet<string> = new Set([
  'amp',
  'templateId',
  'templateData',
  'recipientData',
  'sendAt',
  'trackOpens',
  'trackClicks',
  'mailgun',
])

export function buildRequest(
  given: OutgoingMail,
  trackingId: string,
  now: number,
): BuiltRequest<MailgunRequest> {
  const { mail, recipientVariables } = given.recipientData
    ? withPlaceholders(given, given.recipientData, templateOf(given) !== undefined)
    : { mail: given, recipientVariables: undefined }
  checkHead(mail)
  const lost = lostInFields(mail)
  checkRecipients(mail.to.length + mail.cc.length + mail.bcc.length)
  if (mail.to.length === 0) throw invalid('Mailgun needs at least one recipient in to')
  const { html, amp, inlines } = withInlines(mail)
  const { subject, text } = mail
  const fields = withOwnFields(
    {
      ...addressFields(mail),
      ...(subject && { subject }),
      ...(text !== undefined && { text }),
      ...(amp !== undefined && { 'amp-html': amp }),
      ...(html !== undefined && { html }),
      ...headerFields(mail),
      ...optionFields(mail, trackingId, now, lost),
      // Its presence makes a message for each recipient, who sees no other.
      ...(recipientVariables && { 'recipient-variables': JSON.stringify(recipientVariables) }),
    },
    mail.own,
  )
  checkContent(fields)
  checkOptions(fields, lost, recipientVariables)
  const attachments = attachedFiles(mail, lost)
  checkMessageBytes(
    [...attachments, ...inlines].reduce((sum, file) => sum + sizeInMail(file), sizeOfTexts(fields)),
    'this one with its files in base64',
  )
  return {
    lost,
    request: {
      fields: hasContent(fields) ? fields : { ...fields, text: [' '] },
      attachments,
      inlines,
    },
  }
}

function addressFields({ from, to, cc, bcc }: MailHead): Fields {
  return {
    from: from.map(formatMailbox),
    to: to.map(formatMailbox),
    cc: cc.map(formatMailbox),
    bcc: bcc.map(formatMailbox),
  }
}

function headerFields({ headers, replyTo, messageId }: MailHead): Fields {
  const id = keptMessageId(messageId)
  return {
    // What stands there several times is beyond fields.
    ...prefixed('h:', headersByName(headers, [])),
    ...(replyTo.length > 0 && { 'h:Reply-To': replyTo.map(formatMailbox).join(', ') }),
    ...(id !== undefined && { 'h:Message-Id': id }),
  }
}

function attachedFiles({ attachments }: OutgoingMail, lost: string[]): MailgunFile[] {
  return attachments.flatMap((attachment, index) => {
    if (attachment.contentId !== undefined) return []
    if (isReadOtherwise(attachment.filename)) lost.push(`attachments[${index}].filename as it is`)
    return [fileOf(attachment)]
  })
}

const isGiven = (form: Form, name: string): boolean =>
  form[name]?.some((value) => value !== '') ?? false

/** A template may bring the subject and the content, and must be the only one to bring HTML. */
function checkContent(form: Form): void {
  const templated = isGiven(form, 'template')
  if (!templated && !isGiven(form, 'subject')) throw invalid('Mailgun needs a subject')
  if (templated && isGiven(form, 'html')) {
    throw invalid('Mailgun takes html or a template (templateId), and not both')
  }
}

const texts = ['text', 'html', 'amp-html']

/** Whether there is any; Mailgun refuses a mail without. */
function hasContent(form: Form): boolean {
  return [...texts, 'template'].some((name) => isGiven(form, name))
}

function sizeOfTexts(form: Form): number {
  return Buffer.byteLength(texts.flatMap((name) => form[name] ?? []).join(''))
}
