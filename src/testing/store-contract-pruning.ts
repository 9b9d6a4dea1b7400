import { equal, ok } from 'node:assert/strict'
import type { PruneLimits, Store } from '../store.js'
import { batchOf, recordAt, resultOf, start } from './store-samples.js'
import { same } from './comparing.js'
import {
  add,
  answer,
  byFirst,
  byNobody,
  type Checks,
  claim,
  farAhead,
  first,
  foreignAt,
  giveUp,
  idsOf,
  ingest,
  now,
  onlyId,
  tell,
} from './store-steps.js'

const day = 24 * 3600_000

/** Prunes until nothing is left, and gives how much it was each time. */
async function pruned(store: Store, limits: PruneLimits, most = 100): Promise<number[]> {
  const removed: number[] = []
  for (;;) {
    const count = await store.prune(limits, most)
    if (count === 0) return removed
    ok(count > 0)
    removed.push(count)
  }
}

/** A message with an event that was told. */
async function told(store: Store, sentAt: number, providerMessageId: string) {
  const record = recordAt(sentAt, 'ann@example.com')
  await add(store, record)
  await answer(store, record, resultOf(record, providerMessageId))
  const event = {
    type: 'delivered',
    ownId: record.trackingId,
    providerEventId: `e-${sentAt}`,
  } as const
  await tell(store, idsOf((await ingest(store, batchOf(event))).deliveries))
  return { record, event }
}

