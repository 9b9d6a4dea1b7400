import { beforeEach, describe, expect, test } from '@jest/globals'
import type { CountChange, CountQuery, Store } from '../../src/store.js'
import type { PgPool } from '../../src/stores/postgres.js'
import { countShards } from '../../src/stores/postgres-locks.js'
import { postgresTables } from '../../src/stores/postgres-tables.js'
import { inTransaction, writing } from '../../src/stores/postgres-transaction.js'
import { recordAt, start } from '../../src/testing/store-samples.js'
import { add, added } from '../../src/testing/store-steps.js'
import { isCommit } from './interposed-pool.js'
import {
  ask,
  explained,
  newPool,
  opened,
  pausedStore,
  shuffled,
  waits,
  watchedPool,
} from './postgres-database.js'

const day = 24 * 3600_000

let store: Store
beforeEach(async () => {
  store = await opened(newPool())
})

const addTo = (pool: PgPool, changes: readonly CountChange[]): Promise<void> =>
  inTransaction(pool, writing, (query) => postgresTables(query).addCounts(changes))

const change = (value: string, counts: CountChange['counts']): CountChange => ({
  start,
  provider: 'postmark',
  dimension: 'tag',
  value,
  counts,
})

/** What was counted of one thing, by value. */
async function counted(name: 'events' | 'messages', query: Partial<CountQuery> = {}) {
  const all = { dimension: 'tag', from: 0, to: Infinity, by: 'value', limit: 1000 } as const
  const rows = await store.counts({ ...all, ...query })
  return rows.map(({ key, counts }): [string, number] => [key, counts[name]])
}

test('what many connections add to the same rows, in whatever order, is exact', async () => {
  const codes: unknown[] = []
  const pools = Array.from({ length: 2 * countShards }, () => watchedPool(codes))
  const values = Array.from({ length: 20 }, (_, index) => `tag ${index}`)
  const rounds = 10
  await Promise.all(
    pools.map(async (pool, index) => {
      for (let round = 0; round < rounds; round += 1) {
        // Some go down again: a count is moved elsewhere.
        const changes = values.map((value) => change(value, { events: index + 1, messages: -1 }))
        await addTo(pool, shuffled(changes))
      }
    }),
  )
  const sum = rounds * pools.reduce((total, _, index) => total + index + 1, 0)
  expect(new Map(await counted('events'))).toEqual(new Map(values.map((value) => [value, sum])))
  expect(new Set((await counted('messages')).map(([, count]) => count))).toEqual(
    new Set([-rounds * pools.length]),
  )
  // Nobody was undone, and none had to wait so long that it gave up.
  expect(codes).toEqual([])
}, 30_000)

test('as many as there are shards add at once, and only one more has to wait', async () => {
  const writers = await Promise.all(
    Array.from({ length: countShards }, () => pausedStore(isCommit)),
  )
  const adding = writers.map(async (writer) => {
    const adds = added(writer.store)
    await writer.reached
    return { adds }
  })
  // Until all of them have written and none has committed.
  await Promise.all(adding)
  const another = added(store)
  expect(await waits(another)).toBe(true)
  for (const { resume } of writers) resume()
  for (const { adds } of await Promise.all(adding)) await adds
  await another
  expect(await counted('messages', { dimension: 'all' })).toEqual([['', countShards + 1]])
})

test('who is alone takes no more rows than one', async () => {
  for (let round = 0; round < 5; round += 1) await added(store)
  const { rows } = await ask(`SELECT count(*)::int FROM mailtrail_counts WHERE dimension = 'all'`)
  expect(rows).toEqual([{ count: 1 }])
  expect(await counted('messages', { dimension: 'all' })).toEqual([['', 5]])
})

test('values that become the same when they are stored are counted as one', async () => {
  const tags = ['a\0', 'a\ufffd', 'a\ud800']
  const provider = 'post\0mark'
  await add(store, { ...recordAt(start, 'ann@example.com'), provider, tags })
  expect(await counted('messages')).toEqual([['a\ufffd', 3]])
  expect(await counted('messages', { provider })).toEqual([['a\ufffd', 3]])
})

test('large numbers come back as they are', async () => {
  for (let round = 0; round < 2; round += 1) {
    await addTo(newPool(), [change('a', { events: 2 ** 51 })])
  }
  expect(await counted('events')).toEqual([['a', 2 ** 52]])
})

test('rows with as many are in the order of their bytes, whatever the database takes for one', async () => {
  await addTo(
    newPool(),
    ['é', 'b', 'A', 'a', 'B'].map((value) => change(value, { events: 1 })),
  )
  expect((await counted('events')).map(([value]) => value)).toEqual(['A', 'B', 'a', 'b', 'é'])
  const { rows } = await ask(
    `SELECT string_agg(column_name, ' ' ORDER BY column_name) AS columns
     FROM information_schema.columns
     WHERE table_name IN ('mailtrail_counts', 'mailtrail_suppressions') AND collation_name = 'C'
     GROUP BY table_name ORDER BY table_name`,
  )
  expect(rows).toEqual([
    { columns: 'dimension provider value' },
    { columns: 'cause detail provider' },
  ])
})

describe('among very many counts those of a dimension in a span alone are read', () => {
  const span = { from: start + 10 * day, to: start + 12 * day }
  const queries: Omit<CountQuery, 'limit'>[] = [
    { dimension: 'tag', by: 'value', provider: 'postmark', ...span },
    { dimension: 'tag', by: 'start', ...span },
    { dimension: 'tag', by: 'provider', provider: 'postmark', ...span },
  ]
  test.each(queries)('%j', async (query) => {
    await ask(
      `INSERT INTO mailtrail_counts (dimension, start, value_digest, shard, provider, value)
       SELECT dimension, ${start} + day * ${day}::bigint, md5(value::text)::uuid, 0, 'postmark', value::text
       FROM unnest('{tag,domain,link}'::text[]) AS dimension,
         generate_series(0, 99) AS day, generate_series(1, 50) AS value`,
    )
    await ask('VACUUM ANALYZE mailtrail_counts')
    const reader = await explained(({ text }) => text.includes('FROM mailtrail_counts'))
    const rows = await reader.store.counts({ ...query, limit: 1000 })
    expect(rows).toHaveLength({ value: 50, start: 2, provider: 1 }[query.by])
    expect(reader.nodes.map(({ kind }) => kind)).not.toContain('Seq Scan')
    const bounded = reader.nodes.find(({ index }) => index === 'mailtrail_counts_pkey')
    expect(bounded?.rows).toBe(100)
    expect(bounded?.bounds).toMatch(/dimension = .*start >= .*start < /)
  })
})
