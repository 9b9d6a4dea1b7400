import type { AnyEvent, MatchedVia, SubscriptionScope } from './event.js'
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
  /**
   * Where an event without any id may be matched by its address: to the one message of its provider
   * that was sent to it in this span. When there are several nobody can tell, and it matches none.
   */
  sentWithin?: TimeSpan
}

/** From and to, both included, in ms since 1970. */
export interface TimeSpan {
  from: number
  to: number
}

/** What is leased is the owner's to tell until then; afterwards anybody may. */
export interface Lease {
  /** Names one dispatcher in one process. */
  owner: string
  /** In ms since 1970. */
  until: number
}

/** When events that are written now are to be told, in ms since 1970. */
export interface Schedule {
  now: number
  /** Under which the caller takes them; without it they are left for whoever claims them. */
  lease?: Lease
  /** Pending events wait for their message until then, and are foreign afterwards. */
  foreignAt: number
}

/** One webhook's events, or one page of a history's: stored as one, or not at all. */
export interface IncomingBatch {
  events: IncomingEvent[]
  nonce?: Nonce
  /** How far something has come with them. */
  checkpoint?: Checkpoint
}

/** How far something has come that goes on after a restart, in its own words. */
export interface Checkpoint {
  name: string
  position: string
}

/** How far telling one listener of one event has come. */
export interface ListenerProgress {
  /** How often it has failed. */
  attempts: number
  /** What it said the last time. */
  error?: string
  /** It has taken the event, or will not be told of it again. */
  ended?: 'told' | 'given-up'
}

/** How far telling an event has come, by listener; those that are not in it have not failed yet. */
export type Progress = Record<string, ListenerProgress>

/** An event that listeners are to be told of, and the message it belongs to. */
export interface Delivery {
  event: AnyEvent
  message: SentMessage | undefined
  progress: Progress
}

/** New events that can be told. */
export interface Tellable {
  /** Those leased to the caller, in the order they came. */
  deliveries: Delivery[]
  /**
   * How many were left for whoever claims them: the caller took no lease, or another dispatcher is
   * at an earlier event of the same message.
   */
  left: number
}

/** What became of a batch. */
export type IngestResult =
  /** Its one-time token was used before with other content; nothing was stored. */
  | { kind: 'replayed' }
  | (Tellable & {
      kind: 'stored'
      /** The new ones, as they are stored. */
      events: readonly AnyEvent[]
      /** How many were known already. */
      duplicates: number
      /** How many wait for their message. */
      waiting: number
      /** The messages that have new events. */
      trackingIds: string[]
    })

/** How telling an event ended, or how far it has come. */
export type Settlement =
  | { eventId: string; kind: 'told' }
  /** Some listener failed; the lease stays. */
  | { eventId: string; kind: 'failed'; progress: Progress }
  /** Every listener has taken it or was given up: it becomes a dead letter. */
  | { eventId: string; kind: 'given-up'; progress: Progress; at: number }
  /** It is left to others, from `dueAt` on. */
  | { eventId: string; kind: 'released'; progress: Progress; dueAt: number }

/** Events that somebody asks for by their ids. */
export interface AskedEvents {
  eventIds: readonly string[]
  /** The owners that leave theirs to who asks, before their leases are over: how their names begin. */
  leftBy: readonly string[]
  /** How many earlier events of the same messages come along at most. */
  mostEarlier: number
}

/** What became of events that were asked for; those that are told already are in neither. */
export interface ClaimedEvents {
  /** In the order they came. */
  deliveries: Delivery[]
  /** Those asked for that somebody else holds or that are not due, and those that come after such an event. */
  blocked: string[]
}

/** An event that some listener did not take in all its attempts. */
export interface StoredDeadLetter extends Delivery {
  /** In ms since 1970. */
  givenUpAt: number
}

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
  engagement: { [K in EngagementKind]?: EngagementState }
}

/** How often something was seen, and when first and last, in ms since 1970. */
export interface Tally {
  count: number
  first: number
  last: number
}

/** What was seen of one kind of engagement, and what of it no known machine did. */
export interface EngagementState extends Tally {
  withoutMachines?: Tally
}

