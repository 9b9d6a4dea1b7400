import { beforeEach, expect, test } from '@jest/globals'
import type { Pool } from 'mysql2/promise'
import { setTimeout as delay } from 'node:timers/promises'
import { v7 as uuidv7 } from 'uuid'
import { digest, toBytes } from '../../src/ids.js'
import { firstTrackingId } from '../../src/matching.js'
import type { Store } from '../../src/store.js'
import { counted } from '../../src/counts.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import type { Tables } from '../../src/stores/sql-tables.js'
import { batchFor, batchOf, recordAt, start } from '../../src/testing/store-samples.js'
import {
  add,
  byNobody,
  claim,
  farAhead,
  first,
  giveUp,
  idsOf,
  ingest,
  onlyId,
  tell,
} from '../../src/testing/store-steps.js'
import { atEnd, newPool, once, shuffled, url, withReads } from './mysql-database.js'

const everything = firstTrackingId(farAhead)
const limits = {
  messages: farAhead,
  events: farAhead,
  nonces: farAhead,
  days: farAhead,
  minutes: farAhead,
}

let store: Store
let other: Store
let pool: Pool
beforeEach(async () => {
  ;[store, other] = [mysqlStore(url()), mysqlStore(url())]
  for (const one of [store, other]) atEnd(() => one.close())
  await store.open()
  pool = newPool()
})

async function rowsOf(sql: string): Promise<unknown[]> {
  const [rows] = await pool.query(sql)
  return Array.isArray(rows) ? rows : []
}

/** What is left of something that is gone. */
async function orphans(): Promise<unknown[]> {
  const ofEvents = ['waiting', 'untold', 'dead_letters'].map(
    (name) => `SELECT '${name}' AS place FROM mailtrail_${name}
      WHERE event_id NOT IN (SELECT id FROM mailtrail_events)`,
  )
  // An event without a message is in no list, and a comparison with an empty list is true even of it.
  const ofMessages = ['recipients', 'labels', 'keys', 'events'].map(
    (name) => `SELECT '${name}' AS place FROM mailtrail_${name}
      WHERE tracking_id IS NOT NULL
        AND tracking_id NOT IN (SELECT tracking_id FROM mailtrail_messages)`,
  )
  return rowsOf([...ofEvents, ...ofMessages].join(' UNION ALL '))
}

async function pruneAll(by: Store, most: number): Promise<number> {
  let removed = 0
  for (;;) {
    const count = await by.prune(limits, most)
    if (count === 0) return removed
    removed += count
  }
}

/** A message with a dead letter. */
async function withLetter() {
  const record = recordAt(start, 'ann@example.com')
  await add(store, record)
  const id = onlyId((await ingest(store, batchFor(record, 'delivered'))).deliveries)
  await giveUp(store, [id])
  return { record, id }
}

const old = (tables: Tables) => tables.oldMessages(everything, 100)

test('several who prune at once share the work, and each row is counted by one of them', async () => {
  for (let index = 0; index < 60; index += 1) {
    const record = recordAt(start + index, 'ann@example.com', 'bob@example.org')
    await add(store, record)
    const { deliveries } = await ingest(store, batchFor(record, 'delivered', 'opened'))
    await tell(store, idsOf(deliveries))
    const nonce = { token: `t-${index}`, content: 'a' }
    await store.ingest({ events: [], nonce }, byNobody)
  }
  const alone = Array.from({ length: 60 }, (_, index) => ({
    type: 'delivered' as const,
    providerMessageId: `p-${index}`,
  }))
  await ingest(store, batchOf(...alone), byNobody)
  await tell(store, idsOf(await claim(store, first, farAhead)))
  const counts = (await rowsOf('SELECT 1 FROM mailtrail_counts')).length
  const removed = await Promise.all([store, other, store, other].map((by) => pruneAll(by, 7)))
  expect(removed.reduce((sum, one) => sum + one, 0)).toBe(60 + 60 + 60 + counts)
  for (const name of ['messages', 'events', 'keys', 'waiting', 'nonces', 'counts', 'labels']) {
    expect(await rowsOf(`SELECT 1 FROM mailtrail_${name}`)).toEqual([])
  }
}, 60_000)

