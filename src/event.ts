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
  /** Whether the message is known; see above. */
  status: 'matched' | 'pending' | 'foreign'
  /** What told that it is this message; present when matched. */
  via?: MatchedVia
}

/**
 * Why an address could not be reached. `hard`: never will be. `soft`: given up for now.
 * `block`: refused for reputation, content or policy, which says nothing of the address.
 */
export type BounceKind = 'hard' | 'soft' | 'block' | 'unknown'

/** Why a message could not be delivered to a recipient. */
export interface Bounce {
  /** What it says of the address. */
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
  /** How much it speaks of. */
  kind: 'all' | 'group' | 'list'
  /** The provider's id of the group or list; absent for all mail. */
  id?: string
}

/** What a receiving server said of a delivery attempt. */
export interface SmtpReply {
  /** The receiving server's answer, as the provider quotes it. */
  response?: string
  /** The three-digit SMTP reply code, such as 250. */
  smtpCode?: number
  /** Which delivery attempt this was, from 1. */
  attempt?: number
}

/** Who opened a message, or followed a link of it, as far as the provider knows. */
export interface Visit {
  /** The address of who opened or clicked, as the provider saw it. */
  ip?: string
  /** What the browser or mail program calls itself. */
  userAgent?: string
  /** A known bot, scanner or image proxy rather than a person; absent when nobody can tell. */
  machine?: boolean
}

/** A header as it stands in a mail; names repeat. */
export interface MailHeader {
  /** As it is written there. */
  name: string
  /** Unfolded. */
  value: string
}

/**
 * Where the content of an attachment is. `embedded`: here. `kept`: where the `attachments` function of
 * the webhook has put it. `remote`: at the provider, for some days, for whoever has the API key.
 * `omitted`: nowhere, for it was too large to be embedded, or one of too many.
 */
export type AttachmentContent =
  | {
      kind: 'embedded'
      /** The bytes. */
      base64: string
    }
  | {
      kind: 'kept'
      /** What that function resolved to. */
      location: string
    }
  | {
      kind: 'remote'
      /** Where the provider has it. */
      url: string
    }
  | {
      kind: 'omitted'
      /** What it was beyond. */
      reason: 'too-large' | 'too-many'
    }

/** A part of a received mail that is a file. */
export interface InboundAttachment {
  /** Without folders and control characters, so that it may name a file; absent when it has none. */
  filename?: string
  /** As the sender says, such as `image/png`, without parameters. */
  contentType: string
  /** In bytes. */
  size: number
  /** The id that the HTML speaks of as `cid:`, bare. */
  contentId?: string
  /** Where it is. */
  content: AttachmentContent
}

/** What the headers of a received mail say. */
export interface InboundHead {
  /** Who wrote it, as the header says. */
  from?: Address
  /** The mailboxes of the header. */
  to: Address[]
  /** The mailboxes of the header. */
  cc: Address[]
  /** Where answers are to go, where the sender says so. */
  replyTo: Address[]
  /** Decoded. */
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
  /** The plain text. */
  text?: string
  /** To be cleaned before it is shown. */
  html?: string
  /** The reply without quotes and signature, where the provider has parted them. */
  stripped?: { text?: string; html?: string; signature?: string }
  /** The files, but for those that the HTML speaks of. */
  attachments: InboundAttachment[]
  /** The parts that the HTML speaks of, by their `cid`. */
  inline: Record<string, InboundAttachment>
  /** All headers in their order. */
  headers: MailHeader[]
  /** What the provider makes of it. */
  spam?: { score?: number; flagged?: boolean; report?: string }
  /** The results as the provider words them, such as `pass`. */
  dkim?: string
  /** As with `dkim`. */
  spf?: string
  /** What could not be read as it should be, or was too long, in words; mostly empty. */
  problems: string[]
}

/** What happened, without who it happened to: the part of an event that depends on its type. */
export type EventFact =
  | { type: 'accepted' }
  | ({ type: 'deferred' } & SmtpReply)
  | ({ type: 'delivered' } & SmtpReply)
  | {
      type: 'bounced'
      /** Whether the address is to blame, and for how long. */
      bounce: Bounce
      /** The receiving server's answer, as the provider quotes it. */
      response?: string
    }
  | {
      type: 'rejected'
      /** Why the provider did not try. */
      reason: RejectReason
      /** The same in the provider's words. */
      detail?: string
    }
  | {
      type: 'failed'
      /** Why, in the provider's words. */
      detail?: string
    }
  | ({ type: 'opened' } & Visit)
  | ({
      type: 'clicked'
      /** The link that was followed. */
      url: string
    } & Visit)
  | { type: 'complained' }
  | {
      type: 'unsubscribed'
      /** What is no longer wanted. */
      scope: SubscriptionScope
    }
  | {
      type: 'subscribed'
      /** What is wanted again. */
      scope: SubscriptionScope
    }
  | {
      type: 'suppression'
      /** The list of addresses that are refused, or that of those that are let through. */
      list: 'reject' | 'allow'
      /** What was done with the entry. */
      action: 'added' | 'changed' | 'removed'
      /** Whom the entry speaks of. */
      address: string
      /** What the entry is for, where it is not all mail of the account. */
      scope?: SubscriptionScope
      /** Why, in the provider's words. */
      reason?: string
      /** Until when; for good where it is absent. */
      expiresAt?: Date
    }
  | {
      type: 'inbound'
      /** What was received. */
      mail: InboundMail
    }
  | {
      type: 'unknown'
      /** Why it could not be read; absent when only its name is new. */
      error?: string
    }

/** What a provider says with an event of any type. */
export interface EventOrigin {
  /** The provider's own name of the event, such as `spamreport`; empty when it gave none. */
  providerEvent: string
  /** What was given to `sendMail` as `tags`, where the provider tells it. */
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

/** What an event has once it is received: which fact it is, when, and of which message. */
export interface EventIdentity {
  /** Ours: the same for every delivery of the same fact, and it grows with `occurredAt`. */
  id: string
  /** When it happened at the provider; when it was received, where the provider does not say. */
  occurredAt: Date
  /** When the webhook that first told it was received. */
  receivedAt: Date
  /** Whether, and how, it was matched to its message. */
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
export type AnyEvent = EventFact &
  EventOrigin &
  EventIdentity & {
    /** `sendgrid`, `mailgun`, `mandrill`, or the name of another provider. */
    provider: string
    /** The entry of the webhook as it came. */
    raw: unknown
  }

/** One fact from a provider, matched or not. A `switch` on `type` is exhaustive. */
export type MailEvent = EventOrigin &
  EventIdentity &
  (
    | (Exclude<EventFact, { type: 'inbound' }> & ProviderAndRaw)
    | (Extract<EventFact, { type: 'inbound' }> & ProviderAndRawInbound)
  )

/** The name of an event, as in `correlator.on(name, listener)`. */
export type EventType = MailEvent['type']

/** The event of one type: `EventOf<'bounced'>` has `bounce`. */
export type EventOf<T extends EventType> = Extract<MailEvent, { type: T }>
