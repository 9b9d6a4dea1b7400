import type { MatchedVia } from '../event.js'
import type { RecipientStatus } from '../message.js'
import type { Nonce } from '../provider.js'
import type {
  Checkpoint,
  CountChange,
  CountDimension,
  CountQuery,
  CountRow,
  Lease,
  MessageKey,
  PruneLimits,
  StoreQuery,
  SuppressionCause,
} from '../store.js'

/** A message's row: `record` is JSON. */
export interface MessageRow {
  trackingId: string
  provider: string
  record: string
}

/** One recipient of a message. Addresses are canonical, states are JSON. */
export interface StateRow {
  trackingId: string
  address: string
  state: string
}

/** Which message a key belongs to. */
export interface KeyRow {
  key: string
  trackingId: string
  address?: string
}

/** An event to be written; `event` is JSON. */
export interface NewEvent {
  id: string
  providerKey: string | undefined
  trackingId: string | undefined
  event: string
}

/** An event that is still to be told. */
export interface UntoldRow {
  eventId: string
  /** Which one it was to come. */
  position: number
  /** The message that it belongs to, or else itself: a lane is told in order, by one at a time. */
  lane: string
  dueAt: number
  owner?: string
  /** JSON. */
  progress?: string
}

/** An event of a lane with its JSON. */
export interface LaneRow {
  eventId: string
  lane: string
  dueAt: number
  progress?: string
  event: string
}

/** An event that is still to be told, and who has it. */
export interface HeldRow extends LaneRow {
  position: number
  owner?: string
}

/** A message that is to be removed, with what leads to it. */
export interface OldMessage {
  trackingId: string
  keys: readonly string[]
  labels: readonly string[]
}

/** An event as it stands. */
export interface StoredEventRow {
  id: string
  position: number
  event: string
  /** JSON, of what is still to be told and of dead letters. */
  progress?: string
}

/** An event that waits for a message. */
export interface WaitingRow {
  key: string
  via: MatchedVia
  eventId: string
  event: string
}

export interface DeadLetterRow {
  eventId: string
  event: string
  progress: string
  givenUpAt: number
}

/**
 * What facts of one address, scope and cause have said. A later `addedAt` brings its own provider, detail and
 * expiry along; of two that are as late the one whose provider and detail are greater.
 */
export interface SuppressionRow {
  /** Canonical. */
  address: string
  scope: string
  cause: SuppressionCause
  firstAddedAt: number | null
  addedAt: number | null
  removedAt: number | null
  /** Empty where there is none, as the detail is, and the expiry 0. */
  provider: string
  detail: string
  expiresAt: number
}

export interface ChangedState extends StateRow {
  status: RecipientStatus
  /** Undefined where there was no such recipient. */
  statusBefore: RecipientStatus | undefined
}

/**
 * What the SQL databases do for a store, within one transaction. Lists go in and come out whole:
 * how many statements that takes is the database's own affair. Order of rows is said where it counts.
 */
export interface Tables {
  /** False when the token came before with other content. `now` is in ms since 1970. */
  claimNonce(nonce: Nonce, now: number): Promise<boolean>
  removeNonces(before: number, limit: number): Promise<number>

  /**
   * Keeps the transactions apart that make keys known (shared) from those that find them unknown
   * (exclusive), or an event could miss its message. Held until the transaction ends; taken before
   * any message is locked.
   */
  lockKeys(keys: readonly string[], mode: 'shared' | 'exclusive'): Promise<void>
  /** The messages of these keys; own ids are not among the keys. */
  keys(keys: readonly string[]): Promise<KeyRow[]>
  /** The later message takes a key over. */
  putKeys(trackingId: string, keys: readonly MessageKey[]): Promise<void>

