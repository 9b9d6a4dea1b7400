import type { AnyEvent, MatchedVia } from '../event.js'
import { createCounting } from '../counting.js'
import { firstTrackingId, matched } from '../matching.js'
import { type MessageRecord, type SentMessage, toSentMessage } from '../message.js'
import { withEvent } from '../status.js'
import type {
  Delivery,
  IncomingBatch,
  IncomingEvent,
  IngestResult,
  MatchKey,
  Schedule,
} from '../store.js'
import { factsOf } from '../suppression.js'
import { recordFromJson } from './serialization.js'
import { changeStates, type StateChange } from './sql-folding.js'
import { suppress } from './sql-suppressions.js'
import type { Tables, UntoldRow } from './sql-tables.js'

/** Claims, matches, folds and writes a webhook's events, counts them, and suppresses who is to be. */
export async function ingest(
  tables: Tables,
  { events, nonce, checkpoint }: IncomingBatch,
  schedule: Schedule,
): Promise<IngestResult> {
  if (nonce && !(await tables.claimNonce(nonce, schedule.now))) return { kind: 'replayed' }
  if (checkpoint) await tables.putCheckpoint(checkpoint)
  const fresh = await unknownEvents(tables, events)
  const matches = await findMatches(tables, fresh)
  const messages = await lockedMessages(tables, matches)
  const tied = fresh.map((incoming) => tie(incoming, matches.get(incoming), messages))
  const positions = await tables.addEvents(
    tied.map(({ event, incoming: { providerKey } }) => ({
      id: event.id,
      event: JSON.stringify(event),
      trackingId: event.trackingId,
      providerKey,
    })),
  )
  const counting = createCounting()
  await changeStates(tables, tied.flatMap(stateChange), undefined, counting)
  for (const { event, record } of tied) if (record) counting.event(record, event)
  const pending = tied.filter(({ event }) => event.correlation.status === 'pending')
  await tables.addWaiting(
    pending.flatMap(({ event, incoming }) =>
      incoming.matchKeys.map(({ via, key }) => ({ via, key, eventId: event.id })),
    ),
  )
  const deliveries = await lineUp(tables, tied, positions, schedule)
  // Last, for many transactions at once change the same of these rows.
  await suppress(
    tables,
    tied.flatMap(({ event }) => factsOf(event)),
  )
  await tables.addCounts(counting.changes())
  return {
    kind: 'stored',
    deliveries,
    left: tied.length - pending.length - deliveries.length,
    events: tied.map(({ event }) => event),
    duplicates: events.length - fresh.length,
    waiting: pending.length,
    trackingIds: [...messages.keys()],
  }
}

/** Those that are stored neither under their own id nor under the provider's, each once. */
async function unknownEvents(
  tables: Tables,
  events: readonly IncomingEvent[],
): Promise<IncomingEvent[]> {
  const { ids, providerKeys } = await tables.knownEvents(
    events.map(({ event: { id }, providerKey }) => ({ id, providerKey })),
  )
  return events.filter(({ event: { id }, providerKey }) => {
    if (ids.has(id) || (providerKey !== undefined && providerKeys.has(providerKey))) return false
    ids.add(id)
    if (providerKey !== undefined) providerKeys.add(providerKey)
    return true
  })
}

interface Match {
  via: MatchedVia
  trackingId: string
  /** The one recipient that the matching key belongs to. */
  address: string | undefined
}

async function findMatches(
  tables: Tables,
  events: readonly IncomingEvent[],
): Promise<Map<IncomingEvent, Match>> {
  const matches = await lookUp(tables, events)
  // Their messages may be on the way in: nothing can come between this look and our commit.
  const missing = events.filter((event) => !matches.has(event))
  const keys = new Set(missing.flatMap(({ matchKeys }) => matchKeys.map(({ key }) => key)))
  await tables.lockKeys([...keys], 'exclusive')
  for (const [event, match] of await lookUp(tables, missing)) matches.set(event, match)
  for (const incoming of events) {
    const match = await matchByRecipient(tables, incoming)
    if (match) matches.set(incoming, match)
  }
  return matches
}

