import type { MatchedVia } from '../event.js'
import { prepared } from './postgres-transaction.js'

// Ids and digests are `uuid`: 16 bytes in every index. Whoever locks several rows of a table does so
// in the order of their ids, events in that of their positions, or two might wait for each other. A
// list that rows are looked up by stands as `= ANY` too, or as `LATERAL`: then a table is not read
// whole, however small it was when the statement was planned.

// Changes nothing of a token that is known: between two statements it might be removed.
export const claimNonce = prepared<{ content: string }>(
  'claim_nonce',
  `INSERT INTO mailtrail_nonces AS known (token, content, used_at) VALUES ($1, $2, $3)
   ON CONFLICT (token) DO UPDATE SET used_at = known.used_at RETURNING content`,
)

// These keep a message that is written with its keys from passing an event that looks for them.
export const lockKeysShared = prepared(
  'lock_keys_shared',
  'SELECT pg_advisory_xact_lock_shared($1, bucket) FROM unnest($2::int[]) AS bucket',
)
export const lockKeysExclusive = prepared(
  'lock_keys_exclusive',
  'SELECT pg_advisory_xact_lock($1, bucket) FROM unnest($2::int[]) AS bucket',
)
// The latest message that had a key: where days have partitions the latest ones are looked into first.
export const keys = prepared<{ key: string; tracking_id: string; address: string | null }>(
  'keys',
  `SELECT given.key, found.* FROM unnest($1::uuid[]) AS given (key)
   CROSS JOIN LATERAL (
     SELECT tracking_id, address FROM mailtrail_keys AS known
     WHERE known.key = given.key ORDER BY tracking_id DESC LIMIT 1) AS found`,
)
export const putKeys = prepared(
  'put_keys',
  `INSERT INTO mailtrail_keys (tracking_id, key, address)
   SELECT $1::uuid, key, address FROM unnest($2::uuid[], $3::text[]) AS new (key, address)
   ORDER BY key
   ON CONFLICT (key, tracking_id) DO UPDATE SET address = excluded.address`,
)

export const knownMessages = prepared<{ tracking_id: string }>(
  'known_messages',
  'SELECT tracking_id FROM mailtrail_messages WHERE tracking_id = ANY ($1::uuid[])',
)
export const messagesTo = prepared<{ tracking_id: string }>(
  'messages_to',
  `SELECT tracking_id FROM mailtrail_recipients JOIN mailtrail_messages USING (tracking_id)
   WHERE address_digest = $1 AND tracking_id >= $2 AND tracking_id < $3 AND provider = $4 LIMIT 2`,
)
interface MessageRow {
  tracking_id: string
  provider: string
  record: string
}
export const messages = prepared<MessageRow>(
  'messages',
  `SELECT tracking_id, provider, record FROM mailtrail_messages
   WHERE tracking_id = ANY ($1::uuid[])`,
)
// Protects a message, the states of its recipients, and who tells its events.
export const lockMessages = prepared<MessageRow>(
  'lock_messages',
  `SELECT tracking_id, provider, record FROM mailtrail_messages
   WHERE tracking_id = ANY ($1::uuid[]) ORDER BY tracking_id FOR NO KEY UPDATE`,
)
export const putMessage = prepared(
  'put_message',
  `INSERT INTO mailtrail_messages (tracking_id, provider, record) VALUES ($1, $2, $3)
   ON CONFLICT (tracking_id) DO UPDATE SET provider = excluded.provider, record = excluded.record`,
)

interface StateRow {
  tracking_id: string
  address: string
  state: string
}
export const states = prepared<StateRow>(
  'states',
  `SELECT found.* FROM unnest($1::uuid[], $2::uuid[]) AS given (tracking_id, address_digest)
   CROSS JOIN LATERAL (
     SELECT tracking_id, address, state FROM mailtrail_recipients AS recipient
     WHERE recipient.tracking_id = given.tracking_id
       AND recipient.address_digest = given.address_digest LIMIT 1) AS found`,
)
export const statesOf = prepared<StateRow>(
  'states_of',
  `SELECT tracking_id, address, state FROM mailtrail_recipients
   WHERE tracking_id = ANY ($1::uuid[])`,
)
export const putStates = prepared(
  'put_states',
  `INSERT INTO mailtrail_recipients (tracking_id, address_digest, address, status, state)
   SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
   ON CONFLICT (tracking_id, address_digest)
     DO UPDATE SET status = excluded.status, state = excluded.state`,
)

