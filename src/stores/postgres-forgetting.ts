import { prepared, type Query, type Statement } from './postgres-transaction.js'
import { digestId, firstId, isId } from './postgres-values.js'
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
      if (!isId(id)) return []
      const rows = await query(messagesAfter, [id, limit])
      return rows.map(({ tracking_id: trackingId, ...row }) => ({ trackingId, ...row }))
    },

    async eventsAfter(position, limit) {
      return (await query(eventsAfter, [position, limit])).map(toStoredEvent)
    },

    async lockEvents(positions) {
      if (positions.length === 0) return []
      // What is untold is locked before its event, as by everyone else.
const lockUntold = prepared(
  'lock_untold_at',
  `SELECT FROM mailtrail_untold WHERE event_id = ANY (ARRAY (
     SELECT id FROM mailtrail_events WHERE position = ANY ($1::bigint[])))
   ORDER BY event_id FOR UPDATE`,
)
const lockEvents = prepared(
  'lock_events',
  `SELECT FROM mailtrail_events WHERE position = ANY ($1::bigint[]) ORDER BY position FOR UPDATE`,
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
