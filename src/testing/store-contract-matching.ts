import { equal } from 'node:assert/strict'
import { v7 as uuidv7 } from 'uuid'
import type { MessageRecord } from '../message.js'
import type { IncomingBatch, Store, TimeSpan } from '../store.js'
import {
  batchFrom,
  batchFor,
  batchOf,
  recordAt,
  recordOf,
  resultOf,
  type SampleEvent,
  start,
} from './store-samples.js'
import {
  add,
  added,
  answer,
  byFirst,
  type Checks,
  each,
  ingest,
  like,
  same,
  stateOf,
  statusOf,
} from './store-steps.js'

/** Writes a message that its provider knows by this id. */
async function answered(
  store: Store,
  providerMessageId: string,
  record = recordOf('ann@example.com'),
): Promise<MessageRecord> {
  await add(store, record)
  await answer(store, record, resultOf(record, providerMessageId))
  return record
}

const minute = 60_000

/** A complaint without any id that is matched by its recipient, to what was sent in this span. */
function complaint(sentWithin?: TimeSpan): IncomingBatch {
  const { events } = batchOf({ type: 'complained', recipient: 'ann@example.com' })
  return { events: events.map((event) => (sentWithin ? { ...event, sentWithin } : event)) }
}

const span: TimeSpan = { from: start - minute, to: start + minute }

/** A mail that came in, with what no other event has. */
const reply: SampleEvent = {
  type: 'inbound',
  recipient: 'box@in.example.com',
  messageId: '<reply@example.com>',
  mail: {
    envelope: { from: 'ann@example.com', to: ['box@in.example.com'] },
    from: { name: 'Ann', address: 'ann@example.com' },
    to: [],
    cc: [],
    replyTo: [],
    subject: 'Re: Order – “thanks” 🎉',
    date: new Date(start + 100),
    messageId: '<reply@example.com>',
    inReplyTo: '<unknown@example.com>',
    references: ['<unknown@example.com>'],
    text: 'Thanks\r\n\tüñ',
    attachments: [
      { contentType: 'text/plain', size: 1, content: { kind: 'embedded', base64: 'eA==' } },
    ],
    inline: {},
    headers: [{ name: 'X', value: '2020-01-01T00:00:00.000Z' }],
    problems: [],
  },
}

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

