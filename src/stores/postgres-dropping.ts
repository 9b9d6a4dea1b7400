import { messageKeys } from '../matching.js'
import { attach, lockDays, lockTables, type Span, spansOf, suffixOf } from './postgres-days.js'
import { timedTables } from './postgres-migrations.js'
import type { Query, Statement } from './postgres-transaction.js'
import { digestId } from './postgres-values.js'
import { recordFromJson } from './serialization.js'

/** What is still to be told is kept, and its messages with it; where there is more than this, nothing is dropped. */
const mostKept = 500

/** The oldest day that ends before an id, together with what was kept of those before it. */
export function droppable(spans: readonly Span[], beforeId: string): DroppedSpans | undefined {
  const old = spans.filter(({ to }) => to !== undefined && to <= beforeId)
  const { to } = old.find(({ suffix }) => !isKept(suffix)) ?? {}
  if (to === undefined) return undefined
  return { to, spans: old.filter((span) => span.to !== undefined && span.to <= to) }
}

export interface DroppedSpans {
  to: string
  spans: readonly Span[]
}

function isKept(suffix: string): boolean {
  return suffix.startsWith('before_')
}

/** Up to where days were dropped. */
export function droppedUntil(spans: readonly Span[]): string | undefined {
  return spans.find(({ suffix }) => isKept(suffix))?.to
}

/** How many messages, and events without one, there are in a day. */
export async function countIn(query: Query, { spans }: DroppedSpans): Promise<number> {
  let sum = 0
  for (const { suffix } of spans) {
    const [row] = await query<{ count: string }>({
      text: `SELECT (SELECT count(*) FROM mailtrail_messages_${suffix}) +
        (SELECT count(*) FROM mailtrail_events_${suffix} WHERE tracking_id IS NULL) AS count`,
    })
    sum += Number(row?.count ?? 0)
  }
  return sum
}

interface Kept {
  eventIds: string[]
  trackingIds: string[]
}

/** What is still to be told, unless that is too much to be looked at while others wait. */
export async function keptBefore(query: Query, id: string): Promise<Kept | undefined> {
  const rows = await query(untoldBefore, [id, mostKept + 1])
  if (rows.length > mostKept) return undefined
  return {
    eventIds: rows.map((row) => row.id),
    trackingIds: [...new Set(rows.flatMap(({ tracking_id: trackingId }) => trackingId ?? []))],
  }
}

/**
 * Drops a day, and puts what has to be kept of it into one partition with what was kept of others. Nobody reads or
 * writes meanwhile, which takes milliseconds.
 *
 * @returns how many messages, and events without one, were kept; undefined when nothing was done, for another one has
 * dropped it, or too much is to be kept since it was looked for
 */
export async function dropDay(query: Query, dropped: DroppedSpans): Promise<number | undefined> {
  await query(boundStatements)
  await query(lockDays)
  const found = droppable(await spansOf(query), dropped.to)
  if (found?.to !== dropped.to) return undefined
  const { to, spans } = found
  await query(lockTables)
  // A statement of its own, for it has to see what was committed before the locks were had.
  const kept = await keptBefore(query, to)
  if (!kept) return undefined
  const place: Span = { suffix: suffixOf('before', to), to }
  for (const { name, settings } of timedTables) {
    for (const { suffix } of spans) {
      await query({ text: `ALTER TABLE ${name} DETACH PARTITION ${name}_${suffix}` })
    }
    const columns = `CREATE TABLE ${name}_${place.suffix} (LIKE ${name}) ${settings}`
    await query({ text: columns })
    await attach(query, name, place)
  }
  let count = 0
  for (const { suffix } of spans) count += await keep(query, suffix, to, kept)
  for (const { name } of timedTables) {
    const tables = spans.map(({ suffix }) => `${name}_${suffix}`)
    await query({ text: `DROP TABLE ${tables.join(', ')}` })
  }
  await query(removeDeadLetters, [to])
  return count
}

