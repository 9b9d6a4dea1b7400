import { type Counting, createCounting, isCountedAlike } from '../counting.js'
import { canonicalAddress, labelsOf, matched, messageKeys } from '../matching.js'
import {
  type MessageRecord,
  type SendResult,
  type SentRecipient,
  toSentMessage,
  withResult,
} from '../message.js'
import { initialState, withEvent, withSendStatus } from '../status.js'
import type { Delivery, MessageKey, Schedule, Tellable } from '../store.js'
import { eventFromJson, recordFromJson, stateFromJson } from './serialization.js'
import { changeStates, type StateChange } from './sql-folding.js'
import type { Tables, WaitingRow } from './sql-tables.js'

export async function addMessage(
  tables: Tables,
  record: MessageRecord,
  keys: readonly MessageKey[],
  schedule: Schedule,
): Promise<Tellable> {
  await lockKeys(tables, keys)
  const [row] = await tables.lockMessages([record.trackingId])
  const before = row && recordFromJson(row.record)
  return write(tables, record, before, record.recipients, keys, schedule)
}

export async function addResult(
  tables: Tables,
  trackingId: string,
  result: SendResult,
  keys: readonly MessageKey[],
  schedule: Schedule,
): Promise<Tellable> {
  await lockKeys(tables, keys)
  const [row] = await tables.lockMessages([trackingId])
  if (!row) return { deliveries: [], left: 0 }
  const before = recordFromJson(row.record)
  return write(tables, withResult(before, result), before, result.recipients, keys, schedule)
}

/** No event that knows one of the keys can come between, and miss its message. */
async function lockKeys(tables: Tables, keys: readonly MessageKey[]): Promise<void> {
  await tables.lockKeys(
    keys.map(({ key }) => key),
    'shared',
  )
}

async function write(
  tables: Tables,
  record: MessageRecord,
  before: MessageRecord | undefined,
  answered: readonly SentRecipient[],
  keys: readonly MessageKey[],
  schedule: Schedule,
): Promise<Tellable> {
  const { trackingId, provider } = record
  await tables.putMessage({ trackingId, provider, record: JSON.stringify(record) })
  const counting = createCounting()
  counting.message(record, before)
  const labels = labelsOf(record)
  const known = before ? labelsOf(before) : []
  if (JSON.stringify(labels) !== JSON.stringify(known)) {
    await tables.putLabels(trackingId, labels, known)
  }
  if (before && !isCountedAlike(record, before)) {
    const rows = await tables.statesOf([trackingId])
    counting.moved(
      record,
      before,
      rows.map(({ address, state }) => [address, stateFromJson(state)]),
    )
  }
  const changes = answered.map(({ address, status }): StateChange => ({
    record,
    address: canonicalAddress(address),
    change: (state) => withSendStatus(state, status),
  }))
  await changeStates(tables, changes, initialState, counting)
  await tables.putKeys(trackingId, before ? newKeys(keys, before) : keys)
  const tellable = await join(tables, record, keys, schedule, counting)
  await tables.addCounts(counting.changes())
  return tellable
}

/** Those that the message was not known by before. */
function newKeys(keys: readonly MessageKey[], before: MessageRecord): MessageKey[] {
  const known = new Map(messageKeys(before).map(({ key, address }) => [key, address]))
  return keys.filter(({ key, address }) => !known.has(key) || known.get(key) !== address)
}

/** Gives a message the events that waited for one of its ids. */
async function join(
  tables: Tables,
  record: MessageRecord,
  keys: readonly MessageKey[],
  { now, lease }: Schedule,
  counting: Counting,
): Promise<Tellable> {
  const { trackingId } = record
  const waiting = await tables.waiting(keys.map(({ key }) => key))
  if (waiting.length === 0) return { deliveries: [], left: 0 }
  const joined = oncePerEvent(waiting, keys).map(({ via, key, event: json }) => {
    const waited = eventFromJson(json)
    const address =
      waited.recipient === undefined
        ? keys.find((candidate) => candidate.key === key)?.address
        : canonicalAddress(waited.recipient)
    // A foreign one was told already, or is being told: that stands as it is.
    const pending = waited.correlation.status === 'pending'
    return { ...matched(waited, record, via, address), pending }
  })
  await tables.tieEvents(
    trackingId,
    joined.map(({ event }) => ({ id: event.id, event: JSON.stringify(event) })),
  )
  await tables.removeWaiting(keys.map(({ key }) => key))
  await changeStates(
    tables,
    joined.flatMap(({ event, address }): StateChange[] =>
      address === undefined
        ? []
        : [{ record, address, change: (state) => withEvent(state, event) }],
    ),
    undefined,
    counting,
  )
  for (const { event } of joined) counting.event(record, event)
  const untold = joined.filter(({ pending }) => pending)
  const busy = lease && (await tables.busyLanes([trackingId], lease.owner)).has(trackingId)
  const leased = lease && !busy
  await tables.moveUntold(
    untold.map(({ event }) => ({
      eventId: event.id,
      lane: trackingId,
      dueAt: leased ? lease.until : now,
      ...(leased && { owner: lease.owner }),
    })),
  )
  if (!leased) return { deliveries: [], left: untold.length }
  const message = toSentMessage(record)
  return {
    deliveries: untold.map(({ event }): Delivery => ({ event, message, progress: {} })),
    left: 0,
  }
}

/** Each event once, by the first of the message's keys that it waited for. */
function oncePerEvent(rows: readonly WaitingRow[], keys: readonly MessageKey[]): WaitingRow[] {
  const rank = new Map(keys.map(({ key }, index) => [key, index]))
  const rankOf = ({ key }: WaitingRow): number => rank.get(key) ?? keys.length
  const first = new Map<string, WaitingRow>()
  for (const row of rows) {
    const known = first.get(row.eventId)
    if (!known || rankOf(row) < rankOf(known)) first.set(row.eventId, row)
  }
  return [...first.values()]
}
