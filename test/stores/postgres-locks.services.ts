import { beforeEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import type { MessageRecord } from '../../src/message.js'
import type { Store } from '../../src/store.js'
import { batchOf, recordOf, resultOf } from '../../src/testing/store-samples.js'
import {
  add,
  added,
  answer,
  byFirst,
  byNobody,
  bySecond,
  claim,
  first,
  foreignAt,
  idsOf,
  ingest,
  leaseEnd,
  leaseOf,
  now,
  openingsIn,
  second,
  tell,
} from '../../src/testing/store-steps.js'
import { interposedPool, isCommit, isNamed } from './interposed-pool.js'
import { ask, newPool, opened, opening, pausedStore, waits } from './postgres-database.js'

let store: Store
beforeEach(async () => {
  store = await opened(newPool())
})

describe('an event and its message that are written at once find each other', () => {
  test('when the message is committed while the event looks for it', async () => {
    const writer = await pausedStore(isCommit)
    const record = recordOf('ann@example.com')
    const adding = add(writer.store, record)
    await writer.reached
    const coming = ingest(store, opening(record))
    expect(await waits(coming)).toBe(true)
    writer.resume()
    await adding
    expect(await coming).toMatchObject({ waiting: 0, trackingIds: [record.trackingId] })
    expect(await openingsIn(store, record)).toBe(1)
  })

  test('when the event is committed while the message looks for it', async () => {
    const writer = await pausedStore(isCommit)
    const record = recordOf('ann@example.com')
    const coming = ingest(writer.store, opening(record))
    await writer.reached
    const adding = add(store, record)
    expect(await waits(adding)).toBe(true)
    writer.resume()
    expect(await coming).toMatchObject({ waiting: 1 })
    expect((await adding).deliveries).toHaveLength(1)
    expect(await openingsIn(store, record)).toBe(1)
  })

  test('and what has waited for its message does not wait any more', async () => {
    const record = recordOf('ann@example.com')
    expect(await ingest(store, opening(record))).toMatchObject({ waiting: 1 })
    expect((await ask('SELECT via FROM mailtrail_waiting')).rowCount).toBe(1)
    await add(store, record)
    expect((await ask('SELECT via FROM mailtrail_waiting')).rowCount).toBe(0)
    expect(await openingsIn(store, record)).toBe(1)
  })

  test('and messages that are written at once do not wait for each other', async () => {
    const writer = await pausedStore(isCommit)
    // So many that each has every lock.
    const keys = (name: string) =>
      Array.from({ length: 1000 }, (_, index) => ({ key: `${name} ${index}` }))
    const adding = writer.store.addMessage(recordOf('ann@example.com'), keys('a'), byFirst)
    await writer.reached
    const another = store.addMessage(recordOf('bob@example.com'), keys('b'), byFirst)
    expect(await waits(another)).toBe(false)
    writer.resume()
    await adding
  })

  test('with a bounded number of locks, however many keys there are', async () => {
    const writer = await pausedStore(isCommit)
    const events = Array.from({ length: 1000 }, (_, index) => ({
      type: 'delivered' as const,
      providerMessageId: `p-${index}`,
    }))
    const coming = ingest(writer.store, batchOf(...events))
    await writer.reached
    const { rows } = await ask(
      `SELECT FROM pg_locks WHERE locktype = 'advisory'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )
    expect(rows).toHaveLength(64)
    writer.resume()
    expect(await coming).toMatchObject({ waiting: 1000 })
  })
})

describe('of two that change a message at once', () => {
  test('the second one sees what the first one made of its recipients', async () => {
    const record = await added(store)
    const writer = await pausedStore(isCommit)
    const coming = ingest(writer.store, opening(record, 1))
    await writer.reached
    const another = ingest(store, opening(record, 2))
    expect(await waits(another)).toBe(true)
    writer.resume()
    await coming
    await another
    expect(await openingsIn(store, record)).toBe(2)
  })

  test('the answer of the provider sees what an event made of its recipients', async () => {
    const record = await added(store)
    const writer = await pausedStore(isCommit)
    const coming = ingest(writer.store, opening(record))
    await writer.reached
    const answering = answer(store, record, resultOf(record, 'p'))
    expect(await waits(answering)).toBe(true)
    writer.resume()
    await coming
    await answering
    expect(await openingsIn(store, record)).toBe(1)
  })

  test.each(['still to be told', 'told as foreign'])(
    'one alone takes an event that waits for both, %s',
    async (what) => {
      const [one, two] = [await added(store), await added(store)]
      const early = batchOf({
        type: 'opened',
        providerMessageId: 'p',
        messageId: '<m@example.com>',
      })
      await ingest(store, early, { ...byFirst, foreignAt: now })
      if (what === 'told as foreign') await tell(store, idsOf(await claim(store, first)))
      const writer = await pausedStore(isCommit)
      const answering = answer(writer.store, one, resultOf(one, 'p'))
      await writer.reached
      const byMessageId = { ...resultOf(two, 'q'), messageId: '<m@example.com>' }
      const another = answer(store, two, byMessageId)
      expect(await waits(another)).toBe(true)
      writer.resume()
      await answering
      expect((await another).deliveries).toEqual([])
      expect([await openingsIn(store, one), await openingsIn(store, two)]).toEqual([1, 0])
    },
  )

  test('neither waits for a message that the other one holds, while it holds one of its own', async () => {
    const [one, two] = [recordOf('ann@example.com'), recordOf('ann@example.com')]
    // They lie there in this order, which is not that of their ids.
    await add(store, two)
    await add(store, one)
    const pool = newPool()
    const client = await pool.connect()
    const lock = ({ trackingId }: MessageRecord) =>
      client.query('SELECT FROM mailtrail_messages WHERE tracking_id = $1 FOR UPDATE NOWAIT', [
        trackingId,
      ])
    await client.query('BEGIN')
    await lock(one)
    const coming = ingest(store, { events: [...opening(two).events, ...opening(one).events] })
    expect(await waits(coming)).toBe(true)
    await lock(two)
    await client.query('COMMIT')
    client.release()
    expect((await coming).deliveries).toHaveLength(2)
  })
})

describe('of two that claim at once', () => {
  test('the second one takes the other messages, and waits for nothing', async () => {
    const records = [await added(store), await added(store)]
    await ingest(store, opening(records[0] as MessageRecord), byNobody)
    const claimer = await pausedStore(isCommit)
    const claiming = claim(claimer.store, first)
    await claimer.reached
    await ingest(store, opening(records[1] as MessageRecord), byNobody)
    const claimed = await claim(store, second)
    expect(claimed.map(({ event }) => event.trackingId)).toEqual([records[1]?.trackingId])
    claimer.resume()
    expect((await claiming).map(({ event }) => event.trackingId)).toEqual([records[0]?.trackingId])
  })

  test('the second one takes no event without a message that the first one takes', async () => {
    await ingest(store, batchOf({ type: 'opened' }), byNobody)
    const claimer = await pausedStore(isNamed('lease'))
    const claiming = claim(claimer.store, first)
    await claimer.reached
    expect(await claim(store, second)).toEqual([])
    claimer.resume()
    expect(await claiming).toHaveLength(1)
  })
})

describe('a message whose lease is over is with one dispatcher alone', () => {
  /** A message with an event that the first dispatcher holds, and what comes for it later. */
  async function overdue() {
    const record = await added(store)
    const { deliveries } = await ingest(store, opening(record, 1), byFirst)
    const late = { now: leaseEnd, foreignAt, lease: leaseOf(first, leaseEnd) }
    return { held: idsOf(deliveries), later: opening(record, 2), late }
  }

  test('when another one claims it while an event comes to the first', async () => {
    const { later, late } = await overdue()
    const claimer = await pausedStore(isCommit)
    const claiming = claim(claimer.store, second, leaseEnd)
    await claimer.reached
    const coming = ingest(store, later, late)
    expect(await waits(coming)).toBe(true)
    claimer.resume()
    expect(await claiming).toHaveLength(1)
    expect(await coming).toMatchObject({ deliveries: [], left: 1 })
  })

  test('when an event comes to the first while another one claims it', async () => {
    const { later, late } = await overdue()
    const writer = await pausedStore(isCommit)
    const coming = ingest(writer.store, later, late)
    await writer.reached
    expect(await claim(store, second, leaseEnd)).toEqual([])
    writer.resume()
    expect((await coming).deliveries).toHaveLength(1)
    expect(await claim(store, second, leaseEnd)).toEqual([])
  })

  test('when an event has come to the first since another one looked', async () => {
    const { later, late } = await overdue()
    let looked = (): void => {}
    const looking = new Promise<void>((resolve) => {
      looked = resolve
    })
    // It looks at once, and locks what it saw only when it has slept.
    const slow = interposedPool(newPool(), async (query, send) => {
      if (!isNamed('due_lanes')(query)) return send()
      const sleeping = 'WHERE (SELECT true FROM pg_sleep(0.5)) AND due_at <= $1'
      const text = query.text.replace('WHERE due_at <= $1', sleeping)
      const sent = send({ ...query, name: 'slow', text })
      looked()
      return sent
    })
    const claiming = claim(await opened(slow), second, leaseEnd)
    await looking
    await delay(100)
    expect((await ingest(store, later, late)).deliveries).toHaveLength(1)
    expect(await claiming).toEqual([])
  })

  test('when another one claims it while the first ends the telling of a later event', async () => {
    const { held, later } = await overdue()
    const { deliveries } = await ingest(store, later, byFirst)
    const settler = await pausedStore(isCommit)
    const settling = tell(settler.store, idsOf(deliveries))
    await settler.reached
    const claiming = claim(store, second, leaseEnd)
    expect(await waits(claiming)).toBe(true)
    settler.resume()
    await settling
    expect(idsOf(await claiming)).toEqual(held)
  })

  test('when the first gives an event back while the next one comes to it', async () => {
    const { held, later, late } = await overdue()
    const [eventId = ''] = held
    const settler = await pausedStore(isCommit)
    const releasing = settler.store.settle([
      { eventId, kind: 'released', progress: {}, dueAt: leaseEnd + 1000 },
    ])
    await settler.reached
    const coming = ingest(store, later, late)
    expect(await waits(coming)).toBe(true)
    settler.resume()
    await releasing
    expect(await coming).toMatchObject({ deliveries: [], left: 1 })
  })
})

describe('an event that becomes foreign while its message is written is told once', () => {
  const early = batchOf({ type: 'opened', providerMessageId: 'p' })

  test('as foreign, when it was claimed first', async () => {
    const record = await added(store)
    await ingest(store, early, { ...byNobody, foreignAt: now })
    const claimer = await pausedStore(isNamed('put_events'))
    const claiming = claim(claimer.store, first)
    await claimer.reached
    const answering = answer(store, record, resultOf(record, 'p'), bySecond)
    expect(await waits(answering)).toBe(true)
    const resumed = performance.now()
    claimer.resume()
    expect(await claiming).toMatchObject([{ event: { correlation: { status: 'foreign' } } }])
    expect(await answering).toEqual({ deliveries: [], left: 0 })
    // PostgreSQL looks for a deadlock after a second: there was none.
    expect(performance.now() - resumed).toBeLessThan(900)
    expect(await openingsIn(store, record)).toBe(1)
  })

  test('with its message, when that was written first', async () => {
    const record = await added(store)
    await ingest(store, early, { ...byNobody, foreignAt: now })
    const writer = await pausedStore(isCommit)
    const answering = answer(writer.store, record, resultOf(record, 'p'), bySecond)
    await writer.reached
    expect(await claim(store, first)).toEqual([])
    writer.resume()
    expect((await answering).deliveries).toHaveLength(1)
    expect(await claim(store, first)).toEqual([])
  })
})