/** What is too old to be kept. */
export const pruningChecks: Checks = {
  async 'messages that are too old are removed with everything of them'({ store, other }) {
    const old = await told(store, start, 'p-1')
    const young = await told(store, start + 1, 'p-2')
    same(await pruned(other, { messages: start + 1 }), [1])
    equal(await store.message(old.record.trackingId), undefined)
    same(
      (await store.find({ address: 'ann@example.com' }, 10)).map(({ record }) => record.trackingId),
      [young.record.trackingId],
    )
    same(await store.find({ labels: ['tag:order'], to: start + 1 }, 10), [])
    const { duplicates } = await ingest(store, batchOf(young.event))
    equal(duplicates, 1, 'what is kept is known still')
    const late = await ingest(store, batchOf({ type: 'opened', providerMessageId: 'p-1' }))
    equal(late.waiting, 1, 'what comes for it now finds no message')
    equal((await ingest(store, batchOf(old.event))).duplicates, 0)
    const next = await ingest(store, batchOf({ type: 'opened', providerMessageId: 'p-2' }))
    same(next.trackingIds, [young.record.trackingId], 'what is kept is found by every id')
  },

  async 'messages are removed so many at a time'({ store }) {
    for (let index = 0; index < 5; index += 1) await told(store, start + index, `p-${index}`)
    same(await pruned(store, { messages: start + 100 }, 2), [2, 2, 1])
    same(await store.find({}, 10), [])
  },

  async 'a message of which something is still to be told stays'({ store }) {
    const record = recordAt(start, 'ann@example.com')
    await add(store, record)
    const done = await ingest(store, batchOf({ type: 'accepted', ownId: record.trackingId }))
    await tell(store, idsOf(done.deliveries))
    await ingest(store, batchOf({ type: 'delivered', ownId: record.trackingId }), byNobody)
    same(await pruned(store, { messages: farAhead }), [])
    const [delivery] = await claim(store, first)
    await tell(store, [delivery?.event.id ?? ''])
    same(await pruned(store, { messages: farAhead }), [1])
  },

  async 'a message stays too while an event is told as foreign that joined it meanwhile'({
    store,
  }) {
    await ingest(store, batchOf({ type: 'delivered', providerMessageId: 'p-1' }))
    const [foreign] = await claim(store, first, foreignAt)
    const record = { ...recordAt(start, 'ann@example.com'), providerMessageId: 'p-1' }
    await add(store, record)
    equal((await store.message(record.trackingId))?.events.length, 1)
    same(await pruned(store, { messages: farAhead }), [])
    await tell(store, [foreign?.event.id ?? ''])
    same(await pruned(store, { messages: farAhead }), [1])
    equal(await store.nextDue(), undefined)
  },

  async 'the dead letters of a message go with it'({ store }) {
    const record = recordAt(start, 'ann@example.com')
    await add(store, record)
    const batch = batchOf({ type: 'delivered', ownId: record.trackingId })
    await giveUp(store, [onlyId((await ingest(store, batch)).deliveries)])
    equal((await store.deadLetters(10)).length, 1)
    same(await pruned(store, { messages: farAhead }), [1])
    same(await store.deadLetters(10), [])
  },

  async 'events without a message are removed when they are told'({ store }) {
    const batch = batchOf(
      { type: 'delivered', providerMessageId: 'p-1', occurredAt: new Date(start) },
      { type: 'delivered', providerMessageId: 'p-2', occurredAt: new Date(start + 10) },
    )
    await ingest(store, batch)
    same(await pruned(store, { events: farAhead }), [])
    await tell(store, idsOf(await claim(store, first, now + day)))
    same(await pruned(store, { events: start + 10 }), [1])
    const { duplicates, events } = await ingest(store, batch)
    equal(duplicates, 1)
    same(
      events.map(({ providerMessageId }) => providerMessageId),
      ['p-1'],
    )
    const record = { ...recordAt(start, 'ann@example.com'), providerMessageId: 'p-1' }
    await add(store, record)
    await add(store, { ...recordAt(start, 'ann@example.com'), providerMessageId: 'p-2' })
    equal((await store.message(record.trackingId))?.events.length, 1, 'the one that came again')
  },

  async 'events are removed so many at a time, and none that has its message'({ store }) {
    const { record } = await told(store, start, 'p-0')
    const ids = ['p-1', 'p-2', 'p-3']
    await ingest(
      store,
      batchOf(...ids.map((id) => ({ type: 'delivered', providerMessageId: id }) as const)),
    )
    await tell(store, idsOf(await claim(store, first, now + day)))
    same(await pruned(store, { events: farAhead }, 2), [2, 1])
    equal((await store.message(record.trackingId))?.events.length, 1)
  },

  async 'an event that is removed takes no other along that waits for the same message'({ store }) {
    const of = { type: 'delivered', providerMessageId: 'p-1' } as const
    await ingest(store, batchOf({ ...of, occurredAt: new Date(start) }))
    await tell(store, idsOf(await claim(store, first, now + day)))
    await ingest(store, batchOf({ ...of, occurredAt: new Date(start + 10) }))
    same(await pruned(store, { events: start + 10 }), [1])
    const record = { ...recordAt(start, 'ann@example.com'), providerMessageId: 'p-1' }
    await add(store, record)
    equal((await store.message(record.trackingId))?.events.length, 1)
  },

  async 'tokens are forgotten so many at a time'({ store }) {
    for (const token of ['t-1', 't-2', 't-3']) {
      await store.ingest({ events: [], nonce: { token, content: 'a' } }, byFirst)
    }
    same(await pruned(store, { nonces: now + 1 }, 2), [2, 1])
  },

  async 'tokens that are too old are forgotten'({ store }) {
    const nonce = { token: 't-1', content: 'a' }
    await store.ingest({ events: [], nonce }, byFirst)
    same(await pruned(store, { nonces: now }), [])
    equal(
      (await store.ingest({ events: [], nonce: { ...nonce, content: 'b' } }, byFirst)).kind,
      'replayed',
    )
    same(await pruned(store, { nonces: now + 1 }), [1])
    equal(
      (await store.ingest({ events: [], nonce: { ...nonce, content: 'b' } }, byFirst)).kind,
      'stored',
    )
  },

  async 'counts that are too old are removed, of days and of minutes'({ store }) {
    await told(store, start, 'p-1')
    await told(store, start + day, 'p-2')
    const startsOf = async (dimension: 'all' | 'minute') =>
      (await store.counts({ dimension, from: 0, to: farAhead, by: 'start', limit: 10 })).map(
        ({ key }) => Number(key),
      )
    same(await pruned(store, { minutes: start, days: start }), [])
    await pruned(store, { minutes: start + 1 })
    same(await startsOf('minute'), [start + day])
    same(await startsOf('all'), [start, start + day])
    await pruned(store, { days: start + 1 })
    same(await startsOf('all'), [start + day])
    equal((await store.find({}, 10)).length, 2)
  },
}
