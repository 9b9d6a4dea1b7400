import type { MatchedVia } from '../event.js'
import type { SuppressionCause } from '../store.js'
import { fromBytes } from '../ids.js'
import type { MessageRow } from './sql-tables.js'
import type { SqliteDatabase, SqliteStatement } from './sqlite-driver.js'
import { prepareRows } from './sqlite-rows.js'

export type SqliteStatements = ReturnType<typeof prepareStatements>

/** Every statement that does not depend on what is asked, prepared once. */
export function prepareStatements(database: SqliteDatabase) {
  function prepare<Row>(sql: string): SqliteStatement<Row> {
    // The SQL decides the shape of a row, and no type can follow it.
    return database.prepare(sql) as SqliteStatement<Row>
  }

  return {
    addNonce: prepare(
      'INSERT INTO mailtrail_nonces (token, content, used_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    nonce: prepare<{ content: string }>('SELECT content FROM mailtrail_nonces WHERE token = ?'),

    key: prepare<{ tracking_id: Uint8Array; address: string | null }>(
      'SELECT tracking_id, address FROM mailtrail_keys WHERE key = ?',
    ),
    putKey: prepare(
      'INSERT OR REPLACE INTO mailtrail_keys (key, tracking_id, address) VALUES (?, ?, ?)',
    ),

    isMessage: prepare('SELECT 1 FROM mailtrail_messages WHERE tracking_id = ?'),
    message: prepare<{ provider: string; record: string }>(
      'SELECT provider, record FROM mailtrail_messages WHERE tracking_id = ?',
    ),
    putMessage: prepare(
      `INSERT INTO mailtrail_messages (tracking_id, provider, record) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET provider = excluded.provider, record = excluded.record`,
    ),
    messagesTo: prepare<{ tracking_id: Uint8Array }>(
      `SELECT tracking_id FROM mailtrail_recipients JOIN mailtrail_messages USING (tracking_id)
       WHERE address_digest = ? AND tracking_id >= ? AND tracking_id < ? AND provider = ? LIMIT 2`,
    ),

    state: prepare<{ state: string }>(
      'SELECT state FROM mailtrail_recipients WHERE tracking_id = ? AND address_digest = ?',
    ),
    statesOf: prepare<{ address: string; state: string }>(
      'SELECT address, state FROM mailtrail_recipients WHERE tracking_id = ?',
    ),
    putStates: prepareRows(
      database,
      5,
      (rows) =>
        `INSERT INTO mailtrail_recipients (tracking_id, address_digest, address, status, state)
         VALUES ${rows}
         ON CONFLICT DO UPDATE SET status = excluded.status, state = excluded.state`,
    ),
    // Without the status, whose index is written anew whatever it was before.
    changeState: prepare(
      'UPDATE mailtrail_recipients SET state = ? WHERE tracking_id = ? AND address_digest = ?',
    ),

    isEvent: prepare('SELECT 1 FROM mailtrail_events WHERE id = ?'),
    isProviderKey: prepare('SELECT 1 FROM mailtrail_events WHERE provider_key = ?'),
    addEvents: prepareRows(
      database,
      4,
      (rows) =>
        `INSERT INTO mailtrail_events (id, provider_key, tracking_id, event) VALUES ${rows}`,
    ),
    tieEvent: prepare('UPDATE mailtrail_events SET tracking_id = ?, event = ? WHERE id = ?'),
    putEvent: prepare('UPDATE mailtrail_events SET event = ? WHERE id = ?'),
    eventsOf: prepare<{ event: string }>(
      'SELECT event FROM mailtrail_events WHERE tracking_id = ? ORDER BY position',
    ),

    addWaiting: prepare('INSERT INTO mailtrail_waiting (key, event_id, via) VALUES (?, ?, ?)'),
    waiting: prepare<{ event_id: Uint8Array; via: MatchedVia; position: number; event: string }>(
      `SELECT event_id, via, position, event
       FROM mailtrail_waiting JOIN mailtrail_events ON id = event_id
       WHERE key = ? AND tracking_id IS NULL`,
    ),
    removeWaiting: prepare('DELETE FROM mailtrail_waiting WHERE key = ?'),

    addUntold: prepareRows(
      database,
      6,
      (rows) =>
        `INSERT INTO mailtrail_untold (event_id, position, lane, due_at, owner, progress)
         VALUES ${rows}`,
    ),
    moveUntold: prepare(
      'UPDATE mailtrail_untold SET lane = ?, due_at = ?, owner = ? WHERE event_id = ?',
    ),
    isBusy: prepare('SELECT 1 FROM mailtrail_untold WHERE lane = ? AND owner IS NOT ? LIMIT 1'),
    dueLanes: prepare<{ lane: Uint8Array }>(
      `SELECT lane FROM mailtrail_untold AS first
       WHERE due_at <= ? AND NOT EXISTS (
         SELECT 1 FROM mailtrail_untold AS other
         WHERE other.lane = first.lane
           AND (other.position < first.position OR other.owner IS NOT NULL AND other.due_at > ?))
       ORDER BY due_at LIMIT ?`,
    ),
    laneEvents: prepare<{
      event_id: Uint8Array
      position: number
      due_at: number
      progress: string | null
      event: string
    }>(
      `SELECT event_id, mailtrail_untold.position, due_at, progress, event
       FROM mailtrail_untold JOIN mailtrail_events ON id = event_id
       WHERE lane = ? ORDER BY mailtrail_untold.position LIMIT ?`,
    ),
    untoldEvent: prepare<{
      position: number
      lane: Uint8Array
      due_at: number
      owner: string | null
      progress: string | null
      event: string
    }>(
      `SELECT mailtrail_untold.position, lane, due_at, owner, progress, event
       FROM mailtrail_untold JOIN mailtrail_events ON id = event_id WHERE event_id = ?`,
    ),
    laneUpTo: prepare<{ event_id: Uint8Array; position: number }>(
      `SELECT event_id, position FROM mailtrail_untold
       WHERE lane = ? AND position < ? ORDER BY position LIMIT ?`,
    ),
    firstOfLane: prepare<{ event_id: Uint8Array; position: number }>(
      `SELECT event_id, position FROM mailtrail_untold
       WHERE lane = ? ORDER BY position LIMIT ?`,
    ),
    lease: prepare('UPDATE mailtrail_untold SET owner = ?, due_at = ? WHERE event_id = ?'),
    prolong: prepare('UPDATE mailtrail_untold SET due_at = ? WHERE event_id = ? AND owner = ?'),
    removeUntold: prepareRows(
      database,
      1,
      (ids) => `DELETE FROM mailtrail_untold WHERE event_id IN (${ids})`,
    ),
    putProgress: prepare('UPDATE mailtrail_untold SET progress = ? WHERE event_id = ?'),
    release: prepare(
      'UPDATE mailtrail_untold SET owner = NULL, progress = ?, due_at = ? WHERE event_id = ?',
    ),
    nextDue: prepare<{ due_at: number | null }>(
      'SELECT min(due_at) AS due_at FROM mailtrail_untold',
    ),

    bury: prepare(
      `INSERT OR REPLACE INTO mailtrail_dead_letters (event_id, position, progress, given_up_at)
       SELECT event_id, position, ?, ? FROM mailtrail_untold WHERE event_id = ?`,
    ),
    exhume: prepare<{ position: number; lane: Uint8Array; progress: string }>(
      `DELETE FROM mailtrail_dead_letters WHERE event_id = ?
       RETURNING position, progress, (
         SELECT coalesce(tracking_id, id) FROM mailtrail_events WHERE id = event_id) AS lane`,
    ),
    deadLetters: prepare<{
      event_id: Uint8Array
      event: string
      progress: string
      given_up_at: number
    }>(
      `SELECT event_id, event, progress, given_up_at
       FROM mailtrail_dead_letters JOIN mailtrail_events ON id = event_id
       WHERE event_id < ? ORDER BY event_id DESC LIMIT ?`,
    ),

    removeNonces: prepare(
      `DELETE FROM mailtrail_nonces WHERE token IN (
         SELECT token FROM mailtrail_nonces WHERE used_at < ? ORDER BY used_at LIMIT ?)`,
    ),
    oldMessages: prepare<MessageColumns>(
      `SELECT tracking_id, provider, record FROM mailtrail_messages AS message
       WHERE tracking_id < ?
         AND NOT EXISTS (
           SELECT 1 FROM mailtrail_events AS event JOIN mailtrail_untold ON event_id = event.id
           WHERE event.tracking_id = message.tracking_id)
       ORDER BY tracking_id LIMIT ?`,
    ),
    oldEvents: prepare<{ id: Uint8Array }>(
      `SELECT id FROM mailtrail_events
       WHERE tracking_id IS NULL AND id < ?
         AND NOT EXISTS (SELECT 1 FROM mailtrail_untold WHERE event_id = id)
       ORDER BY id LIMIT ?`,
    ),
    eventIdsOf: prepare<{ id: Uint8Array }>(
      'SELECT id FROM mailtrail_events WHERE tracking_id = ?',
    ),
    removeMessage: prepare('DELETE FROM mailtrail_messages WHERE tracking_id = ?'),
    removeRecipients: prepare('DELETE FROM mailtrail_recipients WHERE tracking_id = ?'),
    removeKey: prepare('DELETE FROM mailtrail_keys WHERE key = ? AND tracking_id = ?'),
    removeEvent: prepare('DELETE FROM mailtrail_events WHERE id = ?'),
    removeWaitingOf: prepare('DELETE FROM mailtrail_waiting WHERE event_id = ?'),
    removeDeadLetter: prepare('DELETE FROM mailtrail_dead_letters WHERE event_id = ?'),

    messagesAfter: prepare<MessageColumns>(
      `SELECT tracking_id, provider, record FROM mailtrail_messages
       WHERE tracking_id > ? ORDER BY tracking_id LIMIT ?`,
    ),
    eventsAfter: prepare<EventColumns>(
      `${storedEvents} WHERE event.position > ? ORDER BY event.position LIMIT ?`,
    ),
    eventAt: prepare<EventColumns>(`${storedEvents} WHERE event.position = ?`),
    renameRecipient: prepare(
      `UPDATE mailtrail_recipients SET address_digest = ?, address = ?
       WHERE tracking_id = ? AND address_digest = ?`,
    ),
    renameEvent: prepare('UPDATE mailtrail_events SET id = ?, event = ? WHERE id = ?'),
    renameWaiting: prepare('UPDATE mailtrail_waiting SET event_id = ? WHERE event_id = ?'),
    renameUntold: prepare(
      `UPDATE mailtrail_untold SET event_id = ?1, progress = coalesce(?2, progress),
         lane = CASE WHEN lane = ?3 THEN ?1 ELSE lane END
       WHERE event_id = ?3`,
    ),
    renameDeadLetter: prepare(
      `UPDATE mailtrail_dead_letters SET event_id = ?1, progress = coalesce(?2, progress)
       WHERE event_id = ?3`,
    ),

    putLabel: prepare('INSERT OR IGNORE INTO mailtrail_labels (label, tracking_id) VALUES (?, ?)'),
    removeLabel: prepare('DELETE FROM mailtrail_labels WHERE label = ? AND tracking_id = ?'),

    removeSuppressions: prepare('DELETE FROM mailtrail_suppressions WHERE address_digest = ?'),

    putCheckpoint: prepare(
      'INSERT OR REPLACE INTO mailtrail_checkpoints (name, position) VALUES (?, ?)',
    ),
    checkpoint: prepare<{ position: string }>(
      'SELECT position FROM mailtrail_checkpoints WHERE name = ?',
    ),

    putSuppression: prepare(
      `INSERT INTO mailtrail_suppressions (address_digest, scope, cause, address,
         first_added_at, added_at, removed_at, provider, detail, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET
         first_added_at = min(coalesce(first_added_at, excluded.first_added_at),
           coalesce(excluded.first_added_at, first_added_at)),
         removed_at = max(coalesce(removed_at, excluded.removed_at),
           coalesce(excluded.removed_at, removed_at)),
         (added_at, provider, detail, expires_at) = (
           SELECT * FROM (VALUES
             (added_at, provider, detail, expires_at),
             (excluded.added_at, excluded.provider, excluded.detail, excluded.expires_at))
           ORDER BY 1 DESC NULLS LAST, 2 DESC, 3 DESC, 4 DESC LIMIT 1)`,
    ),
    suppressionsOf: prepare<SuppressionColumns>(
      `SELECT ${suppressionColumns} FROM mailtrail_suppressions WHERE address_digest = ?`,
    ),
    suppressions: prepare<SuppressionColumns & { address_digest: Uint8Array }>(
      `SELECT address_digest, ${suppressionColumns} FROM mailtrail_suppressions
       WHERE (address_digest, scope, cause) > (?, ?, ?)
         AND added_at >= coalesce(removed_at, 0)
       ORDER BY address_digest, scope, cause LIMIT ?`,
    ),
  }
}

const suppressionColumns =
  'address, scope, cause, first_added_at, added_at, removed_at, provider, detail, expires_at'

const storedEvents = `SELECT id, event.position, event,
    coalesce(untold.progress, dead.progress) AS progress
  FROM mailtrail_events AS event
    LEFT JOIN mailtrail_untold AS untold ON untold.event_id = id
    LEFT JOIN mailtrail_dead_letters AS dead ON dead.event_id = id`

export interface EventColumns {
  id: Uint8Array
  position: number
  event: string
  progress: string | null
}

export interface SuppressionColumns {
  address: string
  scope: string
  cause: SuppressionCause
  first_added_at: number | null
  added_at: number | null
  removed_at: number | null
  provider: string
  detail: string
  expires_at: number
}

/** A message as it comes from the database. */
export interface MessageColumns {
  tracking_id: Uint8Array
  provider: string
  record: string
}

export function toMessage({ tracking_id: id, provider, record }: MessageColumns): MessageRow {
  return { trackingId: fromBytes(id), provider, record }
}
