import { equal, ok } from 'node:assert/strict'
import type { Tellable } from '../store.js'
import { batchFor, batchOf, recordOf, resultOf, type SampleEvent, start } from './store-samples.js'
import { like, same, sameSet } from './comparing.js'
import {
  add,
  added,
  answer,
  byFirst,
  byNobody,
  bySecond,
  type Checks,
  claim,
  first,
  idsOf,
  ingest,
  openingsIn,
  second,
} from './store-steps.js'

const rounds = 20

const opening = (ownId: string, index: number): SampleEvent => ({
  type: 'opened',
  ownId,
  occurredAt: new Date(start + index * 1000),
})

/** Whether an event came to be told by one of them: at once, or by who claims it. */
const countOf = (results: readonly Tellable[]): number =>
  results.reduce((sum, { deliveries, left }) => sum + deliveries.length + left, 0)

/** What two processes do at the same time. */
export const concurrencyChecks: Checks = {
  async 'a batch that comes to both at once is stored once'({ store, other }) {
    for (let round = 0; round < rounds; round += 1) {
      const record = await added(store)
      const batch = batchFor(record, 'accepted', 'delivered', 'opened')
      const results = await Promise.all([
        ingest(store, batch, byFirst),
        ingest(other, batch, bySecond),
        ingest(store, batch, byFirst),
      ])
      equal(countOf(results), 3)
      equal(
        results.reduce((sum, { duplicates }) => sum + duplicates, 0),
        6,
      )
      equal(await openingsIn(store, record), 1)
    }
  },

  async 'what comes to both about one recipient is all counted'({ store, other }) {
    const record = await added(store)
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        ingest(
          index % 2 === 0 ? store : other,
          batchOf(opening(record.trackingId, index)),
          index % 2 === 0 ? byFirst : bySecond,
        ),
      ),
    )
    equal(countOf(results), 30)
    equal(await openingsIn(store, record), 30)
  },

  async 'what comes to both about the same messages in another order ends right'({ store, other }) {
    const records = await Promise.all(Array.from({ length: 10 }, () => added(store)))
    const events = records.flatMap(({ trackingId }) =>
      [0, 1, 2].map((index) => opening(trackingId, index)),
    )
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => {
        const handle = index % 2 === 0 ? store : other
        const turned = index % 3 === 0 ? events : events.toReversed()
        return ingest(handle, batchOf(...turned), index % 2 === 0 ? byFirst : bySecond)
      }),
    )
    for (const record of records) equal(await openingsIn(store, record), 3)
  },

  async 'an event never misses its message, though both are written at once'({ store, other }) {
    for (let round = 0; round < rounds; round += 1) {
      const record = recordOf('ann@example.com')
      const batch = batchOf(
        { type: 'accepted', messageId: record.messageId ?? '' },
        { type: 'delivered', ownId: record.trackingId },
      )
      const [told, joined] = await Promise.all([
        ingest(store, batch, byFirst),
        add(other, record, bySecond),
      ])
      equal(countOf([told, joined]), 2)
      like((await store.message(record.trackingId))?.events, [
        { correlation: { status: 'matched' } },
        { correlation: { status: 'matched' } },
      ])
    }
  },

  async 'an event never misses its message, though the provider’s id is written at once'({
    store,
    other,
  }) {
    for (let round = 0; round < rounds; round += 1) {
      const record = await added(store)
      const id = `p-${round}`
      const results = await Promise.all([
        ingest(store, batchOf({ type: 'opened', providerMessageId: id }), byFirst),
        answer(other, record, resultOf(record, id), bySecond),
        ingest(other, batchFor(record, 'delivered'), bySecond),
      ])
      equal(countOf(results), 2)
      equal(await openingsIn(store, record), 1)
    }
  },

  async 'no event is claimed by two, and no message by two at a time'({ store, other }) {
    const records = await Promise.all(Array.from({ length: 30 }, () => added(store)))
    for (const record of records) {
      await ingest(store, batchFor(record, 'accepted', 'delivered'), byNobody)
    }
    const claims = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        claim(index % 2 === 0 ? store : other, `owner ${index}`, undefined, 7),
      ),
    )
    const ids = claims.flatMap(idsOf)
    equal(new Set(ids).size, ids.length)
    const owners = new Map<string, Set<number>>()
    for (const [index, claimed] of claims.entries()) {
      for (const { event } of claimed) {
        const lane = event.trackingId ?? ''
        owners.set(lane, (owners.get(lane) ?? new Set()).add(index))
      }
    }
    ok([...owners.values()].every(({ size }) => size === 1))
  },

  async 'what is claimed and joined at once is told once, as foreign or with its message'({
    store,
    other,
  }) {
    for (let round = 0; round < rounds; round += 1) {
      const record = recordOf('ann@example.com')
      const schedule = { ...byFirst, foreignAt: byFirst.now }
      await ingest(store, batchFor(record, 'delivered'), schedule)
      const [claimed, joined] = await Promise.all([
        claim(store, first),
        add(other, record, bySecond),
      ])
      const mine = claimed.filter(({ event }) => event.type === 'delivered')
      const told = [...mine, ...joined.deliveries]
      const rest = told.length === 0 ? await claim(other, second) : []
      equal(told.length + rest.length, 1)
      same((await store.message(record.trackingId))?.events.length, 1)
      await store.settle(
        idsOf([...told, ...rest]).map((eventId) => ({ eventId, kind: 'told' as const })),
      )
    }
    sameSet(idsOf(await claim(store, first, byFirst.now + 1e9)), [])
  },
}
