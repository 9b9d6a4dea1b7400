import type { AnyEvent } from '../event.js'
import { toSentMessage } from '../message.js'
import type { AskedEvents, ClaimedEvents, Delivery, Lease, Progress } from '../store.js'
import { eventFromJson, recordFromJson } from './serialization.js'
import type { LaneRow, Tables } from './sql-tables.js'

/** Takes what is due to be told, under a lease. */
export async function claim(
  tables: Tables,
  now: number,
  lease: Lease,
  limit: number,
): Promise<Delivery[]> {
  const lanes = await tables.dueLanes(now, limit)
  const blocked = new Set<string>()
  const claimed: LaneRow[] = []
  for (const row of await tables.laneEvents(lanes, limit)) {
    // What comes after an event that is not due has to wait for it.
    if (row.dueAt > now) blocked.add(row.lane)
    if (!blocked.has(row.lane)) claimed.push(row)
  }
  return leased(tables, claimed, lease)
}

/** Takes the events that are asked for, as far as they can be told now. */
export async function claimEvents(
  tables: Tables,
  { eventIds: asked, leftBy, mostEarlier }: AskedEvents,
  now: number,
  lease: Lease,
): Promise<ClaimedEvents> {
  const isAsked = new Set(asked)
  const earlier = await tables.earlierEvents([...isAsked], mostEarlier)
  const eventIds = [...new Set([...asked, ...earlier])]
  const rows = await tables.untoldEvents(eventIds)
  const lanes = new Set(rows.map(({ lane }) => lane))
  // Looked at when the rows are locked: whoever had them may have told what came before.
  const others = await tables.firstOthers([...lanes], eventIds)
  const isFree = (owner: string): boolean =>
    owner === lease.owner || leftBy.some((beginning) => owner.startsWith(beginning))
  const blockedLanes = new Set<string>()
  const blocked: string[] = []
  const claimed: LaneRow[] = []
  for (const row of rows) {
    const { eventId, lane, position, dueAt, owner } = row
    const held = dueAt > now && (owner === undefined || !isFree(owner))
    if (held || position > (others.get(lane) ?? Infinity)) blockedLanes.add(lane)
    if (!blockedLanes.has(lane)) claimed.push(row)
    else if (isAsked.has(eventId)) blocked.push(eventId)
  }
  return { deliveries: await leased(tables, claimed, lease), blocked }
}

async function leased(tables: Tables, rows: readonly LaneRow[], lease: Lease): Promise<Delivery[]> {
  const foreign: { id: string; event: string }[] = []
  const claimed = rows.map((row) => {
    const event = told(eventFromJson(row.event))
    if (event.correlation.status === 'foreign') {
      foreign.push({ id: event.id, event: JSON.stringify(event) })
    }
    return { event, progress: fromJson(row.progress) }
  })
  await tables.putEvents(foreign)
  await tables.lease(
    rows.map(({ eventId }) => eventId),
    lease,
  )
  return toDeliveries(tables, claimed)
}

/** As it is told: what still waits for its message has waited long enough. */
function told(event: AnyEvent): AnyEvent {
  return event.correlation.status === 'pending'
    ? { ...event, correlation: { status: 'foreign' } }
    : event
}

export function fromJson(progress: string | undefined): Progress {
  return progress === undefined ? {} : JSON.parse(progress)
}

/** Events with their messages. */
export async function toDeliveries(
  tables: Tables,
  tellable: { event: AnyEvent; progress: Progress }[],
): Promise<Delivery[]> {
  const ids = new Set(tellable.flatMap(({ event }) => event.trackingId ?? []))
  const rows = await tables.messages([...ids])
  const messages = new Map(
    rows.map(({ trackingId, record }) => [trackingId, toSentMessage(recordFromJson(record))]),
  )
  return tellable.map(({ event, progress }) => ({
    event,
    message: messages.get(event.trackingId ?? ''),
    progress,
  }))
}