test('a message that somebody writes to is passed over, and nobody waits for him', async () => {
  const [busy, idle] = [recordAt(start, 'ann@example.com'), recordAt(start + 1, 'a@example.com')]
  await add(store, busy)
  await add(store, idle)
  await once(pool, async (tables) => {
    await tables.lockMessages([busy.trackingId])
    const found = await once(pool, old)
    expect(found.map(({ trackingId }) => trackingId)).toEqual([idle.trackingId])
  })
})

test('who writes to a message that is being removed waits, and finds it gone', async () => {
  const record = recordAt(start, 'ann@example.com')
  await add(store, record)
  const result = await once(pool, async (tables) => {
    const rows = await old(tables)
    const ingesting = ingest(other, batchFor(record, 'delivered'), byNobody)
    await delay(200)
    await tables.removeMessages(
      rows.map(({ trackingId }) => ({ trackingId, keys: [], labels: [] })),
    )
    return { ingesting }
  })
  expect(await result.ingesting).toMatchObject({ waiting: 1, trackingIds: [] })
})

test('a dead letter that is replayed at the same time keeps its message', async () => {
  const { record, id } = await withLetter()
  const pruning = await once(pool, async (tables) => {
    const letters = await tables.exhume([id])
    const found = once(pool, old)
    await delay(200)
    await tables.addUntold(letters.map((letter) => ({ ...letter, dueAt: start })))
    return { found }
  })
  expect(await pruning.found).toEqual([])
  expect(idsOf(await claim(store, first, farAhead))).toEqual([id])
  expect((await store.message(record.trackingId))?.events).toHaveLength(1)
})

test('an event alone that is replayed, or joins its message, at the same time stays', async () => {
  const batch = batchOf({ type: 'delivered', providerMessageId: 'p-1' })
  await ingest(store, batch, byNobody)
  await giveUp(store, idsOf(await claim(store, first, farAhead)))
  const [row] = await store.deadLetters(1)
  const id = row?.event.id ?? ''
  const alone = (tables: Tables) => tables.oldEvents(everything, 100)
  await once(pool, async (tables) => {
    await tables.exhume([id])
    expect(await once(pool, alone)).toEqual([])
  }).catch(() => {})
  await once(pool, async (tables) => {
    const ids = await alone(tables)
    const replaying = other.replay([id], start)
    await delay(200)
    await tables.removeEvents(ids)
    void replaying.catch(() => {})
  })
  await delay(200)
  expect(await orphans()).toEqual([])
})

test('an event that was being told when it joined its message keeps the message', async () => {
  await ingest(store, batchOf({ type: 'delivered', providerMessageId: 'p-1' }), byNobody)
  const ids = idsOf(await claim(store, first, farAhead))
  const record = { ...recordAt(start, 'ann@example.com'), providerMessageId: 'p-1' }
  await add(store, record)
  expect((await store.message(record.trackingId))?.events).toHaveLength(1)
  expect(await pruneAll(store, 100)).toBeGreaterThan(0)
  expect(await store.message(record.trackingId)).toBeDefined()
  await tell(store, ids)
  await pruneAll(store, 100)
  expect(await store.message(record.trackingId)).toBeUndefined()
  expect(await orphans()).toEqual([])
})

test('a key that a later message has taken over stays with that', async () => {
  const [before, after] = [start, start + 10].map((sentAt) => ({
    ...recordAt(sentAt, 'ann@example.com'),
    providerMessageId: 'p-1',
  }))
  for (const record of [before, after]) if (record) await add(store, record)
  await store.prune({ messages: start + 5 }, 100)
  const { trackingIds } = await ingest(
    store,
    batchOf({ type: 'opened', providerMessageId: 'p-1' }),
    byNobody,
  )
  expect(trackingIds).toEqual([after?.trackingId])
})