/** A message and the state of each of its recipients, by canonical address. */
export interface StoredMessage {
  record: MessageRecord
  states: Map<string, RecipientState>
}

/**
 * Why an address must not be mailed. `bounced`: it can never be reached. `complained`: its owner called a mail
 * spam. `unsubscribed`: its owner asked for no more. `listed`: it stands on a provider's own list. `added`: by
 * hand, or by an import.
 */
export type SuppressionCause = 'bounced' | 'complained' | 'unsubscribed' | 'listed' | 'added'

/** An address that must not be mailed, and why. */
export interface Suppression {
  /** In its canonical form: bare, lower case, the domain in punycode. */
  address: string
  /** What must not be sent to it: anything, or mail of one group or list of `provider`. */
  scope: SubscriptionScope
  cause: SuppressionCause
  /** Who told of it; absent where somebody added it by hand. */
  provider?: string
  /** Why, in the words of whoever told it. */
  detail?: string
  since: Date
  /** It ends by itself then. */
  expiresAt?: Date
}

/** Something that says whether an address may be mailed. Times are in ms since 1970. */
export interface SuppressionFact {
  kind: 'added' | 'removed'
  /** Canonical. */
  address: string
  /** Of what: `all`, or a group or list of a provider. */
  scope: string
  cause: SuppressionCause
  at: number
  provider?: string
  detail?: string
  expiresAt?: number
}

/** All that facts of one address, scope and cause have said. Times are in ms since 1970. */
export interface SuppressionState {
  firstAddedAt?: number
  addedAt?: number
  removedAt?: number
  /** What the last one that added it said: empty or 0 where it said nothing. */
  provider?: string
  detail?: string
  expiresAt?: number
}

/** What is known of one address, for one scope and one cause. */
export interface StoredSuppression {
  address: string
  scope: string
  cause: SuppressionCause
  state: SuppressionState
}

/** What is counted of messages and their recipients. */
export type Counted =
  | 'messages'
  | 'sent'
  | 'unsent'
  | 'recipients'
  | RecipientStatus
  | EngagementKind
  | 'opens'
  | 'clicks'
  | 'events'

/** What counts are kept apart by. `all` and `minute` have the empty value. */
export type CountDimension = 'all' | 'minute' | 'template' | 'tag' | 'domain' | 'reason' | 'link'

/** How much is to be added to what was counted. */
export interface CountChange {
  /** The beginning of the day (UTC), or of the minute, in which its message was sent, in ms since 1970. */
  start: number
  provider: string
  dimension: CountDimension
  value: string
  counts: Partial<Record<Counted, number>>
}

/** Which counts are asked for. */
export interface CountQuery {
  dimension: CountDimension
  /** Of messages that were sent in days or minutes that begin from then on, up to but not including `to`. */
  from: number
  to: number
  provider?: string
  /** What is added up to one row each. */
  by: 'start' | 'provider' | 'value'
  /** No more rows than these; of values those with the most. */
  limit: number
}

/** What was counted, with the start, provider or value that it was added up by. */
export interface CountRow {
  key: string
  counts: Record<Counted, number>
}

/** What is too old to be kept: whatever is from before these times, in ms since 1970. */
export interface PruneLimits {
  /** Messages by when they were sent, each with its recipients and events. */
  messages?: number
  /** Events without a message, by when they happened. */
  events?: number
  /** One-time tokens, by when they were used. */
  nonces?: number
  /** What was counted by day. */
  days?: number
  /** What was counted by minute. */
  minutes?: number
}

/** Which messages are looked for: those that fit everything given. */
export interface StoreQuery {
  /** Sent from then on, and before then, in ms since 1970. */
  from?: number
  to?: number
  /** Tags and metadata, as `labelsOf` writes them: it must have all of these. */
  labels?: readonly string[]
  provider?: string
  /** The canonical address of a recipient. */
  address?: string
  /** The status of that recipient, or else of any. */
  status?: RecipientStatus
}

/**
 * Where messages and events are kept. Each method is one transaction: it happens whole or not at
 * all, and rejects when it cannot be committed. Any number of processes may share one.
 */
export interface Store {
  /** How a canonical address stands in it, where that is otherwise. */
  storedAddress?(address: string): string

