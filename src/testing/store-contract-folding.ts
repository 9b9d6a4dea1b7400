import { equal } from 'node:assert/strict'
import { v7 as uuidv7 } from 'uuid'
import { inTimeOrder } from '../timeline.js'
import { recipientEngagement } from '../status.js'
import { batchFor, batchOf, recordOf, resultOf, type SampleEvent, start } from './store-samples.js'
import { like, same } from './comparing.js'
import {
  add,
  added,
  answer,
  bySecond,
  type Checks,
  claim,
  each,
  farAhead,
  foreignAt,
  idsOf,
  ingest,
  nothingLeft,
  now,
  onlyId,
  openingsIn,
  stateOf,
  statusOf,
  tell,
  typesOf,
} from './store-steps.js'

const opened = { type: 'opened', recipient: 'ann@example.com', ip: '203.0.113.9' } as const

/** What is told once, under each of two ids of the provider. */
const repetitions: [description: string, first: string | undefined, second: string | undefined][] =
  [
    ['with the same id', 'e-1', 'e-1'],
    ['with another id of the provider', 'e-1', 'e-2'],
    ['without its id', 'e-1', undefined],
    ['with an id that it had not before', undefined, 'e-1'],
    ['without any id twice', undefined, undefined],
  ]

/** Texts that some database may not keep as they are. */
const hostileTexts: [description: string, text: string][] = [
  ['quotes and backslashes', `'; DROP TABLE x; -- \\' \\" \\\\ %_`],
  ['a NUL', 'an\0n'],
  ['half a character', 'an\ud800n'],
  ['characters beyond the first plane', '𝒜𝓃𝓃 🦄'],
  ['10,000 characters', 'n'.repeat(10_000)],
]

const withId = (event: SampleEvent, providerEventId: string | undefined): SampleEvent =>
  providerEventId === undefined ? event : { ...event, providerEventId }

