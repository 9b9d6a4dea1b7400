import { digest, fromBytes, toBytes } from '../ids.js'
import { mysqlLists, type Row } from './mysql-lists.js'
import { type MessageColumns, messageColumns, toMessage } from './mysql-messages.js'
import type { Query } from './mysql-transaction.js'
import type { Tables } from './sql-tables.js'

/** How many rows of counts are removed at once: each is spread over several, and all are small. */
const countsAtOnce = 2000

const eventsOfMessages = 'mailtrail_events FORCE INDEX (mailtrail_events_of_message)'

// Of all its events, for one that was being told when it joined its message is not in the message's lane.
const untoldEvents = `mailtrail_events AS event FORCE INDEX (mailtrail_events_of_message)
  STRAIGHT_JOIN mailtrail_untold AS untold FORCE INDEX (PRIMARY) ON untold.event_id = event.id`

const countKey = 'dimension, start, provider, value_digest, shard'

type Pruning = Pick<
  Tables,
  'removeNonces' | 'oldMessages' | 'removeMessages' | 'oldEvents' | 'removeEvents' | 'removeCounts'
>

/**
 * Removes what is old. What somebody else has locked is passed over rather than waited for: it is being written,
 * or removed already. Whether something is untold is asked as a value, for an EXISTS might be turned into a join.
 */
export function mysqlPruning(query: Query): Pruning {
  const { each } = mysqlLists(query)

  function remove(table: string, index: string, column: string, values: Row): Promise<unknown> {
    return each(
      `DELETE old FROM ${table} AS old FORCE INDEX (${index}) WHERE ${column} IN (?)`,
      values,
    )
  }

  async function removeEvents(ids: readonly Buffer[]): Promise<void> {
    const sorted = ids.toSorted(Buffer.compare)
    await remove('mailtrail_waiting', 'mailtrail_waiting_by_event', 'event_id', sorted)
    await remove('mailtrail_dead_letters', 'PRIMARY', 'event_id', sorted)
    await remove('mailtrail_events', 'mailtrail_events_by_id', 'id', sorted)
  }

  /** Events of messages, locked: nobody replays one of them, or writes it under another id. */
  async function lockEvents(trackingIds: readonly Buffer[]): Promise<Buffer[]> {
    const rows = await each<{ id: Buffer }>(
      `SELECT id FROM ${eventsOfMessages} WHERE tracking_id IN (?)
       ORDER BY tracking_id, id FOR UPDATE`,
      trackingIds,
    )
    return rows.map(({ id }) => id)
  }

  return {
    async removeNonces(before, limit) {
      const rows = await query<{ token: Buffer }>(
        `SELECT token FROM mailtrail_nonces FORCE INDEX (mailtrail_nonces_by_time)
         WHERE used_at < ? ORDER BY used_at LIMIT ? FOR UPDATE SKIP LOCKED`,
        [before, limit],
      )
      await remove(
        'mailtrail_nonces',
        'PRIMARY',
        'token',
        rows.map(({ token }) => token),
      )
      return rows.length
    },

    async oldMessages(beforeId, limit) {
      const rows = await query<MessageColumns>(
        `SELECT ${messageColumns} FROM mailtrail_messages AS message FORCE INDEX (PRIMARY)
         WHERE tracking_id < ? AND (
           SELECT 1 FROM ${untoldEvents}
           WHERE event.tracking_id = message.tracking_id LIMIT 1) IS NULL
         ORDER BY tracking_id LIMIT ? FOR UPDATE SKIP LOCKED`,
        [toBytes(beforeId), limit],
      )
      const ids = rows.map(({ tracking_id: id }) => id)
      await lockEvents(ids)
      // The inner look is at what was there when the statement began. Who writes more has to lock the message, or
      // the event that is replayed.
      const untold = await each<{ tracking_id: Buffer }>(
        `SELECT DISTINCT tracking_id FROM ${untoldEvents} WHERE tracking_id IN (?)`,
        ids,
      )
      const kept = new Set(untold.map(({ tracking_id: id }) => fromBytes(id)))
      return rows.map(toMessage).filter(({ trackingId }) => !kept.has(trackingId))
    },

    async removeMessages(messages) {
      const ids = messages.map(({ trackingId }) => toBytes(trackingId)).toSorted(Buffer.compare)
      const keys = messages.flatMap((message) => message.keys.map(digest))
      await removeEvents(await lockEvents(ids))
      // A key may have become that of a later message.
      await each(
        `DELETE old FROM mailtrail_keys AS old FORCE INDEX (PRIMARY)
         WHERE key_digest IN (?) AND tracking_id IN (?)`,
        keys.toSorted(Buffer.compare),
        [],
        [ids],
      )
      await remove('mailtrail_labels', 'mailtrail_labels_by_message', 'tracking_id', ids)
      await remove('mailtrail_recipients', 'PRIMARY', 'tracking_id', ids)
      await remove('mailtrail_messages', 'PRIMARY', 'tracking_id', ids)
    },

    async oldEvents(beforeId, limit) {
      const rows = await query<{ id: Buffer }>(
        `SELECT id FROM ${eventsOfMessages}
         WHERE tracking_id IS NULL AND id < ? AND (
           SELECT 1 FROM mailtrail_untold FORCE INDEX (PRIMARY) WHERE event_id = id LIMIT 1) IS NULL
         ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED`,
        [toBytes(beforeId), limit],
      )
      const ids = rows.map(({ id }) => id)
      // As with messages: who replays one of them locks it.
      const untold = await each<{ event_id: Buffer }>(
        'SELECT event_id FROM mailtrail_untold FORCE INDEX (PRIMARY) WHERE event_id IN (?)',
        ids,
      )
      const kept = new Set(untold.map(({ event_id: id }) => fromBytes(id)))
      return ids.map(fromBytes).filter((id) => !kept.has(id))
    },

    removeEvents: (ids) => removeEvents(ids.map(toBytes)),

    async removeCounts(dimensions, before) {
      if (dimensions.length === 0) return 0
      const rows = await query<
        Record<'dimension' | 'provider' | 'value_digest', Buffer> & {
          start: number
          shard: number
        }
      >(
        `SELECT ${countKey} FROM mailtrail_counts FORCE INDEX (PRIMARY)
         WHERE dimension IN (?) AND start < ?
         ORDER BY ${countKey} LIMIT ? FOR UPDATE SKIP LOCKED`,
        [dimensions.map((dimension) => Buffer.from(dimension)), before, countsAtOnce],
      )
      await remove(
        'mailtrail_counts',
        'PRIMARY',
        `(${countKey})`,
        rows.map((row) => [
          row.dimension,
          Number(row.start),
          row.provider,
          row.value_digest,
          row.shard,
        ]),
      )
      return rows.length
    },
  }
}
