import type { Migrations } from './migrations.js'

const countColumns = `messages bigint NOT NULL DEFAULT 0,
      sent bigint NOT NULL DEFAULT 0,
      unsent bigint NOT NULL DEFAULT 0,
      recipients bigint NOT NULL DEFAULT 0,
      pending bigint NOT NULL DEFAULT 0,
      accepted bigint NOT NULL DEFAULT 0,
      deferred bigint NOT NULL DEFAULT 0,
      delivered bigint NOT NULL DEFAULT 0,
      bounced bigint NOT NULL DEFAULT 0,
      rejected bigint NOT NULL DEFAULT 0,
      failed bigint NOT NULL DEFAULT 0,
      opened bigint NOT NULL DEFAULT 0,
      clicked bigint NOT NULL DEFAULT 0,
      complained bigint NOT NULL DEFAULT 0,
      unsubscribed bigint NOT NULL DEFAULT 0,
      opens bigint NOT NULL DEFAULT 0,
      clicks bigint NOT NULL DEFAULT 0,
      events bigint NOT NULL DEFAULT 0`

/** The tables that are partitioned by time, as an id or a key of each begins with it. */
export const timedTables = [
  // In the order in which others come to them: who has these locked lets nobody wait who holds the next.
  { name: 'mailtrail_events', id: 'id', settings: '' },
  { name: 'mailtrail_provider_keys', id: 'key', settings: '' },
  { name: 'mailtrail_messages', id: 'tracking_id', settings: 'WITH (fillfactor = 80)' },
  { name: 'mailtrail_recipients', id: 'tracking_id', settings: 'WITH (fillfactor = 80)' },
  { name: 'mailtrail_labels', id: 'tracking_id', settings: '' },
  { name: 'mailtrail_keys', id: 'tracking_id', settings: '' },
] as const

/** Statements that put a partitioned table in the place of a plain one, which becomes its one partition. */
function partitioned(name: string, id: string, definition: string, indexes: string[]): string[] {
  const renamed = indexes.map(
    (index) => `ALTER INDEX ${name}_${index} RENAME TO ${name}_first_${index}`,
  )
  return [
    `ALTER TABLE ${name} RENAME TO ${name}_first`,
    ...renamed,
    `CREATE TABLE ${name} (LIKE ${name}_first, ${definition}) PARTITION BY RANGE (${id})`,
  ]
}

/** Indexes that the partition has already become part of those of the table. */
function attached(name: string): string {
  return `ALTER TABLE ${name} ATTACH PARTITION ${name}_first
    FOR VALUES FROM (MINVALUE) TO (MAXVALUE)`
}

