import { headersByName } from '../../mail-head.js'
import { invalid } from '../../mail-options.js'
import { canonicalAddress } from '../../matching.js'
import type { Address } from '../../message.js'
import { type BuiltRequest, inBatches, type OutgoingMail } from '../../provider-client.js'
import { type SendgridAttachment, toAttachments } from './attachments.js'
import { type Content, toContent } from './content.js'
import { carriedHeaders } from './headers.js'
import type { SendgridMailOptions } from './mail-options.js'
import { parametersOf } from './parameters.js'
import {
  type Mailbox,
  mailbox,
  mostRecipients,
  type Personalization,
  toPersonalizations,
} from './personalizations.js'

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

/** The fields of a message that it carries beyond those that each provider does. */
export const carries: ReadonlySet<string> = new Set([
  'alternatives',
  'amp',
  'attachments.inline',
  'icalEvent',
  'recipientData',
  'sendAt',
  'sendgrid',
  'templateData',
  'templateId',
  'trackClicks',
  'trackOpens',
  'watchHtml',
])

/** The calls that a message takes in which every recipient gets one of its own. */
export function callsOf(mail: OutgoingMail): OutgoingMail[] {
  return inBatches(mail, mostRecipients)
}

/** @param now the time by which a later sending is measured, in ms */
export function buildRequest(
  mail: OutgoingMail,
  trackingId: string,
  now: number,
): BuiltRequest<SendgridRequest> {
  const lost: string[] = []
  const parameters = parametersOf(mail, now)
  const { template_id: templateId } = parameters
  const [from, ...otherSenders] = mail.from
  if (!from) throw invalid('SendGrid needs a from address')
  if (!mail.subject && templateId === undefined) throw invalid('SendGrid needs a subject')
  if (otherSenders.length > 0) lost.push('more than one from address')
  const content = toContent(mail, templateId, lost)
  const attachments = toAttachments(mail, lost)
  const headers = headersByName(carriedHeaders(mail.headers, lost), lost)
  const replyTo = toReplies(mail.replyTo)
  const start = { templateId, trackingId, headers }
  const request: SendgridRequest = {
    ...parameters,
    personalizations: toPersonalizations(mail, start, lost),
    from: mailbox(from),
    ...(replyTo.length > 0 && { reply_to_list: replyTo }),
    ...(mail.subject && { subject: mail.subject }),
    ...(content.length > 0 && { content }),
    ...(attachments.length > 0 && { attachments }),
    headers: { ...headers, 'Message-ID': mail.messageId },
  }
  return { lost, request }
}

const mostReplies = 1000

/** SendGrid takes no address twice here, and an answer goes to each once anyway. */
function toReplies(replyTo: readonly Address[]): Mailbox[] {
  const seen = new Set<string>()
  const unique = replyTo.filter(({ address }) => {
    const key = canonicalAddress(address)
    return !seen.has(key) && seen.add(key)
  })
  if (unique.length > mostReplies) {
    throw invalid(
      `SendGrid takes ${mostReplies} addresses as replyTo, and these are ${unique.length}`,
    )
  }
  return unique.map(mailbox)
}

const mostMessageBytes = 30 * 1024 * 1024

/**
 * The body of the call. Its size is looked at here, for an upload that is cut short by the server's limit
 * has an unknown outcome.
 *
 * @throws SendError for more than SendGrid takes
 */
export function bodyOf(request: unknown): string {
  const body = JSON.stringify(request)
  const size = Buffer.byteLength(body)
  if (size > mostMessageBytes) {
    throw invalid(`SendGrid takes 30 MB with attachments in base64, and these are ${size} bytes`)
  }
  return body
}
