import { digest } from '../ids.js'
import { countTables } from './postgres-counts.js'
import { findMessages, putLabels } from './postgres-find.js'
import { forgettingTables } from './postgres-forgetting.js'
import { keyLocks, lockClass } from './postgres-locks.js'
import { pruningTables } from './postgres-pruning.js'
import { suppressionTables } from './postgres-suppressions.js'
import { columnsOf, digestId, isId, storable } from './postgres-values.js'
import type { Query, Statement } from './postgres-transaction.js'
import * as statements from './postgres-statements.js'
import type { Tables } from './sql-tables.js'

/** The tables of a store in PostgreSQL, within one transaction: one statement for a list. */
export function postgresTables(query: Query): Tables {
  return {
    ...countTables(query),
    ...forgettingTables(query),
    ...pruningTables(query),
    ...suppressionTables(query),

    async claimNonce({ token, content }, now) {
      const digested = digestId(content)
      const [known] = await query(statements.claimNonce, [digestId(token), digested, now])
      return known?.content === digested
    },

    async lockKeys(keys, mode) {
      if (keys.length === 0) return
      const buckets = new Set(keys.map((key) => (digest(key)[0] ?? 0) % keyLocks))
      const { lockKeysExclusive, lockKeysShared } = statements
      const statement = mode === 'exclusive' ? lockKeysExclusive : lockKeysShared
      await query(statement, [lockClass, [...buckets].toSorted((a, b) => a - b)])
    },

    async keys(keys) {
      if (keys.length === 0) return []
      const byDigest = new Map(keys.map((key) => [digestId(key), key]))
      const rows = await query(statements.keys, [[...byDigest.keys()]])
      return rows.flatMap(({ key, tracking_id: trackingId, address }) => {
        const asked = byDigest.get(key)
        if (asked === undefined) return []
        return [{ key: asked, trackingId, ...(address !== null && { address }) }]
      })
    },

    async putKeys(trackingId, keys) {
      // An own id leads to its message without a row of its own.
      const rows = new Map(
        keys.flatMap(({ key, address = null }) =>
          key === trackingId ? [] : [[digestId(key), address]],
        ),
      )
      if (rows.size === 0) return
      await query(statements.putKeys, [trackingId, [...rows.keys()], [...rows.values()]])
    },

    async knownMessages(trackingIds) {
      const rows = await byIds(statements.knownMessages, trackingIds)
      return new Set(rows.map(({ tracking_id: id }) => id))
    },

    async messagesTo(provider, address, fromId, beforeId) {
      const values = [digestId(address), fromId, beforeId, storable(provider)]
      const rows = await query(statements.messagesTo, values)
      return rows.map(({ tracking_id: id }) => id)
    },

    lockMessages: (trackingIds) => messages(statements.lockMessages, trackingIds),
    messages: (trackingIds) => messages(statements.messages, trackingIds),

    async putMessage({ trackingId, provider, record }) {
      await query(statements.putMessage, [trackingId, storable(provider), record])
    },

    async putLabels(trackingId, labels) {
      await query(putLabels, [trackingId, labels.map(digestId)])
    },

    async findMessages(asked, limit, before) {
      if (before !== undefined && !isId(before)) return []
      const { statement, values } = findMessages(asked, limit, before)
      return (await query(statement, values)).map(({ tracking_id: id }) => id)
    },

    async states(recipients) {
      if (recipients.length === 0) return []
      const each = new Map(recipients.map((row) => [`${row.trackingId} ${row.address}`, row]))
      const rows = [...each.values()]
      const digests = rows.map(({ address }) => digestId(address))
      return toStates(await query(statements.states, [...columnsOf(rows, 'trackingId'), digests]))
    },

    async statesOf(trackingIds) {
      return toStates(await byIds(statements.statesOf, trackingIds))
    },

    async putStates(rows) {
      if (rows.length === 0) return
      const digests = rows.map(({ address }) => digestId(address))
      const [ids, ...others] = columnsOf(rows, 'trackingId', 'address', 'status', 'state')
      await query(statements.putStates, [ids, digests, ...others])
    },

    async knownEvents(events) {
      if (events.length === 0) return { ids: new Set(), providerKeys: new Set() }
      const rows = await query(statements.knownEvents, [
        events.map(({ id }) => id),
        events.flatMap(({ providerKey }) => providerKey ?? []),
      ])
      return {
        ids: new Set(rows.flatMap(({ id }) => id ?? [])),
        providerKeys: new Set(rows.flatMap(({ provider_key: key }) => key ?? [])),
      }
    },

    async addEvents(events) {
      if (events.length === 0) return new Map()
      const columns = columnsOf(events, 'id', 'providerKey', 'trackingId', 'event')
      const rows = await query(statements.addEvents, columns)
      const providerKeys = events.flatMap(({ providerKey }) => providerKey ?? [])
      if (providerKeys.length > 0) await query(statements.addProviderKeys, [providerKeys])
      return new Map(rows.map(({ id, position }) => [id, Number(position)]))
    },

    async tieEvents(trackingId, events) {
      if (events.length === 0) return
      await query(statements.tieEvents, [trackingId, ...columnsOf(events, 'id', 'event')])
    },

    async putEvents(events) {
      if (events.length > 0) await query(statements.putEvents, columnsOf(events, 'id', 'event'))
    },

    async eventsOf(trackingId) {
      if (!isId(trackingId)) return []
      return (await query(statements.eventsOf, [trackingId])).map(({ event }) => event)
    },

    async addWaiting(rows) {
      if (rows.length === 0) return
      const digests = rows.map(({ key }) => digestId(key))
      await query(statements.addWaiting, [digests, ...columnsOf(rows, 'eventId', 'via')])
    },

    async waiting(keys) {
      const byDigest = new Map(keys.map((key) => [digestId(key), key]))
      if (byDigest.size === 0) return []
      const rows = await query(statements.waiting, [[...byDigest.keys()]])
      if (rows.length === 0) return []
      const ids = [...new Set(rows.map(({ event_id: id }) => id))]
      await query(statements.lockUntold, [ids])
      const events = await query(statements.lockTieable, [ids])
      const inOrder = events.toSorted((a, b) => Number(a.position) - Number(b.position))
      return inOrder.flatMap(({ id: eventId, event }) =>
        rows.flatMap(({ key: digested, event_id: id, via }) => {
          const key = byDigest.get(digested)
          return id === eventId && key !== undefined ? [{ key, via, eventId, event }] : []
        }),
      )
    },

    async removeWaiting(keys) {
      if (keys.length > 0) await query(statements.removeWaiting, [keys.map(digestId)])
    },

    async addUntold(rows) {
      if (rows.length === 0) return
      const columns = ['eventId', 'position', 'lane', 'dueAt', 'owner', 'progress'] as const
      await query(statements.addUntold, columnsOf(rows, ...columns))
    },

    async moveUntold(rows) {
      if (rows.length === 0) return
      await query(statements.moveUntold, columnsOf(rows, 'eventId', 'lane', 'dueAt', 'owner'))
    },

    async busyLanes(lanes, owner) {
      if (lanes.length === 0) return new Set()
      const rows = await query(statements.busyLanes, [lanes, storable(owner)])
      return new Set(rows.map(({ lane }) => lane))
    },

    async dueLanes(now, limit) {
      const due = (await query(statements.dueLanes, [now, limit])).map(({ lane }) => lane)
      if (due.length === 0) return []
      const free = await query(statements.lockFreeMessages, [due])
      const locked = new Set(free.map(({ tracking_id: id }) => id))
      // A lane without a message is that of an event which has none.
      const others = due.filter((lane) => !locked.has(lane))
      const known = await byIds(statements.knownMessages, others)
      const busy = new Set(known.map(({ tracking_id: id }) => id))
      for (const { lane } of await query(statements.leasedLanes, [due, now])) busy.add(lane)
      return due.filter((lane) => !busy.has(lane))
    },

    async laneEvents(lanes, limit) {
      if (lanes.length === 0) return []
      const rows = await query(statements.laneEvents, [lanes, limit])
      const events = await eventsOf(rows)
      return rows.flatMap(({ event_id: eventId, lane, due_at: dueAt, progress }) => {
        const event = events.get(eventId)
        if (event === undefined) return []
        return [
          { eventId, lane, dueAt: Number(dueAt), event, ...(progress !== null && { progress }) },
        ]
      })
    },

    async earlierEvents(eventIds, limit) {
      const rows = await query(statements.earlierEvents, [eventIds.filter(isId), limit])
      return rows.map(({ event_id: id }) => id)
    },

    async untoldEvents(eventIds) {
      const rows = await byIds(statements.untoldEvents, eventIds)
      const events = await eventsOf(rows)
      return rows
        .flatMap(({ event_id: eventId, position, lane, due_at: dueAt, owner, progress }) => {
          const event = events.get(eventId)
          if (event === undefined) return []
          return {
            eventId,
            position: Number(position),
            lane,
            dueAt: Number(dueAt),
            event,
            ...(owner !== null && { owner }),
            ...(progress !== null && { progress }),
          }
        })
        .toSorted((a, b) => a.position - b.position)
    },

    async firstOthers(lanes, eventIds) {
      if (lanes.length === 0) return new Map()
      const rows = await query(statements.firstOthers, [lanes, eventIds.filter(isId)])
      return new Map(rows.map(({ lane, position }) => [lane, Number(position)]))
    },

    async lease(eventIds, { owner, until }) {
      if (eventIds.length > 0) await query(statements.lease, [eventIds, storable(owner), until])
    },

    async prolong(eventIds, { owner, until }) {
      if (eventIds.length === 0) return new Set()
      const rows = await query(statements.prolong, [eventIds, storable(owner), until])
      return new Set(rows.map(({ event_id: id }) => id))
    },

    async removeUntold(eventIds) {
      if (eventIds.length > 0) await query(statements.removeUntold, [eventIds])
    },

    async putProgress(rows) {
      if (rows.length === 0) return
      const [ids, ...others] = columnsOf(lastOfEach(rows), 'eventId', 'progress')
      await query(statements.lockUntold, [ids])
      await query(statements.putProgress, [ids, ...others])
    },

    async release(rows) {
      if (rows.length === 0) return
      const [ids, ...others] = columnsOf(lastOfEach(rows), 'eventId', 'progress', 'dueAt')
      // Or a later event of the message might be leased to its former owner meanwhile.
      const lanes = await query(statements.lanesOf, [ids])
      await query(statements.lockLanes, [lanes.map(({ lane }) => lane)])
      await query(statements.lockUntold, [ids])
      await query(statements.release, [ids, ...others])
    },

    async nextDue() {
      const [row] = await query(statements.nextDue)
      return row?.due_at == null ? undefined : Number(row.due_at)
    },

    async bury(rows) {
      if (rows.length === 0) return
      const [ids, ...others] = columnsOf(lastOfEach(rows), 'eventId', 'progress', 'givenUpAt')
      await query(statements.lockUntold, [ids])
      await query(statements.bury, [ids, ...others])
    },

    async exhume(eventIds) {
      const rows = await byIds(statements.exhume, eventIds)
      return rows.map(({ event_id: eventId, position, lane, progress }) => ({
        eventId,
        position: Number(position),
        lane,
        progress,
      }))
    },

    async putCheckpoint({ name, position }) {
      await query(statements.putCheckpoint, [digestId(name), storable(position)])
    },

    async checkpoint(name) {
      const [row] = await query(statements.checkpoint, [digestId(name)])
      return row?.position
    },

    async deadLetters(limit, before = lastId) {
      if (!isId(before)) return []
      const rows = await query(statements.deadLetters, [before, limit])
      return rows.map(({ event_id: eventId, event, progress, given_up_at: givenUpAt }) => ({
        eventId,
        event,
        progress,
        givenUpAt: Number(givenUpAt),
      }))
    },
  }

  /** Ids may come from outside: what is no id is the id of nothing. */
  async function byIds<Row>(statement: Statement<Row>, ids: readonly string[]): Promise<Row[]> {
    const known = ids.filter(isId)
    return known.length === 0 ? [] : query(statement, [known])
  }

  /** The events of these rows, by their ids. */
  async function eventsOf(rows: readonly { event_id: string }[]): Promise<Map<string, string>> {
    if (rows.length === 0) return new Map()
    const found = await query(statements.events, [rows.map(({ event_id: id }) => id)])
    return new Map(found.map(({ id, event }) => [id, event]))
  }

  async function messages(statement: typeof statements.messages, trackingIds: readonly string[]) {
    const rows = await byIds(statement, trackingIds)
    return rows.map(({ tracking_id: trackingId, ...row }) => ({ trackingId, ...row }))
  }
}

/** Comes after every id there is. */
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** One statement changes a row once: as with one statement after the other the last one counts. */
function lastOfEach<Row extends { eventId: string }>(rows: readonly Row[]): Row[] {
  return [...new Map(rows.map((row) => [row.eventId, row])).values()]
}

function toStates(rows: readonly { tracking_id: string; address: string; state: string }[]) {
  return rows.map(({ tracking_id: trackingId, address, state }) => ({ trackingId, address, state }))
}
