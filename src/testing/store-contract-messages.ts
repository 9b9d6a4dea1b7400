import { equal, rejects } from 'node:assert/strict'
import { canonicalAddress } from '../matching.js'
import type { MessageRecord } from '../message.js'
import type { Store } from '../store.js'
import { batchFor, batchOf, recordAt, recordOf, resultOf, start } from './store-samples.js'
import { like, same, sameSet } from './comparing.js'
import {
  add,
  added,
  answer,
  byFirst,
  type Checks,
  claim,
  each,
  first,
  idsOf,
  ingest,
  leaseOf,
  now,
  openingsIn,
  statusOf,
} from './store-steps.js'

/** Messages of which much is said, and little. */
const records: [description: string, record: () => MessageRecord][] = [
  ['before the provider is called', () => recordOf('Ann@example.com', 'bob@example.com')],
  [
    'with everything in it',
    () => ({
      ...recordOf('ann@example.com'),
      providerMessageId: 'p-1',
      cc: [{ name: 'Bob', address: 'bob@example.com' }],
      bcc: [{ name: '', address: 'eve@example.com' }],
      templateId: 't-1',
      recipients: [
        { address: 'Ann@example.com', kind: 'to', status: 'accepted', providerStatus: 'sent' },
        {
          address: 'bob@example.com',
          kind: 'cc',
          status: 'rejected',
          providerStatus: 'rejected',
          providerMessageId: 'p-2',
          reason: 'hard-bounce',
        },
        { address: 'eve@example.com', kind: 'bcc', status: 'failed', providerStatus: '' },
      ],
      outcome: 'failed',
      error: {
        code: 'EPROTOCOL',
        category: 'server',
        message: 'it failed',
        retryable: true,
        outcome: 'unknown',
        statusCode: 500,
      },
      sentAt: new Date(start + 123),
    }),
  ],
  [
    'that was tried with another provider before',
    () => ({
      ...recordOf('ann@example.com'),
      earlierAttempts: [
        {
          provider: 'elsewhere',
          endedAt: new Date(start + 7),
          error: {
            code: 'ESERVER',
            category: 'server',
            message: 'it was down',
            retryable: true,
            outcome: 'not-sent',
          },
        },
      ],
    }),
  ],
  [
    'with nothing that may be absent',
    () => {
      const { from: _from, subject: _subject, messageId: _id, ...rest } = recordOf()
      return { ...rest, envelope: { from: false, to: [] }, tags: [], metadata: {} }
    },
  ],
]

const idsIn = (stored: readonly { record: MessageRecord }[]): string[] =>
  stored.map(({ record }) => record.trackingId)

async function found(store: Store, query: Parameters<Store['find']>[0]): Promise<string[]> {
  return idsIn(await store.find(query, 10))
}

/** Writes a message to each address, one sent after the other, and resolves to them, the newest first. */
async function sent(store: Store, addresses: readonly string[]): Promise<MessageRecord[]> {
  const all = addresses.map((address, index) => recordAt(start + index, address))
  // Not in the order of their ids: it is not the order of writing that counts.
  for (const record of [...all.slice(1), ...all.slice(0, 1)]) await add(store, record)
  return all.toReversed()
}