// Where rows change and hardly any index with them, pages keep room for the next version of a row:
// then no index has to be written. JSON is text: `jsonb` takes no \u0000, and sorts keys.
export const postgresMigrations: Migrations = [
  [
    `CREATE TABLE mailtrail_messages (
      tracking_id uuid PRIMARY KEY,
      provider text NOT NULL,
      record text NOT NULL
    ) WITH (fillfactor = 80)`,
    'CREATE INDEX mailtrail_messages_by_provider ON mailtrail_messages (provider, tracking_id)',

    `CREATE TABLE mailtrail_recipients (
      tracking_id uuid NOT NULL,
      address_digest uuid NOT NULL,
      address text NOT NULL,
      status text NOT NULL,
      state text NOT NULL,
      PRIMARY KEY (tracking_id, address_digest)
    ) WITH (fillfactor = 80)`,
    `CREATE INDEX mailtrail_recipients_by_address
      ON mailtrail_recipients (address_digest, tracking_id)`,
    'CREATE INDEX mailtrail_recipients_by_status ON mailtrail_recipients (status, tracking_id)',

    `CREATE TABLE mailtrail_keys (
      key uuid PRIMARY KEY,
      tracking_id uuid NOT NULL,
      address text
    )`,

    `CREATE TABLE mailtrail_events (
      position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      id uuid NOT NULL UNIQUE,
      provider_key uuid UNIQUE,
      tracking_id uuid,
      event text NOT NULL
    )`,
    `CREATE INDEX mailtrail_events_by_message
      ON mailtrail_events (tracking_id) WHERE tracking_id IS NOT NULL`,

    `CREATE TABLE mailtrail_waiting (
      key uuid NOT NULL,
      event_id uuid NOT NULL,
      via text NOT NULL,
      PRIMARY KEY (key, event_id)
    )`,

    // Every event comes and goes here, so that the table is small and most of it soon dead.
    `CREATE TABLE mailtrail_untold (
      event_id uuid PRIMARY KEY,
      position bigint NOT NULL,
      lane uuid NOT NULL,
      due_at bigint NOT NULL,
      owner text,
      progress text
    ) WITH (
      autovacuum_vacuum_scale_factor = 0.02,
      autovacuum_vacuum_threshold = 1000,
      autovacuum_vacuum_cost_delay = 0
    )`,
    'CREATE INDEX mailtrail_untold_by_lane ON mailtrail_untold (lane, position)',
    'CREATE INDEX mailtrail_untold_by_due_time ON mailtrail_untold (due_at)',

    `CREATE TABLE mailtrail_dead_letters (
      event_id uuid PRIMARY KEY,
      position bigint NOT NULL,
      progress text NOT NULL,
      given_up_at bigint NOT NULL
    )`,

    `CREATE TABLE mailtrail_nonces (
      token uuid PRIMARY KEY,
      content uuid NOT NULL
    )`,
  ],
  [
    // What is removed when it is old is found by these.
    'ALTER TABLE mailtrail_nonces ADD COLUMN used_at bigint NOT NULL DEFAULT 0',
    'CREATE INDEX mailtrail_nonces_by_time ON mailtrail_nonces (used_at)',
    'CREATE INDEX mailtrail_waiting_by_event ON mailtrail_waiting (event_id)',

    `CREATE TABLE mailtrail_labels (
      label uuid NOT NULL,
      tracking_id uuid NOT NULL,
      PRIMARY KEY (label, tracking_id)
    ) PARTITION BY RANGE (tracking_id)`,
    'CREATE INDEX mailtrail_labels_by_message ON mailtrail_labels (tracking_id)',
    `CREATE TABLE mailtrail_labels_first
      PARTITION OF mailtrail_labels FOR VALUES FROM (MINVALUE) TO (MAXVALUE)`,

    ...partitioned('mailtrail_messages', 'tracking_id', 'PRIMARY KEY (tracking_id)', [
      'pkey',
      'by_provider',
    ]),
    'CREATE INDEX mailtrail_messages_by_provider ON mailtrail_messages (provider, tracking_id)',
    attached('mailtrail_messages'),

    ...partitioned(
      'mailtrail_recipients',
      'tracking_id',
      'PRIMARY KEY (tracking_id, address_digest)',
      ['pkey', 'by_address', 'by_status'],
    ),
    `CREATE INDEX mailtrail_recipients_by_address
      ON mailtrail_recipients (address_digest, tracking_id)`,
    'CREATE INDEX mailtrail_recipients_by_status ON mailtrail_recipients (status, tracking_id)',
    attached('mailtrail_recipients'),

    // A key that a later message takes over stands there twice, and goes with each of the two.
    'ALTER TABLE mailtrail_keys DROP CONSTRAINT mailtrail_keys_pkey',
    ...partitioned('mailtrail_keys', 'tracking_id', 'PRIMARY KEY (key, tracking_id)', []),
    attached('mailtrail_keys'),

    // What is unique in a partitioned table has the time in it, and the id of an event begins with one. So
    // does a provider's key, but with another, so it has a table of its own.
    `CREATE TABLE mailtrail_provider_keys (key uuid PRIMARY KEY) PARTITION BY RANGE (key)`,
    `CREATE TABLE mailtrail_provider_keys_first
      PARTITION OF mailtrail_provider_keys FOR VALUES FROM (MINVALUE) TO (MAXVALUE)`,
    `INSERT INTO mailtrail_provider_keys
      SELECT provider_key FROM mailtrail_events WHERE provider_key IS NOT NULL`,
    `ALTER TABLE mailtrail_events ALTER COLUMN position DROP IDENTITY,
      DROP CONSTRAINT mailtrail_events_pkey,
      DROP CONSTRAINT mailtrail_events_id_key,
      DROP CONSTRAINT mailtrail_events_provider_key_key`,
    ...partitioned('mailtrail_events', 'id', 'PRIMARY KEY (id)', ['by_message']),
    'ALTER TABLE mailtrail_events ALTER COLUMN position ADD GENERATED ALWAYS AS IDENTITY',
    'CREATE INDEX mailtrail_events_by_position ON mailtrail_events (position)',
    `CREATE INDEX mailtrail_events_by_message
      ON mailtrail_events (tracking_id) WHERE tracking_id IS NOT NULL`,
    'CREATE INDEX mailtrail_events_alone ON mailtrail_events (id) WHERE tracking_id IS NULL',
    attached('mailtrail_events'),
    `SELECT setval(pg_get_serial_sequence('mailtrail_events', 'position'), max(position))
      FROM mailtrail_events HAVING max(position) IS NOT NULL`,

    // All transactions change the same few rows, so there is much room for their versions. Text is
    // ordered by its bytes, as in every other store. Numbers come before text, for they are found faster there.
    `CREATE TABLE mailtrail_counts (
      start bigint NOT NULL,
      value_digest uuid NOT NULL,
      ${countColumns},
      shard smallint NOT NULL,
      dimension text COLLATE "C" NOT NULL,
      provider text COLLATE "C" NOT NULL,
      value text COLLATE "C" NOT NULL,
      PRIMARY KEY (dimension, start, value_digest, shard)
    ) WITH (fillfactor = 50)`,
    `CREATE TABLE mailtrail_count_totals (
      start bigint NOT NULL,
      ${countColumns},
      weekly boolean NOT NULL,
      dimension text COLLATE "C" NOT NULL,
      provider text COLLATE "C" NOT NULL,
      value text COLLATE "C" NOT NULL,
      PRIMARY KEY (weekly, dimension, provider, start, value)
    ) WITH (fillfactor = 80)`,
    'CREATE INDEX mailtrail_count_totals_by_time ON mailtrail_count_totals (start)',

    `CREATE TABLE mailtrail_checkpoints (
      name uuid PRIMARY KEY,
      position text NOT NULL
    )`,

    `CREATE TABLE mailtrail_suppressions (
      address_digest uuid NOT NULL,
      scope_digest uuid NOT NULL,
      cause text COLLATE "C" NOT NULL,
      address text NOT NULL,
      scope text NOT NULL,
      first_added_at bigint,
      added_at bigint,
      removed_at bigint,
      provider text COLLATE "C" NOT NULL,
      detail text COLLATE "C" NOT NULL,
      expires_at bigint NOT NULL,
      PRIMARY KEY (address_digest, scope_digest, cause)
    ) WITH (fillfactor = 80)`,
  ],
]
