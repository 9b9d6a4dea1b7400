import { beforeEach, describe, expect, test } from '@jest/globals'
import type { MessageRecord } from '../../src/message.js'
import type { Store } from '../../src/store.js'
import { batchFor, batchOf, recordOf, resultOf } from '../../src/testing/store-samples.js'
import {
  add,
  added,
  answer,
  claim,
  idsOf,
  ingest,
  leaseEnd,
  openingsIn,
  scheduleOf,
} from '../../src/testing/store-steps.js'
import { interposedPool, isCommit } from './interposed-pool.js'
import { newPool, opened, opening, pausedStore, shuffled, waits } from './postgres-database.js'

let store: Store
beforeEach(async () => {
  store = await opened(newPool())
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
    const client = await newPool().connect()
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
    const failingPool = interposedPool(newPool(), async (query, send) => {
      if (!isCommit(query) || failures >= times) return send()
      failures += 1
      throw Object.assign(new Error('told by the server'), { code })
    })
    const one = await opened(failingPool)
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
  const handles = await Promise.all(Array.from({ length: 8 }, () => opened(newPool())))
  const records = Array.from({ length: 12 }, () => recordOf('ann@example.com'))
  const events = records.flatMap((record) => [
    ...[1, 2, 3, 4].flatMap((index) => opening(record, index).events),
    // Before the provider has answered nobody knows whose these are.
    ...batchOf({ type: 'opened', providerMessageId: record.trackingId }).events,
  ])
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
}, 30_000)
