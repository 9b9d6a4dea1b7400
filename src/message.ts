/** One mailbox. `name` is empty when none was given. */
export interface Address {
  /** The display name, decoded. */
  name: string
  /** `local-part@domain`. */
  address: string
}

/** A mailbox as a header has it; without the quotes a comma in a name would make two of it. */
export function formatMailbox({ name, address }: Address): string {
  if (name === '') return address
  return `"${name.replace(/["\\]/g, '\\$&')}" <${address}>`
}

/** Who the message goes from and to, as SMTP would see it: bare addresses. */
export type Envelope = {
  /** `false` where there is none, as Nodemailer has it. */
  from: string | false
  /** Everybody, also those of `bcc`. */
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

/** How often something was done, by anybody and by people. */
export interface Engagement extends EngagementCount {
  /** What of it no known bot, scanner or image proxy did; absent when all of it was such. */
  withoutMachines?: EngagementCount
}

/** How often something was done, and when. */
export interface EngagementCount {
  /** How many events told of it. */
  count: number
  /** When it was first done. */
  first: Date
  /** When it was last done. */
  last: Date
}

/** One recipient of a sent message and what the provider answered for it. */
export interface SentRecipient {
  /** As it was given. */
  address: string
  /** The header that named it. */
  kind: RecipientKind
  /** What became of it in the send call; delivery is told later, by events. */
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
  /** The category as a code, such as `EAUTH`. */
  code: string
  /** What kind of trouble it was: a `SendErrorCategory`. */
  category: string
  /** What it said. */
  message: string
  /** Whether the same message may be sent again, and may succeed then. */
  retryable: boolean
  /** `unknown`: the provider may have taken the message. */
  outcome: 'not-sent' | 'unknown'
  /** The HTTP status of the provider's answer; absent where there was none. */
  statusCode?: number
}

/** A try to send a message that did not end with a provider taking it. */
export interface SendAttempt {
  /** Through whom it was tried. */
  provider: string
  /** When it had failed. */
  endedAt: Date
  /** Why it failed. */
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
  /** Who it goes from and to, as bare addresses. */
  envelope: Envelope
  /** Absent for mail that was recorded without it. */
  from?: Address
  /** As in the header. */
  to: Address[]
  /** As in the header. */
  cc: Address[]
  /** Whom no header names. */
  bcc: Address[]
  /** As it was given. */
  subject?: string
  /** As they were given to `sendMail`. */
  tags: string[]
  /** As it was given to `sendMail`. */
  metadata: Record<string, string>
  /** The template at the provider; absent without one. */
  templateId?: string
  /** When `sendMail` was called. */
  sentAt: Date
  /** Every recipient, and what the provider answered for it. */
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
export type MessageRecord = Omit<SentMessage, 'failFlag'> & {
  /** How the send call ended. */
  outcome: SendOutcome
}

/** What the provider's answer changes in a record. */
export interface SendResult {
  /** How the send call ended. */
  outcome: Exclude<SendOutcome, 'sending'>
  /** Every recipient, with what the provider answered for it. */
  recipients: SentRecipient[]
  /** As in `SentMessage`. */
  providerMessageId?: string
  /** As in `SentMessage`. */
  messageId?: string
  /** Why it failed; present when it did. */
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