  /** Which of these there are. */
  knownMessages(trackingIds: readonly string[]): Promise<Set<string>>
  /** Up to two messages of a provider to an address, with ids from one up to, but not including, the other. */
  messagesTo(provider: string, address: string, fromId: string, beforeId: string): Promise<string[]>
  /** Messages, each locked for this transaction: whoever changes one or its recipients has locked it. */
  lockMessages(trackingIds: readonly string[]): Promise<MessageRow[]>
  messages(trackingIds: readonly string[]): Promise<MessageRow[]>
  putMessage(row: MessageRow): Promise<void>
  /** What a message can be found by, in place of what it could be found by before. */
  putLabels(trackingId: string, labels: readonly string[], before: readonly string[]): Promise<void>
  /** The newest first, with ids before the given one. */
  findMessages(query: StoreQuery, limit: number, before: string | undefined): Promise<string[]>

  /** The states of these recipients, as far as there are any. */
  states(recipients: readonly { trackingId: string; address: string }[]): Promise<StateRow[]>
  statesOf(trackingIds: readonly string[]): Promise<StateRow[]>
  putStates(rows: readonly ChangedState[]): Promise<void>

  /** Which of these events, and of their provider's keys, are known. */
  knownEvents(
    events: readonly { id: string; providerKey: string | undefined }[],
  ): Promise<{ ids: Set<string>; providerKeys: Set<string> }>
  /** Writes events and resolves to their positions. Rejects when another transaction has just written one. */
  addEvents(events: readonly NewEvent[]): Promise<Map<string, number>>
  /** Gives events to a message. */
  tieEvents(trackingId: string, events: readonly { id: string; event: string }[]): Promise<void>
  putEvents(events: readonly { id: string; event: string }[]): Promise<void>
  eventsOf(trackingId: string): Promise<string[]>

  /** Messages with ids from before this one of which nothing is left to be told, the oldest first; locked. */
  oldMessages(beforeId: string, limit: number): Promise<MessageRow[]>
  /** Removes messages with these keys, their recipients, labels and events, and what waits or is dead of these. */
  removeMessages(messages: readonly OldMessage[]): Promise<void>
  /** Events without a message that are told, with ids from before this one, the oldest first. */
  oldEvents(beforeId: string, limit: number): Promise<string[]>
  /** Removes events, and what waits or is dead of them. */
  removeEvents(ids: readonly string[]): Promise<void>

  /** Messages in the order of their ids, from behind the given one on. */
  messagesAfter(id: string | undefined, limit: number): Promise<MessageRow[]>
  /** Events in the order they came, from behind the given position on, with what was said of telling them. */
  eventsAfter(position: number, limit: number): Promise<StoredEventRow[]>
  /** The events of these positions as they are by now; locked. */
  lockEvents(positions: readonly number[]): Promise<StoredEventRow[]>
  /** Gives a recipient of a message another address. */
  renameRecipient(trackingId: string, from: string, to: string): Promise<void>
  /** Writes an event under another id, with what was said of telling it. */
  renameEvent(id: string, to: string, event: string, progress: string | undefined): Promise<void>

  addWaiting(rows: readonly Omit<WaitingRow, 'event'>[]): Promise<void>
  /** Those that wait for one of the keys and have no message yet, in the order they came; locked. */
  waiting(keys: readonly string[]): Promise<WaitingRow[]>
  removeWaiting(keys: readonly string[]): Promise<void>

