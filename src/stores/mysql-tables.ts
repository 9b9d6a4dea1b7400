import { digest, fromBytes, toBytes } from './ids.js'
import { keyLocks } from './mysql-migrations.js'
import type { MysqlValue, Query } from './mysql-transaction.js'
import type { MessageRow, StateRow, Tables } from './sql-tables.js'

/** Comes after every id there is. */
const last = Buffer.alloc(17, 0xff)

/** How many bytes go into one statement: written out they are twice as many, and servers bound that. */
const statementSize = 2_000_000

/** How many rows one statement changes, each to something of its own. */
const changedAtOnce = 100

/** The tables of a store in MySQL: one statement for each list, as far as it is of sensible size. */
export function mysqlTables(query: Query): Tables {
  /** Inserts rows, in their order. */
  async function insert(
    into: string,
    rows: readonly (readonly MysqlValue[])[],
    otherwise = '',
  ): Promise<void> {
    for (const part of parts(rows)) await query(`INSERT INTO ${into} VALUES ? ${otherwise}`, [part])
  }

  async function messages(trackingIds: readonly string[], lock = ''): Promise<MessageRow[]> {
    if (trackingIds.length === 0) return []
    const rows = await query<{ tracking_id: Buffer; provider: Buffer; record: Buffer }>(
      `SELECT tracking_id, provider, record FROM mailtrail_messages
       WHERE tracking_id IN (?) ORDER BY tracking_id ${lock}`,
      [trackingIds.map(toBytes)],
    )
    return rows.map(({ tracking_id: id, provider, record }) => ({
      trackingId: fromBytes(id),
      provider: provider.toString(),
      record: record.toString(),
    }))
  }

  /** Sets a column of several events, each to a value of its own. */
  async function setEvents(
    rows: readonly { id: string; event: string }[],
    also = '',
    values: MysqlValue[] = [],
  ): Promise<void> {
    for (let start = 0; start < rows.length; start += changedAtOnce) {
      const some = rows.slice(start, start + changedAtOnce)
      const cases = some.map(() => 'WHEN ? THEN ?').join(' ')
      await query(
        `UPDATE mailtrail_events SET event = CASE id ${cases} END${also} WHERE id IN (?)`,
        [
          ...some.flatMap(({ id, event }) => [toBytes(id), Buffer.from(event)]),
          ...values,
          some.map(({ id }) => toBytes(id)),
        ],
      )
    }
  }

  return {
    async claimNonce({ token, content }) {
      const key = digest(token)
      const [known] = await query<{ content: Buffer }>(
        'SELECT content FROM mailtrail_nonces WHERE token = ?',
        [key],
      )
      if (known) return known.content.toString() === content
      // When another transaction has just claimed it, this one is run again, and finds it.
      await insert('mailtrail_nonces (token, content)', [[key, Buffer.from(content)]])
      return true
    },

    async lockKeys(keys, mode) {
      if (keys.length === 0) return
      const buckets = [...new Set(keys.map((key) => (digest(key)[0] ?? 0) % keyLocks))]
      const how = mode === 'exclusive' ? 'FOR UPDATE' : 'LOCK IN SHARE MODE'
      await query(
        `SELECT bucket FROM mailtrail_key_locks WHERE bucket IN (?) ORDER BY bucket ${how}`,
        [buckets],
      )
    },

    async keys(keys) {
      if (keys.length === 0) return []
      const asked = new Map(keys.map((key) => [digest(key).toString('hex'), key]))
      const rows = await query<{
        key_digest: Buffer
        tracking_id: Buffer
        address: Buffer | null
      }>('SELECT key_digest, tracking_id, address FROM mailtrail_keys WHERE key_digest IN (?)', [
        keys.map(digest),
      ])
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
      if (trackingIds.length === 0) return new Set()
      const rows = await query<{ tracking_id: Buffer }>(
        'SELECT tracking_id FROM mailtrail_messages WHERE tracking_id IN (?)',
        [trackingIds.map(toBytes)],
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
        [[toBytes(trackingId), Buffer.from(provider), Buffer.from(record)]],
        'ON DUPLICATE KEY UPDATE provider = VALUES(provider), record = VALUES(record)',
      )
    },

    async findMessages({ provider, address, status }, limit, before) {
      const conditions: [condition: string, value: Buffer][] = []
      if (before !== undefined) conditions.push(['m.tracking_id < ?', toBytes(before)])
      if (provider !== undefined) conditions.push(['provider = ?', Buffer.from(provider)])
      if (address !== undefined) conditions.push(['address_digest = ?', digest(address)])
      if (status !== undefined) conditions.push(['status = ?', Buffer.from(status)])
      const byRecipient = address !== undefined || status !== undefined
      const where = conditions.map(([condition]) => condition).join(' AND ')
      const join = ' JOIN mailtrail_messages USING (tracking_id)'
      // The cursor is on the table that leads, so that its index can be walked from there.
      const from = byRecipient
        ? `mailtrail_recipients AS m${provider === undefined ? '' : join}`
        : 'mailtrail_messages AS m'
      const rows = await query<{ tracking_id: Buffer }>(
        `SELECT DISTINCT m.tracking_id FROM ${from} ${where && `WHERE ${where}`}
         ORDER BY m.tracking_id DESC LIMIT ?`,
        [...conditions.map(([, value]) => value), limit],
      )
      return rows.map(({ tracking_id: id }) => fromBytes(id))
    },

    async states(recipients) {
      if (recipients.length === 0) return []
      const asked = new Map(
        recipients.map(({ trackingId, address }) => [
          `${trackingId} ${digest(address).toString('hex')}`,
          address,
        ]),
      )
      // Pairs would not be looked up by the key on every server; the few rows too many are left out.
      const rows = await query<{ tracking_id: Buffer; address_digest: Buffer; state: Buffer }>(
        `SELECT tracking_id, address_digest, state FROM mailtrail_recipients
         WHERE tracking_id IN (?) AND address_digest IN (?)`,
        [
          recipients.map(({ trackingId }) => toBytes(trackingId)),
          recipients.map(({ address }) => digest(address)),
        ],
      )
      return rows.flatMap(({ tracking_id: id, address_digest: bytes, state }): StateRow[] => {
        const trackingId = fromBytes(id)
        const address = asked.get(`${trackingId} ${bytes.toString('hex')}`)
        return address === undefined ? [] : [{ trackingId, address, state: state.toString() }]
      })
    },

    async statesOf(trackingIds) {
      if (trackingIds.length === 0) return []
      const rows = await query<{ tracking_id: Buffer; address: Buffer; state: Buffer }>(
        'SELECT tracking_id, address, state FROM mailtrail_recipients WHERE tracking_id IN (?)',
        [trackingIds.map(toBytes)],
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
      const byId = events.map(({ id }) => toBytes(id))
      const byKey = events.flatMap(({ providerKey }) =>
        providerKey === undefined ? [] : toBytes(providerKey),
      )
      const ids = new Set<string>()
      const providerKeys = new Set<string>()
      if (byId.length > 0) {
        const rows = await query<{ id: Buffer }>(
          'SELECT id FROM mailtrail_events WHERE id IN (?)',
          [byId],
        )
        for (const { id } of rows) ids.add(fromBytes(id))
      }
      if (byKey.length > 0) {
        const rows = await query<{ provider_key: Buffer }>(
          'SELECT provider_key FROM mailtrail_events WHERE provider_key IN (?)',
          [byKey],
        )
        for (const { provider_key: key } of rows) providerKeys.add(fromBytes(key))
      }
      return { ids, providerKeys }
    },

    async addEvents(events) {
      if (events.length === 0) return new Map()
      await insert(
        'mailtrail_events (id, provider_key, tracking_id, event)',
        events.map(({ id, providerKey, trackingId, event }) => [
          toBytes(id),
          providerKey === undefined ? null : toBytes(providerKey),
          trackingId === undefined ? null : toBytes(trackingId),
          Buffer.from(event),
        ]),
      )
      const rows = await query<{ id: Buffer; position: number }>(
        'SELECT id, position FROM mailtrail_events WHERE id IN (?)',
        [events.map(({ id }) => toBytes(id))],
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
      if (keys.length === 0) return []
      const asked = new Map(keys.map((key) => [digest(key).toString('hex'), key]))
      // The lock on the events: what a claim makes foreign at the same time is seen as that.
      const rows = await query<{
        key_digest: Buffer
        via: Buffer
        event_id: Buffer
        event: Buffer
      }>(
        `SELECT key_digest, via, event_id, event
         FROM mailtrail_waiting JOIN mailtrail_events ON id = event_id
         WHERE key_digest IN (?) AND tracking_id IS NULL ORDER BY position FOR UPDATE`,
        [keys.map(digest)],
      )
      return rows.flatMap(({ key_digest: bytes, via: way, event_id: id, event }) => {
        const key = asked.get(bytes.toString('hex'))
        const via = viaOf(way.toString())
        return key === undefined || via === undefined
          ? []
          : [{ key, via, eventId: fromBytes(id), event: event.toString() }]
      })
    },

    async removeWaiting(keys) {
      if (keys.length === 0) return
      await query('DELETE FROM mailtrail_waiting WHERE key_digest IN (?)', [keys.map(digest)])
    },

    async addUntold(rows) {
      await insert(
        'mailtrail_untold (event_id, position, lane, due_at, owner, progress)',
        rows.map(({ eventId, position, lane, dueAt, owner, progress }) => [
          toBytes(eventId),
          position,
          toBytes(lane),
          dueAt,
          optional(owner),
          optional(progress),
        ]),
      )
    },

    async moveUntold(rows) {
      for (const { eventId, lane, dueAt, owner } of rows) {
        await query(
          'UPDATE mailtrail_untold SET lane = ?, due_at = ?, owner = ? WHERE event_id = ?',
          [toBytes(lane), dueAt, optional(owner), toBytes(eventId)],
        )
      }
    },

    async busyLanes(lanes, owner) {
      if (lanes.length === 0) return new Set()
      const rows = await query<{ lane: Buffer }>(
        `SELECT DISTINCT lane FROM mailtrail_untold
         WHERE lane IN (?) AND (owner IS NULL OR owner <> ?)`,
        [lanes.map(toBytes), Buffer.from(owner)],
      )
      return new Set(rows.map(({ lane }) => fromBytes(lane)))
    },

    async dueLanes(now, limit) {
      // Who claims holds the first event of a lane; who comes at the same time passes it over.
      const rows = await query<{ lane: Buffer }>(
        `SELECT lane FROM mailtrail_untold AS first
         WHERE due_at <= ? AND NOT EXISTS (
           SELECT 1 FROM mailtrail_untold AS other
           WHERE other.lane = first.lane
             AND (other.position < first.position OR other.owner IS NOT NULL AND other.due_at > ?))
         ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED`,
        [now, now, limit],
      )
      return rows.map(({ lane }) => fromBytes(lane))
    },

    async laneEvents(lanes, limit) {
      if (lanes.length === 0) return []
      const rows = await query<{
        event_id: Buffer
        lane: Buffer
        due_at: number
        progress: Buffer | null
        event: Buffer
      }>(
        `SELECT event_id, lane, due_at, progress, event
         FROM mailtrail_untold AS untold JOIN mailtrail_events ON id = event_id
         WHERE lane IN (?) ORDER BY untold.position LIMIT ? FOR UPDATE`,
        [lanes.map(toBytes), limit],
      )
      return rows.map(({ event_id: id, lane, due_at: dueAt, progress, event }) => ({
        eventId: fromBytes(id),
        lane: fromBytes(lane),
        dueAt: Number(dueAt),
        event: event.toString(),
        ...(progress !== null && { progress: progress.toString() }),
      }))
    },

    async lease(eventIds, { owner, until }) {
      if (eventIds.length === 0) return
      await query('UPDATE mailtrail_untold SET owner = ?, due_at = ? WHERE event_id IN (?)', [
        Buffer.from(owner),
        until,
        eventIds.map(toBytes),
      ])
    },

    async prolong(eventIds, { owner, until }) {
      if (eventIds.length === 0) return new Set()
      const rows = await query<{ event_id: Buffer }>(
        'SELECT event_id FROM mailtrail_untold WHERE event_id IN (?) AND owner = ? FOR UPDATE',
        [eventIds.map(toBytes), Buffer.from(owner)],
      )
      const held = rows.map(({ event_id: id }) => id)
      if (held.length > 0) {
        await query('UPDATE mailtrail_untold SET due_at = ? WHERE event_id IN (?)', [until, held])
      }
      return new Set(held.map(fromBytes))
    },

    async removeUntold(eventIds) {
      if (eventIds.length === 0) return
      await query('DELETE FROM mailtrail_untold WHERE event_id IN (?)', [eventIds.map(toBytes)])
    },

    async putProgress(rows) {
      for (const { eventId, progress } of rows) {
        await query('UPDATE mailtrail_untold SET progress = ? WHERE event_id = ?', [
          Buffer.from(progress),
          toBytes(eventId),
        ])
      }
    },

    async release(rows) {
      for (const { eventId, progress, dueAt } of rows) {
        await query(
          'UPDATE mailtrail_untold SET owner = NULL, progress = ?, due_at = ? WHERE event_id = ?',
          [Buffer.from(progress), dueAt, toBytes(eventId)],
        )
      }
    },

    async nextDue() {
      const [row] = await query<{ due_at: number | null }>(
        'SELECT MIN(due_at) AS due_at FROM mailtrail_untold',
      )
      return row?.due_at == null ? undefined : Number(row.due_at)
    },

    async bury(rows) {
      if (rows.length === 0) return
      const ids = rows.map(({ eventId }) => toBytes(eventId))
      const untold = await query<{ event_id: Buffer; position: number }>(
        'SELECT event_id, position FROM mailtrail_untold WHERE event_id IN (?) FOR UPDATE',
        [ids],
      )
      const positions = new Map(
        untold.map(({ event_id: id, position }) => [fromBytes(id), Number(position)]),
      )
      await insert(
        'mailtrail_dead_letters (event_id, position, progress, given_up_at)',
        rows.flatMap(({ eventId, progress, givenUpAt }): MysqlValue[][] => {
          const position = positions.get(eventId)
          return position === undefined
            ? []
            : [[toBytes(eventId), position, Buffer.from(progress), givenUpAt]]
        }),
        'ON DUPLICATE KEY UPDATE progress = VALUES(progress), given_up_at = VALUES(given_up_at)',
      )
      await query('DELETE FROM mailtrail_untold WHERE event_id IN (?)', [ids])
    },

    async exhume(eventIds) {
      if (eventIds.length === 0) return []
      const ids = eventIds.map(toBytes)
      const rows = await query<{
        event_id: Buffer
        position: number
        progress: Buffer
        tracking_id: Buffer | null
      }>(
        `SELECT event_id, letter.position, progress, tracking_id
         FROM mailtrail_dead_letters AS letter JOIN mailtrail_events ON id = event_id
         WHERE event_id IN (?) FOR UPDATE`,
        [ids],
      )
      await query('DELETE FROM mailtrail_dead_letters WHERE event_id IN (?)', [ids])
      return rows.map(({ event_id: id, position, progress, tracking_id: trackingId }) => ({
        eventId: fromBytes(id),
        position: Number(position),
        lane: fromBytes(trackingId ?? id),
        progress: progress.toString(),
      }))
    },

    async deadLetters(limit, before) {
      const rows = await query<{
        event_id: Buffer
        event: Buffer
        progress: Buffer
        given_up_at: number
      }>(
        `SELECT event_id, event, progress, given_up_at
         FROM mailtrail_dead_letters JOIN mailtrail_events ON id = event_id
         WHERE event_id < ? ORDER BY event_id DESC LIMIT ?`,
        [before === undefined ? last : toBytes(before), limit],
      )
      return rows.map(({ event_id: id, event, progress, given_up_at: givenUpAt }) => ({
        eventId: fromBytes(id),
        event: event.toString(),
        progress: progress.toString(),
        givenUpAt: Number(givenUpAt),
      }))
    },
  }
}

function optional(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text)
}

const ways = ['own-id', 'provider-id', 'message-id', 'recipient'] as const

function viaOf(text: string): (typeof ways)[number] | undefined {
  return ways.find((way) => way === text)
}

/** The rows in parts of sensible size, each of one row at least. */
function* parts(rows: readonly (readonly MysqlValue[])[]): Generator<(readonly MysqlValue[])[]> {
  let part: (readonly MysqlValue[])[] = []
  let size = 0
  for (const row of rows) {
    const bytes = row.reduce<number>(
      (sum, value) => sum + (Buffer.isBuffer(value) ? value.length : 8),
      0,
    )
    if (part.length > 0 && size + bytes > statementSize) {
      yield part
      part = []
      size = 0
    }
    part.push(row)
    size += bytes
  }
  if (part.length > 0) yield part
}
