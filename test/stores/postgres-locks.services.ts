import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'pg'
import type { MessageRecord } from '../../src/message.js'
import type { IncomingBatch, Store } from '../../src/store.js'
import { type PgQuery, postgresStore } from '../../src/stores/postgres.js'
import { batchFor, batchOf, recordOf, resultOf } from '../../src/testing/store-samples.js'
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
  giveUp,
  idsOf,
  ingest,
  leaseEnd,
  leaseOf,
  now,
  openingsIn,
  scheduleOf,
  second,
  tell,
} from '../../src/testing/store-steps.js'
import { type Database, newPostgresDatabase } from '../databases.js'
import { interposedPool, isCommit, isNamed, pausedPool } from './interposed-pool.js'

let database: Database
let pool: Pool
let store: Store
const stores: Store[] = []

beforeEach(async () => {
  database = await newPostgresDatabase()
  pool = newPool()
  store = await opened(postgresStore(pool))
})
afterEach(async () => {
  for (const one of stores.splice(0)) await one.close()
  await pool.end()
  await database.remove()
})

function newPool(): Pool {
  const made = new Pool({ connectionString: database.url })
  // Its connections close in their own time, and the database does not wait for that.
  made.on('error', () => {})
  return made
}

async function opened(one: Store): Promise<Store> {
  stores.push(one)
  await one.open()
  return one
}

/** Another process, which stops before the first statement that fits. */
async function pausedStore(fits: (query: PgQuery) => boolean) {
  const { pool: stopping, arm, ...pause } = pausedPool(pool, fits)
  const one = await opened(postgresStore(stopping))
  arm()
  return { ...pause, store: one }
}

/** Resolves to whether what is done waits for a lock, when it either does or is over. */
async function waits(doing: Promise<unknown>): Promise<boolean> {
  let over = false
  const end = (): void => {
    over = true
  }
  doing.then(end, end)
  for (;;) {
    const { rows } = await pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    // In this order, for it may have waited for a moment and be over.
    if (over) return false
    if (rows.length > 0) return true
    await delay(5)
  }
}