export const knownEvents = prepared<{ id: string | null; provider_key: string | null }>(
  'known_events',
  `SELECT id, NULL AS provider_key FROM mailtrail_events WHERE id = ANY ($1::uuid[])
   UNION ALL
   SELECT NULL, key FROM mailtrail_provider_keys WHERE key = ANY ($2::uuid[])`,
)
// The unique indexes keep a fact that comes twice at once from being written twice.
export const addEvents = prepared<{ id: string; position: string }>(
  'add_events',
  `INSERT INTO mailtrail_events (id, provider_key, tracking_id, event)
   SELECT id, provider_key, tracking_id, event
   FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[])
     WITH ORDINALITY AS new (id, provider_key, tracking_id, event, rank)
   ORDER BY rank RETURNING id, position`,
)
export const addProviderKeys = prepared(
  'add_provider_keys',
  'INSERT INTO mailtrail_provider_keys (key) SELECT unnest($1::uuid[])',
)
export const tieEvents = prepared(
  'tie_events',
  `UPDATE mailtrail_events SET tracking_id = $1, event = tied.event
   FROM unnest($2::uuid[], $3::text[]) AS tied (id, event)
   WHERE mailtrail_events.id = ANY ($2) AND mailtrail_events.id = tied.id`,
)
export const putEvents = prepared(
  'put_events',
  `UPDATE mailtrail_events SET event = new.event
   FROM unnest($1::uuid[], $2::text[]) AS new (id, event)
   WHERE mailtrail_events.id = ANY ($1) AND mailtrail_events.id = new.id`,
)
export const eventsOf = prepared<{ event: string }>(
  'events_of',
  'SELECT event FROM mailtrail_events WHERE tracking_id = $1 ORDER BY position',
)

export const addWaiting = prepared(
  'add_waiting',
  `INSERT INTO mailtrail_waiting (key, event_id, via)
   SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) ON CONFLICT DO NOTHING`,
)
export const waiting = prepared<{ key: string; event_id: string; via: MatchedVia }>(
  'waiting',
  'SELECT key, event_id, via FROM mailtrail_waiting WHERE key = ANY ($1::uuid[])',
)
// Keeps two messages from taking the same event, and a claim from taking it away as foreign.
export const lockTieable = prepared<{ id: string; position: string; event: string }>(
  'lock_tieable',
  `SELECT id, position, event FROM mailtrail_events
   WHERE id = ANY ($1::uuid[]) AND tracking_id IS NULL ORDER BY position FOR NO KEY UPDATE`,
)
export const removeWaiting = prepared(
  'remove_waiting',
  'DELETE FROM mailtrail_waiting WHERE key = ANY ($1::uuid[])',
)

export const addUntold = prepared(
  'add_untold',
  `INSERT INTO mailtrail_untold (event_id, position, lane, due_at, owner, progress)
   SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::text[])`,
)
// Taken before an event or a message of theirs is, by whoever takes both.
export const lockUntold = prepared(
  'lock_untold',
  `SELECT FROM mailtrail_untold WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id FOR UPDATE`,
)
export const moveUntold = prepared(
  'move_untold',
  `UPDATE mailtrail_untold AS untold SET lane = new.lane, due_at = new.due_at, owner = new.owner
   FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) AS new (event_id, lane, due_at, owner)
   WHERE untold.event_id = ANY ($1) AND untold.event_id = new.event_id`,
)
export const busyLanes = prepared<{ lane: string }>(
  'busy_lanes',
  `SELECT DISTINCT lane FROM mailtrail_untold
   WHERE lane = ANY ($1::uuid[]) AND owner IS DISTINCT FROM $2`,
)
// Two that claim at once get different lanes: what one has locked, the other one skips.
export const dueLanes = prepared<{ lane: string }>(
  'due_lanes',
  `SELECT lane FROM mailtrail_untold AS first
   WHERE due_at <= $1 AND NOT EXISTS (
     SELECT FROM mailtrail_untold AS other
     WHERE other.lane = first.lane
       AND (other.position < first.position OR other.owner IS NOT NULL AND other.due_at > $1))
   ORDER BY due_at LIMIT $2 FOR UPDATE OF first SKIP LOCKED`,
)
// The message is locked with its lane, or an event might be added to the lane under another lease meanwhile.
export const lockFreeMessages = prepared<{ tracking_id: string }>(
  'lock_free_messages',
  `SELECT tracking_id FROM mailtrail_messages
   WHERE tracking_id = ANY ($1::uuid[]) FOR NO KEY UPDATE SKIP LOCKED`,
)
// A statement of its own, for it has to see what was committed before the locks were had.
export const leasedLanes = prepared<{ lane: string }>(
  'leased_lanes',
  `SELECT DISTINCT lane FROM mailtrail_untold
   WHERE lane = ANY ($1::uuid[]) AND owner IS NOT NULL AND due_at > $2`,
)
export const laneEvents = prepared<{
  event_id: string
  lane: string
  due_at: string
  progress: string | null
}>(
  'lane_events',
  `SELECT event_id, lane, due_at, progress FROM mailtrail_untold
   WHERE lane = ANY ($1::uuid[]) ORDER BY position LIMIT $2 FOR UPDATE`,
)
// Not joined to what is untold: where events are in many partitions each is looked for in its own.
export const events = prepared<{ id: string; event: string }>(
  'events',
  'SELECT id, event FROM mailtrail_events WHERE id = ANY ($1::uuid[])',
)
export const earlierEvents = prepared<{ event_id: string }>(
  'earlier_events',
  `SELECT event_id
   FROM (
     SELECT lane, max(position) AS last FROM mailtrail_untold
     WHERE event_id = ANY ($1::uuid[]) GROUP BY lane) AS asked
   CROSS JOIN LATERAL (
     SELECT event_id, position FROM mailtrail_untold AS untold
     WHERE untold.lane = asked.lane AND position < asked.last
     ORDER BY position LIMIT $2) AS earlier
   ORDER BY position LIMIT $2`,
)
export const untoldEvents = prepared<{
  event_id: string
  position: string
  lane: string
  due_at: string
  owner: string | null
  progress: string | null
}>(
  'untold_events',
  `SELECT event_id, position, lane, due_at, owner, progress FROM mailtrail_untold
   WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id FOR UPDATE`,
)
export const firstOthers = prepared<{ lane: string; position: string }>(
  'first_others',
  `SELECT asked.lane, other.position FROM unnest($1::uuid[]) AS asked (lane)
   CROSS JOIN LATERAL (
     SELECT position FROM mailtrail_untold AS untold
     WHERE untold.lane = asked.lane AND event_id <> ALL ($2::uuid[])
     ORDER BY position LIMIT 1) AS other`,
)
export const lease = prepared(
  'lease',
  'UPDATE mailtrail_untold SET owner = $2, due_at = $3 WHERE event_id = ANY ($1::uuid[])',
)
export const prolong = prepared<{ event_id: string }>(
  'prolong',
  `UPDATE mailtrail_untold SET due_at = $3 WHERE event_id = ANY (ARRAY (
     SELECT event_id FROM mailtrail_untold
     WHERE event_id = ANY ($1::uuid[]) AND owner = $2 ORDER BY event_id FOR UPDATE))
   RETURNING event_id`,
)
export const removeUntold = prepared(
  'remove_untold',
  `DELETE FROM mailtrail_untold WHERE event_id = ANY (ARRAY (
     SELECT event_id FROM mailtrail_untold
     WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id FOR UPDATE))`,
)
export const putProgress = prepared(
  'put_progress',
  `UPDATE mailtrail_untold AS untold SET progress = new.progress
   FROM unnest($1::uuid[], $2::text[]) AS new (event_id, progress)
   WHERE untold.event_id = ANY ($1) AND untold.event_id = new.event_id`,
)
export const lockLanes = prepared(
  'lock_lanes',
  `SELECT FROM mailtrail_messages WHERE tracking_id = ANY ($1::uuid[])
   ORDER BY tracking_id FOR NO KEY UPDATE`,
)
export const lanesOf = prepared<{ lane: string }>(
  'lanes_of',
  'SELECT DISTINCT lane FROM mailtrail_untold WHERE event_id = ANY ($1::uuid[])',
)
export const release = prepared(
  'release',
  `UPDATE mailtrail_untold AS untold
   SET owner = NULL, progress = new.progress, due_at = new.due_at
   FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS new (event_id, progress, due_at)
   WHERE untold.event_id = ANY ($1) AND untold.event_id = new.event_id`,
)
export const nextDue = prepared<{ due_at: string | null }>(
  'next_due',
  'SELECT min(due_at) AS due_at FROM mailtrail_untold',
)

