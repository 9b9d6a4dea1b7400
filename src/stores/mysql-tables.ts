import { digest, fromBytes, toBytes } from '../ids.js'
import { mysqlCounts } from './mysql-counts.js'
import { mysqlFinding } from './mysql-find.js'
import { mysqlForgetting } from './mysql-forgetting.js'
import { mysqlLists, optional, short } from './mysql-lists.js'
import { type MessageColumns, messageColumns, toMessage } from './mysql-messages.js'
import { keyLocks } from './mysql-migrations.js'
import { mysqlPruning } from './mysql-pruning.js'
import { mysqlSuppressions } from './mysql-suppressions.js'
import { mysqlTelling } from './mysql-telling.js'
import type { MysqlValue, Query } from './mysql-transaction.js'
import type { MessageRow, StateRow, Tables } from './sql-tables.js'

/** The tables of a store in MySQL: one statement for each list, as far as it is of sensible size. */
export function mysqlTables(query: Query): Tables {
  const { insert, each, set } = mysqlLists(query)

  async function messages(trackingIds: readonly string[], lock = ''): Promise<MessageRow[]> {
    // In the order of their ids, or two who lock the same ones might wait for each other.
    const rows = await each<MessageColumns>(
      `SELECT ${messageColumns} FROM mailtrail_messages FORCE INDEX (PRIMARY)
       WHERE tracking_id IN (?) ORDER BY tracking_id ${lock}`,
      trackingIds.map(toBytes).toSorted(Buffer.compare),
    )
    return rows.map(toMessage)
  }

  /** Gives events what they are now. */
  function setEvents(
    events: readonly { id: string; event: string }[],
    also?: string,
    values?: readonly MysqlValue[],
  ): Promise<void> {
    return set(
      'mailtrail_events FORCE INDEX (mailtrail_events_by_id)',
      'id',
      ['event'],
      events.map(({ id, event }) => ({ key: toBytes(id), values: [Buffer.from(event)] })),
      also,
      values,
    )
  }

  return {
    async claimNonce({ token, content }, now) {
      const key = digest(token)
      const [known] = await query<{ content: Buffer }>(
        'SELECT content FROM mailtrail_nonces WHERE token = ?',
        [key],
      )
      if (known) return known.content.toString() === content
      // When another transaction has just claimed it, this one is run again, and finds it.
      await insert('mailtrail_nonces (token, content, used_at)', [[key, Buffer.from(content), now]])
      return true
    },

    async lockKeys(keys, mode) {
      if (keys.length === 0) return
      const buckets = [...new Set(keys.map((key) => (digest(key)[0] ?? 0) % keyLocks))]
      const how = mode === 'exclusive' ? 'FOR UPDATE' : 'LOCK IN SHARE MODE'
      const locked = await query(
        `SELECT bucket FROM mailtrail_key_locks FORCE INDEX (PRIMARY)
         WHERE bucket IN (?) ORDER BY bucket ${how}`,
        [buckets],
      )
      if (locked.length < buckets.length) {
        throw new Error('rows of mailtrail_key_locks are missing, which nothing else deletes')
      }
    },

    async keys(keys) {
      const asked = new Map(keys.map((key) => [digest(key).toString('hex'), key]))
      const rows = await each<{
        key_digest: Buffer
        tracking_id: Buffer
        address: Buffer | null
      }>(
        'SELECT key_digest, tracking_id, address FROM mailtrail_keys WHERE key_digest IN (?)',
        keys.map(digest),
      )
      return rows.flatMap(({ key_digest: bytes, tracking_id: id, address }) => {
        const key = asked.get(bytes.toString('hex'))
        if (key === undefined) return []
        const trackingId = fromBytes(id)
        return [{ key, trackingId, ...(address !== null && { address: address.toString() }) }]
      })
    },

    async putKeys(trackingId, keys) {
      const id = toBytes(trackingId)
      // An own id leads to its message without a row of its own.
      const rows = keys.filter(({ key }) => key !== trackingId)
      await insert(
        'mailtrail_keys (key_digest, tracking_id, address)',
        rows.map(({ key, address }) => [digest(key), id, optional(address)]),
        'ON DUPLICATE KEY UPDATE tracking_id = VALUES(tracking_id), address = VALUES(address)',
      )
    },

    async knownMessages(trackingIds) {
      const rows = await each<{ tracking_id: Buffer }>(
        'SELECT tracking_id FROM mailtrail_messages WHERE tracking_id IN (?)',
        trackingIds.map(toBytes),
      )
      return new Set(rows.map(({ tracking_id: id }) => fromBytes(id)))
    },

    async messagesTo(provider, address, fromId, beforeId) {
      const rows = await query<{ tracking_id: Buffer }>(
        `SELECT tracking_id FROM mailtrail_recipients JOIN mailtrail_messages USING (tracking_id)
         WHERE address_digest = ? AND tracking_id >= ? AND tracking_id < ? AND provider = ? LIMIT 2`,
        [digest(address), toBytes(fromId), toBytes(beforeId), Buffer.from(provider)],
      )
      return rows.map(({ tracking_id: id }) => fromBytes(id))
    },

    lockMessages: (trackingIds) => messages(trackingIds, 'FOR UPDATE'),
    messages: (trackingIds) => messages(trackingIds),

    async putMessage({ trackingId, provider, record }) {
      await insert(
        'mailtrail_messages (tracking_id, provider, record)',
        [[toBytes(trackingId), short(provider), Buffer.from(record)]],
        'ON DUPLICATE KEY UPDATE provider = VALUES(provider), record = VALUES(record)',
      )
    },

    async states(recipients) {
      const pairs = new Map<string, { address: string; pair: MysqlValue }>()
      for (const { trackingId, address } of recipients) {
        const bytes = digest(address)
        const pair = [toBytes(trackingId), bytes]
        pairs.set(`${trackingId} ${bytes.toString('hex')}`, { address, pair })
      }
      const rows = await each<{ tracking_id: Buffer; address_digest: Buffer; state: Buffer }>(
        `SELECT tracking_id, address_digest, state FROM mailtrail_recipients FORCE INDEX (PRIMARY)
         WHERE (tracking_id, address_digest) IN (?)`,
        [...pairs.values()].map(({ pair }) => pair),
      )
      return rows.flatMap(({ tracking_id: id, address_digest: bytes, state }): StateRow[] => {
        const trackingId = fromBytes(id)
        const address = pairs.get(`${trackingId} ${bytes.toString('hex')}`)?.address
        return address === undefined ? [] : [{ trackingId, address, state: state.toString() }]
      })
    },

    async statesOf(trackingIds) {
      const rows = await each<{ tracking_id: Buffer; address: Buffer; state: Buffer }>(
        'SELECT tracking_id, address, state FROM mailtrail_recipients WHERE tracking_id IN (?)',
        trackingIds.map(toBytes),
      )
      return rows.map(({ tracking_id: id, address, state }) => ({
        trackingId: fromBytes(id),
        address: address.toString(),
        state: state.toString(),
      }))
    },

    async putStates(rows) {
      await insert(
        'mailtrail_recipients (tracking_id, address_digest, address, status, state)',
        rows.map(({ trackingId, address, status, state }) => [
          toBytes(trackingId),
          digest(address),
          Buffer.from(address),
          Buffer.from(status),
          Buffer.from(state),
        ]),
        'ON DUPLICATE KEY UPDATE status = VALUES(status), state = VALUES(state)',
      )
    },

    async knownEvents(events) {
      const known = await each<{ id: Buffer }>(
        'SELECT id FROM mailtrail_events WHERE id IN (?)',
        events.map(({ id }) => toBytes(id)),
      )
      const knownKeys = await each<{ provider_key: Buffer }>(
        'SELECT provider_key FROM mailtrail_events WHERE provider_key IN (?)',
        events.flatMap(({ providerKey }) =>
          providerKey === undefined ? [] : toBytes(providerKey),
        ),
      )
      return {
        ids: new Set(known.map(({ id }) => fromBytes(id))),
        providerKeys: new Set(knownKeys.map(({ provider_key: key }) => fromBytes(key))),
      }
    },

    async addEvents(events) {
      await insert(
        'mailtrail_events (id, provider_key, tracking_id, event)',
        events.map(({ id, providerKey, trackingId, event }) => [
          toBytes(id),
          providerKey === undefined ? null : toBytes(providerKey),
          trackingId === undefined ? null : toBytes(trackingId),
          Buffer.from(event),
        ]),
      )
      const rows = await each<{ id: Buffer; position: number }>(
        'SELECT id, position FROM mailtrail_events WHERE id IN (?)',
        events.map(({ id }) => toBytes(id)),
      )
      return new Map(rows.map(({ id, position }) => [fromBytes(id), Number(position)]))
    },

    tieEvents: (trackingId, events) =>
      setEvents(events, ', tracking_id = ?', [toBytes(trackingId)]),
    putEvents: (events) => setEvents(events),

    async eventsOf(trackingId) {
      const rows = await query<{ event: Buffer }>(
        'SELECT event FROM mailtrail_events WHERE tracking_id = ? ORDER BY position',
        [toBytes(trackingId)],
      )
      return rows.map(({ event }) => event.toString())
    },

    async addWaiting(rows) {
      await insert(
        'mailtrail_waiting (key_digest, event_id, via)',
        rows.map(({ key, via, eventId }) => [digest(key), toBytes(eventId), Buffer.from(via)]),
      )
    },

    async waiting(keys) {
      const asked = new Map(keys.map((key) => [digest(key).toString('hex'), key]))
      // The lock on the events: what a claim makes foreign at the same time is seen as that.
      const rows = await each<{
        key_digest: Buffer
        via: Buffer
        event_id: Buffer
        position: number
        event: Buffer
      }>(
        `SELECT key_digest, via, event_id, position, event
         FROM mailtrail_waiting FORCE INDEX (PRIMARY)
           STRAIGHT_JOIN mailtrail_events FORCE INDEX (mailtrail_events_by_id) ON id = event_id
         WHERE key_digest IN (?) AND tracking_id IS NULL FOR UPDATE`,
        keys.map(digest),
      )
      return rows
        .toSorted((a, b) => Number(a.position) - Number(b.position))
        .flatMap(({ key_digest: bytes, via: way, event_id: id, event }) => {
          const key = asked.get(bytes.toString('hex'))
          const via = viaOf(way.toString())
          return key === undefined || via === undefined
            ? []
            : [{ key, via, eventId: fromBytes(id), event: event.toString() }]
        })
    },

    async removeWaiting(keys) {
      await each(
        `DELETE waiting FROM mailtrail_waiting AS waiting FORCE INDEX (PRIMARY)
         WHERE key_digest IN (?)`,
        keys.map(digest),
      )
    },

    async putCheckpoint({ name, position }) {
      await insert(
        'mailtrail_checkpoints (name_digest, position)',
        [[digest(name), Buffer.from(position)]],
        'ON DUPLICATE KEY UPDATE position = VALUES(position)',
      )
    },

    async checkpoint(name) {
      const [row] = await query<{ position: Buffer }>(
        'SELECT position FROM mailtrail_checkpoints WHERE name_digest = ?',
        [digest(name)],
      )
      return row?.position.toString()
    },

    ...mysqlFinding(query),
    ...mysqlCounts(query),
    ...mysqlSuppressions(query),
    ...mysqlTelling(query),
    ...mysqlPruning(query),
    ...mysqlForgetting(query),
  }
}

const ways = ['own-id', 'provider-id', 'message-id', 'recipient'] as const

function viaOf(text: string): (typeof ways)[number] | undefined {
  return ways.find((way) => way === text)
}
