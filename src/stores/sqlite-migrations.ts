import type { Migrations } from './migrations.js'

const countColumns = `
      recipients INTEGER NOT NULL DEFAULT 0,
      events INTEGER NOT NULL DEFAULT 0,
      messages INTEGER NOT NULL DEFAULT 0,
      sent INTEGER NOT NULL DEFAULT 0,
      unsent INTEGER NOT NULL DEFAULT 0,
      pending INTEGER NOT NULL DEFAULT 0,
      accepted INTEGER NOT NULL DEFAULT 0,
      deferred INTEGER NOT NULL DEFAULT 0,
      delivered INTEGER NOT NULL DEFAULT 0,
      bounced INTEGER NOT NULL DEFAULT 0,
      rejected INTEGER NOT NULL DEFAULT 0,
      failed INTEGER NOT NULL DEFAULT 0,
      opened INTEGER NOT NULL DEFAULT 0,
      clicked INTEGER NOT NULL DEFAULT 0,
      complained INTEGER NOT NULL DEFAULT 0,
      unsubscribed INTEGER NOT NULL DEFAULT 0,
      opens INTEGER NOT NULL DEFAULT 0,
      clicks INTEGER NOT NULL DEFAULT 0`

// Large rows stand in tables of their own order (with a rowid), small ones in that of their key.
export const sqliteMigrations: Migrations = [
  [
    `CREATE TABLE mailtrail_messages (
      tracking_id BLOB PRIMARY KEY NOT NULL,
      provider TEXT NOT NULL,
      record TEXT NOT NULL
    ) STRICT`,
    'CREATE INDEX mailtrail_messages_by_provider ON mailtrail_messages (provider, tracking_id)',

    `CREATE TABLE mailtrail_recipients (
      tracking_id BLOB NOT NULL,
      address_digest BLOB NOT NULL,
      address TEXT NOT NULL,
      status TEXT NOT NULL,
      state TEXT NOT NULL,
      PRIMARY KEY (tracking_id, address_digest)
    ) STRICT, WITHOUT ROWID`,
    `CREATE INDEX mailtrail_recipients_by_address
      ON mailtrail_recipients (address_digest, tracking_id)`,
    'CREATE INDEX mailtrail_recipients_by_status ON mailtrail_recipients (status, tracking_id)',

    `CREATE TABLE mailtrail_keys (
      key BLOB PRIMARY KEY NOT NULL,
      tracking_id BLOB NOT NULL,
      address TEXT
    ) STRICT, WITHOUT ROWID`,

    `CREATE TABLE mailtrail_events (
      position INTEGER PRIMARY KEY,
      id BLOB NOT NULL UNIQUE,
      provider_key BLOB UNIQUE,
      tracking_id BLOB,
      event TEXT NOT NULL
    ) STRICT`,
    `CREATE INDEX mailtrail_events_by_message
      ON mailtrail_events (tracking_id) WHERE tracking_id IS NOT NULL`,

    `CREATE TABLE mailtrail_waiting (
      key BLOB NOT NULL,
      event_id BLOB NOT NULL,
      via TEXT NOT NULL,
      PRIMARY KEY (key, event_id)
    ) STRICT, WITHOUT ROWID`,

    `CREATE TABLE mailtrail_untold (
      event_id BLOB PRIMARY KEY NOT NULL,
      position INTEGER NOT NULL,
      lane BLOB NOT NULL,
      due_at INTEGER NOT NULL,
      owner TEXT,
      progress TEXT
    ) STRICT, WITHOUT ROWID`,
    'CREATE INDEX mailtrail_untold_by_lane ON mailtrail_untold (lane, position)',
    'CREATE INDEX mailtrail_untold_by_due_time ON mailtrail_untold (due_at)',

    `CREATE TABLE mailtrail_dead_letters (
      event_id BLOB PRIMARY KEY NOT NULL,
      position INTEGER NOT NULL,
      progress TEXT NOT NULL,
      given_up_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,

    `CREATE TABLE mailtrail_nonces (
      token BLOB PRIMARY KEY NOT NULL,
      content TEXT NOT NULL
    ) STRICT, WITHOUT ROWID`,
  ],
  [
    // What is removed when it is old is found by these.
    'ALTER TABLE mailtrail_nonces ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0',
    'CREATE INDEX mailtrail_nonces_by_time ON mailtrail_nonces (used_at)',
    'CREATE INDEX mailtrail_waiting_by_event ON mailtrail_waiting (event_id)',
    'CREATE INDEX mailtrail_events_alone ON mailtrail_events (id) WHERE tracking_id IS NULL',

    `CREATE TABLE mailtrail_labels (
      label BLOB NOT NULL,
      tracking_id BLOB NOT NULL,
      PRIMARY KEY (label, tracking_id)
    ) STRICT, WITHOUT ROWID`,

    `CREATE TABLE mailtrail_counts (
      dimension TEXT NOT NULL,
      start INTEGER NOT NULL,
      provider TEXT NOT NULL,
      value TEXT NOT NULL,${countColumns},
      PRIMARY KEY (dimension, start, provider, value)
    ) STRICT, WITHOUT ROWID`,

    // Days that are over: by provider and, where its name is empty, by all of them; by day and by week.
    `CREATE TABLE mailtrail_count_totals (
      weekly INTEGER NOT NULL,
      dimension TEXT NOT NULL,
      start INTEGER NOT NULL,
      provider TEXT NOT NULL,
      value TEXT NOT NULL,${countColumns},
      PRIMARY KEY (dimension, weekly, provider, start, value)
    ) STRICT, WITHOUT ROWID`,

    `CREATE TABLE mailtrail_checkpoints (
      name TEXT PRIMARY KEY NOT NULL,
      position TEXT NOT NULL
    ) STRICT, WITHOUT ROWID`,

    `CREATE TABLE mailtrail_suppressions (
      address_digest BLOB NOT NULL,
      scope TEXT NOT NULL,
      cause TEXT NOT NULL,
      address TEXT NOT NULL,
      first_added_at INTEGER,
      added_at INTEGER,
      removed_at INTEGER,
      provider TEXT NOT NULL,
      detail TEXT NOT NULL,
      expires_at INTEGER NOT NULL,
      PRIMARY KEY (address_digest, scope, cause)
    ) STRICT, WITHOUT ROWID`,
  ],
]
