import { beforeEach, expect, test } from '@jest/globals'
import type { CountChange } from '../../src/store.js'
import type { PgPool } from '../../src/stores/postgres.js'
import { postgresTables } from '../../src/stores/postgres-tables.js'
import { inTransaction, writing } from '../../src/stores/postgres-transaction.js'
import type { Tables } from '../../src/stores/sql-tables.js'
import { recordAt, start } from '../../src/testing/store-samples.js'
import { add } from '../../src/testing/store-steps.js'
import { isCommit } from './interposed-pool.js'
import { ask, newPool, opened, pausedStore, shuffled, watchedPool } from './postgres-database.js'

const ann = 'ann.o@example.com'

beforeEach(async () => {
  await opened(newPool())
})

/** Does something with the tables, in a transaction of its own. */
const inTables = <T>(pool: PgPool, work: (tables: Tables) => Promise<T>): Promise<T> =>
  inTransaction(pool, writing, (query) => work(postgresTables(query)))

const change = (value: string, events = 1): CountChange => ({
  start,
  provider: 'postmark',
  dimension: 'tag',
  value,
  counts: { events },
})

const taken = (rows: readonly CountChange[]) =>
  rows.map(({ value, counts }) => `${value} ${counts.events}`).toSorted()

test('counts whose value has a text in it are taken as one row each, in whatever case', async () => {
  const pool = newPool()
  const values = ['for ANN@example.com', 'for josÉ@example.com', 'STRASSE', 'joe@example.com']
  const writers = await Promise.all([1, 2, 3].map(() => pausedStore(isCommit)))
  const adding = writers.map(async (writer, index) => {
    const tags = values.slice(0, index + 1)
    const adds = add(writer.store, { ...recordAt(start, 'cy@example.net'), tags })
    await writer.reached
    return { adds }
  })
  await Promise.all(adding)
  for (const { resume } of writers) resume()
  for (const { adds } of await Promise.all(adding)) await adds
  const shards = await ask(`SELECT DISTINCT shard FROM mailtrail_counts WHERE dimension = 'tag'`)
  expect(shards.rowCount).toBe(3)
  const take = (...texts: string[]) => inTables(pool, (tables) => tables.takeCountsWith(texts))
  const [row, ...others] = await take('Ann@Example.com', 'ann@example.com', 'no such text')
  expect(others).toEqual([])
  expect(row).toMatchObject({ value: 'for ANN@example.com', start, provider: 'postmark' })
  expect(row?.counts).toMatchObject({ messages: 3, recipients: 3, events: 0 })
  expect(await take('ann@example.com')).toEqual([])
  expect((await take('JOSé@')).map(({ value }) => value)).toEqual(['for josÉ@example.com'])
  expect(await take()).toEqual([])
})

test('a text has no signs in it that mean something else', async () => {
  const pool = newPool()
  const values = ['a_b', 'a%b', 'a\\b', 'axb', 'a.b', 'a\\_b', '*a*']
  await inTables(pool, (tables) => tables.addCounts(values.map((value) => change(value))))
  for (const text of ['a_b', 'a%b', 'a\\b', 'a.b', '\\_', '*a*']) {
    const rows = await inTables(pool, async (tables) => {
      const found = await tables.takeCountsWith([text])
      await tables.addCounts(found)
      return found
    })
    expect(taken(rows)).toEqual(
      values.flatMap((value) => (value.includes(text) ? `${value} 1` : [])),
    )
  }
})

test('what is added to counts while they are taken is neither lost nor counted twice', async () => {
  const codes: unknown[] = []
  const values = Array.from({ length: 10 }, (_, index) => `tag ${index} of ${ann}`)
  const rounds = 20
  const adders = Array.from({ length: 4 }, () => watchedPool(codes))
  const takers = Array.from({ length: 2 }, () => watchedPool(codes))
  let sum = 0
  const take = async (pool: PgPool): Promise<void> => {
    const rows = await inTables(pool, (tables) => tables.takeCountsWith([ann.toUpperCase()]))
    for (const { counts } of rows) sum += counts.events ?? 0
  }
  await Promise.all([
    ...adders.map(async (pool) => {
      for (let round = 0; round < rounds; round += 1) {
        await inTables(pool, (tables) =>
          tables.addCounts(shuffled(values.map((value) => change(value)))),
        )
      }
    }),
    ...takers.map(async (pool) => {
      for (let round = 0; round < rounds; round += 1) await take(pool)
    }),
  ])
  await take(newPool())
  expect(sum).toBe(adders.length * rounds * values.length)
  expect(codes).toEqual([])
}, 30_000)
