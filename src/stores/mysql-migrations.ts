import type { Migrations } from './migrations.js'

// Said with every table, for the server's defaults may be others. Text stands in binary columns:
// there it is what it was, whatever character set and collation a connection has.
const table = 'ENGINE=InnoDB ROW_FORMAT=DYNAMIC'

/** How many locks there are for keys of messages. Each is a row that must be there. */
export const keyLocks = 64

const allKeyLocks = Array.from({ length: keyLocks }, (_, bucket) => `(${bucket})`).join(', ')

/** How many bytes are kept of a value that is counted by: none has more, and blobs take twice as long to group. */
export const countedValue = 600

/**
 * Changes a table that is there already, unless this index of it says that it was done: of what may not be run
 * again, only MariaDB can say IF NOT EXISTS.
 */
function changed(name: string, index: string, changes: string): string[] {
  return [
    `SET @mailtrail_change = IF(
      EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = '${name}' AND index_name = '${index}'),
      'DO 0', 'ALTER TABLE ${name} ${changes}')`,
    'PREPARE mailtrail_change FROM @mailtrail_change',
    'EXECUTE mailtrail_change',
    'DEALLOCATE PREPARE mailtrail_change',
    'SET @mailtrail_change = NULL',
  ]
}

// Each of these commits by itself, so each may be run again after a start that was killed half-way.
export const mysqlMigrations: Migrations = [
  [
    `CREATE TABLE IF NOT EXISTS mailtrail_messages (
      tracking_id BINARY(16) NOT NULL,
      provider VARBINARY(255) NOT NULL,
      record LONGBLOB NOT NULL,
      PRIMARY KEY (tracking_id),
      KEY mailtrail_messages_by_provider (provider, tracking_id)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_recipients (
      tracking_id BINARY(16) NOT NULL,
      address_digest BINARY(16) NOT NULL,
      address LONGBLOB NOT NULL,
      status VARBINARY(32) NOT NULL,
      state LONGBLOB NOT NULL,
      PRIMARY KEY (tracking_id, address_digest),
      KEY mailtrail_recipients_by_address (address_digest, tracking_id),
      KEY mailtrail_recipients_by_status (status, tracking_id)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_keys (
      key_digest BINARY(16) NOT NULL,
      tracking_id BINARY(16) NOT NULL,
      address LONGBLOB,
      PRIMARY KEY (key_digest)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_key_locks (
      bucket SMALLINT NOT NULL,
      PRIMARY KEY (bucket)
    ) ${table}`,
    `INSERT INTO mailtrail_key_locks (bucket) VALUES ${allKeyLocks}
     ON DUPLICATE KEY UPDATE bucket = VALUES(bucket)`,

    `CREATE TABLE IF NOT EXISTS mailtrail_events (
      position BIGINT NOT NULL AUTO_INCREMENT,
      id BINARY(16) NOT NULL,
      provider_key BINARY(16),
      tracking_id BINARY(16),
      event LONGBLOB NOT NULL,
      PRIMARY KEY (position),
      UNIQUE KEY mailtrail_events_by_id (id),
      UNIQUE KEY mailtrail_events_by_provider_key (provider_key),
      KEY mailtrail_events_by_message (tracking_id)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_waiting (
      key_digest BINARY(16) NOT NULL,
      event_id BINARY(16) NOT NULL,
      via VARBINARY(32) NOT NULL,
      PRIMARY KEY (key_digest, event_id)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_untold (
      event_id BINARY(16) NOT NULL,
      position BIGINT NOT NULL,
      lane BINARY(16) NOT NULL,
      due_at BIGINT NOT NULL,
      owner VARBINARY(255),
      progress LONGBLOB,
      PRIMARY KEY (event_id),
      KEY mailtrail_untold_by_lane (lane, position),
      KEY mailtrail_untold_by_due_time (due_at)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_dead_letters (
      event_id BINARY(16) NOT NULL,
      position BIGINT NOT NULL,
      progress LONGBLOB NOT NULL,
      given_up_at BIGINT NOT NULL,
      PRIMARY KEY (event_id)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_nonces (
      token BINARY(16) NOT NULL,
      content LONGBLOB NOT NULL,
      PRIMARY KEY (token)
    ) ${table}`,
  ],
  [
    // What is removed when it is old is found by these.
    ...changed(
      'mailtrail_nonces',
      'mailtrail_nonces_by_time',
      `ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0,
        ADD KEY mailtrail_nonces_by_time (used_at)`,
    ),
    ...changed(
      'mailtrail_waiting',
      'mailtrail_waiting_by_event',
      'ADD KEY mailtrail_waiting_by_event (event_id)',
    ),
    // Also those of no message, in the order of their ids.
    ...changed(
      'mailtrail_events',
      'mailtrail_events_of_message',
      `ADD KEY mailtrail_events_of_message (tracking_id, id),
        DROP KEY mailtrail_events_by_message`,
    ),

    `CREATE TABLE IF NOT EXISTS mailtrail_labels (
      label_digest BINARY(16) NOT NULL,
      tracking_id BINARY(16) NOT NULL,
      PRIMARY KEY (label_digest, tracking_id),
      KEY mailtrail_labels_by_message (tracking_id)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_counts (
      dimension VARBINARY(32) NOT NULL,
      start BIGINT NOT NULL,
      provider VARBINARY(255) NOT NULL,
      value_digest BINARY(16) NOT NULL,
      shard TINYINT NOT NULL,
      value VARBINARY(${countedValue}) NOT NULL,
      recipients BIGINT NOT NULL DEFAULT 0,
      events BIGINT NOT NULL DEFAULT 0,
      messages BIGINT NOT NULL DEFAULT 0,
      sent BIGINT NOT NULL DEFAULT 0,
      unsent BIGINT NOT NULL DEFAULT 0,
      pending BIGINT NOT NULL DEFAULT 0,
      accepted BIGINT NOT NULL DEFAULT 0,
      deferred BIGINT NOT NULL DEFAULT 0,
      delivered BIGINT NOT NULL DEFAULT 0,
      bounced BIGINT NOT NULL DEFAULT 0,
      rejected BIGINT NOT NULL DEFAULT 0,
      failed BIGINT NOT NULL DEFAULT 0,
      opened BIGINT NOT NULL DEFAULT 0,
      clicked BIGINT NOT NULL DEFAULT 0,
      complained BIGINT NOT NULL DEFAULT 0,
      unsubscribed BIGINT NOT NULL DEFAULT 0,
      opens BIGINT NOT NULL DEFAULT 0,
      clicks BIGINT NOT NULL DEFAULT 0,
      PRIMARY KEY (dimension, start, provider, value_digest, shard),
      KEY mailtrail_counts_by_shard (shard, start)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_checkpoints (
      name_digest BINARY(16) NOT NULL,
      position LONGBLOB NOT NULL,
      PRIMARY KEY (name_digest)
    ) ${table}`,

    `CREATE TABLE IF NOT EXISTS mailtrail_suppressions (
      address_digest BINARY(16) NOT NULL,
      scope_digest BINARY(16) NOT NULL,
      cause VARBINARY(32) NOT NULL,
      address LONGBLOB NOT NULL,
      scope LONGBLOB NOT NULL,
      first_added_at BIGINT,
      added_at BIGINT,
      removed_at BIGINT,
      provider LONGBLOB NOT NULL,
      detail LONGBLOB NOT NULL,
      expires_at BIGINT NOT NULL,
      PRIMARY KEY (address_digest, scope_digest, cause)
    ) ${table}`,
  ],
]
