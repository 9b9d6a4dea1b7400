import type { Query, Statement } from './postgres-transaction.js'
import { digestId, whole } from './postgres-values.js'
import type { MessageRow, Tables } from './sql-tables.js'

/** What is removed because it is old. */
export function pruningTables(
  query: Query,
): Pick<Tables, 'removeNonces' | 'oldMessages' | 'removeMessages' | 'oldEvents' | 'removeEvents'> {
  return {
    async removeNonces(before, limit) {
      const [row] = await query(removeNonces, [whole(before), limit])
      return Number(row?.removed ?? 0)
    },

    async oldMessages(beforeId, limit) {
      const rows = await query(oldMessages, [beforeId, limit])
      const ids = rows.map(({ tracking_id: id }) => id)
      await query(lockDeadOf, [ids])
      const busy = new Set((await query(untoldOf, [ids])).map(({ tracking_id: id }) => id))
      return rows.flatMap(({ tracking_id: trackingId, ...row }): MessageRow[] =>
        busy.has(trackingId) ? [] : [{ trackingId, ...row }],
      )
    },

    async removeMessages(messages) {
      const ids = messages.map(({ trackingId }) => trackingId)
      if (ids.length === 0) return
      const keys = messages.flatMap((message) => message.keys.map(digestId))
      await query(removeKeys, [keys, ids])
      await removeTraces(await query(removeEventsOf, [ids]))
      await query(removeMessages, [ids])
    },

    async oldEvents(beforeId, limit) {
      await query(walkIndexes)
      const ids = (await query(oldEvents, [beforeId, limit])).map(({ id }) => id)
      const busy = await untoldLanes(ids)
      return ids.filter((id) => !busy.has(id))
    },

    async removeEvents(ids) {
      if (ids.length === 0) return
      await removeTraces(await query(removeEvents, [ids]))
    },
  }

  /** A statement of its own, for it has to see what was committed before the locks were had. */
  async function untoldLanes(lanes: readonly string[]): Promise<Set<string>> {
    return new Set((await query(untold, [lanes])).map(({ lane }) => lane))
  }

  /** What else there is of events that are removed. */
  async function removeTraces(events: readonly RemovedEvent[]): Promise<void> {
    const providerKeys = events.flatMap(({ provider_key: key }) => key ?? [])
    await query(removeProviderKeys, [providerKeys])
    const eventIds = events.map(({ id }) => id)
    await query(removeWaitingOf, [eventIds])
    await query(removeDeadLetters, [eventIds])
  }
}

// None of these has a name: they are rare, and planned each time for as much as there is then. What
// others are at is passed over: nobody has to be waited for, and two that prune at once share the work.

const removeNonces: Statement<{ removed: string }> = {
  text: `WITH gone AS (
      DELETE FROM mailtrail_nonces WHERE token = ANY (ARRAY (
        SELECT token FROM mailtrail_nonces WHERE used_at < $1
        ORDER BY used_at LIMIT $2 FOR UPDATE SKIP LOCKED))
      RETURNING token
    )
    SELECT count(*) AS removed FROM gone`,
}

