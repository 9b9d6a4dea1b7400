import { equal } from 'node:assert/strict'
import { v7 as uuidv7 } from 'uuid'
import type { MessageRecord } from '../message.js'
import type { Store } from '../store.js'
import { batchFrom, batchFor, batchOf, recordOf, resultOf } from './store-samples.js'
import { like, same } from './comparing.js'
import { add, added, answer, type Checks, each, ingest, statusOf } from './store-steps.js'

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

/** Events are matched by the ids that they bear. */
export const matchingChecks: Checks = {
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

  async 'an id that several recipients turn out to have speaks of none of them'({ store, other }) {
    const record = recordOf('ann@example.com', 'bob@example.org')
    const [ann, ...others] = record.recipients
    if (!ann) throw new Error('it was written to nobody')
    await add(store, { ...record, recipients: [{ ...ann, providerMessageId: 'p-1' }, ...others] })
    const result = resultOf(record, 'p-1')
    const recipients = result.recipients.map((one) => ({ ...one, providerMessageId: 'p-1' }))
    await answer(store, record, { ...result, recipients })
    await ingest(other, batchOf({ type: 'delivered', providerMessageId: 'p-1' }))
    equal(await statusOf(store, record), 'accepted')
  },

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
}
