import { equal } from 'node:assert/strict'
import { v7 as uuidv7 } from 'uuid'
import type { ClaimedEvents, Store } from '../store.js'
import { batchFor, batchOf, openingsOf, sampleProvider } from './store-samples.js'
import { like, same, sameSet } from './comparing.js'
import {
  added,
  byNobody,
  type Checks,
  claim,
  farAhead,
  first,
  foreignAt,
  giveUp,
  idsOf,
  ingest,
  leaseEnd,
  leaseOf,
  nothingLeft,
  now,
  scheduleOf,
  second,
  tell,
} from './store-steps.js'

/** Who leaves its events to those who ask for them. */
const shelf = 'shelf'

/** Takes events by their ids at a time, those too that are on the shelf. */
function ask(
  store: Store,
  eventIds: readonly string[],
  owner = first,
  at = now,
  mostEarlier = 100,
): Promise<ClaimedEvents> {
  return store.claimEvents({ eventIds, leftBy: [shelf], mostEarlier }, at, leaseOf(owner, at))
}

/** Writes openings of one new message, leased to the shelf. */
async function shelved(store: Store, count = 3): Promise<string[]> {
  const { deliveries } = await ingest(
    store,
    openingsOf(await added(store), count),
    scheduleOf(shelf),
  )
  equal(deliveries.length, count)
  return idsOf(deliveries)
}

