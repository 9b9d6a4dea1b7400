import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { v7 as uuidv7 } from 'uuid'
import type { EventFact, ParsedEvent } from '../../src/event.js'
import { canonicalAddress, messageKeys, toIncoming } from '../../src/matching.js'
import type { MessageRecord, SendResult } from '../../src/message.js'
import { recipientEngagement, recipientStatus } from '../../src/status.js'
import type { Delivery, IncomingBatch, IngestResult, Schedule, Store } from '../../src/store.js'

const provider = 'postmark'
const start = Date.parse('2026-01-01T00:00:00Z')
const schedule: Schedule = { leaseUntil: start + 1000, foreignAt: start + 60_000 }

/** A message to these addresses, as it is before the provider is called. */
export function recordOf(...addresses: string[]): MessageRecord {
  return {
    trackingId: uuidv7(),
    provider,
    messageId: `<${uuidv7()}@example.com>`,
    envelope: { from: 'shop@example.com', to: addresses },
    from: { name: 'Shop', address: 'shop@example.com' },
    to: addresses.map((address) => ({ name: '', address })),
    cc: [],
    bcc: [],
    subject: 'Order 42 – “thanks”',
    tags: ['order'],
    metadata: { order: '42' },
    sentAt: new Date(start),
    recipients: addresses.map((address) => ({
      address,
      kind: 'to',
      status: 'unknown',
      providerStatus: '',
    })),
    outcome: 'sending',
  }
}

export function resultOf(record: MessageRecord, providerMessageId: string): SendResult {
  return {
    outcome: 'sent',
    providerMessageId,
    recipients: record.recipients.map((recipient) => ({
      ...recipient,
      status: 'accepted',
      providerStatus: 'queued',
    })),
  }
}

/** A batch of events, each with its own raw entry. */
export function batchOf(
  ...events: (EventFact & Partial<Omit<ParsedEvent, 'type'>>)[]
): IncomingBatch {
  return {
    events: events.map((event, index) =>
      toIncoming(
        provider,
        {
          providerEvent: event.type,
          tags: [],
          metadata: {},
          raw: { index },
          occurredAt: new Date(start + 500),
          ...event,
        },
        new Date(start + 900),
      ),
    ),
  }
}