export const bury = prepared(
  'bury',
  `WITH ended AS (
     DELETE FROM mailtrail_untold AS untold
     USING unnest($1::uuid[], $2::text[], $3::bigint[]) AS given (event_id, progress, given_up_at)
     WHERE untold.event_id = ANY ($1) AND untold.event_id = given.event_id
     RETURNING untold.event_id, untold.position, given.progress, given.given_up_at
   )
   INSERT INTO mailtrail_dead_letters (event_id, position, progress, given_up_at)
   SELECT event_id, position, progress, given_up_at FROM ended
   ON CONFLICT (event_id) DO UPDATE SET position = excluded.position,
     progress = excluded.progress, given_up_at = excluded.given_up_at`,
)
// Keeps an event that is to be told again from being removed or renamed meanwhile.
export const exhume = prepared<{
  event_id: string
  position: string
  lane: string
  progress: string
}>(
  'exhume',
  `WITH event AS MATERIALIZED (
     SELECT id, coalesce(tracking_id, id) AS lane FROM mailtrail_events
     WHERE id = ANY ($1::uuid[]) ORDER BY position FOR KEY SHARE
   )
   DELETE FROM mailtrail_dead_letters AS letter USING event
   WHERE letter.event_id = ANY ($1) AND event.id = letter.event_id
   RETURNING letter.event_id, letter.position, letter.progress, event.lane`,
)
export const deadLetters = prepared<{
  event_id: string
  event: string
  progress: string
  given_up_at: string
}>(
  'dead_letters',
  `SELECT event_id, event, progress, given_up_at
   FROM mailtrail_dead_letters JOIN mailtrail_events ON id = event_id
   WHERE event_id < $1 ORDER BY event_id DESC LIMIT $2`,
)

export const putCheckpoint = prepared(
  'put_checkpoint',
  `INSERT INTO mailtrail_checkpoints (name, position) VALUES ($1, $2)
   ON CONFLICT (name) DO UPDATE SET position = excluded.position`,
)
export const checkpoint = prepared<{ position: string }>(
  'checkpoint',
  'SELECT position FROM mailtrail_checkpoints WHERE name = $1',
)