// A subquery that gives a value is asked for each row, and never made a join that reads a table whole.
const oldMessages: Statement<{ tracking_id: string; provider: string; record: string }> = {
  text: `SELECT tracking_id, provider, record FROM mailtrail_messages AS message
    WHERE tracking_id < $1
      AND (SELECT true FROM mailtrail_untold WHERE event_id = ANY (ARRAY (
        SELECT id FROM mailtrail_events WHERE tracking_id = message.tracking_id)) LIMIT 1) IS NULL
    ORDER BY tracking_id LIMIT $2 FOR UPDATE SKIP LOCKED`,
}
// As long as PostgreSQL has not counted the events without a message it takes them for few, and sorts all.
const walkIndexes: Statement<never> = { text: 'SET LOCAL enable_bitmapscan = off' }
const oldEvents: Statement<{ id: string }> = {
  text: `SELECT id FROM mailtrail_events AS event
    WHERE tracking_id IS NULL AND id < $1
      AND (SELECT true FROM mailtrail_untold WHERE lane = event.id LIMIT 1) IS NULL
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`,
}
// Whoever takes a dead letter out to tell it again has locked its event, and not its message.
const lockDeadOf: Statement<never> = {
  text: `SELECT FROM mailtrail_events WHERE id = ANY (ARRAY (
      SELECT event_id FROM mailtrail_dead_letters WHERE event_id = ANY (ARRAY (
        SELECT id FROM mailtrail_events WHERE tracking_id = ANY ($1::uuid[])))))
    ORDER BY position FOR UPDATE`,
}
// By its events: one that was being told as foreign when it joined its message is in a lane of its own.
const untoldOf: Statement<{ tracking_id: string }> = {
  text: `SELECT DISTINCT tracking_id FROM mailtrail_events WHERE id = ANY (ARRAY (
      SELECT event_id FROM mailtrail_untold WHERE event_id = ANY (ARRAY (
        SELECT id FROM mailtrail_events WHERE tracking_id = ANY ($1::uuid[])))))`,
}
const untold: Statement<{ lane: string }> = {
  text: 'SELECT DISTINCT lane FROM mailtrail_untold WHERE lane = ANY ($1::uuid[])',
}

const removeKeys: Statement<never> = {
  text: `DELETE FROM mailtrail_keys
    WHERE key = ANY ($1::uuid[]) AND tracking_id = ANY ($2::uuid[])`,
}
interface RemovedEvent {
  id: string
  provider_key: string | null
}
const removeEventsOf: Statement<RemovedEvent> = {
  text: `DELETE FROM mailtrail_events WHERE id = ANY (ARRAY (
      SELECT id FROM mailtrail_events WHERE id = ANY (ARRAY (
        SELECT id FROM mailtrail_events WHERE tracking_id = ANY ($1::uuid[])))
      ORDER BY position FOR UPDATE))
    RETURNING id, provider_key`,
}
const removeEvents: Statement<RemovedEvent> = {
  text: `DELETE FROM mailtrail_events WHERE id = ANY (ARRAY (
      SELECT id FROM mailtrail_events
      WHERE id = ANY ($1::uuid[]) ORDER BY position FOR UPDATE))
    RETURNING id, provider_key`,
}
// Nobody else is at these: whoever wrote them has written their event, which is locked.
const removeProviderKeys: Statement<never> = {
  text: 'DELETE FROM mailtrail_provider_keys WHERE key = ANY ($1::uuid[])',
}
const removeWaitingOf: Statement<never> = {
  text: `DELETE FROM mailtrail_waiting WHERE ctid = ANY (ARRAY (
      SELECT ctid FROM mailtrail_waiting WHERE ctid = ANY (ARRAY (
        SELECT place FROM unnest($1::uuid[]) AS id CROSS JOIN LATERAL (
          SELECT ctid AS place FROM mailtrail_waiting WHERE event_id = id OFFSET 0) AS found))
      ORDER BY key, event_id FOR UPDATE))`,
}
const removeDeadLetters: Statement<never> = {
  text: `DELETE FROM mailtrail_dead_letters WHERE event_id = ANY (ARRAY (
      SELECT event_id FROM mailtrail_dead_letters
      WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id FOR UPDATE))`,
}
// Nobody else is at these: whoever writes them has locked their message.
const removeMessages: Statement<never> = {
  text: `WITH labels AS (
      DELETE FROM mailtrail_labels WHERE tracking_id = ANY ($1::uuid[])
    ), recipients AS (
      DELETE FROM mailtrail_recipients WHERE tracking_id = ANY ($1)
    )
    DELETE FROM mailtrail_messages WHERE tracking_id = ANY ($1)`,
}
