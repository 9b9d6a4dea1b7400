import { equal, ok } from 'node:assert/strict'
import type { CountDimension, Store } from '../store.js'
import { batchOf, recordAt, resultOf, start } from './store-samples.js'
import { like, same } from './comparing.js'
import {
  add,
  added,
  answer,
  byNobody,
  type Checks,
  claim,
  farAhead,
  first,
  idsOf,
  ingest,
  now,
} from './store-steps.js'

const ann = 'ann.o@example.com'
const pseudonym = 'forgotten-1@forgotten.invalid'
const dimensions: CountDimension[] = ['all', 'template', 'tag', 'domain', 'reason', 'link']

/** All that a store gives of messages, events, counts and suppressions, as one text. */
async function everything(store: Store): Promise<string> {
  const found = await store.find({}, 1000)
  const messages = await Promise.all(
    found.map(async ({ record }) => {
      const message = await store.message(record.trackingId)
      return { ...message, states: [...(message?.states ?? [])] }
    }),
  )
  const counts = await Promise.all(dimensions.map((dimension) => counted(store, dimension)))
  return JSON.stringify([
    messages,
    await store.deadLetters(1000),
    await store.suppressions(1000),
    counts,
    await claim(store, first, farAhead),
  ])
}

const counted = (store: Store, dimension: CountDimension) =>
  store.counts({ dimension, from: 0, to: farAhead, by: 'value', limit: 100 })

/** A message to two, with every kind of event of one of them. */
async function busy(store: Store) {
  const record = {
    ...recordAt(start, 'Ann.O@Example.com', 'bob@example.org'),
    to: [
      { name: 'Ann Other', address: 'Ann.O@Example.com' },
      { name: 'Bob', address: 'bob@example.org' },
    ],
    subject: 'For ann.o@example.com',
    tags: ['order', `for ${ann}`],
    metadata: { user: ann, order: '42' },
  }
  await add(store, record)
  const ownId = record.trackingId
  const of = { ownId, recipient: 'ANN.O@example.com', raw: { email: ann } }
  const { deliveries } = await ingest(
    store,
    batchOf(
      { type: 'delivered', ...of, response: `250 <${ann}> ok` },
      { type: 'clicked', ...of, url: `https://example.com/u/${encodeURIComponent(ann)}?x` },
      { type: 'complained', ...of },
      { type: 'delivered', ownId, recipient: 'bob@example.org' },
    ),
  )
  const [dead = '', ...others] = idsOf(deliveries)
  const progress = { crm: { attempts: 10, error: `no ${ann} here`, ended: 'given-up' as const } }
  await store.settle([{ eventId: dead, kind: 'given-up', progress, at: now }])
  await store.settle(others.map((eventId) => ({ eventId, kind: 'told' as const })))
  return record
}

