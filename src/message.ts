/** One mailbox. `name` is empty when none was given. */
export interface Address {
  name: string
  address: string
}

/** A mailbox as a header has it; without the quotes a comma in a name would make two of it. */
export function formatMailbox({ name, address }: Address): string {
  if (name === '') return address
  return `"${name.replace(/["\\]/g, '\\$&')}" <${address}>`
}

/** Who the message goes from and to, as SMTP would see it: bare addresses. */
export type Envelope = {
  from: string | false
  to: string[]
}

/** The header that names a recipient. */
export type RecipientKind = 'to' | 'cc' | 'bcc'

/**
 * What became of one recipient in the send call. `rejected`: the provider refused this recipient.
 * `failed`: the call itself failed. `unknown`: no answer yet, or it was lost on the way.
 */
export type SendStatus = 'accepted' | 'rejected' | 'failed' | 'unknown'

/** How far delivery to one recipient has come. */
export type RecipientStatus =
  'pending' | 'accepted' | 'deferred' | 'delivered' | 'bounced' | 'rejected' | 'failed'

/** A recipient's status rolled up over the message; `unknown` when the send call was cut off. */
export type MessageStatus = RecipientStatus | 'unknown'

/** What a recipient did with a message; it stands beside the delivery status, never in its way. */
export type EngagementKind = 'opened' | 'clicked' | 'complained' | 'unsubscribed'

export interface Engagement extends EngagementCount {
  /** What of it no known bot, scanner or image proxy did; absent when all of it was such. */
  withoutMachines?: EngagementCount
}

export interface EngagementCount {
  count: number
  first: Date
  last: Date
}

/** One recipient of a sent message and what the provider answered for it. */
export interface SentRecipient {
  address: string
  kind: RecipientKind
  status: SendStatus
  /** The provider's own word, such as `queued`; empty when it gave none. */
  providerStatus: string
  /** Present where the provider gives every recipient an id of its own (Mandrill). */
  providerMessageId?: string
  /** Why it was not accepted, or not handed on at once, in the provider's words. */
  reason?: string
}

/** The parts of a `SendError` that are kept with the message. It holds no secret. */
export interface SentError {
  code: string
  category: string
  message: string
  retryable: boolean
  outcome: 'not-sent' | 'unknown'
  statusCode?: number
}

/** A try to send a message that did not end with a provider taking it. */
export interface SendAttempt {
  provider: string
  endedAt: Date
  error: SentError
}

/** What was sent, or was to be sent, with one `sendMail()`; listeners get it beside the event. */
export interface SentMessage {
  /** Our id of the message, a UUIDv7: it exists before the provider is called. */
  trackingId: string
  /** `sendgrid`, `mailgun`, `mandrill`, or the name of another provider. */
  provider: string
  /**
   * The provider's id, bare: no `<>` and no suffix. Mandrill gives one for each recipient;
   * here stands the first accepted recipient's.
   */
  providerMessageId?: string
  /** The RFC 5322 Message-ID, with its `<>`; absent when it is not known. */
  messageId?: string
  envelope: Envelope
  /** Absent for mail that was recorded without it. */
  from?: Address
  to: Address[]
  cc: Address[]
  bcc: Address[]
  subject?: string
  tags: string[]
  metadata: Record<string, string>
  templateId?: string
  sentAt: Date
  recipients: SentRecipient[]
  /** What was tried with other providers before this one; present when something was. */
  earlierAttempts?: SendAttempt[]
  /** Names the span in which it was sent, as in the W3C's header of that name; absent where that was not traced. */
  traceparent?: string
  /** True when no recipient was accepted. */
  failFlag: boolean
  /** Why the send failed; present when it did. */
  error?: SentError
}

/**
 * How a send call ended: `sending` until the provider answered, `unknown` when the answer was
 * lost after the message may have reached the provider.
 */
export type SendOutcome = 'sending' | 'sent' | 'failed' | 'unknown'

/** The way a store keeps a message: everything but what follows from the rest. */
export type MessageRecord = Omit<SentMessage, 'failFlag'> & { outcome: SendOutcome }

/** What the provider's answer changes in a record. */
export interface SendResult {
  outcome: Exclude<SendOutcome, 'sending'>
  recipients: SentRecipient[]
  providerMessageId?: string
  messageId?: string
  error?: SentError
}

/** The record with the provider's answer in it. */
export function withResult(record: MessageRecord, result: SendResult): MessageRecord {
  return { ...record, ...result }
}

/** What listeners get to see of a record. */
export function toSentMessage({ outcome, ...message }: MessageRecord): SentMessage {
  const accepted = message.recipients.some(({ status }) => status === 'accepted')
  return { ...message, failFlag: outcome !== 'sending' && !accepted }
}