/** Matches by the keys of the events, the most trusted first. */
async function lookUp(
  tables: Tables,
  events: readonly IncomingEvent[],
): Promise<Map<IncomingEvent, Match>> {
  const matches = new Map<IncomingEvent, Match>()
  const ownIds = new Set(events.flatMap(({ matchKeys }) => ownKey(matchKeys)?.key ?? []))
  const known = await tables.knownMessages([...ownIds])
  const others: IncomingEvent[] = []
  for (const incoming of events) {
    const own = ownKey(incoming.matchKeys)
    if (own && known.has(own.key)) {
      matches.set(incoming, { via: 'own-id', trackingId: own.key, address: undefined })
    } else others.push(incoming)
  }
  const keys = new Set(
    others.flatMap(({ matchKeys }) =>
      matchKeys.flatMap(({ via, key }) => (via === 'own-id' ? [] : key)),
    ),
  )
  const rows = new Map((await tables.keys([...keys])).map((row) => [row.key, row]))
  for (const incoming of others) {
    const match = incoming.matchKeys.flatMap(({ via, key }): Match[] => {
      const row = rows.get(key)
      if (!row) return []
      const { trackingId, address } = row
      return [{ via, trackingId, address }]
    })[0]
    if (match) matches.set(incoming, match)
  }
  return matches
}

function ownKey(keys: readonly MatchKey[]): MatchKey | undefined {
  return keys.find(({ via }) => via === 'own-id')
}

async function matchByRecipient(
  tables: Tables,
  { event, address, sentWithin }: IncomingEvent,
): Promise<Match | undefined> {
  if (!sentWithin || address === undefined) return undefined
  const [only, ...others] = await tables.messagesTo(
    event.provider,
    address,
    firstTrackingId(sentWithin.from),
    firstTrackingId(sentWithin.to + 1),
  )
  // Of several nobody can tell which one it was.
  if (only === undefined || others.length > 0) return undefined
  return { via: 'recipient', trackingId: only, address }
}

interface LockedMessage {
  record: MessageRecord
  message: SentMessage
}

async function lockedMessages(
  tables: Tables,
  matches: ReadonlyMap<IncomingEvent, Match>,
): Promise<Map<string, LockedMessage>> {
  const ids = new Set([...matches.values()].map(({ trackingId }) => trackingId))
  const rows = await tables.lockMessages([...ids])
  return new Map(
    rows.map(({ trackingId, record: json }) => {
      const record = recordFromJson(json)
      return [trackingId, { record, message: toSentMessage(record) }]
    }),
  )
}

interface TiedEvent {
  incoming: IncomingEvent
  event: AnyEvent
  address: string | undefined
  record: MessageRecord | undefined
  message: SentMessage | undefined
}

function tie(
  incoming: IncomingEvent,
  match: Match | undefined,
  messages: ReadonlyMap<string, LockedMessage>,
): TiedEvent {
  const { event, address } = incoming
  const found = match && messages.get(match.trackingId)
  if (!match || !found) {
    return { incoming, event, address, record: undefined, message: undefined }
  }
  const { record, message } = found
  return {
    incoming,
    record,
    message,
    ...matched(event, record, match.via, address ?? match.address),
  }
}

function stateChange({ event, address, record }: TiedEvent): StateChange[] {
  if (!record || address === undefined) return []
  return [{ record, address, change: (state) => withEvent(state, event) }]
}

/** Lines events up to be told: under the caller's lease, unless others are at the same message. */
async function lineUp(
  tables: Tables,
  tied: readonly TiedEvent[],
  positions: ReadonlyMap<string, number>,
  { now, lease, foreignAt }: Schedule,
): Promise<Delivery[]> {
  const lanes = new Set(tied.flatMap(({ event }) => event.trackingId ?? []))
  const busy = lease ? await tables.busyLanes([...lanes], lease.owner) : new Set<string>()
  const deliveries: Delivery[] = []
  const rows = tied.map(({ event, message }): UntoldRow => {
    const lane = event.trackingId ?? event.id
    const row = { eventId: event.id, position: positions.get(event.id) ?? 0, lane }
    if (event.correlation.status === 'pending') return { ...row, dueAt: foreignAt }
    if (!lease || busy.has(lane)) return { ...row, dueAt: now }
    deliveries.push({ event, message, progress: {} })
    return { ...row, dueAt: lease.until, owner: lease.owner }
  })
  await tables.addUntold(rows)
  return deliveries
}