export const messageChecks: Checks = {
  ...each(
    records,
    ([description]) => `a message ${description} comes back as it was written`,
    async ({ store, other }, [, recordOfKind]) => {
      const record = recordOfKind()
      await add(store, record)
      const stored = await other.message(record.trackingId)
      same(stored?.record, record)
      same(stored?.events, [])
      sameSet(
        stored?.states.keys() ?? [],
        record.recipients.map(({ address }) => canonicalAddress(address)),
      )
    },
  ),

  async 'a message comes back with the answer of the provider'({ store, other }) {
    const record = await added(store, 'ann@example.com', 'bob@example.com')
    const result = resultOf(record, 'p-1')
    const recipients = result.recipients.map((recipient, index) =>
      index === 1 ? { ...recipient, status: 'rejected' as const } : recipient,
    )
    const partly = { ...result, recipients, messageId: '<theirs@example.com>' }
    same(await answer(other, record, partly), { deliveries: [], left: 0 })
    same((await store.message(record.trackingId))?.record, { ...record, ...partly })
    equal(await statusOf(store, record, 'ann@example.com'), 'accepted')
    equal(await statusOf(store, record, 'bob@example.com'), 'rejected')
  },

  async 'a message that is not there is undefined and takes no answer'({ store }) {
    const record = recordOf('ann@example.com')
    equal(await store.message(record.trackingId), undefined)
    same(await answer(store, record, resultOf(record, 'p-1')), { deliveries: [], left: 0 })
    equal(await store.message(record.trackingId), undefined)
    same(await store.find({}, 10), [])
  },

  async 'a message that is written again is replaced, and keeps what events said of it'({
    store,
    other,
  }) {
    const { subject: _subject, ...record } = await added(store, 'ann@example.com')
    await answer(store, record, resultOf(record, 'p-1'))
    await ingest(store, batchFor(record, 'delivered', 'opened'))
    const again = { ...record, tags: ['again'] }
    same(await add(other, again), { deliveries: [], left: 0 })
    const stored = await store.message(record.trackingId)
    same(stored?.record, again)
    equal(stored?.events.length, 2)
    equal(await statusOf(store, record), 'delivered')
    equal(await openingsIn(store, record), 1)
    same(await found(store, {}), [record.trackingId])
    // What the provider calls it is known still.
    const late = await ingest(store, batchOf({ type: 'accepted', providerMessageId: 'p-1' }))
    same(late.trackingIds, [record.trackingId])
  },

  async 'a message that is written again takes back nothing of the answer'({ store }) {
    const record = await added(store, 'ann@example.com')
    await answer(store, record, resultOf(record, 'p-1'))
    await add(store, record)
    equal(await statusOf(store, record), 'accepted')
  },

  async 'events are told with the message as it is by then'({ store, other }) {
    const record = await added(store, 'ann@example.com')
    const { deliveries } = await ingest(store, batchFor(record, 'accepted'))
    const { outcome: _outcome, ...message } = record
    same(deliveries[0]?.message, { ...message, failFlag: false })
    await answer(other, record, { ...resultOf(record, 'p-1'), recipients: [], outcome: 'failed' })
    const [later] = await claim(store, first, now + 1e6)
    same(later?.message, {
      ...message,
      providerMessageId: 'p-1',
      recipients: [],
      failFlag: true,
    })
  },

  async 'messages are found, the newest first and page by page'({ store, other }) {
    const ids = (await sent(store, ['a@x.org', 'b@x.org', 'c@x.org', 'd@x.org', 'e@x.org'])).map(
      ({ trackingId }) => trackingId,
    )
    same(idsIn(await other.find({}, 2)), ids.slice(0, 2))
    same(idsIn(await other.find({}, 2, ids[1])), ids.slice(2, 4))
    same(idsIn(await other.find({}, 2, ids[3])), ids.slice(4))
    same(idsIn(await other.find({}, 2, ids[4])), [])
  },

  ...each(
    [
      { provider: 'postmark' },
      { address: 'ann@x.org' },
      { status: 'delivered' as const },
      { provider: 'postmark', address: 'ann@x.org', status: 'delivered' as const },
      { labels: ['tag:order'] },
      { labels: ['tag:order', 'metadata:["order","42"]'] },
      { labels: ['tag:order'], address: 'ann@x.org' },
      { labels: ['tag:order'], provider: 'postmark' },
      { from: start, to: start + 7, labels: ['tag:order'], status: 'delivered' as const },
      {
        from: start,
        to: start + 7,
        labels: ['tag:order', 'metadata:["order","42"]'],
        provider: 'postmark',
        address: 'ann@x.org',
        status: 'delivered' as const,
      },
    ],
    (query) => `messages are found page by page, each once, by ${Object.keys(query).join(', ')}`,
    async ({ store }, query) => {
      const fitting: string[] = []
      for (let index = 0; index < 7; index += 1) {
        const record = recordAt(start + index, 'ann@x.org', 'bob@x.org')
        const provider = index % 3 === 2 ? 'sparkpost' : 'postmark'
        await add(store, { ...record, provider })
        const ownId = record.trackingId
        await ingest(
          store,
          batchOf(
            { type: 'delivered', ownId, recipient: 'ann@x.org' },
            { type: 'delivered', ownId, recipient: 'bob@x.org' },
          ),
        )
        if (!('provider' in query) || query.provider === provider) fitting.unshift(ownId)
      }
      const walked: string[] = []
      for (let page = 0; page < 9; page += 1) {
        walked.push(...idsIn(await store.find(query, 2, walked.at(-1))))
      }
      same(walked, fitting)
    },
  ),

  async 'messages are found though they have no recipients'({ store }) {
    const record = recordOf()
    await add(store, record)
    same(await found(store, {}), [record.trackingId])
    same(await found(store, { provider: 'postmark' }), [record.trackingId])
    same(await found(store, { status: 'pending' }), [])
  },

  async 'messages are found by provider, recipient and status together'({ store }) {
    const both = recordAt(start, 'ann@example.com', 'bob@example.com')
    const other = { ...recordAt(start + 1, 'ann@example.com'), provider: 'sparkpost' }
    for (const record of [both, other]) await add(store, record)
    const ownId = both.trackingId
    await ingest(store, batchOf({ type: 'delivered', ownId, recipient: 'ann@example.com' }))
    const mine = both.trackingId
    const theirs = other.trackingId
    same(await found(store, { provider: 'postmark' }), [mine])
    same(await found(store, { provider: 'Postmark' }), [])
    same(await found(store, { address: 'ann@example.com' }), [theirs, mine])
    same(await found(store, { address: 'bob@example.com' }), [mine])
    same(await found(store, { status: 'delivered' }), [mine])
    same(await found(store, { status: 'pending' }), [theirs, mine])
    same(await found(store, { address: 'ann@example.com', status: 'pending' }), [theirs])
    same(await found(store, { address: 'bob@example.com', status: 'delivered' }), [])
    same(await found(store, { provider: 'sparkpost', status: 'delivered' }), [])
    same(await found(store, { provider: 'postmark', address: 'ann@example.com' }), [mine])
    same(await found(store, { address: 'nobody@example.com' }), [])
  },

  async 'messages are found by the time at which they were sent'({ store }) {
    const [late, middle, early] = await sent(store, ['a@x.org', 'a@x.org', 'a@x.org'])
    const ids = (...wanted: (MessageRecord | undefined)[]): string[] =>
      wanted.flatMap((record) => record?.trackingId ?? [])
    same(await found(store, { from: start + 1 }), ids(late, middle))
    same(await found(store, { to: start + 1 }), ids(early))
    same(await found(store, { from: start + 1, to: start + 2 }), ids(middle))
    same(await found(store, { from: start + 1, to: start + 2, address: 'a@x.org' }), ids(middle))
    same(await found(store, { from: start + 3 }), [])
  },

  async 'messages are found by tags and metadata, as they are by now'({ store }) {
    const record = { ...recordOf('ann@example.com'), tags: ['a', 'b'], metadata: { k: 'v' } }
    await add(store, record)
    const mine = [record.trackingId]
    for (const labels of [[], ['tag:a'], ['tag:b', 'tag:a'], ['tag:a', 'metadata:["k","v"]']]) {
      same(await found(store, { labels }), mine)
    }
    for (const labels of [['tag:A'], ['tag:c'], ['tag:a', 'tag:c'], ['metadata:["k","w"]']]) {
      same(await found(store, { labels }), [])
    }
    await add(store, { ...record, tags: ['b', 'c'], metadata: {} })
    for (const label of ['tag:b', 'tag:c']) {
      same(await found(store, { labels: [label] }), mine)
    }
    for (const label of ['tag:a', 'metadata:["k","v"]']) {
      same(await found(store, { labels: [label] }), [])
    }
  },

  async 'messages are found with the states of all their recipients'({ store }) {
    const record = await added(store, 'ann@example.com', 'bob@example.com')
    await answer(store, record, resultOf(record, 'p-1'))
    const ownId = record.trackingId
    await ingest(store, batchOf({ type: 'delivered', ownId, recipient: 'ann@example.com' }))
    const [message] = await store.find({ address: 'ann@example.com', status: 'delivered' }, 1)
    const { events: _events, ...stored } = (await store.message(record.trackingId)) ?? {}
    same(message, stored)
    like(message, { record: { providerMessageId: 'p-1' } })
    equal(message?.states.size, 2)
  },

  async 'a store can be opened any number of times, at once too'({ store, other }) {
    const record = await added(store, 'ann@example.com')
    await Promise.all([store.open(), other.open(), store.open()])
    same(await found(store, {}), [record.trackingId])
  },

  async 'a store that is closed takes and gives nothing more, and can be closed again'({ store }) {
    const record = await added(store, 'ann@example.com')
    const ids = idsOf((await ingest(store, batchFor(record, 'accepted'))).deliveries)
    await store.close()
    await store.close()
    const calls: Record<string, () => Promise<unknown>> = {
      addMessage: () => add(store, recordOf('bob@example.com')),
      addResult: () => answer(store, record, resultOf(record, 'p-1')),
      ingest: () => store.ingest(batchFor(record, 'delivered'), byFirst),
      claim: () => claim(store, first),
      renew: () => store.renew(ids, { owner: first, until: now }),
      settle: () => store.settle(ids.map((eventId) => ({ eventId, kind: 'told' }))),
      nextDue: () => store.nextDue(),
      deadLetters: () => store.deadLetters(1),
      replay: () => store.replay(ids, now),
      message: () => store.message(record.trackingId),
      find: () => store.find({}, 1),
      claimEvents: () =>
        store.claimEvents({ eventIds: ids, leftBy: [], mostEarlier: 1 }, now, leaseOf(first)),
      prune: () => store.prune({ messages: now }, 1),
      forget: () => store.forget('ann@example.com', [], 'nobody'),
      checkpoint: () => store.checkpoint('backfill'),
      counts: () => store.counts({ dimension: 'all', from: 0, to: now, by: 'value', limit: 1 }),
      suppress: () => store.suppress([]),
      suppressionsOf: () => store.suppressionsOf(['ann@example.com']),
      suppressions: () => store.suppressions(1),
    }
    for (const [name, call] of Object.entries(calls)) await rejects(call, `${name} should reject`)
  },
}
