import type { Store, StoredMessage } from '../store.js'
import { inTimeOrder } from '../timeline.js'
import { replayable } from './progress.js'
import { eventFromJson, recordFromJson, stateFromJson } from './serialization.js'
import { claim, claimEvents, fromJson, toDeliveries } from './sql-claiming.js'
import { ingest } from './sql-ingest.js'
import { addMessage, addResult } from './sql-messages.js'
import { forget } from './sql-forgetting.js'
import { prune } from './sql-pruning.js'
import { fromRow, suppress } from './sql-suppressions.js'
import type { SqlDatabase, Tables } from './sql-tables.js'

/** A store on an SQL database: what happens within the transactions, whatever database it is. */
export function sqlStore(database: SqlDatabase): Store {
  let opening: Promise<void> | undefined
  let closing: Promise<void> | undefined

  async function open(): Promise<void> {
    if (closing) throw new Error('the store is closed')
    // A failed opening is not kept: the file may be unlocked, or the server be back, next time.
    opening ??= database.open().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  async function transaction<T>(work: (tables: Tables) => Promise<T>): Promise<T> {
    await open()
    return database.transaction(work)
  }

  async function read<T>(work: (tables: Tables) => Promise<T>): Promise<T> {
    await open()
    return database.read(work)
  }

  return {
    open,

    addMessage: (record, keys, schedule) =>
      transaction((tables) => addMessage(tables, record, keys, schedule)),

    addResult: (trackingId, result, keys, schedule) =>
      transaction((tables) => addResult(tables, trackingId, result, keys, schedule)),

    ingest: (batch, schedule) => transaction((tables) => ingest(tables, batch, schedule)),

    claim: (now, lease, limit) => transaction((tables) => claim(tables, now, lease, limit)),

    claimEvents: (asked, now, lease) =>
      transaction((tables) => claimEvents(tables, asked, now, lease)),

    renew: (eventIds, lease) =>
      transaction(async (tables) => {
        const held = await tables.prolong(eventIds, lease)
        return eventIds.filter((id) => !held.has(id))
      }),

    settle: (settlements) =>
      transaction(async (tables) => {
        const ended: string[] = []
        const failed: { eventId: string; progress: string }[] = []
        const released: { eventId: string; progress: string; dueAt: number }[] = []
        const buried: { eventId: string; progress: string; givenUpAt: number }[] = []
        for (const settlement of settlements) {
          const { eventId } = settlement
          if (settlement.kind === 'told') {
            ended.push(eventId)
            continue
          }
          const progress = JSON.stringify(settlement.progress)
          if (settlement.kind === 'failed') failed.push({ eventId, progress })
          else if (settlement.kind === 'released') {
            released.push({ eventId, progress, dueAt: settlement.dueAt })
          } else buried.push({ eventId, progress, givenUpAt: settlement.at })
        }
        await tables.removeUntold(ended)
        await tables.putProgress(failed)
        await tables.release(released)
        await tables.bury(buried)
      }),

    nextDue: () => read((tables) => tables.nextDue()),

    deadLetters: (limit, before) =>
      read(async (tables) => {
        const rows = await tables.deadLetters(limit, before)
        const letters = rows.map(({ event, progress }) => ({
          event: eventFromJson(event),
          progress: fromJson(progress),
        }))
        const times = new Map(rows.map(({ eventId, givenUpAt }) => [eventId, givenUpAt]))
        const deliveries = await toDeliveries(tables, letters)
        return deliveries.map((delivery) => ({
          ...delivery,
          givenUpAt: times.get(delivery.event.id) ?? 0,
        }))
      }),

    replay: (eventIds, now) =>
      transaction(async (tables) => {
        const rows = await tables.exhume(eventIds)
        await tables.addUntold(
          rows.map((row) => ({
            ...row,
            dueAt: now,
            progress: JSON.stringify(replayable(fromJson(row.progress))),
          })),
        )
        return rows.length
      }),

    message: (trackingId) =>
      read(async (tables) => {
        const [stored] = await storedMessages(tables, [trackingId])
        if (!stored) return undefined
        const events = (await tables.eventsOf(trackingId)).map(eventFromJson)
        return { ...stored, events: inTimeOrder(events) }
      }),

    find: (query, limit, before) =>
      read(async (tables) =>
        storedMessages(tables, await tables.findMessages(query, limit, before)),
      ),

    async prune(limits, most) {
      await open()
      const days = await database.pruneDays?.(limits, most)
      if (days && days.removed > 0) return days.removed
      return transaction((tables) => prune(tables, days?.limits ?? limits, most))
    },

    forget: (address, written, pseudonym) =>
      forget({ transaction, read }, address, written, pseudonym),

    checkpoint: (name) => read((tables) => tables.checkpoint(name)),

    counts: (query) => read((tables) => tables.counts(query)),

    mergeCounts: (before) =>
      transaction(async (tables) => (await tables.mergeCounts?.(before)) ?? 0),

    suppress: (facts) => transaction((tables) => suppress(tables, facts)),

    suppressionsOf: (addresses) =>
      read(async (tables) => (await tables.suppressionsOf(addresses)).map(fromRow)),

    suppressions: (limit, after) =>
      read(async (tables) =>
        (await tables.suppressions(limit, after)).map(({ place, ...row }) => ({
          ...fromRow(row),
          place,
        })),
      ),

    close() {
      closing ??= (async () => {
        await opening?.catch(() => {})
        await database.close()
      })()
      return closing
    },
  }
}

/** The messages in the order of their ids as given, each with the states of its recipients. */
async function storedMessages(tables: Tables, trackingIds: string[]): Promise<StoredMessage[]> {
  const stored = new Map<string, StoredMessage>()
  for (const { trackingId, record } of await tables.messages(trackingIds)) {
    stored.set(trackingId, { record: recordFromJson(record), states: new Map() })
  }
  for (const { trackingId, address, state } of await tables.statesOf(trackingIds)) {
    stored.get(trackingId)?.states.set(address, stateFromJson(state))
  }
  return trackingIds.flatMap((trackingId) => stored.get(trackingId) ?? [])
}