/** Addresses that are taken out of everything. */
export const forgettingChecks: Checks = {
  async 'an address that is forgotten stands nowhere any more'({ store, other }) {
    const record = await busy(store)
    await ingest(store, batchOf({ type: 'delivered', recipient: ann, raw: { to: ann } }), byNobody)
    await store.suppress([
      { kind: 'added', address: ann, scope: 'all', cause: 'added', at: start, detail: ann },
    ])
    ok((await everything(other)).toLowerCase().includes(ann))
    ok((await other.forget(ann, [], pseudonym)) >= 5)
    const left = (await everything(store)).toLowerCase()
    for (const form of [ann, encodeURIComponent(ann), 'ann other']) {
      ok(!left.includes(form.toLowerCase()), `${form} is still there`)
    }
    same(await store.suppressionsOf([ann]), [])
    same(await store.find({ address: ann }, 10), [])
    same(await store.find({ labels: [`metadata:["user","${ann}"]`] }, 10), [])
    equal((await store.find({ labels: ['metadata:["order","42"]'] }, 10)).length, 1)
    like(await store.message(record.trackingId), {
      record: {
        to: [
          { name: '', address: pseudonym },
          { name: 'Bob', address: 'bob@example.org' },
        ],
        metadata: { user: pseudonym, order: '42' },
      },
    })
  },

  async 'what became of its messages still stands, and what was counted'({ store }) {
    const record = await busy(store)
    const before = await Promise.all((['all', 'reason'] as const).map((one) => counted(store, one)))
    await store.forget(ann, [], pseudonym)
    same(await Promise.all((['all', 'reason'] as const).map((one) => counted(store, one))), before)
    const message = await store.message(record.trackingId)
    equal(message?.events.length, 4)
    like(message?.states.get(pseudonym), { engagement: { clicked: { count: 1 } } })
    const domains = await counted(store, 'domain')
    same(
      domains.flatMap(({ key, counts }) =>
        counts.recipients > 0 ? [[key, counts.delivered]] : [],
      ),
      [
        ['example.org', 1],
        ['forgotten.invalid', 1],
      ],
    )
    same(
      (await counted(store, 'link')).map(({ key }) => key),
      [`https://example.com/u/${pseudonym}`],
    )
  },

  async 'each of its messages is counted on as it ended'({ store }) {
    const [arrived, returned] = [await added(store, ann), await added(store, ann)]
    await ingest(
      store,
      batchOf(
        { type: 'delivered', ownId: arrived.trackingId, recipient: ann },
        {
          type: 'bounced',
          bounce: { kind: 'hard', asynchronous: false },
          ownId: returned.trackingId,
          recipient: ann,
        },
      ),
    )
    await store.forget(ann, [], pseudonym)
    const domains = await counted(store, 'domain')
    like(
      domains.filter(({ counts }) => counts.recipients > 0),
      [{ key: 'forgotten.invalid', counts: { recipients: 2, delivered: 1, bounced: 1 } }],
    )
  },

  async 'what is still to be told is told without it, and can be settled'({ store }) {
    const record = recordAt(start, ann)
    await add(store, record)
    await ingest(
      store,
      batchOf({ type: 'opened', ownId: record.trackingId, recipient: ann }),
      byNobody,
    )
    await store.forget(ann, [], pseudonym)
    const claimed = await claim(store, first)
    like(claimed, [
      { event: { type: 'opened', recipient: pseudonym, trackingId: record.trackingId } },
    ])
    await store.settle(idsOf(claimed).map((eventId) => ({ eventId, kind: 'told' as const })))
    equal(await store.nextDue(), undefined)
  },

  async 'events that come later by other ids still find its message'({ store }) {
    const record = recordAt(start, ann)
    await add(store, record)
    await answer(store, record, {
      outcome: 'sent',
      recipients: record.recipients.map((entry) => ({
        ...entry,
        status: 'accepted',
        providerMessageId: 'p-ann',
      })),
    })
    await store.forget(ann, [], pseudonym)
    const result = await ingest(store, batchOf({ type: 'delivered', providerMessageId: 'p-ann' }))
    same(result.trackingIds, [record.trackingId])
    like((await store.message(record.trackingId))?.states.get(pseudonym), {
      deliveredAt: start + 500,
    })
    same(resultOf(record, 'p').recipients[0]?.status, 'accepted')
  },

  async 'several addresses may be forgotten at once, each by several processes'({ store, other }) {
    const bob = 'bob@example.com'
    for (let index = 0; index < 20; index += 1) {
      const record = recordAt(start + index, ann, bob)
      await add(store, record)
      const of = { ownId: record.trackingId, raw: {} }
      await ingest(
        store,
        batchOf({ type: 'delivered', ...of, recipient: ann, response: `250 for ${bob} too` }),
        byNobody,
      )
    }
    await Promise.all([
      store.forget(ann, [], pseudonym),
      other.forget(ann, [], pseudonym),
      store.forget(bob, [], pseudonym.replace('1', '2')),
      other.forget(bob, [], pseudonym.replace('1', '2')),
    ])
    const left = await everything(store)
    for (const form of [ann, bob]) ok(!left.includes(form), `${form} is still there`)
    same(
      (await counted(store, 'domain')).flatMap(({ key, counts }) =>
        counts.recipients === 0 ? [] : [[key, counts.recipients]],
      ),
      [['forgotten.invalid', 40]],
    )
  },

  async 'an address stands no more in what listeners have said'({ store, other }) {
    const record = recordAt(start, 'bob@example.org')
    await add(store, record)
    const ownId = record.trackingId
    const batch = batchOf({ type: 'accepted', ownId }, { type: 'delivered', ownId })
    const [dead = '', alive = ''] = idsOf((await ingest(store, batch)).deliveries)
    const progress = { crm: { attempts: 1, error: `no ${ann} here` } }
    await store.settle([
      { eventId: dead, kind: 'given-up', progress, at: now },
      { eventId: alive, kind: 'released', progress, dueAt: now },
    ])
    equal(await other.forget(ann, [], pseudonym), 2)
    const forgotten = { crm: { attempts: 1, error: `no ${pseudonym} here` } }
    like(await store.deadLetters(10), [{ event: { type: 'accepted' }, progress: forgotten }])
    like(await claim(store, first), [{ event: { type: 'delivered' }, progress: forgotten }])
  },

  async 'others keep their suppressions, their ids and what became of their mail'({ store }) {
    const record = recordAt(start, ann, 'bob@example.org')
    const recipients = record.recipients.map((entry, index) => ({
      ...entry,
      providerMessageId: index === 0 ? 'p-ann' : 'p-bob',
    }))
    await add(store, { ...record, recipients })
    const told = { ...recordAt(start, 'bob@example.org'), subject: `About ${ann}` }
    await add(store, told)
    for (const address of [ann, 'bob@example.org']) {
      await store.suppress([{ kind: 'added', address, scope: 'all', cause: 'added', at: start }])
    }
    await ingest(store, batchOf({ type: 'opened', ownId: told.trackingId }))
    equal(await store.forget(ann, [], pseudonym), 2, 'the two messages, and not the event')
    same(
      (await store.suppressions(10)).map(({ address }) => address),
      ['bob@example.org'],
    )
    await ingest(store, batchOf({ type: 'delivered', providerMessageId: 'p-bob' }))
    like((await store.message(record.trackingId))?.states.get('bob@example.org'), {
      deliveredAt: start + 500,
    })
    const stored = await store.message(told.trackingId)
    same([...(stored?.states.keys() ?? [])], ['bob@example.org'])
    equal(stored?.record.subject, `About ${pseudonym}`)
  },

  async 'others are left as they are'({ store }) {
    const record = recordAt(start, 'joann.o@example.com', 'bob@example.org')
    await add(store, record)
    equal(await store.forget(ann, [], pseudonym), 0)
    same((await store.message(record.trackingId))?.record, record)
  },
}