/** How events are taken by their ids. */
export const claimingChecks: Checks = {
  async 'events are taken by their ids from who leaves them, in the order they came'({
    store,
    other,
  }) {
    const ids = await shelved(store)
    const { deliveries, blocked } = await ask(other, ids.toReversed())
    same(idsOf(deliveries), ids)
    same(blocked, [])
    like(deliveries[0], { message: { provider: sampleProvider }, progress: {} })
    equal(await store.nextDue(), leaseEnd)
    same(await claim(store, second, leaseEnd - 1), [])
    same(await other.renew(ids, leaseOf(first)), [])
  },

  async 'an event that is asked for twice is taken once'({ store }) {
    const [id = ''] = await shelved(store, 1)
    same(idsOf((await ask(store, [id, id])).deliveries), [id])
  },

  async 'what nobody has is taken when it is due'({ store, other }) {
    const record = await added(store)
    const batch = openingsOf(record, 2)
    await ingest(store, batch, byNobody)
    const ids = batch.events.map(({ event }) => event.id)
    same(await ask(other, ids, first, now - 1), { deliveries: [], blocked: ids })
    same(idsOf((await ask(other, ids)).deliveries), ids)
  },

  async 'what others hold is blocked until their lease is over, and one’s own is not'({
    store,
    other,
  }) {
    const ids = await shelved(store)
    await ask(store, ids, second)
    same(await ask(other, ids), { deliveries: [], blocked: ids })
    same(await ask(other, ids, first, leaseEnd - 1), { deliveries: [], blocked: ids })
    same(idsOf((await ask(other, ids, second)).deliveries), ids)
    same(idsOf((await ask(other, ids, first, leaseEnd)).deliveries), ids)
  },

  async 'what is told, given up or unknown is neither taken nor blocked'({ store, other }) {
    const ids = await shelved(store)
    const [one = '', two = '', three = ''] = ids
    await ask(store, ids)
    await tell(store, [one])
    await giveUp(store, [two])
    const result = await ask(other, [...ids, uuidv7(), 'no id'])
    same(idsOf(result.deliveries), [three])
    same(result.blocked, [])
    await tell(store, [three])
    same(await ask(other, ids), { deliveries: [], blocked: [] })
    same(await ask(other, []), { deliveries: [], blocked: [] })
  },

  async 'earlier events of its message that nobody has come along, and later ones do not'({
    store,
    other,
  }) {
    const [one = '', two = '', three = ''] = await shelved(store)
    const alone = await shelved(store)
    same(idsOf((await ask(other, [two])).deliveries), [one, two])
    same(await ask(store, [three], second), { deliveries: [], blocked: [three] })
    await tell(store, [one, two])
    same(idsOf((await ask(store, [three], second)).deliveries), [three])
    same(idsOf(await claim(other, second, leaseEnd)), [three, ...alone])
  },

  async 'no more than so many earlier events come along, and what comes after them waits'({
    store,
    other,
  }) {
    const ids = await shelved(store, 5)
    const [one = '', two = ''] = ids
    const result = await ask(other, ids.slice(3), first, now, 2)
    same(idsOf(result.deliveries), [one, two])
    same(result.blocked, ids.slice(3))
    await tell(store, [one, two])
    same(idsOf((await ask(other, ids.slice(3), first, now, 2)).deliveries), ids.slice(2))
    const others = [await shelved(store), await shelved(store)]
    const lasts = others.flatMap((each) => each.slice(-1))
    const few = await ask(other, lasts, first, now, 3)
    same(idsOf(few.deliveries), others.flat().slice(0, 4))
    same(few.blocked, lasts.slice(1))
  },

  async 'an event waits for the earlier ones of its message that somebody holds'({ store, other }) {
    const record = await added(store)
    const { deliveries } = await ingest(store, batchFor(record, 'accepted'), scheduleOf(shelf))
    const later = await ingest(other, batchFor(record, 'delivered'), scheduleOf(shelf))
    const [accepted = ''] = idsOf(deliveries)
    const [delivered = ''] = idsOf(later.deliveries)
    await ask(store, [accepted], second)
    same(await ask(other, [accepted, delivered]), {
      deliveries: [],
      blocked: [accepted, delivered],
    })
    await tell(store, [accepted])
    same(idsOf((await ask(other, [accepted, delivered])).deliveries), [delivered])
  },

  async 'one message that has to wait hinders no other'({ store, other }) {
    const busy = await shelved(store, 1)
    const free = await shelved(store, 2)
    await ask(store, busy, second)
    const { deliveries, blocked } = await ask(other, [...busy, ...free])
    same(idsOf(deliveries), free)
    same(blocked, busy)
  },

  async 'an event is left by who has a name that begins so, and by nobody else'({ store, other }) {
    const owners = [`${shelf} of one`, 'board', `not the ${shelf}`]
    const ids: string[] = []
    for (const owner of owners) {
      const { deliveries } = await ingest(
        store,
        openingsOf(await added(store), 1),
        scheduleOf(owner),
      )
      ids.push(...idsOf(deliveries))
    }
    const asked = { eventIds: ids, leftBy: ['board', shelf], mostEarlier: 100 }
    const { deliveries, blocked } = await other.claimEvents(asked, now, leaseOf(first))
    same(idsOf(deliveries), ids.slice(0, 2))
    same(blocked, ids.slice(2))
  },

  async 'an event that has its message stays matched, whoever takes it'({ store, other }) {
    const record = await added(store)
    const batch = batchFor(record, 'delivered')
    await ingest(store, batch, byNobody)
    const ids = batch.events.map(({ event }) => event.id)
    const matched = {
      id: ids[0],
      trackingId: record.trackingId,
      correlation: { status: 'matched', via: 'own-id' },
    }
    like(await claim(other, second), [{ event: matched }])
    like((await ask(store, ids, first, leaseEnd)).deliveries, [{ event: matched }])
    like((await other.message(record.trackingId))?.events, [matched])
  },

  async 'what is taken by its id comes with its progress'({ store, other }) {
    const ids = await shelved(store, 1)
    const progress = { crm: { attempts: 2, error: 'not yet' } }
    await ask(store, ids)
    await store.settle(ids.map((eventId) => ({ eventId, kind: 'failed', progress })))
    like((await ask(other, ids)).deliveries, [{ event: { id: ids[0] }, progress }])
  },

  async 'what waits for its message is blocked, and taken as foreign when that did not come'({
    store,
    other,
  }) {
    const batch = batchOf({ type: 'delivered', providerMessageId: 'p-1' })
    await ingest(store, batch, scheduleOf(shelf))
    const ids = batch.events.map(({ event }) => event.id)
    same(await ask(other, ids, first, foreignAt - 1), { deliveries: [], blocked: ids })
    const { deliveries } = await ask(other, ids, first, foreignAt)
    like(deliveries, [{ event: { id: ids[0], correlation: { status: 'foreign' } } }])
    await tell(other, ids)
    await nothingLeft(store)
  },

  async 'no event is taken by two who ask for it at once, and no message by two at a time'({
    store,
    other,
  }) {
    for (let round = 0; round < 10; round += 1) {
      const ids = (await Promise.all(Array.from({ length: 5 }, () => shelved(store)))).flat()
      const results = await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          ask(
            index % 2 === 0 ? store : other,
            ids.filter((_id, place) => place % 3 <= index % 3),
            `owner ${index}`,
          ),
        ),
      )
      const claimed = results.flatMap(({ deliveries }) => idsOf(deliveries))
      equal(new Set(claimed).size, claimed.length)
      const holders = new Map<string, Set<number>>()
      for (const [index, { deliveries }] of results.entries()) {
        for (const { event } of deliveries) {
          const lane = event.trackingId ?? ''
          holders.set(lane, (holders.get(lane) ?? new Set()).add(index))
        }
      }
      sameSet(
        [...holders.values()].map(({ size }) => `${size}`),
        Array.from(holders, () => '1'),
      )
      await tell(store, ids)
    }
    same(await claim(store, first, farAhead), [])
  },
}