  addUntold(rows: readonly UntoldRow[]): Promise<void>
  /** Moves events to the lane of the message they have joined. */
  moveUntold(rows: readonly Omit<UntoldRow, 'position' | 'progress'>[]): Promise<void>
  /**
   * Which lanes hold something that is not the owner's. No claim may take one of the lanes asked for
   * before this transaction ends.
   */
  busyLanes(lanes: readonly string[], owner: string): Promise<Set<string>>
  /**
   * Lanes whose first event is due and of which nobody holds a lease, the longest due first; locked,
   * and looked at under the lock.
   */
  dueLanes(now: number, limit: number): Promise<string[]>
  /** Up to `limit` events of these lanes, in the order they came; locked. */
  laneEvents(lanes: readonly string[], limit: number): Promise<LaneRow[]>
  /** Up to `limit` events that come before one of these in its lane, the first ones. */
  earlierEvents(eventIds: readonly string[], limit: number): Promise<string[]>
  /** Those of these events that are still to be told, in the order they came; locked. */
  untoldEvents(eventIds: readonly string[]): Promise<HeldRow[]>
  /** The position of the first event of each lane that is none of these events, where there is one. */
  firstOthers(lanes: readonly string[], eventIds: readonly string[]): Promise<Map<string, number>>
  lease(eventIds: readonly string[], lease: Lease): Promise<void>
  /** Resolves to those that are still the owner's. */
  prolong(eventIds: readonly string[], lease: Lease): Promise<Set<string>>
  removeUntold(eventIds: readonly string[]): Promise<void>
  putProgress(rows: readonly { eventId: string; progress: string }[]): Promise<void>
  release(rows: readonly { eventId: string; progress: string; dueAt: number }[]): Promise<void>
  nextDue(): Promise<number | undefined>

  /** Turns untold events into dead letters, as far as they are untold. */
  bury(rows: readonly { eventId: string; progress: string; givenUpAt: number }[]): Promise<void>
  /** Takes dead letters out, as far as there are any. */
  exhume(eventIds: readonly string[]): Promise<Omit<UntoldRow, 'dueAt' | 'owner'>[]>
  putCheckpoint(checkpoint: Checkpoint): Promise<void>
  checkpoint(name: string): Promise<string | undefined>

  /** Adds to what was counted; each row once. Others may add to the same rows at the same time. */
  addCounts(changes: readonly CountChange[]): Promise<void>
  counts(query: CountQuery): Promise<CountRow[]>
  /**
   * Where rows are kept in parts, puts together some of those that begin before, and resolves to how many parts
   * that were.
   */
  mergeCounts?(before: number): Promise<number>
  /** Removes rows of these dimensions that begin before. */
  removeCounts(dimensions: readonly CountDimension[], before: number): Promise<number>
  /** Removes rows whose value has one of these texts in it, in whatever case, and gives them. */
  takeCountsWith(texts: readonly string[]): Promise<CountChange[]>

  /**
   * Merges rows into those that there are: the earliest `firstAddedAt`, the latest `addedAt` with what it says,
   * the latest `removedAt`. Others may merge into the same rows at the same time.
   */
  putSuppressions(rows: readonly SuppressionRow[]): Promise<void>
  suppressionsOf(addresses: readonly string[]): Promise<SuppressionRow[]>
  removeSuppressions(address: string): Promise<number>
  /** Those that were not removed since they were added, in the order of their places. */
  suppressions(
    limit: number,
    after: string | undefined,
  ): Promise<(SuppressionRow & { place: string })[]>

  /** The latest event first, with ids before the given one. */
  deadLetters(limit: number, before: string | undefined): Promise<DeadLetterRow[]>
}

/** What it takes to find an address everywhere and to take it out. */
export type ForgettingTables = Pick<
  Tables,
  | 'messagesAfter'
  | 'eventsAfter'
  | 'lockEvents'
  | 'renameRecipient'
  | 'renameEvent'
  | 'removeSuppressions'
>

export interface DaysPruned {
  removed: number
  /** What is left to be removed row by row. */
  limits: PruneLimits
}

/** A database that a store runs on. */
export interface SqlDatabase {
  /** Connects, and migrates what needs it. Called once at a time; when it rejects, called again. */
  open(): Promise<void>
  /** Runs the work as one transaction; again, when the database asks for it. */
  transaction<T>(work: (tables: Tables) => Promise<T>): Promise<T>
  /** Where days have tables of their own, drops such as are over. */
  pruneDays?(limits: PruneLimits, most: number): Promise<DaysPruned>
  /** Runs work that only reads what was committed. */
  read<T>(work: (tables: Tables) => Promise<T>): Promise<T>
  close(): Promise<void>
}
