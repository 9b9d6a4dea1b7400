import type { Address } from './message.js'

/**
 * The raw payloads, by provider. Each provider's entry adds its line, and so may yours:
 *
 * ```ts
 * declare module 'mailtrail' {
 *   interface RawEvents { postmark: PostmarkEvent }
 * }
 * ```
 */
export interface RawEvents {}

/** What the raw payloads of inbound mail have beside, by provider: without the contents that `mail` carries. */
export interface RawInboundMails {}

type ProviderAndRaw = keyof RawEvents extends never
  ? { provider: string; raw: unknown }
  : { [P in keyof RawEvents]: { provider: P; raw: RawEvents[P] } }[keyof RawEvents]

type ProviderAndRawInbound = keyof RawEvents extends never
  ? { provider: string; raw: unknown }
  : { [P in keyof RawEvents]: { provider: P; raw: RawEvents[P] & InboundPart<P> } }[keyof RawEvents]

type InboundPart<P> = P extends keyof RawInboundMails ? RawInboundMails[P] : unknown

/** How an event was matched to its message, the most trusted way first. */
export type MatchedVia = 'own-id' | 'provider-id' | 'message-id' | 'recipient'

/**
 * `matched`: the message is known. `pending`: not yet, the event may be ahead of it.
 * `foreign`: no message was recorded in time, so it was sent by something else.
 */
export interface Correlation {
  status: 'matched' | 'pending' | 'foreign'
  via?: MatchedVia
}

/**
 * Why an address could not be reached. `hard`: never will be. `soft`: given up for now.
 * `block`: refused for reputation, content or policy, which says nothing of the address.
 */
export type BounceKind = 'hard' | 'soft' | 'block' | 'unknown'

export interface Bounce {
  kind: BounceKind
  /** The three-digit SMTP reply code, such as 550. */
  smtpCode?: number
  /** The RFC 3463 code, such as `5.1.1`. */
  enhancedCode?: string
  /** It came after the receiving server had accepted the message. */
  asynchronous: boolean
}

/** Why a provider did not try to deliver. */
export type RejectReason =
  'invalid' | 'bounced' | 'spam' | 'unsubscribed' | 'blocked' | 'timed-out' | 'other'

/** What a subscription speaks of: all mail, a group or topic, or one mailing list. */
export interface SubscriptionScope {
  kind: 'all' | 'group' | 'list'
  id?: string
}

interface SmtpReply {
  /** The receiving server's answer, as the provider quotes it. */
  response?: string
  /** The three-digit SMTP reply code, such as 250. */
  smtpCode?: number
  /** Which delivery attempt this was, from 1. */
  attempt?: number
}

interface Visit {
  ip?: string
  userAgent?: string
  /** A known bot, scanner or image proxy rather than a person; absent when nobody can tell. */
  machine?: boolean
}

/** A header as it stands in a mail; names repeat. */
export interface MailHeader {
  name: string
  value: string
}

/**
 * Where the content of an attachment is. `embedded`: here. `kept`: where the `attachments` function of
 * the webhook has put it. `remote`: at the provider, for some days, for whoever has the API key.
 * `omitted`: nowhere, for it was too large to be embedded, or one of too many.
 */
export type AttachmentContent =
  | { kind: 'embedded'; base64: string }
  | { kind: 'kept'; location: string }
  | { kind: 'remote'; url: string }
  | { kind: 'omitted'; reason: 'too-large' | 'too-many' }

export interface InboundAttachment {
  /** Without folders and control characters, so that it may name a file; absent when it has none. */
  filename?: string
  /** As the sender says, such as `image/png`, without parameters. */
  contentType: string
  /** In bytes. */
  size: number
  /** The id that the HTML speaks of as `cid:`, bare. */
  contentId?: string
  content: AttachmentContent
}

/** What the headers of a received mail say. */
export interface InboundHead {
  from?: Address
  to: Address[]
  cc: Address[]
  replyTo: Address[]
  subject?: string
  /** When the sender says it was written. */
  date?: Date
  /** Its own Message-ID, with its `<>`. */
  messageId?: string
  /** The Message-ID of the mail that it answers, with its `<>`. */
  inReplyTo?: string
  /** The Message-IDs of the thread, the oldest first, each with its `<>`. */
  references: string[]
}