/** Facts once each, what becomes of recipients by them, and what a database must keep of them. */
export const foldingChecks: Checks = {
  ...each(
    repetitions,
    ([description]) => `a fact that comes again ${description} is counted once`,
    async ({ store, other }, [, one, two]) => {
      const record = await added(store)
      const event = { ...opened, ownId: record.trackingId }
      like(await ingest(store, batchOf(withId(event, one))), { duplicates: 0 })
      like(await ingest(other, batchOf(withId(event, two))), {
        deliveries: [],
        left: 0,
        duplicates: 1,
        waiting: 0,
        trackingIds: [],
      })
      equal(await openingsIn(store, record), 1)
    },
  ),

  async 'a fact under the same id of the provider with other content is counted once'({ store }) {
    const record = await added(store)
    const event = { ...opened, ownId: record.trackingId, providerEventId: 'e-1' }
    await ingest(store, batchOf(event, { ...event, ip: '203.0.113.10' }))
    await ingest(store, batchOf({ ...event, ip: '203.0.113.11' }))
    equal(await openingsIn(store, record), 1)
  },

  async 'two facts with the same id of the provider about two messages are two'({ store }) {
    const fact = { ...opened, providerEventId: 'e-1' }
    like(await ingest(store, batchOf({ ...fact, providerMessageId: 'p-1' })), { waiting: 1 })
    like(await ingest(store, batchOf({ ...fact, providerMessageId: 'p-2' })), { waiting: 1 })
  },

  async 'a fact in one batch, and in a batch that is cut otherwise, is counted once'({ store }) {
    const record = await added(store)
    const one = { ...opened, ownId: record.trackingId }
    const two = { ...one, occurredAt: new Date(start + 700) }
    const three = { ...one, occurredAt: new Date(start + 800) }
    like(await ingest(store, batchOf(one, two, one)), { duplicates: 1 })
    like(await ingest(store, batchOf(two, three)), { duplicates: 1 })
    equal(await openingsIn(store, record), 3)
  },

  async 'a fact without its message waits once'({ store }) {
    const event = { ...opened, providerMessageId: 'p-1' }
    like(await ingest(store, batchOf(event)), { waiting: 1, duplicates: 0 })
    like(await ingest(store, batchOf(event)), { waiting: 0, duplicates: 1 })
  },

  async 'engagement is counted with and without machines, with its first and last time'({ store }) {
    const record = await added(store)
    const at = (seconds: number, machine?: boolean): SampleEvent => ({
      ...opened,
      ownId: record.trackingId,
      occurredAt: new Date(start + seconds * 1000),
      ...(machine !== undefined && { machine }),
    })
    await ingest(store, batchOf(at(5), at(9, true)))
    await ingest(store, batchOf(at(1, true), at(3, false)))
    const state = await stateOf(store, record)
    same(state && recipientEngagement(state), {
      opened: {
        count: 4,
        first: new Date(start + 1000),
        last: new Date(start + 9000),
        withoutMachines: {
          count: 2,
          first: new Date(start + 3000),
          last: new Date(start + 5000),
        },
      },
    })
  },

  async 'the timeline goes by time and then by the life of a message, whatever came first'({
    store,
  }) {
    const record = await added(store)
    const ownId = record.trackingId
    const occurredAt = new Date(start + 2000)
    await ingest(store, batchOf({ type: 'delivered', ownId, occurredAt }))
    await ingest(store, batchOf({ type: 'deferred', ownId, occurredAt: new Date(start + 1000) }))
    await ingest(store, batchOf({ type: 'accepted', ownId, occurredAt }))
    const { events = [] } = (await store.message(ownId)) ?? {}
    same(
      events.map(({ type }) => type),
      ['deferred', 'accepted', 'delivered'],
    )
    same(events, inTimeOrder(events))
  },

  async 'an event that is ahead of its message waits, and joins it when that is written'({
    store,
    other,
  }) {
    const record = recordOf('ann@example.com')
    const early = batchFor(record, 'delivered')
    like(await ingest(store, early), { deliveries: [], left: 0, waiting: 1, trackingIds: [] })
    const joined = await add(other, record)
    equal(onlyId(joined.deliveries), early.events[0]?.event.id)
    like(joined, {
      deliveries: [
        {
          event: {
            trackingId: record.trackingId,
            correlation: { status: 'matched', via: 'own-id' },
          },
          message: { trackingId: record.trackingId },
          progress: {},
        },
      ],
      left: 0,
    })
    equal(await statusOf(store, record), 'delivered')
    equal((await store.message(record.trackingId))?.events.length, 1)
    await tell(store, idsOf(joined.deliveries))
    await nothingLeft(store)
  },

  async 'events that are ahead of the provider’s id join with it, in the order they came, once'({
    store,
  }) {
    const record = await added(store)
    const ids = { providerMessageId: 'p-1', occurredAt: new Date(start) }
    await ingest(store, batchOf({ type: 'delivered', ...ids }, { ...opened, ...ids }))
    const joined = await answer(store, record, resultOf(record, 'p-1'))
    same(typesOf(joined.deliveries), ['delivered', 'opened'])
    same(await answer(store, record, resultOf(record, 'p-1')), { deliveries: [], left: 0 })
    equal(await openingsIn(store, record), 1)
  },

  async 'an event joins once, though several of its ids come to be known'({ store }) {
    const record = recordOf('ann@example.com')
    const ids = { providerMessageId: 'p-1', messageId: record.messageId ?? '' }
    await ingest(store, batchOf({ ...opened, ...ids }))
    equal((await add(store, record)).deliveries.length, 1)
    same(await answer(store, record, resultOf(record, 'p-1')), { deliveries: [], left: 0 })
    equal(await openingsIn(store, record), 1)
  },

  async 'an event that comes without its message in time is foreign, and still joins it later'({
    store,
  }) {
    const record = recordOf('ann@example.com')
    await ingest(store, batchFor(record, 'delivered'))
    equal(await store.nextDue(), foreignAt)
    same(await claim(store, 'anybody', foreignAt - 1), [])
    const foreign = await claim(store, 'anybody', foreignAt)
    like(foreign, [{ event: { correlation: { status: 'foreign' } }, message: undefined }])
    await tell(store, idsOf(foreign))
    same(await add(store, record), { deliveries: [], left: 0 })
    like((await store.message(record.trackingId))?.events, [
      { trackingId: record.trackingId, correlation: { status: 'matched', via: 'own-id' } },
    ])
    equal(await statusOf(store, record), 'delivered')
    await nothingLeft(store)
  },

  async 'a token is good for one content alone, however often that comes'({ store, other }) {
    const batch = (type: 'delivered' | 'complained') => ({
      ...batchOf({ type, providerMessageId: 'p-1' }),
      nonce: { token: 't-1', content: type },
    })
    like(await ingest(store, batch('delivered')), { duplicates: 0 })
    like(await ingest(other, batch('delivered')), { duplicates: 1 })
    same(await other.ingest(batch('complained'), bySecond), { kind: 'replayed' })
    const honest = batchOf({ type: 'complained', providerMessageId: 'p-1' })
    like(await ingest(store, honest), { duplicates: 0 })
  },

  ...each(
    hostileTexts,
    ([description]) => `ids, addresses and payloads are kept though there is ${description}`,
    async ({ store, other }, [, text]) => {
      const address = `${text}@example.com`
      const record = { ...recordOf(address), subject: text, metadata: { [text]: text } }
      await add(store, record)
      await answer(store, record, resultOf(record, `p-${text}`))
      const raw = { [text]: [text, { deep: text }], number: 1.5, nothing: null }
      const event = { type: 'delivered', providerMessageId: `p-${text}`, raw } as const
      const { deliveries } = await ingest(other, batchOf({ ...event, recipient: address }))
      like(deliveries, [{ event: { trackingId: record.trackingId } }])
      equal(await statusOf(store, record, address), 'delivered')
      const stored = await other.message(record.trackingId)
      equal(JSON.stringify(stored?.events[0]?.raw), JSON.stringify(raw))
      equal(stored?.record.subject, text)
      same(stored?.record.metadata, { [text]: text })
      const nonce = { token: text, content: text }
      like(await ingest(store, { ...batchOf(opened), nonce }), { duplicates: 0 })
      same(await store.ingest({ ...batchOf(opened), nonce: { ...nonce, content: '' } }, bySecond), {
        kind: 'replayed',
      })
    },
  ),

  async 'a thousand recipients of a message and a batch of a thousand events are not too many'({
    store,
    other,
  }) {
    const addresses = Array.from({ length: 1000 }, (_, index) => `person-${index}@example.com`)
    const record = await added(store, ...addresses)
    const events = addresses.map((recipient): SampleEvent => ({
      type: 'delivered',
      ownId: record.trackingId,
      recipient,
    }))
    const { deliveries, duplicates } = await ingest(store, batchOf(...events, ...events))
    same([deliveries.length, duplicates], [1000, 1000])
    equal(await statusOf(other, record, 'person-999@example.com'), 'delivered')
    const strangers = Array.from({ length: 1000 }, (): SampleEvent => ({
      type: 'opened',
      ownId: uuidv7(),
      providerMessageId: uuidv7(),
    }))
    like(await ingest(other, batchOf(...strangers)), { waiting: 1000 })
  },

  async 'a batch of which something cannot be written is not written at all, or whole'({ store }) {
    const record = await added(store)
    const good = { type: 'delivered', ownId: record.trackingId } as const
    const bad = batchOf(good, { ...opened, ownId: record.trackingId, raw: BigInt(5) })
    const written = await ingest(store, bad).then(
      () => true,
      () => false,
    )
    equal((await store.message(record.trackingId))?.events.length, written ? 2 : 0)
    equal((await claim(store, 'anybody', farAhead)).length, written ? 2 : 0)
    like(await ingest(store, batchOf(good)), { duplicates: written ? 1 : 0 })
  },

  async 'what a store takes and gives are copies'({ store }) {
    const record = await added(store)
    record.subject = 'changed'
    const batch = batchFor(record, 'delivered')
    const { deliveries } = await ingest(store, batch)
    for (const { event } of [...batch.events, ...deliveries]) {
      event.metadata['changed'] = 'yes'
      event.tags.push('changed')
    }
    const stored = await store.message(record.trackingId)
    stored?.record.tags.push('changed')
    stored?.states.clear()
    stored?.events[0]?.tags.push('changed')
    const [found] = await store.find({}, 1)
    found?.states.clear()
    const fresh = await store.message(record.trackingId)
    like(fresh?.record, { subject: 'Order 42 – “thanks”', tags: ['order'] })
    like(fresh?.events, [{ metadata: {}, tags: [] }])
    equal(fresh?.states.size, 1)
    like(await claim(store, 'anybody', now + 60_000), [{ event: { tags: [] } }])
  },
}
