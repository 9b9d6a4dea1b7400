import type { BuiltRequest, OutgoingDocument } from '../../provider-client.js'
import { checkMessageBytes, checkRecipients } from './limits.js'
import { checkDocumentHead, checkHead } from './message-head.js'
import { checkOptions, optionFields } from './option-fields.js'
import { partOwnFields, withOwnFields } from './own-fields.js'
import type { MailgunRequest } from './request.js'

/** The form of `POST /v3/{domain}/messages.mime`. */
export function buildMimeRequest(
  mail: OutgoingDocument,
  trackingId: string,
  now: number,
): BuiltRequest<MailgunRequest> {
  const { document, recipients, own } = mail
  checkHead(mail)
  checkDocumentHead(document)
  checkRecipients(recipients.length)
  checkMessageBytes(document.length, 'this one as a document')
  const { inDocument, others } = partOwnFields(own)
  // They would not be used, or stand beside what the document says.
  const lost = inDocument.map((name) => `mailgun.${name}`)
  const fields = withOwnFields(
    { to: recipients, ...optionFields(mail, trackingId, now, lost) },
    others,
  )
  checkOptions(fields, lost)
  return {
    lost,
    request: {
      fields,
      attachments: [],
      inlines: [],
      document: { filename: 'message.eml', contentType: 'message/rfc822', content: document },
    },
  }
}
