import { messageKeys } from '../src/matching.js'
import type { EventQueue, QueuedIds } from '../src/event-queue.js'
import type { MessageRecord } from '../src/message.js'
import type { Delivery, Lease, Store } from '../src/store.js'
import { batchOf, openingsOf, recordOf } from '../src/testing/store-samples.js'

/** A queue in this process that runs nothing by itself. */
export interface PlainQueue extends EventQueue {
  waiting: { eventIds: QueuedIds; addedAt: number }[]
  /** Every job that was ever added. */
  added: QueuedIds[]
  /** While it is there, nothing can be had of the queue. */
  away: Error | undefined
  /** While it is there, nothing is answered until it resolves. */
  silence: Promise<void> | undefined
}

export function plainQueue(): PlainQueue {
  const queue: PlainQueue = {
    waiting: [],
    added: [],
    away: undefined,
    silence: undefined,
    async add(jobs) {
      await queue.silence
      if (queue.away) throw queue.away
      queue.added.push(...jobs)
      queue.waiting.push(...jobs.map((eventIds) => ({ eventIds, addedAt: Date.now() })))
    },
    async waitingSince() {
      await queue.silence
      if (queue.away) throw queue.away
      return queue.waiting[0]?.addedAt
    },
  }
  return queue
}

/** Writes a new message. */
export async function newMessage(store: Store): Promise<MessageRecord> {
  const record = recordOf('ann@example.com')
  const now = Date.now()
  await store.addMessage(record, messageKeys(record), { now, foreignAt: now })
  return record
}

type PlainType = 'accepted' | 'delivered' | 'opened'

/** Writes events of a message, as a webhook does. Gives those that are leased to the writer. */
export async function write(
  store: Store,
  record: MessageRecord,
  types: readonly PlainType[],
  lease: Lease | undefined,
): Promise<Delivery[]> {
  const now = Date.now()
  const events = types.map((type) => ({ type, ownId: record.trackingId }))
  const schedule = { now, foreignAt: now, ...(lease && { lease }) }
  const result = await store.ingest(batchOf(...events), schedule)
  return result.kind === 'stored' ? result.deliveries : []
}

/** Writes so many openings of a new message. */
export async function writeOpenings(
  store: Store,
  count: number,
  lease: Lease | undefined,
): Promise<Delivery[]> {
  const now = Date.now()
  const schedule = { now, foreignAt: now, ...(lease && { lease }) }
  const result = await store.ingest(openingsOf(await newMessage(store), count), schedule)
  return result.kind === 'stored' ? result.deliveries : []
}

export const idsOf = (told: readonly Pick<Delivery, 'event'>[]): string[] =>
  told.map(({ event }) => event.id)
