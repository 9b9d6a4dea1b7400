import { prepared, type Query, type Statement } from './postgres-transaction.js'
import { digestId, firstId } from './postgres-values.js'
import type { StoredEventRow, Tables } from './sql-tables.js'

/** What is looked through for an address, and written without it. */
export function forgettingTables(
  query: Query,
): Pick<
  Tables,
  'messagesAfter' | 'eventsAfter' | 'lockEvents' | 'renameRecipient' | 'renameEvent'
> {
  return {
    async messagesAfter(id = firstId, limit) {
      const rows = await query(messagesAfter, [id, limit])
      return rows.map(({ tracking_id: trackingId, ...row }) => ({ trackingId, ...row }))
    },

    async eventsAfter(position, limit) {
      return (await query(eventsAfter, [position, limit])).map(toStoredEvent)
    },

    async lockEvents(positions) {
      await query(lockUntoldAt, [positions])
      await query(lockEvents, [positions])
      // A statement of its own, for it has to see what was committed before the locks were had.
      return (await query(eventsAt, [positions])).map(toStoredEvent)
    },

    async renameRecipient(trackingId, from, to) {
      await query(renameRecipient, [trackingId, digestId(from), digestId(to), to])
    },

    async renameEvent(id, to, event, progress) {
      await query(renameEvent, [id, to, event, progress])
    },
  }
}

// Planned each time for as much as there is then, or a plan might be kept that sorts.
const messagesAfter: Statement<{ tracking_id: string; provider: string; record: string }> = {
  text: `SELECT tracking_id, provider, record FROM mailtrail_messages
    WHERE tracking_id > $1 ORDER BY tracking_id LIMIT $2`,
}

interface EventColumns {
  id: string
  position: string
  event: string
  progress: string | null
}
const storedEvents = `SELECT id, position, event, coalesce(
    (SELECT progress FROM mailtrail_untold WHERE event_id = id),
    (SELECT progress FROM mailtrail_dead_letters WHERE event_id = id)) AS progress
  FROM mailtrail_events`
const eventsAfter: Statement<EventColumns> = {
  text: `${storedEvents} WHERE position > $1 ORDER BY position LIMIT $2`,
}
const eventsAt = prepared<EventColumns>(
  'events_at',
  `${storedEvents} WHERE position = ANY ($1::bigint[]) ORDER BY position`,
)
// What is untold is locked before its event, as by everyone else.
const lockUntoldAt = prepared(
  'lock_untold_at',
  `SELECT FROM mailtrail_untold WHERE event_id = ANY (ARRAY (
     SELECT id FROM mailtrail_events WHERE position = ANY ($1::bigint[])))
   ORDER BY event_id FOR UPDATE`,
)
const lockEvents = prepared(
  'lock_events',
  `SELECT FROM mailtrail_events WHERE position = ANY ($1::bigint[]) ORDER BY position FOR UPDATE`,
)

const renameRecipient = prepared(
  'rename_recipient',
  `UPDATE mailtrail_recipients SET address_digest = $3, address = $4
   WHERE tracking_id = $1 AND address_digest = $2`,
)
const renameEvent = prepared(
  'rename_event',
  `WITH waiting AS (
     UPDATE mailtrail_waiting SET event_id = $2 WHERE event_id = $1
   ), untold AS (
     UPDATE mailtrail_untold SET event_id = $2, progress = coalesce($4, progress),
       lane = CASE lane WHEN $1 THEN $2 ELSE lane END
     WHERE event_id = $1
   ), letter AS (
     UPDATE mailtrail_dead_letters SET event_id = $2, progress = coalesce($4, progress)
     WHERE event_id = $1
   )
   UPDATE mailtrail_events SET id = $2, event = $3 WHERE id = $1`,
)

function toStoredEvent({ progress, ...row }: EventColumns): StoredEventRow {
  return { ...row, position: Number(row.position), ...(progress !== null && { progress }) }
}