  /** Opens it, and creates or migrates what it needs; every call after the first does nothing. */
  open(): Promise<void>

  /**
   * Writes a message before its provider is called. Events that were waiting for it join it; those
   * not yet told are returned. Writing it again replaces the record, and keeps what events said.
   */
  addMessage(record: MessageRecord, keys: MessageKey[], schedule: Schedule): Promise<Tellable>

  /** Writes the provider's answer, and lets waiting events join as `addMessage` does. */
  addResult(
    trackingId: string,
    result: SendResult,
    keys: MessageKey[],
    schedule: Schedule,
  ): Promise<Tellable>

  /** Claims, matches, folds and writes a webhook's events, counts them, and suppresses who they say is to be. */
  ingest(batch: IncomingBatch, schedule: Schedule): Promise<IngestResult>

  /**
   * Takes up to `limit` events that are due at `now`, in the order they came. Of one message all
   * that is untold is with one owner at a time, and the first before the next. Those that are still
   * without a message become foreign.
   */
  claim(now: number, lease: Lease, limit: number): Promise<Delivery[]>

  /**
   * Takes the events that are asked for, and with them what is still to be told of their messages before: as far
   * as each is due or left to the owner, and so is all that comes before it.
   */
  claimEvents(asked: AskedEvents, now: number, lease: Lease): Promise<ClaimedEvents>

  /** Prolongs a lease. Resolves to those of the events that are the owner's no more. */
  renew(eventIds: string[], lease: Lease): Promise<string[]>

  /** Writes how telling went. An event that somebody has settled already stays as it is. */
  settle(settlements: Settlement[]): Promise<void>

  /** When the next event falls due or its lease ends, in ms since 1970; undefined when all are told. */
  nextDue(): Promise<number | undefined>

  /** Up to `limit` dead letters by the time of their events, the latest first, from those before the given event on. */
  deadLetters(limit: number, before?: string): Promise<StoredDeadLetter[]>

  /**
   * Makes dead letters due again at `now`, for the listeners that did not take them. Resolves to how
   * many of the given events were dead letters.
   */
  replay(eventIds: string[], now: number): Promise<number>

  /** A message and its events: each fact once, by the time it happened. */
  message(trackingId: string): Promise<(StoredMessage & { events: AnyEvent[] }) | undefined>

  /** Up to `limit` messages, the newest first, from those before the given id on. */
  find(query: StoreQuery, limit: number, before?: string): Promise<StoredMessage[]>

  /**
   * Removes what is too old, up to `most` messages and as many events and tokens. What is still to be told stays.
   * Resolves to how much it was; 0 when nothing is left.
   */
  prune(limits: PruneLimits, most: number): Promise<number>

  /**
   * Takes an address out of everything: another one that leads to nobody stands in its place, and its suppressions
   * and payloads are gone. Resolves to how many messages and events had it.
   *
   * @param address canonical
   * @param written as it may stand in texts beside its canonical form
   * @param pseudonym what stands in its place
   */
  forget(address: string, written: readonly string[], pseudonym: string): Promise<number>

  /** The last position that was written under a name. */
  checkpoint(name: string): Promise<string | undefined>

  /** Adds up what was counted. Rows by start are in its order, all others have the most first. */
  counts(query: CountQuery): Promise<CountRow[]>

  /**
   * Where counts are kept in parts, for many processes to add to, puts some of those together that begin before, in
   * ms since 1970: they are read faster then. Resolves to how many parts that were; 0 when none is left.
   */
  mergeCounts?(before: number): Promise<number>

  /** Takes in what is said of addresses by others than events. */
  suppress(facts: readonly SuppressionFact[]): Promise<void>

  /** What was ever said of these canonical addresses. */
  suppressionsOf(addresses: readonly string[]): Promise<StoredSuppression[]>

  /**
   * Up to `limit` of what is added and was not removed since, from behind the given place on; in no order that
   * says anything, and the same every time. `place` is where each stands.
   */
  suppressions(limit: number, after?: string): Promise<(StoredSuppression & { place: string })[]>

  /** Ends what it has open. */
  close(): Promise<void>
}