test('nothing is left of what is gone, whoever writes, replays and tells meanwhile', async () => {
  let writing = true
  const write = async (by: Store) => {
    for (let index = 0; index < 40; index += 1) {
      const record = { ...recordAt(start + index, 'ann@example.com'), providerMessageId: uuidv7() }
      const { providerMessageId } = record
      await ingest(by, batchOf({ type: 'accepted', providerMessageId }), byNobody)
      const steps = shuffled([
        () => add(by, record),
        () => ingest(by, batchFor(record, 'delivered', 'opened'), byNobody),
        () => ingest(by, batchOf({ type: 'complained', providerMessageId }), byNobody),
      ])
      for (const step of steps) await step()
    }
  }
  const tellAll = async (by: Store) => {
    for (let turn = 0; writing || turn < 2; turn += writing ? 0 : 1) {
      const ids = idsOf(await claim(by, uuidv7(), farAhead, 20))
      await giveUp(by, ids.slice(0, 5))
      await tell(by, ids.slice(5))
      const letters = await by.deadLetters(20)
      await by.replay(shuffled(idsOf(letters)).slice(0, 5), start)
    }
  }
  const prune = async (by: Store) => {
    while (writing) {
      await by.prune(limits, 10)
      await delay(5)
    }
  }
  const others = [store, other].flatMap((by) => [tellAll(by), prune(by)])
  await Promise.all([store, other, store].map(write)).finally(() => (writing = false))
  await Promise.all(others)
  expect(await orphans()).toEqual([])
}, 120_000)

test('what is old is found and removed without a look at what is young', async () => {
  const count = 5000
  const ids = Array.from({ length: count }, (_, index) => toBytes(uuidv7({ msecs: start + index })))
  const events = ids.map((id, index) => [
    index + 1,
    id,
    digest(`${index}`),
    index % 2 ? id : null,
    '{}',
  ])
  const zeros = counted.map(() => 0)
  const counts = ids.map((id, index) => ['tag', index, 'a', id, 0, `${index}`, ...zeros])
  const inserts: [string, unknown[][]][] = [
    ['mailtrail_messages', ids.map((id) => [id, 'a', '{}'])],
    ['mailtrail_events', events],
    ['mailtrail_untold', ids.slice(100).map((id, index) => [id, index, id, 0, null, null])],
    ['mailtrail_waiting', ids.map((id) => [id, id, 'own-id'])],
    ['mailtrail_recipients', ids.map((id) => [id, id, 'a', 'delivered', '{}'])],
    ['mailtrail_labels', ids.map((id) => [digest('tag:all'), id])],
    ['mailtrail_nonces', ids.map((id, index) => [id, 'a', index])],
    ['mailtrail_counts', counts],
  ]
  for (const [table, rows] of inserts) await pool.query(`INSERT INTO ${table} VALUES ?`, [rows])
  const tables = inserts.map(([name]) => name).join(', ')
  await pool.query(`ANALYZE TABLE ${tables}`)
  const before = firstTrackingId(start + 2000)
  const messages = await withReads(pool, (all) => all.oldMessages(before, 40))
  expect(messages.result).toHaveLength(40)
  expect(messages.reads).toBeLessThan(400)
  const removed = await withReads(pool, (all) =>
    all.removeMessages(
      messages.result.map(({ trackingId }) => ({ trackingId, keys: [trackingId], labels: [] })),
    ),
  )
  expect(removed.reads).toBeLessThan(800)
  const alone = await withReads(pool, (all) => all.oldEvents(before, 40))
  expect(alone.result).toHaveLength(40)
  expect(alone.reads).toBeLessThan(250)
  const gone = await withReads(pool, (all) => all.removeEvents(alone.result))
  expect(gone.reads).toBeLessThan(400)
  const nonces = await withReads(pool, (all) => all.removeNonces(2000, 40))
  expect(nonces).toMatchObject({ result: 40 })
  expect(nonces.reads).toBeLessThan(200)
  const all = await withReads(pool, (rows) => rows.removeCounts(['tag', 'all'], 100))
  expect(all).toMatchObject({ result: 100 })
  expect(all.reads).toBeLessThan(500)
}, 30_000)
