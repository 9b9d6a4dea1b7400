// What `mailtrail/provider` offers to who writes a provider: the same that the built-in ones are made of.
// docs/providers.md walks through it.

// A transport.
export { createProviderTransport } from './transport.js'
export { inBatches } from './provider-client.js'
export type {
  BuiltRequest,
  MimeRoute,
  OutgoingDocument,
  OutgoingMail,
  PortableOptions,
  ProviderClient,
} from './provider-client.js'
export type { RecipientAnswer, SendAnswer } from './send-result.js'
export type { Header, MailHead } from './mail-head.js'
export type { NodemailerNode } from './nodemailer-mail.js'
export type { Alternative, Attachment, CalendarEvent } from './resolved-mail.js'
export { sameAsAll } from './recipient-data.js'
export type { RecipientData, RecipientDataByAddress } from './recipient-data.js'
export { checkedBaseUrl, defaultTimeout, requiredOption } from './transport-options.js'

// Its request.
export { invalid } from './mail-options.js'
export { headersByName } from './mail-head.js'
export { formatMailbox } from './message.js'
export { mergedDeep } from './deep-merge.js'

// Its call, and how that may fail.
export { httpCaller } from './http-caller.js'
export type { HttpAnswer, HttpCall, HttpCaller } from './http-caller.js'
export { connectionFailure, httpFailure, plainWords, waitBefore } from './http-failure.js'
export type { HttpFailure } from './http-failure.js'

// A webhook.
export { checkedMaxAge, checkedWebhookOptions, refusedByAge } from './webhook-options.js'
export type { CheckedWebhookOptions } from './webhook-options.js'
export { signingKeys } from './signing-keys.js'

// Its payload.
export {
  fields,
  flag,
  isFields,
  isoTime,
  listOfFields,
  metadata,
  parseJson,
  readEach,
  readEntries,
  smtpCodes,
  text,
  texts,
  time,
  wholeNumber,
} from './payload.js'
export type { Fields } from './payload.js'

// The ids that events are matched by.
export {
  bareMessageId,
  canonicalAddress,
  contentDigest,
  ownId,
  ownIdKey,
  rfcMessageId,
} from './matching.js'