export const matchingChecks: Checks = {
  async 'an event comes back as it came, its dates as dates'({ store, other }) {
    const record = await added(store, 'ann@example.com')
    const batch = batchOf({
      type: 'suppression',
      list: 'reject',
      action: 'added',
      address: 'ann@example.com',
      expiresAt: new Date(start + 9000),
      ownId: record.trackingId,
      recipient: 'ann@example.com',
      metadata: { occurredAt: '2020-01-01' },
      raw: { receivedAt: '2020-01-01', list: [{ ü: null, n: 0.1, no: false }] },
    })
    const result = await ingest(store, batch)
    const expected = {
      ...batch.events[0]?.event,
      trackingId: record.trackingId,
      correlation: { status: 'matched', via: 'own-id' },
    }
    same((await other.message(record.trackingId))?.events, [expected])
    same(
      result.deliveries.map(({ event }) => event),
      [expected],
    )
    same(result.trackingIds, [record.trackingId])
  },

  'gives an inbound mail to the message that it answers, whole, and says nothing of its recipient':
    async ({ store, other }) => {
      const record = recordOf('ann@example.com')
      await add(store, record)
      const batch = batchOf({ ...reply, ownId: record.trackingId })
      const result = await ingest(store, batch)
      const expected = {
        ...batch.events[0]?.event,
        trackingId: record.trackingId,
        correlation: { status: 'matched', via: 'own-id' },
      }
      same((await other.message(record.trackingId))?.events, [expected])
      same(
        result.deliveries.map(({ event }) => event),
        [expected],
      )
      equal(await statusOf(store, record), 'pending')
    },

  'tells an inbound mail at once that answers nothing known': async ({ store }) => {
    const result = await ingest(store, batchOf(reply))
    equal(result.waiting, 0)
    same(
      result.deliveries.map(({ event }) => event.correlation),
      [{ status: 'foreign' }],
    )
  },

  ...each(
    ['own-id', 'provider-id', 'message-id'] as const,
    (via) => `an event is matched by ${via}`,
    async ({ store, other }, via) => {
      const record = await answered(store, 'p-1')
      const ids = {
        'own-id': { ownId: record.trackingId },
        'provider-id': { providerMessageId: 'p-1' },
        'message-id': { messageId: record.messageId ?? '' },
      }
      const { deliveries } = await ingest(other, batchOf({ type: 'delivered', ...ids[via] }))
      like(deliveries, [
        {
          event: {
            trackingId: record.trackingId,
            recipient: 'ann@example.com',
            correlation: { status: 'matched', via },
          },
          message: { trackingId: record.trackingId, failFlag: false },
          progress: {},
        },
      ])
      equal(await statusOf(store, record), 'delivered')
    },
  ),

  async 'an event is matched by our own id rather than by what speaks of another message'({
    store,
  }) {
    const mine = await added(store)
    const theirs = await answered(store, 'p-1')
    const result = await ingest(
      store,
      batchOf({
        type: 'delivered',
        ownId: mine.trackingId,
        providerMessageId: 'p-1',
        messageId: theirs.messageId ?? '',
      }),
    )
    same(result.trackingIds, [mine.trackingId])
  },

  async 'an event is matched by the id of the provider rather than by the Message-ID'({ store }) {
    const mine = await answered(store, 'p-1')
    const theirs = await answered(store, 'p-2')
    const ids = { providerMessageId: 'p-1', messageId: theirs.messageId ?? '' }
    const result = await ingest(store, batchOf({ type: 'delivered', ...ids }))
    same(result.trackingIds, [mine.trackingId])
  },

  async 'an event is matched by the next id when the first is not known'({ store }) {
    await answered(store, 'p-1')
    const { deliveries } = await ingest(
      store,
      batchOf({ type: 'delivered', ownId: uuidv7(), providerMessageId: 'p-1' }),
    )
    same(deliveries[0]?.event.correlation, { status: 'matched', via: 'provider-id' })
  },

  async 'an event is not matched by the same ids of another provider'({ store }) {
    const record = await answered(store, 'p-1', {
      ...recordOf('ann@example.com'),
      provider: 'sparkpost',
    })
    const ids = { providerMessageId: 'p-1', messageId: record.messageId ?? '' }
    const result = await ingest(store, batchOf({ type: 'delivered', ...ids }))
    like(result, { deliveries: [], left: 0, waiting: 1, trackingIds: [] })
  },

  async 'messages of two providers with the same ids each get their own events'({ store }) {
    const messageId = '<one@example.com>'
    const providers = ['postmark', 'sparkpost']
    const records = providers.map((provider) => ({
      ...recordOf('ann@example.com'),
      provider,
      messageId,
    }))
    for (const record of records) await answered(store, 'p-1', record)
    for (const { provider, trackingId } of records) {
      for (const ids of [{ providerMessageId: 'p-1' }, { messageId }]) {
        const result = await ingest(store, batchFrom(provider, { type: 'delivered', ...ids }))
        same(result.trackingIds, [trackingId])
      }
    }
  },

  ...each(
    [
      ['in letter case', 'n-A', 'n-a'],
      ['in an accent', 'n-é', 'n-e'],
      ['in a space at its end', 'n ', 'n'],
      ['after a NUL', 'n\0B', 'n\0A'],
      ['in what comes from a NUL on', 'n', 'n\0A'],
      ['in the last of 10,000 characters', `${'n'.repeat(9999)}B`, `${'n'.repeat(9999)}A`],
    ] as const,
    ([description]) => `an event is not matched by an id that differs ${description}`,
    async ({ store }, [, asked, known]) => {
      await answered(store, known)
      const result = await ingest(store, batchOf({ type: 'delivered', providerMessageId: asked }))
      like(result, { deliveries: [], waiting: 1 })
    },
  ),

  async 'an id that two messages share belongs to the later one'({ store, other }) {
    const earlier = await answered(store, 'p-1')
    const later = { ...recordOf('ann@example.com'), messageId: earlier.messageId ?? '' }
    await answered(other, 'p-1', later)
    for (const ids of [{ providerMessageId: 'p-1' }, { messageId: earlier.messageId ?? '' }]) {
      const result = await ingest(store, batchOf({ type: 'delivered', ...ids }))
      same(result.trackingIds, [later.trackingId])
    }
    const own = await ingest(store, batchFor(earlier, 'opened'))
    same(own.trackingIds, [earlier.trackingId])
  },

  async 'an id that belongs to one recipient leads to that recipient'({ store }) {
    const record = await added(store, 'ann@example.com', 'bob@example.com')
    const { recipients, ...result } = resultOf(record, 'p-ann')
    await answer(store, record, {
      ...result,
      recipients: recipients.map((recipient, index) => ({
        ...recipient,
        providerMessageId: index === 0 ? 'p-ann' : 'p-bob',
      })),
    })
    const { deliveries } = await ingest(
      store,
      batchOf({ type: 'delivered', providerMessageId: 'p-bob' }),
    )
    like(deliveries, [{ event: { recipient: 'bob@example.com', trackingId: record.trackingId } }])
    equal(await statusOf(store, record, 'bob@example.com'), 'delivered')
    equal(await statusOf(store, record, 'ann@example.com'), 'accepted')
  },

  async 'an event changes the state of its recipient alone, whatever the letter case'({ store }) {
    const record = await added(store, 'Ann@example.com', 'bob@example.com')
    const ownId = record.trackingId
    await ingest(store, batchOf({ type: 'delivered', ownId, recipient: 'aNN@EXAMPLE.com' }))
    equal(await statusOf(store, record, 'ann@example.com'), 'delivered')
    equal(await statusOf(store, record, 'bob@example.com'), 'pending')
  },

  ...each(
    [
      ['for an address that the message was not sent to', { recipient: 'audit@example.com' }],
      ['for a message of two, without a recipient', {}],
    ] as const,
    ([description]) => `an event ${description} is kept and changes no state`,
    async ({ store }, [, recipient]) => {
      const record = await added(store, 'ann@example.com', 'bob@example.com')
      const before = await store.message(record.trackingId)
      const ownId = record.trackingId
      const bounce = { kind: 'hard', asynchronous: false } as const
      await ingest(store, batchOf({ type: 'bounced', bounce, ownId, ...recipient }))
      const after = await store.message(record.trackingId)
      equal(after?.events.length, 1)
      same(after?.states, before?.states)
    },
  ),

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