/** What every store must do. `open` gives a new and empty one each time. */
export function describeStore(open: () => Promise<Store>): void {
  let store: Store
  beforeEach(async () => {
    store = await open()
    await store.open()
  })
  afterEach(() => store.close())

  const add = (record: MessageRecord): Promise<Delivery[]> =>
    store.addMessage(record, messageKeys(record), schedule)
  const addResult = (record: MessageRecord, result: SendResult): Promise<Delivery[]> =>
    store.addResult(record.trackingId, result, messageKeys({ ...record, ...result }), schedule)
  const ingest = async (batch: IncomingBatch): Promise<IngestResult & { kind: 'stored' }> => {
    const result = await store.ingest(batch, schedule)
    if (result.kind === 'replayed') throw new Error('it was taken for a replay')
    return result
  }
  const statusOf = async (record: MessageRecord, address: string) => {
    const state = (await store.message(record.trackingId))?.states.get(address)
    return state && recipientStatus(state)
  }

  describe('a message', () => {
    test('comes back as it was written', async () => {
      const record = recordOf('Ann@example.com', 'bob@example.com')
      await add(record)
      const stored = await store.message(record.trackingId)
      expect(stored?.record).toEqual(record)
      expect(stored?.events).toEqual([])
      expect([...(stored?.states.keys() ?? [])]).toEqual(['ann@example.com', 'bob@example.com'])
    })

    test('comes back with the answer of the provider', async () => {
      const record = recordOf('ann@example.com', 'bob@example.com')
      await add(record)
      const result = resultOf(record, 'p-1')
      const [ann, bob] = result.recipients
      if (!ann || !bob) throw new Error('there are two')
      const partly = { ...result, recipients: [ann, { ...bob, status: 'rejected' as const }] }
      await addResult(record, partly)
      expect((await store.message(record.trackingId))?.record).toEqual({ ...record, ...partly })
      expect(await statusOf(record, 'ann@example.com')).toBe('accepted')
      expect(await statusOf(record, 'bob@example.com')).toBe('rejected')
    })

    test('that is not there is undefined, and takes no answer', async () => {
      const record = recordOf('ann@example.com')
      expect(await store.message(record.trackingId)).toBeUndefined()
      expect(await addResult(record, resultOf(record, 'p-1'))).toEqual([])
      expect(await store.message(record.trackingId)).toBeUndefined()
    })
  })

  describe('an event', () => {
    test('comes back as it came, its dates as dates', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const batch = batchOf({
        type: 'suppression',
        list: 'reject',
        action: 'added',
        address: 'ann@example.com',
        expiresAt: new Date(start + 9000),
        ownId: record.trackingId,
        recipient: 'ann@example.com',
        metadata: { occurredAt: '2020-01-01' },
        raw: { receivedAt: '2020-01-01', list: [{ ü: null }] },
      })
      const { deliveries } = await ingest(batch)
      const [event] = (await store.message(record.trackingId))?.events ?? []
      expect(event).toEqual({
        ...batch.events[0]?.event,
        trackingId: record.trackingId,
        correlation: { status: 'matched', via: 'own-id' },
      })
      expect(deliveries.map((delivery) => delivery.event)).toEqual([event])
    })

    test.each(['own-id', 'provider-id', 'message-id'] as const)('is matched by %s', async (via) => {
      const record = recordOf('ann@example.com')
      await add(record)
      await addResult(record, resultOf(record, 'p-1'))
      const ids = {
        'own-id': { ownId: record.trackingId },
        'provider-id': { providerMessageId: 'p-1' },
        'message-id': { messageId: record.messageId ?? '' },
      }
      const { deliveries } = await ingest(batchOf({ type: 'delivered', ...ids[via] }))
      expect(deliveries).toMatchObject([
        {
          event: {
            trackingId: record.trackingId,
            recipient: 'ann@example.com',
            correlation: { status: 'matched', via },
          },
          message: { trackingId: record.trackingId, failFlag: false },
          attempts: 0,
        },
      ])
      expect(await statusOf(record, 'ann@example.com')).toBe('delivered')
    })

    test('is matched by its own id rather than by what speaks of another message', async () => {
      const mine = recordOf('ann@example.com')
      const other = recordOf('ann@example.com')
      await add(mine)
      await add(other)
      await addResult(other, resultOf(other, 'p-1'))
      const { deliveries } = await ingest(
        batchOf({
          type: 'delivered',
          ownId: mine.trackingId,
          providerMessageId: 'p-1',
          messageId: other.messageId ?? '',
        }),
      )
      expect(deliveries[0]?.event.trackingId).toBe(mine.trackingId)
    })

    test('is matched by the next id when the first is not known', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      await addResult(record, resultOf(record, 'p-1'))
      const { deliveries } = await ingest(
        batchOf({ type: 'delivered', ownId: uuidv7(), providerMessageId: 'p-1' }),
      )
      expect(deliveries[0]?.event.correlation).toEqual({ status: 'matched', via: 'provider-id' })
    })

    test('is not matched by the same ids of another provider', async () => {
      const record = { ...recordOf('ann@example.com'), provider: 'sparkpost' }
      await add(record)
      await addResult(record, resultOf(record, 'p-1'))
      const ids = { providerMessageId: 'p-1', messageId: record.messageId ?? '' }
      const result = await ingest(batchOf({ type: 'delivered', ...ids }))
      expect(result).toMatchObject({ deliveries: [], waiting: 1 })
    })

    test.each([
      ['a NUL', 'n\0B', 'n\0A'],
      ['a NUL, of which one ends there', 'n', 'n\0A'],
    ])('is not matched by an id that differs after %s', async (_, asked, known) => {
      const record = recordOf('ann@example.com')
      await add(record)
      await addResult(record, resultOf(record, known))
      const result = await ingest(batchOf({ type: 'delivered', providerMessageId: asked }))
      expect(result).toMatchObject({ deliveries: [], waiting: 1 })
    })

    test.each(['an\0n@example.com', 'an\ud800n@example.com'])(
      'finds its recipient, whatever characters are in the address: %j',
      async (address) => {
        const record = recordOf(address)
        await add(record)
        const ownId = record.trackingId
        const { deliveries } = await ingest(
          batchOf({ type: 'delivered', ownId, recipient: address }),
        )
        expect(deliveries).toHaveLength(1)
        expect(await statusOf(record, canonicalAddress(address))).toBe('delivered')
      },
    )

    test('changes the state of its recipient alone, whatever the letter case', async () => {
      const record = recordOf('Ann@example.com', 'bob@example.com')
      await add(record)
      const ownId = record.trackingId
      await ingest(batchOf({ type: 'delivered', ownId, recipient: 'aNN@EXAMPLE.com' }))
      expect(await statusOf(record, 'ann@example.com')).toBe('delivered')
      expect(await statusOf(record, 'bob@example.com')).toBe('pending')
    })

    test('for an address that was not written to is kept, and changes no state', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const ownId = record.trackingId
      await ingest(
        batchOf({
          type: 'bounced',
          bounce: { kind: 'hard', asynchronous: false },
          ownId,
          recipient: 'audit@example.com',
        }),
      )
      expect((await store.message(ownId))?.events).toHaveLength(1)
      expect(await statusOf(record, 'ann@example.com')).toBe('pending')
    })

    test('stands in the timeline by the time it happened', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const ownId = record.trackingId
      await ingest(batchOf({ type: 'delivered', ownId, occurredAt: new Date(start + 3000) }))
      await ingest(batchOf({ type: 'accepted', ownId, occurredAt: new Date(start + 1000) }))
      await ingest(batchOf({ type: 'deferred', ownId, occurredAt: new Date(start + 2000) }))
      const types = (await store.message(ownId))?.events.map(({ type }) => type)
      expect(types).toEqual(['accepted', 'deferred', 'delivered'])
    })
  })

  describe('a fact that comes again', () => {
    const opened = { type: 'opened', recipient: 'ann@example.com', ip: '203.0.113.9' } as const

    const openings = async (record: MessageRecord): Promise<number | undefined> => {
      const stored = await store.message(record.trackingId)
      const state = stored?.states.get('ann@example.com')
      const count = state && recipientEngagement(state).opened?.count
      expect(stored?.events).toHaveLength(count ?? 0)
      return count
    }

    test.each([
      ['with the same id', 'e-1', 'e-1'],
      ['with another id of the provider', 'e-1', 'e-2'],
      ['without its id', 'e-1', undefined],
    ])('%s is counted once', async (_, first, second) => {
      const record = recordOf('ann@example.com')
      await add(record)
      const again = { ...opened, ownId: record.trackingId }
      const withId = (id?: string) => batchOf({ ...again, ...(id && { providerEventId: id }) })
      expect(await ingest(withId(first))).toMatchObject({ duplicates: 0 })
      expect(await ingest(withId(second))).toEqual({
        kind: 'stored',
        deliveries: [],
        duplicates: 1,
        waiting: 0,
      })
      expect(await openings(record)).toBe(1)
    })

    test('under the same id of the provider with other content is counted once', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const event = { ...opened, ownId: record.trackingId, providerEventId: 'e-1' }
      await ingest(batchOf(event))
      await ingest(batchOf({ ...event, ip: '203.0.113.10' }))
      expect(await openings(record)).toBe(1)
    })

    test('is none, when the same id of the provider speaks of another message', async () => {
      const fact = { ...opened, providerEventId: 'e-1' }
      expect(await ingest(batchOf({ ...fact, providerMessageId: 'p-1' }))).toMatchObject({
        waiting: 1,
      })
      expect(await ingest(batchOf({ ...fact, providerMessageId: 'p-2' }))).toMatchObject({
        waiting: 1,
      })
    })

    test('in one batch, and in a batch that is cut otherwise, is counted once', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const one = { ...opened, ownId: record.trackingId }
      const two = { ...one, occurredAt: new Date(start + 700) }
      const three = { ...one, occurredAt: new Date(start + 800) }
      expect(await ingest(batchOf(one, two, one))).toMatchObject({ duplicates: 1 })
      expect(await ingest(batchOf(two, three))).toMatchObject({ duplicates: 1 })
      expect(await openings(record)).toBe(3)
    })

    test('without its message waits once', async () => {
      const event = { ...opened, providerMessageId: 'p-1' }
      expect(await ingest(batchOf(event))).toMatchObject({ waiting: 1, duplicates: 0 })
      expect(await ingest(batchOf(event))).toMatchObject({ waiting: 0, duplicates: 1 })
    })
  })

  describe('an event that is ahead of its message', () => {
    test('waits, and joins it when that is written', async () => {
      const record = recordOf('ann@example.com')
      const early = batchOf({ type: 'delivered', ownId: record.trackingId })
      expect(await ingest(early)).toMatchObject({ deliveries: [], waiting: 1 })
      const joined = await add(record)
      expect(joined).toMatchObject([
        {
          event: {
            id: early.events[0]?.event.id,
            correlation: { status: 'matched', via: 'own-id' },
          },
          message: { trackingId: record.trackingId },
        },
      ])
      expect(await statusOf(record, 'ann@example.com')).toBe('delivered')
      expect((await store.message(record.trackingId))?.events).toHaveLength(1)
    })

    test('joins it when the provider has given its id', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const early = {
        type: 'delivered',
        providerMessageId: 'p-1',
        occurredAt: new Date(1),
      } as const
      await ingest(batchOf(early, { type: 'opened', providerMessageId: 'p-1' }))
      const joined = await addResult(record, resultOf(record, 'p-1'))
      expect(joined.map(({ event }) => event.type)).toEqual(['delivered', 'opened'])
      expect(await addResult(record, resultOf(record, 'p-1'))).toEqual([])
      expect(await statusOf(record, 'ann@example.com')).toBe('delivered')
    })

    test('is not told as foreign once it has joined', async () => {
      const record = recordOf('ann@example.com')
      await ingest(batchOf({ type: 'delivered', ownId: record.trackingId }))
      const [joined] = await add(record)
      await store.settle([{ eventId: joined?.event.id ?? '', kind: 'told' }])
      expect(await store.claimDue(schedule.foreignAt, schedule.foreignAt + 1000, 10)).toEqual([])
      expect(await store.nextDue()).toBeUndefined()
    })

    test('joins it once, though several of its ids come to be known', async () => {
      const record = recordOf('ann@example.com')
      const ids = { providerMessageId: 'p-1', messageId: record.messageId ?? '' }
      await ingest(batchOf({ type: 'opened', ...ids, recipient: 'ann@example.com' }))
      expect(await add(record)).toHaveLength(1)
      expect(await addResult(record, resultOf(record, 'p-1'))).toEqual([])
      const stored = await store.message(record.trackingId)
      const state = stored?.states.get('ann@example.com')
      expect(state && recipientEngagement(state).opened?.count).toBe(1)
      expect(stored?.events).toHaveLength(1)
    })

    test('is told in the order they came, by whatever id they join', async () => {
      const record = recordOf('ann@example.com')
      await ingest(batchOf({ type: 'accepted', messageId: record.messageId ?? '' }))
      await ingest(batchOf({ type: 'delivered', ownId: record.trackingId }))
      expect((await add(record)).map(({ event }) => event.type)).toEqual(['accepted', 'delivered'])
    })

    test('is told as foreign after the grace, and joins later without being told again', async () => {
      const record = recordOf('ann@example.com')
      await ingest(batchOf({ type: 'delivered', ownId: record.trackingId }))
      expect(await store.nextDue()).toBe(schedule.foreignAt)
      const [foreign] = await store.claimDue(schedule.foreignAt, schedule.foreignAt + 1000, 10)
      expect(foreign).toMatchObject({
        event: { correlation: { status: 'foreign' } },
        message: undefined,
      })
      await store.settle([{ eventId: foreign?.event.id ?? '', kind: 'told' }])
      expect(await add(record)).toEqual([])
      expect((await store.message(record.trackingId))?.events).toMatchObject([
        { correlation: { status: 'matched', via: 'own-id' }, trackingId: record.trackingId },
      ])
      expect(await statusOf(record, 'ann@example.com')).toBe('delivered')
      expect(await store.nextDue()).toBeUndefined()
    })
  })

  test('an event without any id is foreign, and waits for nothing', async () => {
    const result = await ingest(batchOf({ type: 'complained', recipient: 'ann@example.com' }))
    expect(result).toMatchObject({
      deliveries: [{ event: { correlation: { status: 'foreign' } }, message: undefined }],
      waiting: 0,
    })
    expect(await store.nextDue()).toBe(schedule.leaseUntil)
  })

  describe('events that are to be told', () => {
    const three = async (record: MessageRecord): Promise<string[]> => {
      const ownId = record.trackingId
      const { deliveries } = await ingest(
        batchOf(
          { type: 'accepted', ownId },
          { type: 'delivered', ownId },
          { type: 'opened', ownId },
        ),
      )
      return deliveries.map(({ event }) => event.id)
    }

    test('are leased to who wrote them, and can be taken when the lease is over', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const ids = await three(record)
      expect(await store.claimDue(schedule.leaseUntil - 1, start + 9000, 10)).toEqual([])
      const taken = await store.claimDue(schedule.leaseUntil, start + 9000, 2)
      expect(taken.map(({ event }) => event.id)).toEqual(ids.slice(0, 2))
      expect(taken[0]?.message?.trackingId).toBe(record.trackingId)
      const rest = await store.claimDue(schedule.leaseUntil, start + 9000, 10)
      expect(rest.map(({ event }) => event.id)).toEqual(ids.slice(2))
      expect(await store.nextDue()).toBe(start + 9000)
    })

    test('are over once they were told or given up', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const [one = '', two = '', three_ = ''] = await three(record)
      await store.settle([
        { eventId: one, kind: 'told' },
        { eventId: two, kind: 'given-up', attempts: 10, error: 'no' },
        { eventId: three_, kind: 'again', at: start + 5000, attempts: 2, error: 'not yet' },
      ])
      expect(await store.nextDue()).toBe(start + 5000)
      const again = await store.claimDue(start + 5000, start + 9000, 10)
      expect(again).toMatchObject([{ event: { id: three_ }, attempts: 2 }])
      await store.settle([{ eventId: three_, kind: 'told' }])
      expect(await store.nextDue()).toBeUndefined()
    })

    test('stay over, though another process has failed to tell them', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      const ids = await three(record)
      await store.settle(ids.map((eventId) => ({ eventId, kind: 'told' })))
      const failed = { kind: 'again', at: start + 5000, attempts: 1, error: 'no' } as const
      await store.settle(ids.map((eventId) => ({ eventId, ...failed })))
      expect(await store.nextDue()).toBeUndefined()
    })
  })

  describe('a token that is good for one content', () => {
    const event = (type: 'delivered' | 'complained') => batchOf({ type, providerMessageId: 'p-1' })

    test('is taken again with the same content', async () => {
      const nonce = { token: 't-1', content: 'delivered' }
      await ingest({ ...event('delivered'), nonce })
      expect(await ingest({ ...event('delivered'), nonce })).toMatchObject({ duplicates: 1 })
    })

    test('is refused with another, of which nothing is stored', async () => {
      await ingest({ ...event('delivered'), nonce: { token: 't-1', content: 'delivered' } })
      const forged = { ...event('complained'), nonce: { token: 't-1', content: 'complained' } }
      expect(await store.ingest(forged, schedule)).toEqual({ kind: 'replayed' })
      expect(await ingest(event('complained'))).toMatchObject({ duplicates: 0 })
    })
  })

  describe('messages are found', () => {
    test('newest first, page by page', async () => {
      const records = ['a', 'b', 'c'].map((name) => recordOf(`${name}@example.com`))
      for (const record of records) await add(record)
      const ids = records.map(({ trackingId }) => trackingId).toReversed()
      const page = await store.find({}, 2)
      expect(page.map(({ record }) => record.trackingId)).toEqual(ids.slice(0, 2))
      const next = await store.find({}, 2, ids[1])
      expect(next.map(({ record }) => record.trackingId)).toEqual(ids.slice(2))
    })

    test('though they have no recipients', async () => {
      const record = recordOf()
      await add(record)
      expect(await store.find({}, 10)).toMatchObject([
        { record: { trackingId: record.trackingId } },
      ])
      expect(await store.find({ status: 'pending' }, 10)).toEqual([])
    })

    test('by provider, recipient and status together', async () => {
      const both = recordOf('ann@example.com', 'bob@example.com')
      const other = { ...recordOf('ann@example.com'), provider: 'sparkpost' }
      for (const record of [both, other]) await add(record)
      await ingest(
        batchOf({ type: 'delivered', ownId: both.trackingId, recipient: 'ann@example.com' }),
      )
      const found = async (query: Parameters<Store['find']>[0]) =>
        (await store.find(query, 10)).map(({ record }) => record.trackingId)
      expect(await found({ provider: 'postmark' })).toEqual([both.trackingId])
      expect(await found({ address: 'ann@example.com' })).toEqual([
        other.trackingId,
        both.trackingId,
      ])
      expect(await found({ address: 'bob@example.com' })).toEqual([both.trackingId])
      expect(await found({ status: 'delivered' })).toEqual([both.trackingId])
      expect(await found({ address: 'bob@example.com', status: 'delivered' })).toEqual([])
      expect(await found({ address: 'nobody@example.com' })).toEqual([])
    })

    test('with the states of their recipients', async () => {
      const record = recordOf('ann@example.com')
      await add(record)
      await ingest(batchOf({ type: 'delivered', ownId: record.trackingId }))
      const [found] = await store.find({}, 1)
      const state = found?.states.get('ann@example.com')
      expect(state && recipientStatus(state)).toBe('delivered')
    })
  })
}
