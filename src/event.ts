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

type ProviderAndRaw = keyof RawEvents extends never
  ? { provider: string; raw: unknown }
  : { [P in keyof RawEvents]: { provider: P; raw: RawEvents[P] } }[keyof RawEvents]

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
      reason?: string
      expiresAt?: Date
    }
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
  /** The address it happened to, as the provider wrote it. */
  recipient?: string
  /** The provider's id of the message, bare. */
  providerMessageId?: string
  /** The RFC 5322 Message-ID of the message, with its `<>`. */
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
export type MailEvent = EventFact & EventOrigin & EventIdentity & ProviderAndRaw

export type EventType = MailEvent['type']

/** The event of one type: `EventOf<'bounced'>` has `bounce`. */
export type EventOf<T extends EventType> = Extract<MailEvent, { type: T }>
