import { equal } from 'node:assert/strict'
import type { MessageRecord } from '../message.js'
import type { Store } from '../store.js'
import { batchOf, recordOf, type SampleEvent } from './store-samples.js'
import { like, same } from './comparing.js'
import {
  add,
  type Checks,
  each,
  first,
  idsOf,
  ingest,
  leaseOf,
  statusOf,
  typesOf,
} from './store-steps.js'

const ann = 'ann@example.com'
const bob = 'bob@example.com'

/** A message to two, each with an id of the provider's own. */
function toTwo(): MessageRecord {
  const record = recordOf(ann, bob)
  return {
    ...record,
    recipients: record.recipients.map((recipient, index) => ({
      ...recipient,
      providerMessageId: index === 0 ? 'p-ann' : 'p-bob',
    })),
  }
}

const statusesOf = async (store: Store, record: MessageRecord) => [
  await statusOf(store, record, ann),
  await statusOf(store, record, bob),
]

/** Events that come before their message. */
export const earlyChecks: Checks = {
  async 'early events are told in the order they came, whatever id each waited for, by who writes their message'({
    store,
  }) {
    const record = { ...recordOf(ann), providerMessageId: 'p-1' }
    await ingest(store, batchOf({ type: 'accepted', messageId: record.messageId ?? '' }))
    await ingest(store, batchOf({ type: 'deferred', providerMessageId: 'p-1' }))
    await ingest(store, batchOf({ type: 'delivered', ownId: record.trackingId }))
    const { deliveries } = await add(store, record)
    same(typesOf(deliveries), ['accepted', 'deferred', 'delivered'])
    const ways = ['message-id', 'provider-id', 'own-id']
    like(
      deliveries,
      ways.map((via) => ({ event: { correlation: { status: 'matched', via } } })),
    )
    same(await store.renew(idsOf(deliveries), leaseOf(first)), [])
  },

  ...each<[by: string, known: boolean, via: string]>(
    [
      ['the first of the ids that it bears', true, 'provider-id'],
      ['the only one that its message has', false, 'message-id'],
    ],
    ([by]) => `an early event is matched by ${by}, and once`,
    async ({ store }, [, known, via]) => {
      const record = { ...recordOf(ann), ...(known && { providerMessageId: 'p-1' }) }
      const ids = { providerMessageId: 'p-1', messageId: record.messageId ?? '' }
      await ingest(store, batchOf({ type: 'delivered', ...ids }))
      like(await add(store, record), {
        deliveries: [{ event: { correlation: { status: 'matched', via } } }],
      })
      equal((await store.message(record.trackingId))?.events.length, 1)
    },
  ),

  ...each<[about: string, ofRecord: (record: MessageRecord) => Partial<SampleEvent>, string[]]>(
    [
      [
        'the recipient that it names',
        ({ trackingId }) => ({ ownId: trackingId, recipient: 'BOB@example.com' }),
        ['pending', 'delivered'],
      ],
      [
        'the recipient whose id it bears',
        () => ({ providerMessageId: 'p-bob' }),
        ['pending', 'delivered'],
      ],
      [
        'nobody, where it names none and bears no id of one',
        ({ trackingId }) => ({ ownId: trackingId }),
        ['pending', 'pending'],
      ],
    ],
    ([about]) => `an early event is about ${about}`,
    async ({ store }, [, ofRecord, statuses]) => {
      const record = toTwo()
      await ingest(store, batchOf({ ...ofRecord(record), type: 'delivered' }))
      await add(store, record)
      same(await statusesOf(store, record), statuses)
      equal((await store.message(record.trackingId))?.events.length, 1)
    },
  ),

  async 'an early event of somebody who was forgotten meanwhile is about nobody, and others keep theirs'({
    store,
  }) {
    const record = recordOf(ann, bob)
    const ownId = record.trackingId
    await ingest(
      store,
      batchOf(
        { type: 'delivered', ownId, recipient: ann },
        { type: 'delivered', ownId, recipient: bob, response: `250 as ${ann}` },
      ),
    )
    await store.forget(ann, [], 'forgotten@forgotten.invalid')
    await add(store, record)
    same(await statusesOf(store, record), ['pending', 'delivered'])
  },
}
