import type { MatchedVia } from '../event.js'
import { inTransaction, type SqliteDatabase, type SqliteStatement } from './sqlite-driver.js'

const schema = `
  CREATE TABLE messages (
    tracking_id TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE recipients (
    tracking_id TEXT NOT NULL,
    address TEXT NOT NULL,
    status TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (tracking_id, address)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE message_keys (
    key TEXT PRIMARY KEY,
    tracking_id TEXT NOT NULL,
    address TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    provider_key TEXT UNIQUE,
    tracking_id TEXT,
    address TEXT,
    due_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    event TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_message ON events (tracking_id) WHERE tracking_id IS NOT NULL;
  CREATE INDEX events_by_due_time ON events (due_at) WHERE due_at IS NOT NULL;

  CREATE TABLE waiting_events (
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    via TEXT NOT NULL,
    PRIMARY KEY (key, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE nonces (
    token TEXT PRIMARY KEY,
    content TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  PRAGMA user_version = 1;
`

/** Creates the tables in a new file. Several processes may do so at once. */
export function createTables(database: SqliteDatabase): void {
  inTransaction(database, () => {
    const version = prepare<{ user_version: number }>(database, 'PRAGMA user_version').get()
    if (version?.user_version === 0) database.exec(schema)
  })
}

export interface EventRow {
  position: number
  event: string
  address: string | null
  due_at: number | null
  attempts: number
}

/** Every statement on the tables, prepared once. */
export function prepareStatements(database: SqliteDatabase) {
  const eventColumns = 'position, event, address, due_at, attempts'
  return {
    putMessage: prepare(
      database,
      'INSERT OR REPLACE INTO messages (tracking_id, provider, record) VALUES (?, ?, ?)',
    ),
    message: prepare<{ record: string }>(
      database,
      'SELECT record FROM messages WHERE tracking_id = ?',
    ),
    findMessages: prepare<{ tracking_id: string; record: string }>(
      database,
      `SELECT tracking_id, record FROM messages
       WHERE tracking_id < ?1 AND (?2 IS NULL OR provider = ?2)
         AND (?3 IS NULL AND ?4 IS NULL OR EXISTS (
           SELECT 1 FROM recipients
           WHERE recipients.tracking_id = messages.tracking_id
             AND (?3 IS NULL OR address = ?3) AND (?4 IS NULL OR status = ?4)))
       ORDER BY tracking_id DESC LIMIT ?5`,
    ),
    putRecipient: prepare(
      database,
      'INSERT OR REPLACE INTO recipients (tracking_id, address, status, state) VALUES (?, ?, ?, ?)',
    ),
    recipient: prepare<{ state: string }>(
      database,
      'SELECT state FROM recipients WHERE tracking_id = ? AND address = ?',
    ),
    recipients: prepare<{ address: string; state: string }>(
      database,
      'SELECT address, state FROM recipients WHERE tracking_id = ?',
    ),
    putKey: prepare(
      database,
      'INSERT OR REPLACE INTO message_keys (key, tracking_id, address) VALUES (?, ?, ?)',
    ),
    key: prepare<{ tracking_id: string; address: string | null }>(
      database,
      'SELECT tracking_id, address FROM message_keys WHERE key = ?',
    ),
    addEvent: prepare(
      database,
      `INSERT INTO events (id, provider_key, tracking_id, address, due_at, event)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    tieEvent: prepare(
      database,
      'UPDATE events SET tracking_id = ?, address = ?, due_at = ?, event = ? WHERE position = ?',
    ),
    leaseEvent: prepare(database, 'UPDATE events SET due_at = ?, event = ? WHERE position = ?'),
    // Whoever came first has settled it: a listener that failed elsewhere changes nothing.
    settleEvent: prepare(
      database,
      'UPDATE events SET due_at = ?, attempts = ?, error = ? WHERE id = ? AND due_at IS NOT NULL',
    ),
    eventsOf: prepare<EventRow>(
      database,
      `SELECT ${eventColumns} FROM events WHERE tracking_id = ? ORDER BY position`,
    ),
    dueEvents: prepare<EventRow>(
      database,
      `SELECT ${eventColumns} FROM events WHERE due_at <= ? ORDER BY position LIMIT ?`,
    ),
    nextDue: prepare<{ due_at: number | null }>(
      database,
      'SELECT min(due_at) AS due_at FROM events WHERE due_at IS NOT NULL',
    ),
    addWaiting: prepare(
      database,
      'INSERT INTO waiting_events (key, position, via) VALUES (?, ?, ?)',
    ),
    waiting: prepare<EventRow & { via: MatchedVia }>(
      database,
      `SELECT ${eventColumns}, via FROM waiting_events JOIN events USING (position)
       WHERE key = ? AND tracking_id IS NULL ORDER BY position`,
    ),
    removeWaiting: prepare(database, 'DELETE FROM waiting_events WHERE key = ?'),
    addNonce: prepare(
      database,
      'INSERT INTO nonces (token, content) VALUES (?, ?) ON CONFLICT DO NOTHING',
    ),
    nonce: prepare<{ content: string }>(database, 'SELECT content FROM nonces WHERE token = ?'),
  }
}

function prepare<Row>(database: SqliteDatabase, sql: string): SqliteStatement<Row> {
  // The SQL decides the shape of a row, and no type can follow it.
  return database.prepare(sql) as SqliteStatement<Row>
}