/** Puts what is to be kept of a span that was taken out into the tables again. */
async function keep(
  query: Query,
  suffix: string,
  to: string,
  { eventIds, trackingIds }: Kept,
): Promise<number> {
  const events = await query<{ tracking_id: string | null; provider_key: string | null }>(
    {
      // Where clocks differ an event may have happened before its message was sent.
      text: `INSERT INTO mailtrail_events OVERRIDING SYSTEM VALUE
        SELECT * FROM mailtrail_events_${suffix}
        WHERE id = ANY ($1::uuid[]) OR tracking_id = ANY ($2::uuid[]) OR tracking_id >= $3
        RETURNING tracking_id, provider_key`,
    },
    [eventIds, trackingIds, to],
  )
  const providerKeys = events.flatMap(({ provider_key: key }) => key ?? [])
  await query(copy('mailtrail_provider_keys', suffix, 'key = ANY ($1::uuid[])'), [providerKeys])
  const alone = events.filter(({ tracking_id: id }) => id === null).length
  if (trackingIds.length === 0) return alone
  const messages = await query<{ record: string }>(
    {
      text: `${copy('mailtrail_messages', suffix, 'tracking_id = ANY ($1::uuid[])').text}
        RETURNING record`,
    },
    [trackingIds],
  )
  for (const name of ['mailtrail_recipients', 'mailtrail_labels']) {
    await query(copy(name, suffix, 'tracking_id = ANY ($1::uuid[])'), [trackingIds])
  }
  const keys = messages.flatMap(({ record }) => messageKeys(recordFromJson(record)))
  const isTheirs = 'key = ANY ($1::uuid[]) AND tracking_id = ANY ($2::uuid[])'
  await query(copy('mailtrail_keys', suffix, isTheirs), [
    keys.map(({ key }) => digestId(key)),
    trackingIds,
  ])
  return alone + messages.length
}

function copy(name: string, suffix: string, condition: string): Statement<never> {
  return { text: `INSERT INTO ${name} SELECT * FROM ${name}_${suffix} WHERE ${condition}` }
}

/**
 * Removes what a dropped day has left elsewhere: events of its messages that happened on later days, and that events
 * of it waited for a message.
 *
 * @returns how much it was
 */
export async function removeLeft(
  query: Query,
  removeEvents: (ids: readonly string[]) => Promise<void>,
  until: string,
  most: number,
): Promise<number> {
  const ids = (await query(eventsLeft, [until, most])).map(({ id }) => id)
  await removeEvents(ids)
  const waiting = await query(removeWaiting, [until, most])
  return ids.length + waiting.length
}

const boundStatements: Statement<never> = { text: 'SET LOCAL statement_timeout = 1000' }

// One that was being told as foreign when it joined its message is in a lane of its own.
const untoldBefore: Statement<{ id: string; tracking_id: string | null }> = {
  text: `SELECT id, tracking_id
    FROM mailtrail_untold AS untold JOIN mailtrail_events AS event ON id = event_id
    WHERE event_id < $1 OR lane < $1 OR lane = event_id AND tracking_id < $1 LIMIT $2`,
}
const removeDeadLetters: Statement<never> = {
  text: `DELETE FROM mailtrail_dead_letters WHERE event_id < $1
      AND NOT EXISTS (SELECT FROM mailtrail_events WHERE id = event_id)`,
}
const eventsLeft: Statement<{ id: string }> = {
  text: `SELECT id FROM mailtrail_events AS event
    WHERE tracking_id < $1
      AND (SELECT true FROM mailtrail_messages AS message
        WHERE message.tracking_id = event.tracking_id) IS NULL
    ORDER BY position LIMIT $2 FOR UPDATE SKIP LOCKED`,
}
const removeWaiting: Statement<{ key: string }> = {
  text: `DELETE FROM mailtrail_waiting WHERE ctid = ANY (ARRAY (
      SELECT ctid FROM mailtrail_waiting
      WHERE event_id < $1
        AND (SELECT true FROM mailtrail_events WHERE id = event_id) IS NULL
      ORDER BY event_id LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING key`,
}
