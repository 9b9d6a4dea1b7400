import { equal } from 'node:assert/strict'
import { v7 as uuidv7 } from 'uuid'
import type { Progress } from '../store.js'
import {
  batchFor,
  batchOf,
  openingsOf,
  type PlainEventType,
  recordOf,
  resultOf,
  sampleProvider,
} from './store-samples.js'
import { like, same } from './comparing.js'
import {
  add,
  added,
  answer,
  byFirst,
  byNobody,
  bySecond,
  type Checks,
  claim,
  farAhead,
  first,
  giveUp,
  idsOf,
  ingest,
  leaseEnd,
  leaseOf,
  nothingLeft,
  now,
  onlyId,
  second,
  tell,
  typesOf,
} from './store-steps.js'

const threeTypes: PlainEventType[] = ['accepted', 'delivered', 'opened']

const half: Progress = {
  log: { attempts: 0, ended: 'told' },
  crm: { attempts: 2, error: 'not yet' },
}

/** Who tells which events when, and what becomes of those that are not taken. */
export const tellingChecks: Checks = {
  async 'new events are leased to who writes them, and nobody else has them meanwhile'({
    store,
    other,
  }) {
    const record = await added(store)
    const result = await ingest(store, batchFor(record, ...threeTypes))
    same(typesOf(result.deliveries), threeTypes)
    like(result, { left: 0, trackingIds: [record.trackingId] })
    equal(await store.nextDue(), leaseEnd)
    same(await claim(other, second, leaseEnd - 1), [])
  },

  async 'new events without a lease are left, and can be claimed at once'({ store, other }) {
    const record = await added(store)
    const result = await ingest(store, batchFor(record, ...threeTypes), byNobody)
    like(result, { deliveries: [], left: 3, trackingIds: [record.trackingId] })
    equal(await store.nextDue(), now)
    const claimed = await claim(other, second)
    same(typesOf(claimed), threeTypes)
    like(claimed[0], { message: { trackingId: record.trackingId }, progress: {} })
    same(await claim(store, first), [])
  },

  async 'what is told is over'({ store }) {
    const { deliveries } = await ingest(store, batchFor(await added(store), ...threeTypes))
    await tell(store, idsOf(deliveries))
    await nothingLeft(store)
  },

  async 'an event of a message that another owner is at is left, until that is done'({
    store,
    other,
  }) {
    const record = await added(store)
    const { deliveries } = await ingest(store, batchFor(record, 'accepted'), byFirst)
    const later = await ingest(other, batchFor(record, 'delivered'), bySecond)
    like(later, { deliveries: [], left: 1 })
    same(await claim(other, second), [])
    // Its own next event waits too: the one that was left comes before it.
    like(await ingest(store, batchFor(record, 'opened'), byFirst), { deliveries: [], left: 1 })
    await tell(store, idsOf(deliveries))
    same(typesOf(await claim(other, second)), ['delivered', 'opened'])
  },

  async 'an owner has the next event of its message at once'({ store }) {
    const record = await added(store)
    await ingest(store, batchFor(record, 'accepted'), byFirst)
    const next = await ingest(store, batchFor(record, 'delivered'), byFirst)
    same(typesOf(next.deliveries), ['delivered'])
  },

  async 'messages, and events without one, do not hinder each other'({ store, other }) {
    await ingest(store, batchFor(await added(store), 'accepted'), byFirst)
    const mine = await ingest(other, batchFor(await added(other), 'accepted'), bySecond)
    equal(mine.deliveries.length, 1)
    for (const [handle, schedule] of [
      [store, byFirst],
      [other, bySecond],
    ] as const) {
      const event = { type: 'complained', recipient: `${uuidv7()}@example.com` } as const
      equal((await ingest(handle, batchOf(event), schedule)).deliveries.length, 1)
    }
  },

  async 'what was leased is for anybody when the lease is over, in the order it came'({
    store,
    other,
  }) {
    const record = await added(store)
    await ingest(store, openingsOf(record, 5), byFirst)
    await ingest(other, batchFor(record, 'complained'), bySecond)
    const claimed = await claim(other, second, leaseEnd)
    const openings = openingsOf(record, 5).events.map(({ event }) => event.id)
    same(idsOf(claimed).slice(0, 5), openings)
    same(typesOf(claimed).at(-1), 'complained')
  },

  async 'a limit takes the first of a message, and the rest waits for them'({ store, other }) {
    const record = await added(store)
    const ids = openingsOf(record, 5).events.map(({ event }) => event.id)
    await ingest(store, openingsOf(record, 5), byNobody)
    same(idsOf(await claim(store, first, now, 2)), ids.slice(0, 2))
    same(await claim(other, second, now, 10), [])
    await tell(store, ids.slice(0, 2))
    same(idsOf(await claim(other, second, now, 10)), ids.slice(2))
  },

  async 'a limit takes what came first, whichever message it is of'({ store, other }) {
    const [one, two] = [await added(store), await added(store)]
    const batches = [
      batchFor(two, 'accepted'),
      batchFor(one, 'accepted'),
      batchFor(two, 'delivered'),
      batchFor(one, 'delivered'),
    ]
    for (const batch of batches) await ingest(store, batch, byNobody)
    const ids = batches.flatMap(({ events }) => events.map(({ event }) => event.id))
    same(idsOf(await claim(other, first, now, 3)), ids.slice(0, 3))
  },

  async 'an early event that joins a message which another owner is at is left to others'({
    store,
    other,
  }) {
    const record = await added(store)
    await ingest(store, batchOf({ type: 'delivered', providerMessageId: 'p-1' }), byFirst)
    const { deliveries } = await ingest(store, batchFor(record, 'accepted'), byFirst)
    const result = resultOf(record, 'p-1')
    same(await answer(other, record, result, bySecond), { deliveries: [], left: 1 })
    same(await claim(other, second), [])
    await tell(store, idsOf(deliveries))
    same(typesOf(await claim(other, second)), ['delivered'])
  },

  async 'an early event that joins without a lease is left'({ store }) {
    const record = recordOf('ann@example.com')
    await ingest(store, batchFor(record, 'delivered'))
    same(await add(store, record, byNobody), { deliveries: [], left: 1 })
    same(typesOf(await claim(store, first)), ['delivered'])
  },

  async 'a lease can be prolonged by its owner, who hears what is its own no more'({
    store,
    other,
  }) {
    const { deliveries } = await ingest(store, batchFor(await added(store), 'accepted'), byFirst)
    const taken = await ingest(store, batchFor(await added(store), 'accepted'), byFirst)
    const done = await ingest(store, batchFor(await added(store), 'accepted'), byFirst)
    const [mine, theirs, settled] = [deliveries, taken.deliveries, done.deliveries].map(onlyId)
    const unknown = uuidv7()
    await tell(store, [settled ?? ''])
    same(await store.renew([mine ?? ''], leaseOf(first, leaseEnd)), [])
    same(idsOf(await claim(other, second, leaseEnd)), [theirs])
    const asked = [mine ?? '', theirs ?? '', settled ?? '', unknown]
    same(await store.renew(asked, leaseOf(first, leaseEnd)), asked.slice(1))
    same(await claim(store, 'a third', leaseEnd), [])
    same(idsOf(await claim(store, 'a third', leaseEnd + 40_000)).length, 2)
  },

  async 'a failure is remembered, and leaves the lease as it is'({ store, other }) {
    const record = await added(store)
    const { deliveries } = await ingest(store, batchFor(record, 'accepted'), byFirst)
    const eventId = onlyId(deliveries)
    await store.settle([{ eventId, kind: 'failed', progress: half }])
    same(await claim(other, second, leaseEnd - 1), [])
    like(await claim(other, second, leaseEnd), [{ event: { id: eventId }, progress: half }])
  },

  async 'what is given back is for anybody from its time on, and what comes after it waits'({
    store,
    other,
  }) {
    const record = await added(store)
    const { deliveries } = await ingest(store, batchFor(record, 'accepted', 'delivered'), byFirst)
    const [accepted = '', delivered = ''] = idsOf(deliveries)
    await store.settle([
      { eventId: accepted, kind: 'released', progress: half, dueAt: now + 500 },
      { eventId: delivered, kind: 'released', progress: {}, dueAt: now },
    ])
    same(await claim(other, second, now + 499), [])
    const claimed = await claim(other, second, now + 500)
    same(idsOf(claimed), [accepted, delivered])
    same(claimed[0]?.progress, half)
  },

  async 'what is due next is the event that is due first'({ store, other }) {
    const dues = [now + 700, now + 500, now + 900]
    for (const dueAt of dues) {
      const { deliveries } = await ingest(store, batchFor(await added(store), 'accepted'), byFirst)
      const eventId = onlyId(deliveries)
      await store.settle([{ eventId, kind: 'released', progress: half, dueAt }])
    }
    equal(await other.nextDue(), now + 500)
  },

  async 'what comes before an event that is not due is told, and what comes after it is not'({
    store,
    other,
  }) {
    const record = await added(store)
    const { deliveries } = await ingest(store, batchFor(record, ...threeTypes), byFirst)
    await store.settle(
      idsOf(deliveries).map((eventId, index) => ({
        eventId,
        kind: 'released' as const,
        progress: {},
        dueAt: index === 1 ? now + 500 : now,
      })),
    )
    same(typesOf(await claim(other, second, now)), ['accepted'])
  },

  async 'what is given up becomes a dead letter, and lets the next event go on'({ store, other }) {
    const record = await added(store)
    const { deliveries } = await ingest(store, batchFor(record, 'accepted'), byFirst)
    await ingest(other, batchFor(record, 'delivered'), bySecond)
    await giveUp(store, idsOf(deliveries), now + 7)
    like(await other.deadLetters(10), [
      {
        event: { id: onlyId(deliveries), type: 'accepted' },
        message: { trackingId: record.trackingId, provider: sampleProvider },
        progress: { crm: { attempts: 10, error: 'no', ended: 'given-up' } },
        givenUpAt: now + 7,
      },
    ])
    same(typesOf(await claim(other, second)), ['delivered'])
  },

  async 'what is settled stays settled, whatever comes of it elsewhere'({ store, other }) {
    const record = await added(store)
    const { deliveries } = await ingest(store, batchFor(record, ...threeTypes), byFirst)
    const [one = '', two = '', three = ''] = idsOf(deliveries)
    await tell(store, [one, two])
    await giveUp(store, [three])
    await giveUp(other, [one])
    await other.settle([
      { eventId: two, kind: 'released', progress: half, dueAt: now },
      { eventId: three, kind: 'failed', progress: half },
      { eventId: uuidv7(), kind: 'told' },
    ])
    await tell(other, [three])
    equal((await store.deadLetters(10)).length, 1)
    await nothingLeft(store)
  },

  async 'dead letters are listed page by page, the latest event first'({ store, other }) {
    const record = await added(store)
    const ids = openingsOf(record, 5).events.map(({ event }) => event.id)
    await ingest(store, openingsOf(record, 5), byFirst)
    // Not in the order of their ids.
    await giveUp(store, ids.slice(2).toReversed())
    await giveUp(store, ids.slice(0, 2))
    const latestFirst = ids.toSorted().toReversed()
    const page = await other.deadLetters(3)
    same(idsOf(page), latestFirst.slice(0, 3))
    same(idsOf(await other.deadLetters(3, latestFirst[2])), latestFirst.slice(3))
  },

  async 'a replay makes a dead letter due again for those who have not taken it'({ store, other }) {
    const record = await added(store)
    const { deliveries } = await ingest(store, batchFor(record, 'accepted'), byFirst)
    const eventId = onlyId(deliveries)
    const progress: Progress = { ...half, crm: { attempts: 10, error: 'no', ended: 'given-up' } }
    await store.settle([{ eventId, kind: 'given-up', progress, at: now }])
    equal(await other.replay([eventId, uuidv7()], now + 9), 1)
    equal(await other.replay([eventId], now + 9), 0)
    same(await store.deadLetters(10), [])
    equal(await store.nextDue(), now + 9)
    const replayed = await claim(store, first, now + 9)
    like(replayed, [{ event: { id: eventId }, message: { trackingId: record.trackingId } }])
    same(replayed[0]?.progress, { log: { attempts: 0, ended: 'told' } })
    await giveUp(store, [eventId], now + 10)
    like(await store.deadLetters(10), [{ givenUpAt: now + 10 }])
  },

  async 'a dead letter that was foreign is told with its message when that has come'({ store }) {
    const record = recordOf('ann@example.com')
    await ingest(store, batchFor(record, 'delivered'))
    const foreign = await claim(store, first, farAhead)
    await giveUp(store, idsOf(foreign))
    await add(store, record)
    equal(await store.replay(idsOf(foreign), now), 1)
    // It is in the lane of its message now.
    like(await ingest(store, batchFor(record, 'opened'), bySecond), { deliveries: [], left: 1 })
    const claimed = await claim(store, first)
    same(typesOf(claimed), ['delivered', 'opened'])
    equal(claimed[0]?.message?.trackingId, record.trackingId)
  },
}
