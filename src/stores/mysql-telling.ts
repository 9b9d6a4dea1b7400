import { fromBytes, toBytes } from '../ids.js'
import { mysqlLists, optional, short } from './mysql-lists.js'
import type { Query } from './mysql-transaction.js'
import type { Tables } from './sql-tables.js'

/** Comes after every id there is. */
const last = Buffer.alloc(17, 0xff)

// An index is named wherever rows are locked: a small table would be read whole otherwise, and that
// waits for rows that others hold.
const untoldById = 'mailtrail_untold FORCE INDEX (PRIMARY)'
const untoldByLane = 'mailtrail_untold FORCE INDEX (mailtrail_untold_by_lane)'

type Telling = Pick<
  Tables,
  | 'addUntold'
  | 'moveUntold'
  | 'busyLanes'
  | 'dueLanes'
  | 'laneEvents'
  | 'earlierEvents'
  | 'untoldEvents'
  | 'firstOthers'
  | 'lease'
  | 'prolong'
  | 'removeUntold'
  | 'putProgress'
  | 'release'
  | 'nextDue'
  | 'bury'
  | 'exhume'
  | 'deadLetters'
>

/** What is still to be told, and the dead letters. */
export function mysqlTelling(query: Query): Telling {
  const { insert, each, set } = mysqlLists(query)

  /** Every event of these lanes, locked: nobody leases one of a lane to somebody else meanwhile. */
  function lockLanes(lanes: readonly Buffer[]) {
    return each<{ lane: Buffer; due_at: number; owner: Buffer | null }>(
      `SELECT lane, due_at, owner FROM ${untoldByLane} WHERE lane IN (?) FOR UPDATE`,
      lanes.toSorted(Buffer.compare),
    )
  }

  async function removeUntold(ids: readonly Buffer[]): Promise<void> {
    await each(
      `DELETE untold FROM mailtrail_untold AS untold FORCE INDEX (PRIMARY) WHERE event_id IN (?)`,
      ids,
    )
  }

  return {
    async addUntold(rows) {
      await insert(
        'mailtrail_untold (event_id, position, lane, due_at, owner, progress)',
        rows.map(({ eventId, position, lane, dueAt, owner, progress }) => [
          toBytes(eventId),
          position,
          toBytes(lane),
          dueAt,
          owner === undefined ? null : short(owner),
          optional(progress),
        ]),
      )
    },

    async moveUntold(rows) {
      await set(
        untoldById,
        'event_id',
        ['lane', 'due_at', 'owner'],
        rows.map(({ eventId, lane, dueAt, owner }) => ({
          key: toBytes(eventId),
          values: [toBytes(lane), dueAt, owner === undefined ? null : short(owner)],
        })),
      )
    },

    async busyLanes(lanes, owner) {
      // Locked rather than looked at: a claim might take the lane before what is leased now is there.
      const rows = await lockLanes(lanes.map(toBytes))
      const busy = rows.filter((row) => row.owner?.toString() !== owner)
      return new Set(busy.map(({ lane }) => fromBytes(lane)))
    },

    async dueLanes(now, limit) {
      // Who claims holds the first event of a lane; who comes at the same time passes it over.
      const due = await query<{ lane: Buffer }>(
        `SELECT lane FROM mailtrail_untold AS head FORCE INDEX (mailtrail_untold_by_due_time)
         WHERE due_at <= ? AND NOT EXISTS (
           SELECT 1 FROM mailtrail_untold AS other
           WHERE other.lane = head.lane
             AND (other.position < head.position OR other.owner IS NOT NULL AND other.due_at > ?))
         ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED`,
        [now, now, limit],
      )
      // The inner look is at what was there when the statement began: another event of the lane may
      // have been leased before its first one was locked.
      const rows = await lockLanes(due.map(({ lane }) => lane))
      const held = new Set(
        rows.flatMap(({ lane, due_at: dueAt, owner }) =>
          owner !== null && Number(dueAt) > now ? fromBytes(lane) : [],
        ),
      )
      return due.map(({ lane }) => fromBytes(lane)).filter((lane) => !held.has(lane))
    },

    async laneEvents(lanes, limit) {
      // The lock on the events: what joins its message at the same time is seen as that.
      const rows = await each<{
        event_id: Buffer
        position: number
        lane: Buffer
        due_at: number
        progress: Buffer | null
        event: Buffer
      }>(
        `SELECT event_id, untold.position, lane, due_at, progress, event
         FROM mailtrail_untold AS untold FORCE INDEX (mailtrail_untold_by_lane)
           STRAIGHT_JOIN mailtrail_events FORCE INDEX (mailtrail_events_by_id) ON id = event_id
         WHERE lane IN (?) ORDER BY untold.position LIMIT ? FOR UPDATE`,
        lanes.map(toBytes),
        [],
        [limit],
      )
      return rows
        .toSorted((a, b) => Number(a.position) - Number(b.position))
        .slice(0, limit)
        .map(({ event_id: id, lane, due_at: dueAt, progress, event }) => ({
          eventId: fromBytes(id),
          lane: fromBytes(lane),
          dueAt: Number(dueAt),
          event: event.toString(),
          ...(progress !== null && { progress: progress.toString() }),
        }))
    },

    async earlierEvents(eventIds, limit) {
      const rows = await each<{ event_id: Buffer; position: number }>(
        `SELECT event_id, position
         FROM (
           SELECT lane, MAX(position) AS last FROM ${untoldById}
           WHERE event_id IN (?) GROUP BY lane) AS asked
           STRAIGHT_JOIN mailtrail_untold AS earlier FORCE INDEX (mailtrail_untold_by_lane)
             ON earlier.lane = asked.lane AND earlier.position < asked.last
         ORDER BY position LIMIT ?`,
        eventIds.map(toBytes),
        [],
        [limit],
      )
      return rows
        .toSorted((a, b) => Number(a.position) - Number(b.position))
        .slice(0, limit)
        .map(({ event_id: id }) => fromBytes(id))
    },

    async untoldEvents(eventIds) {
      const rows = await each<{
        event_id: Buffer
        position: number
        lane: Buffer
        due_at: number
        owner: Buffer | null
        progress: Buffer | null
        event: Buffer
      }>(
        `SELECT event_id, untold.position, lane, due_at, owner, progress, event
         FROM mailtrail_untold AS untold FORCE INDEX (PRIMARY)
           STRAIGHT_JOIN mailtrail_events FORCE INDEX (mailtrail_events_by_id) ON id = event_id
         WHERE event_id IN (?) ORDER BY event_id FOR UPDATE`,
        eventIds.map(toBytes).toSorted(Buffer.compare),
      )
      return rows
        .map(({ event_id: id, position, lane, due_at: dueAt, owner, progress, event }) => ({
          eventId: fromBytes(id),
          position: Number(position),
          lane: fromBytes(lane),
          dueAt: Number(dueAt),
          event: event.toString(),
          ...(owner !== null && { owner: owner.toString() }),
          ...(progress !== null && { progress: progress.toString() }),
        }))
        .toSorted((a, b) => a.position - b.position)
    },

    async firstOthers(lanes, eventIds) {
      if (lanes.length === 0) return new Map()
      const rows = await each<{ lane: Buffer; position: number | null }>(
        `SELECT lane, (
           SELECT position FROM mailtrail_untold AS other FORCE INDEX (mailtrail_untold_by_lane)
           WHERE other.lane = asked.lane AND other.event_id NOT IN (?)
           ORDER BY other.position LIMIT 1) AS position
         FROM (SELECT DISTINCT lane FROM ${untoldByLane} WHERE lane IN (?)) AS asked`,
        lanes.map(toBytes),
        [eventIds.map(toBytes)],
      )
      return new Map(
        rows.flatMap(({ lane, position }) =>
          position === null ? [] : [[fromBytes(lane), Number(position)]],
        ),
      )
    },

    async lease(eventIds, { owner, until }) {
      await each(
        `UPDATE ${untoldById} SET owner = ?, due_at = ? WHERE event_id IN (?)`,
        eventIds.map(toBytes),
        [short(owner), until],
      )
    },

    async prolong(eventIds, { owner, until }) {
      // Locked, or somebody might claim them in between.
      const rows = await each<{ event_id: Buffer }>(
        `SELECT event_id FROM ${untoldById} WHERE event_id IN (?) AND owner = ? FOR UPDATE`,
        eventIds.map(toBytes),
        [],
        [Buffer.from(owner)],
      )
      const held = rows.map(({ event_id: id }) => id)
      await each(`UPDATE ${untoldById} SET due_at = ? WHERE event_id IN (?)`, held, [until])
      return new Set(held.map(fromBytes))
    },

    removeUntold: (eventIds) => removeUntold(eventIds.map(toBytes)),

    async putProgress(rows) {
      await set(
        untoldById,
        'event_id',
        ['progress'],
        rows.map(({ eventId, progress }) => ({
          key: toBytes(eventId),
          values: [Buffer.from(progress)],
        })),
      )
    },

    async release(rows) {
      await set(
        untoldById,
        'event_id',
        ['progress', 'due_at'],
        rows.map(({ eventId, progress, dueAt }) => ({
          key: toBytes(eventId),
          values: [Buffer.from(progress), dueAt],
        })),
        ', owner = NULL',
      )
    },

    async nextDue() {
      const [row] = await query<{ due_at: number | null }>(
        'SELECT MIN(due_at) AS due_at FROM mailtrail_untold',
      )
      return row?.due_at == null ? undefined : Number(row.due_at)
    },

    async bury(rows) {
      // Locked, or what somebody settles at the same time might become a dead letter all the same.
      const untold = await each<{ event_id: Buffer; position: number }>(
        `SELECT event_id, position FROM ${untoldById} WHERE event_id IN (?) FOR UPDATE`,
        rows.map(({ eventId }) => toBytes(eventId)),
      )
      const positions = new Map(
        untold.map(({ event_id: id, position }) => [fromBytes(id), Number(position)]),
      )
      await insert(
        'mailtrail_dead_letters (event_id, position, progress, given_up_at)',
        rows.flatMap(({ eventId, progress, givenUpAt }) => {
          const position = positions.get(eventId)
          return position === undefined
            ? []
            : [[toBytes(eventId), position, Buffer.from(progress), givenUpAt]]
        }),
        'ON DUPLICATE KEY UPDATE progress = VALUES(progress), given_up_at = VALUES(given_up_at)',
      )
      await removeUntold(untold.map(({ event_id: id }) => id))
    },

    async exhume(eventIds) {
      const rows = await each<{
        event_id: Buffer
        position: number
        progress: Buffer
        tracking_id: Buffer | null
      }>(
        `SELECT event_id, letter.position, progress, tracking_id
         FROM mailtrail_dead_letters AS letter FORCE INDEX (PRIMARY)
           STRAIGHT_JOIN mailtrail_events FORCE INDEX (mailtrail_events_by_id) ON id = event_id
         WHERE event_id IN (?) FOR UPDATE`,
        eventIds.map(toBytes),
      )
      await each(
        `DELETE letter FROM mailtrail_dead_letters AS letter FORCE INDEX (PRIMARY)
         WHERE event_id IN (?)`,
        rows.map(({ event_id: id }) => id),
      )
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