const opening = (record: MessageRecord, index = 0): IncomingBatch =>
  batchOf({
    type: 'opened',
    ownId: record.trackingId,
    recipient: 'ann@example.com',
    occurredAt: new Date(index),
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
    const { rows } = await pool.query(
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
      const records = [await added(store), await added(store)] as const
      const early = batchOf({ type: 'opened', providerMessageId: 'p' })
      await ingest(store, early, { ...byFirst, foreignAt: now })
      if (what === 'told as foreign') await tell(store, idsOf(await claim(store, first)))
      const writer = await pausedStore(isCommit)
      const answering = answer(writer.store, records[0], resultOf(records[0], 'p'))
      await writer.reached
      const another = answer(store, records[1], resultOf(records[1], 'p'))
      expect(await waits(another)).toBe(true)
      writer.resume()
      await answering
      expect((await another).deliveries).toEqual([])
      expect([await openingsIn(store, records[0]), await openingsIn(store, records[1])]).toEqual([
        1, 0,
      ])
    },
  )
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
    await ingest(store, opening(record, 1), byFirst)
    const late = { now: leaseEnd, foreignAt, lease: leaseOf(first, leaseEnd) }
    return { record, later: opening(record, 2), late }
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
    const slow = interposedPool(pool, async (query, send) => {
      if (!isNamed('due_lanes')(query)) return send()
      const sleeping = 'WHERE (SELECT true FROM pg_sleep(0.5)) AND due_at <= $1'
      const text = query.text.replace('WHERE due_at <= $1', sleeping)
      const sent = send({ ...query, name: 'slow', text })
      looked()
      return sent
    })
    const claiming = claim(await opened(postgresStore(slow)), second, leaseEnd)
    await looking
    await delay(100)
    expect((await ingest(store, later, late)).deliveries).toHaveLength(1)
    expect(await claiming).toEqual([])
  })

  test('when the first gives an event back while the next one comes to it', async () => {
    const { record, later, late } = await overdue()
    const [eventId = ''] = idsOf(
      (await store.message(record.trackingId))?.events.map((event) => ({ event })) ?? [],
    )
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

describe('what PostgreSQL has undone is done again', () => {
  test('when the same event has just been written by another', async () => {
    const writer = await pausedStore(isCommit)
    // Nothing but the event itself keeps the two apart: there is no message and no key.
    const batch = batchOf({ type: 'opened' })
    const coming = ingest(writer.store, batch)
    await writer.reached
    const again = ingest(store, batch)
    expect(await waits(again)).toBe(true)
    writer.resume()
    expect(await coming).toMatchObject({ duplicates: 0 })
    expect(await again).toMatchObject({ duplicates: 1, deliveries: [] })
  })

  test('when it was in a deadlock', async () => {
    const [one, two] = [await added(store), await added(store)]
    const client = await pool.connect()
    const lock = (record: MessageRecord) =>
      client.query('SELECT FROM mailtrail_messages WHERE tracking_id = $1 FOR UPDATE', [
        record.trackingId,
      ])
    await client.query('BEGIN')
    await lock(two)
    const batch = batchFor(one, 'delivered')
    const coming = ingest(store, {
      events: [...batch.events, ...batchFor(two, 'delivered').events],
    })
    expect(await waits(coming)).toBe(true)
    await lock(one)
    await client.query('COMMIT')
    client.release()
    expect((await coming).deliveries).toHaveLength(2)
  })

  const failing = async (code: string, times: number) => {
    let failures = Infinity
    const failingPool = interposedPool(pool, async (query, send) => {
      if (!isCommit(query) || failures >= times) return send()
      failures += 1
      throw Object.assign(new Error('told by the server'), { code })
    })
    const one = await opened(postgresStore(failingPool))
    failures = 0
    return { one, failures: () => failures }
  }

  test.each(['40001', '40P01', '23505'])('on %s, and not for ever', async (code) => {
    const twice = await failing(code, 2)
    expect(await ingest(twice.one, batchOf({ type: 'opened' }))).toMatchObject({ duplicates: 0 })
    expect(twice.failures()).toBe(2)
    const always = await failing(code, Infinity)
    await expect(ingest(always.one, batchOf({ type: 'clicked', url: 'x:' }))).rejects.toThrow(
      'told by the server',
    )
    expect(always.failures()).toBe(10)
  })

  test.each(['57014', '53100', '08006'])('but not on %s', async (code) => {
    const once = await failing(code, 1)
    await expect(ingest(once.one, batchOf({ type: 'opened' }))).rejects.toMatchObject({ code })
    expect(once.failures()).toBe(1)
  })
})

test('events of the same messages in whatever order, from eight processes, end right', async () => {
  const pools = Array.from({ length: 8 }, newPool)
  const handles = await Promise.all(pools.map((one) => opened(postgresStore(one))))
  const records = Array.from({ length: 12 }, () => recordOf('ann@example.com'))
  const events = records.flatMap((record) => [
    ...[1, 2, 3, 4].flatMap((index) => opening(record, index).events),
    // Before the provider has answered nobody knows whose these are.
    ...batchOf({ type: 'opened', providerMessageId: record.trackingId }).events,
  ])
  const shuffled = <T>(list: readonly T[]): T[] =>
    list
      .map((value) => ({ value, at: Math.random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ value }) => value)
  await Promise.all(
    handles.map(async (handle, index) => {
      const schedule = scheduleOf(`owner ${index}`)
      for (const [at, record] of records.entries()) {
        if (at % 8 === index) await add(handle, record, schedule)
      }
      for (let round = 0; round < 4; round += 1) {
        const disorder = shuffled(events)
        await Promise.all(
          [0, 20, 40].map((from) =>
            ingest(handle, { events: disorder.slice(from, from + 20) }, schedule),
          ),
        )
        const record = records[(index + round) % records.length]
        if (record) await answer(handle, record, resultOf(record, record.trackingId), schedule)
      }
    }),
  )
  for (const record of records) {
    await answer(store, record, resultOf(record, record.trackingId))
    expect(await openingsIn(store, record)).toBe(5)
  }
  // Under eight leases that end, every event is still to be told, and is claimed once.
  const claims = await Promise.all(
    handles.map((handle, index) => claim(handle, `owner ${index}`, leaseEnd)),
  )
  const ids = claims.flatMap(idsOf)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBe(events.length)
  await giveUp(store, ids)
  await Promise.all(pools.map((one) => one.end()))
}, 30_000)