/** A mail that was received. Everything in it is the sender's word, and none of it is to be trusted. */
export interface InboundMail extends InboundHead {
  /** Who it came from and went to in SMTP, as bare addresses; `from` is empty for a bounce. */
  envelope: { from: string; to: string[] }
  text?: string
  /** To be cleaned before it is shown. */
  html?: string
  /** The reply without quotes and signature, where the provider has parted them. */
  stripped?: { text?: string; html?: string; signature?: string }
  attachments: InboundAttachment[]
  /** The parts that the HTML speaks of, by their `cid`. */
  inline: Record<string, InboundAttachment>
  headers: MailHeader[]
  spam?: { score?: number; flagged?: boolean; report?: string }
  /** The results as the provider words them, such as `pass`. */
  dkim?: string
  spf?: string
  /** What could not be read as it should be, or was too long, in words; mostly empty. */
  problems: string[]
}

/** What happened, without who it happened to: the part of an event that depends on its type. */
export type EventFact =
  | { type: 'accepted' }
  | ({ type: 'deferred' } & SmtpReply)
  | ({ type: 'delivered' } & SmtpReply)
  | { type: 'bounced'; bounce: Bounce; response?: string }
  | { type: 'rejected'; reason: RejectReason; detail?: string }
  | { type: 'failed'; detail?: string }
  | ({ type: 'opened' } & Visit)
  | ({ type: 'clicked'; url: string } & Visit)
  | { type: 'complained' }
  | { type: 'unsubscribed'; scope: SubscriptionScope }
  | { type: 'subscribed'; scope: SubscriptionScope }
  | {
      type: 'suppression'
      list: 'reject' | 'allow'
      action: 'added' | 'changed' | 'removed'
      address: string
      /** What the entry is for, where it is not all mail of the account. */
      scope?: SubscriptionScope
      reason?: string
      expiresAt?: Date
    }
  | { type: 'inbound'; mail: InboundMail }
  | {
      type: 'unknown'
      /** Why it could not be read; absent when only its name is new. */
      error?: string
    }

interface EventOrigin {
  /** The provider's own name of the event, such as `spamreport`; empty when it gave none. */
  providerEvent: string
  tags: string[]
  /** What was given to `sendMail` as `metadata`, as strings; our own id is taken out. */
  metadata: Record<string, string>
  /** The address it happened to, as the provider wrote it; of an inbound mail, the one that got it. */
  recipient?: string
  /** The provider's id of the message, bare. */
  providerMessageId?: string
  /** The RFC 5322 Message-ID of the message, with its `<>`; of an inbound mail, its own. */
  messageId?: string
  /** The provider's id of the event. It may differ between two deliveries of one fact: use `id`. */
  providerEventId?: string
}

interface EventIdentity {
  /** Ours: the same for every delivery of the same fact, and it grows with `occurredAt`. */
  id: string
  /** When it happened at the provider; when it was received, where the provider does not say. */
  occurredAt: Date
  /** When the webhook that first told it was received. */
  receivedAt: Date
  correlation: Correlation
  /** Our id of the message; present when matched. */
  trackingId?: string
}

/**
 * What a provider's webhook makes of one entry of a batch, before it is matched to a message. The
 * name of the provider is added by who receives it.
 */
export type ParsedEvent = EventFact &
  EventOrigin & {
    /** Absent when the entry bears no readable time. */
    occurredAt?: Date
    /** The id that our transport planted in the message; absent in mail that was sent otherwise. */
    ownId?: string
    /** What else tells this fact from a like one of the same second, such as a link's position. */
    discriminator?: string
    /** The entry as it came. */
    raw: unknown
  }

/** An event of any provider: what stores keep and what the core works with. */
export type AnyEvent = EventFact & EventOrigin & EventIdentity & { provider: string; raw: unknown }

/** One fact from a provider, matched or not. A `switch` on `type` is exhaustive. */
export type MailEvent = EventOrigin &
  EventIdentity &
  (
    | (Exclude<EventFact, { type: 'inbound' }> & ProviderAndRaw)
    | (Extract<EventFact, { type: 'inbound' }> & ProviderAndRawInbound)
  )

export type EventType = MailEvent['type']

/** The event of one type: `EventOf<'bounced'>` has `bounce`. */
export type EventOf<T extends EventType> = Extract<MailEvent, { type: T }>
