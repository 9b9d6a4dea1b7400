import { equal } from 'node:assert/strict'
import type { MessageRecord } from '../message.js'
import type { IncomingBatch, Store, TimeSpan } from '../store.js'
import { batchOf, recordAt, start } from './store-samples.js'
import { like, same } from './comparing.js'
import { add, byFirst, type Checks, each, ingest, stateOf } from './store-steps.js'

const minute = 60_000

/** A complaint without any id that is matched by its recipient, to what was sent in this span. */
function complaint(sentWithin?: TimeSpan): IncomingBatch {
  const { events } = batchOf({ type: 'complained', recipient: 'ann@example.com' })
  return { events: events.map((event) => (sentWithin ? { ...event, sentWithin } : event)) }
}

const span: TimeSpan = { from: start - minute, to: start + minute }

/** Messages that are there when the complaint comes, and the span it is matched in. */
interface Candidates {
  description: string
  /** The time each was sent at, and what is not as usual. */
  messages: [sentAt: number, change?: { provider?: string; address?: string }][]
  /** No span, no match. */
  sentWithin?: TimeSpan
}

const fitting: Candidates[] = [
  { description: 'the only one there is', messages: [[start]], sentWithin: span },
  {
    description: 'the only one in the span',
    messages: [[start], [span.from - minute], [span.to + minute]],
    sentWithin: span,
  },
  { description: 'one of the first moment of the span', messages: [[span.from]], sentWithin: span },
  { description: 'one of the last moment of the span', messages: [[span.to]], sentWithin: span },
  {
    description: 'the only one of its provider',
    messages: [[start], [start, { provider: 'sparkpost' }]],
    sentWithin: span,
  },
  {
    description: 'the only one to its recipient',
    messages: [[start], [start, { address: 'bob@example.com' }]],
    sentWithin: span,
  },
]

const unfitting: Candidates[] = [
  { description: 'of two that fit', messages: [[start], [start + 1]], sentWithin: span },
  { description: 'that was sent before the span', messages: [[span.from - 1]], sentWithin: span },
  { description: 'that was sent after the span', messages: [[span.to + 1]], sentWithin: span },
  {
    description: 'of another provider',
    messages: [[start, { provider: 'sparkpost' }]],
    sentWithin: span,
  },
  {
    description: 'to another recipient',
    messages: [[start, { address: 'bob@example.com' }]],
    sentWithin: span,
  },
  { description: 'where no span is given', messages: [[start]] },
]

async function addCandidates(store: Store, { messages }: Candidates): Promise<MessageRecord[]> {
  const records = messages.map(([sentAt, { provider, address = 'Ann@Example.com' } = {}]) => ({
    ...recordAt(sentAt, address),
    ...(provider !== undefined && { provider }),
  }))
  for (const record of records) await add(store, record)
  return records
}

/** Events without any id are matched by their recipient, where that is asked for. */
export const recipientChecks: Checks = {
  async 'an event without any id is foreign and waits for nothing'({ store }) {
    const result = await ingest(store, complaint())
    like(result, {
      deliveries: [{ event: { correlation: { status: 'foreign' } }, message: undefined }],
      left: 0,
      waiting: 0,
      trackingIds: [],
    })
    equal(result.deliveries[0]?.event.trackingId, undefined)
    equal(await store.nextDue(), byFirst.lease?.until)
  },

  ...each(
    fitting,
    ({ description }) => `an event without any id is matched by its recipient to ${description}`,
    async ({ store, other }, candidates) => {
      const [record] = await addCandidates(store, candidates)
      if (!record) throw new Error('there is one')
      const result = await ingest(other, complaint(candidates.sentWithin))
      like(result, {
        deliveries: [
          {
            event: {
              trackingId: record.trackingId,
              correlation: { status: 'matched', via: 'recipient' },
            },
            message: { trackingId: record.trackingId },
          },
        ],
        waiting: 0,
        trackingIds: [record.trackingId],
      })
      equal((await stateOf(store, record))?.engagement.complained?.count, 1)
      equal((await store.message(record.trackingId))?.events.length, 1)
    },
  ),

  ...each(
    unfitting,
    ({ description }) => `an event without any id is not matched to a message ${description}`,
    async ({ store }, candidates) => {
      const records = await addCandidates(store, candidates)
      const result = await ingest(store, complaint(candidates.sentWithin))
      like(result, {
        deliveries: [{ event: { correlation: { status: 'foreign' } }, message: undefined }],
        waiting: 0,
        trackingIds: [],
      })
      for (const { trackingId } of records) {
        same((await store.message(trackingId))?.events, [])
      }
    },
  ),

  async 'an event that its recipient did not match waits for no message'({ store }) {
    await ingest(store, complaint(span))
    const record = recordAt(start, 'ann@example.com')
    same(await add(store, record), { deliveries: [], left: 0 })
    same((await store.message(record.trackingId))?.events, [])
  },
}
