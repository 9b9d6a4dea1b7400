import { digest, fromBytes, toBytes } from '../ids.js'
import type { Tables } from './sql-tables.js'
import { sqliteCounts } from './sqlite-counts.js'
import type { SqliteDatabase, SqliteStatement, SqliteValue } from './sqlite-driver.js'
import type { CountBuffer } from './sqlite-count-buffer.js'
import { findMessages } from './sqlite-find.js'
import { sqliteForgetting } from './sqlite-forgetting.js'
import { sqlitePruning } from './sqlite-pruning.js'
import { prepareStatements } from './sqlite-statements.js'
import { sqliteSuppressions } from './sqlite-suppressions.js'

/** The tables of a store in SQLite: one prepared statement after the other, for there is no way between. */
export function sqliteTables(database: SqliteDatabase): { tables: Tables; counts: CountBuffer } {
  const statements = prepareStatements(database)
  const counts = sqliteCounts(database)

  const tables: Tables = {
    ...sqlitePruning(statements),
    ...sqliteForgetting(statements),
    ...sqliteSuppressions(statements),
    ...counts.tables,

    async claimNonce({ token, content }, now) {
      const key = digest(token)
      if (statements.addNonce.run(key, content, now).changes !== 0) return true
      return statements.nonce.get(key)?.content === content
    },

    // There is one writer at a time, and it sees all that was committed before it.
    async lockKeys() {},

    async keys(keys) {
      return keys.flatMap((key) => {
        const row = statements.key.get(digest(key))
        if (!row) return []
        const trackingId = fromBytes(row.tracking_id)
        return [{ key, trackingId, ...(row.address !== null && { address: row.address }) }]
      })
    },

    async putKeys(trackingId, keys) {
      const id = toBytes(trackingId)
      for (const { key, address = null } of keys) {
        // An own id leads to its message without a row of its own.
        if (key !== trackingId) statements.putKey.run(digest(key), id, address)
      }
    },

    async knownMessages(trackingIds) {
      return new Set(trackingIds.filter((id) => statements.isMessage.get(toBytes(id))))
    },

    async messagesTo(provider, address, fromId, beforeId) {
      return statements.messagesTo
        .all(digest(address), toBytes(fromId), toBytes(beforeId), provider)
        .map(({ tracking_id: id }) => fromBytes(id))
    },

    lockMessages: (trackingIds) => messages(trackingIds),
    messages,

    async putMessage({ trackingId, provider, record }) {
      statements.putMessage.run(toBytes(trackingId), provider, record)
    },

    async putLabels(trackingId, labels, before) {
      const id = toBytes(trackingId)
      for (const label of before) {
        if (!labels.includes(label)) statements.removeLabel.run(digest(label), id)
      }
      for (const label of labels) {
        if (!before.includes(label)) statements.putLabel.run(digest(label), id)
      }
    },

    async findMessages(query, limit, before) {
      const { sql, values } = findMessages(query, limit, before)
      const find = database.prepare(sql) as SqliteStatement<{ tracking_id: Uint8Array }>
      return find.all(...values).map(({ tracking_id: id }) => fromBytes(id))
    },

    async states(recipients) {
      return recipients.flatMap(({ trackingId, address }) => {
        const row = statements.state.get(toBytes(trackingId), digest(address))
        return row ? [{ trackingId, address, state: row.state }] : []
      })
    },

    async statesOf(trackingIds) {
      return trackingIds.flatMap((trackingId) =>
        statements.statesOf
          .all(toBytes(trackingId))
          .map(({ address, state }) => ({ trackingId, address, state })),
      )
    },

    async putStates(rows) {
      const others: SqliteValue[][] = []
      for (const { trackingId, address, status, statusBefore, state } of rows) {
        const key = [toBytes(trackingId), digest(address)] as const
        if (status === statusBefore) statements.changeState.run(state, ...key)
        else others.push([...key, address, status, state])
      }
      statements.putStates(others)
    },

    async knownEvents(events) {
      const ids = new Set<string>()
      const providerKeys = new Set<string>()
      for (const { id, providerKey } of events) {
        if (statements.isEvent.get(toBytes(id))) ids.add(id)
        else if (providerKey !== undefined && statements.isProviderKey.get(toBytes(providerKey))) {
          providerKeys.add(providerKey)
        }
      }
      return { ids, providerKeys }
    },

    async addEvents(events) {
      const last = statements.addEvents(
        events.map(({ id, providerKey, trackingId, event }) => [
          toBytes(id),
          providerKey === undefined ? null : toBytes(providerKey),
          trackingId === undefined ? null : toBytes(trackingId),
          event,
        ]),
      )
      const first = last - events.length + 1
      return new Map(events.map(({ id }, index) => [id, first + index]))
    },

    async tieEvents(trackingId, events) {
      const message = toBytes(trackingId)
      for (const { id, event } of events) statements.tieEvent.run(message, event, toBytes(id))
    },

    async putEvents(events) {
      for (const { id, event } of events) statements.putEvent.run(event, toBytes(id))
    },

    async eventsOf(trackingId) {
      return statements.eventsOf.all(toBytes(trackingId)).map(({ event }) => event)
    },

    async addWaiting(rows) {
      for (const { key, via, eventId } of rows) {
        statements.addWaiting.run(digest(key), toBytes(eventId), via)
      }
    },

    async waiting(keys) {
      const found = keys.flatMap((key) =>
        statements.waiting.all(digest(key)).map((row) => ({ ...row, key })),
      )
      return found
        .toSorted((a, b) => a.position - b.position)
        .map(({ key, via, event_id: id, event }) => ({ key, via, eventId: fromBytes(id), event }))
    },

    async removeWaiting(keys) {
      for (const key of keys) statements.removeWaiting.run(digest(key))
    },

    async addUntold(rows) {
      statements.addUntold(
        rows.map(({ eventId, position, lane, dueAt, owner = null, progress = null }) => [
          toBytes(eventId),
          position,
          toBytes(lane),
          dueAt,
          owner,
          progress,
        ]),
      )
    },

    async moveUntold(rows) {
      for (const { eventId, lane, dueAt, owner = null } of rows) {
        statements.moveUntold.run(toBytes(lane), dueAt, owner, toBytes(eventId))
      }
    },

    async busyLanes(lanes, owner) {
      return new Set(lanes.filter((lane) => statements.isBusy.get(toBytes(lane), owner)))
    },

    async dueLanes(now, limit) {
      return statements.dueLanes.all(now, now, limit).map(({ lane }) => fromBytes(lane))
    },

    async laneEvents(lanes, limit) {
      return lanes
        .flatMap((lane) =>
          statements.laneEvents.all(toBytes(lane), limit).map((row) => ({ ...row, lane })),
        )
        .toSorted((a, b) => a.position - b.position)
        .slice(0, limit)
        .map(({ event_id: id, lane, due_at: dueAt, progress, event }) => ({
          eventId: fromBytes(id),
          lane,
          dueAt,
          event,
          ...(progress !== null && { progress }),
        }))
    },

    async untoldEvents(eventIds) {
      return eventIds
        .flatMap((eventId) => {
          const row = statements.untoldEvent.get(toBytes(eventId))
          if (!row) return []
          const { position, lane, due_at: dueAt, owner, progress, event } = row
          return {
            eventId,
            position,
            lane: fromBytes(lane),
            dueAt,
            event,
            ...(owner !== null && { owner }),
            ...(progress !== null && { progress }),
          }
        })
        .toSorted((a, b) => a.position - b.position)
    },

    async earlierEvents(eventIds, limit) {
      const last = new Map<string, { lane: Uint8Array; position: number }>()
      for (const eventId of eventIds) {
        const row = statements.untoldEvent.get(toBytes(eventId))
        if (!row) continue
        const lane = fromBytes(row.lane)
        if (row.position > (last.get(lane)?.position ?? 0)) last.set(lane, row)
      }
      return [...last.values()]
        .flatMap(({ lane, position }) => statements.laneUpTo.all(lane, position, limit))
        .toSorted((a, b) => a.position - b.position)
        .slice(0, limit)
        .map(({ event_id: id }) => fromBytes(id))
    },

    async firstOthers(lanes, eventIds) {
      const known = new Set(eventIds)
      const others = new Map<string, number>()
      for (const lane of lanes) {
        const first = statements.firstOfLane
          .all(toBytes(lane), known.size + 1)
          .find(({ event_id: id }) => !known.has(fromBytes(id)))
        if (first) others.set(lane, first.position)
      }
      return others
    },

    async lease(eventIds, { owner, until }) {
      for (const id of eventIds) statements.lease.run(owner, until, toBytes(id))
    },

    async prolong(eventIds, { owner, until }) {
      const held = eventIds.filter(
        (id) => statements.prolong.run(until, toBytes(id), owner).changes !== 0,
      )
      return new Set(held)
    },

    async removeUntold(eventIds) {
      statements.removeUntold(eventIds.map((id) => [toBytes(id)]))
    },

    async putProgress(rows) {
      for (const { eventId, progress } of rows) {
        statements.putProgress.run(progress, toBytes(eventId))
      }
    },

    async release(rows) {
      for (const { eventId, progress, dueAt } of rows) {
        statements.release.run(progress, dueAt, toBytes(eventId))
      }
    },

    async nextDue() {
      return statements.nextDue.get()?.due_at ?? undefined
    },

    async bury(rows) {
      for (const { eventId, progress, givenUpAt } of rows) {
        const id = toBytes(eventId)
        statements.bury.run(progress, givenUpAt, id)
        statements.removeUntold([[id]])
      }
    },

    async exhume(eventIds) {
      return eventIds.flatMap((eventId) => {
        const row = statements.exhume.get(toBytes(eventId))
        if (!row) return []
        const { position, lane, progress } = row
        return [{ eventId, position, lane: fromBytes(lane), progress }]
      })
    },

    async putCheckpoint({ name, position }) {
      statements.putCheckpoint.run(name, position)
    },

    async checkpoint(name) {
      return statements.checkpoint.get(name)?.position
    },

    async deadLetters(limit, before) {
      const rows = statements.deadLetters.all(before === undefined ? last : toBytes(before), limit)
      return rows.map(({ event_id: id, event, progress, given_up_at: givenUpAt }) => ({
        eventId: fromBytes(id),
        event,
        progress,
        givenUpAt,
      }))
    },
  }

  return { tables, counts: counts.buffer }

  async function messages(trackingIds: readonly string[]) {
    return trackingIds.flatMap((trackingId) => {
      const row = statements.message.get(toBytes(trackingId))
      return row ? [{ trackingId, ...row }] : []
    })
  }
}

/** Comes after every id there is. */
const last = Buffer.alloc(17, 0xff)
