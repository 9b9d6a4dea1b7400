import type { AnyEvent, MatchedVia } from './event.js'
import type {
  EngagementKind,
  MessageRecord,
  RecipientStatus,
  SendResult,
  SentMessage,
} from './message.js'
import type { Nonce } from './provider.js'

/** A way to find the message of an event; a store tries an event's keys in their order. */
export interface MatchKey {
  via: MatchedVia
  /** What both sides write alike, such as `provider-id:sendgrid:Zk3vQm0p`. */
  key: string
}

/** An id by which events may speak of a message, or of one recipient of it. */
export interface MessageKey {
  key: string
  /** The one recipient that the id belongs to, as a canonical address. */
  address?: string
}

/** An event on its way into the store: `correlation` and `trackingId` are the store's to fill in. */
export interface IncomingEvent {
  /** The event; its `id` is the natural key: a second one with it is the same fact. */
  event: AnyEvent
  /** The provider's event id as a key: a second event with it is the same fact too. */
  providerKey?: string
  /** The canonical address of the recipient. */
  address?: string
  matchKeys: MatchKey[]
}

/** When events that are written now are to be told, in ms since 1970. */
export interface Schedule {
  /** What can be told is the caller's to tell until then; afterwards anybody may. */
  leaseUntil: number
  /** Pending events wait for their message until then, and are foreign afterwards. */
  foreignAt: number
}

/** One webhook's events: stored as one, or not at all. */
export interface IncomingBatch {
  events: IncomingEvent[]
  nonce?: Nonce
}

/** An event that listeners are to be told of, and the message it belongs to. */
export interface Delivery {
  event: AnyEvent
  message: SentMessage | undefined
  /** How often telling it has failed. */
  attempts: number
}

export type IngestResult =
  /** Its one-time token was used before with other content; nothing was stored. */
  | { kind: 'replayed' }
  | {
      kind: 'stored'
      /** New events that are matched or foreign, in their order: the caller's to tell. */
      deliveries: Delivery[]
      /** How many were known already. */
      duplicates: number
      /** How many wait for their message. */
      waiting: number
    }

/** How telling an event ended. */
export type Settlement =
  | { eventId: string; kind: 'told' }
  | { eventId: string; kind: 'again'; at: number; attempts: number; error: string }
  | { eventId: string; kind: 'given-up'; attempts: number; error: string }

/**
 * What is known of one recipient, folded from the provider's answer and from events, each taken
 * once. Their order does not matter: every field is a count, an earliest or a furthest. Times are in
 * ms since 1970.
 */
export interface RecipientState {
  /** The furthest step short of a final delivery or bounce. */
  step: 'pending' | 'accepted' | 'deferred' | 'failed' | 'rejected'
  /** The last time the receiving server accepted the message. */
  deliveredAt?: number
  /** The last time it was refused. */
  bouncedAt?: number
  /** A bounce came that was reported after acceptance. */
  bouncedLater?: true
  engagement: { [K in EngagementKind]?: { count: number; first: number; last: number } }
}

/** A message and the state of each of its recipients, by canonical address. */
export interface StoredMessage {
  record: MessageRecord
  states: Map<string, RecipientState>
}

/** Which messages are looked for: those that fit everything given. */
export interface StoreQuery {
  provider?: string
  /** The canonical address of a recipient. */
  address?: string
  /** The status of that recipient, or else of any. */
  status?: RecipientStatus
}

/**
 * Where messages and events are kept. Each method is one transaction: it happens whole or not at
 * all, and rejects when it cannot be committed.
 */
export interface Store {
  /** Opens it, and creates or migrates what it needs; every call after the first does nothing. */
  open(): Promise<void>

  /**
   * Writes a message before its provider is called. Events that were waiting for it join it; those
   * not yet told are returned.
   */
  addMessage(record: MessageRecord, keys: MessageKey[], schedule: Schedule): Promise<Delivery[]>

  /** Writes the provider's answer, and lets waiting events join as `addMessage` does. */
  addResult(
    trackingId: string,
    result: SendResult,
    keys: MessageKey[],
    schedule: Schedule,
  ): Promise<Delivery[]>

  /** Claims, matches, folds and writes a webhook's events. */
  ingest(batch: IncomingBatch, schedule: Schedule): Promise<IngestResult>

  /**
   * Takes up to `limit` events that are due at `now` and leases them until `leaseUntil`, oldest
   * first. Those that are still without a message become foreign.
   */
  claimDue(now: number, leaseUntil: number, limit: number): Promise<Delivery[]>

  /** Writes how telling ended. */
  settle(settlements: Settlement[]): Promise<void>

  /** When the next event falls due, in ms since 1970; undefined when all are told. */
  nextDue(): Promise<number | undefined>

  /** A message and its events: each fact once, by the time it happened. */
  message(trackingId: string): Promise<(StoredMessage & { events: AnyEvent[] }) | undefined>

  /** Up to `limit` messages, the newest first, from those before the given id on. */
  find(query: StoreQuery, limit: number, before?: string): Promise<StoredMessage[]>

  close(): Promise<void>
}
