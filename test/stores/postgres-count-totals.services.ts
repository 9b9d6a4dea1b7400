import { beforeEach, expect, test } from '@jest/globals'
import type { Store } from '../../src/store.js'
import type { PgPool } from '../../src/stores/postgres.js'
import { postgresTables } from '../../src/stores/postgres-tables.js'
import { inTransaction, writing } from '../../src/stores/postgres-transaction.js'
import type { Tables } from '../../src/stores/sql-tables.js'
import {
  begin,
  changeOf,
  day,
  days,
  everything,
  expectToHave,
  inSpan,
  providers,
} from './counted-spans.js'
import { ask, explained, newPool, opened, shuffled, watchedPool } from './postgres-database.js'

let store: Store
beforeEach(async () => {
  store = await opened(newPool())
})

const inTables = <T>(pool: PgPool, work: (tables: Tables) => Promise<T>): Promise<T> =>
  inTransaction(pool, writing, (query) => work(postgresTables(query)))

async function mergeAll(target: Store): Promise<void> {
  while (((await target.mergeCounts?.(begin + days * day)) ?? 0) > 0);
}

const rowsOf = async (table: string): Promise<unknown> =>
  (await ask(`SELECT count(*)::int AS rows FROM ${table}`)).rows[0]
const totalRows = () => rowsOf('mailtrail_count_totals')
const partRows = () => rowsOf('mailtrail_counts')

test('counts of any span are what was added, whether it is put together or not', async () => {
  const first = everything(['a', 'b'])
  await inTables(newPool(), (tables) => tables.addCounts(first))
  await expectToHave(store, first)
  await mergeAll(store)
  expect(await partRows()).toEqual({ rows: 0 })
  await expectToHave(store, first)
  const all = [...first, ...everything(['b', 'c'])]
  await inTables(newPool(), (tables) => tables.addCounts(everything(['b', 'c'])))
  await expectToHave(store, all)
  await mergeAll(store)
  await expectToHave(store, all)
}, 30_000)

test('a day before 1970 belongs to its week', async () => {
  const start = -10 * day
  await inTables(newPool(), (tables) =>
    tables.addCounts([{ ...changeOf(0, 'a', 3), start }, changeOf(0, 'a')]),
  )
  await mergeAll(store)
  const all = { dimension: 'tag', by: 'value', limit: 10 } as const
  const eventsBetween = async (from: number, to: number) =>
    (await store.counts({ ...all, from, to })).map(({ counts }) => counts.events)
  expect(await eventsBetween(-14 * day, -7 * day)).toEqual([3])
  expect(await eventsBetween(-7 * day, 0)).toEqual([])
  expect(await eventsBetween(-Infinity, Infinity)).toEqual([4])
})

test('what is removed leaves the totals, and the week that it is removed from keeps its other days', async () => {
  await inTables(newPool(), (tables) => tables.addCounts(everything(['a', 'b'])))
  await mergeAll(store)
  // Some of what is removed is not put together.
  await inTables(newPool(), (tables) => tables.addCounts(everything(['a'])))
  while ((await store.prune({ days: begin + 10 * day }, 100)) > 0);
  const all = [...everything(['a', 'b']), ...everything(['a'])]
  await expectToHave(
    store,
    all.filter(({ start }) => start >= begin + 10 * day),
  )
  while ((await store.prune({ days: begin + days * day }, 100)) > 0);
  expect(await totalRows()).toEqual({ rows: 0 })
}, 30_000)

test('of what is taken no total is left', async () => {
  await inTables(newPool(), (tables) => tables.addCounts(everything(['for ann@example.com', 'b'])))
  await mergeAll(store)
  await inTables(newPool(), (tables) => tables.addCounts(everything(['for ann@example.com'])))
  const taken = await inTables(newPool(), (tables) => tables.takeCountsWith(['ANN@example.com']))
  expect(taken).toHaveLength(days * providers.length)
  const events = taken.reduce((sum, { counts }) => sum + (counts.events ?? 0), 0)
  expect(events).toBe(2 * days * providers.length)
  const { rows } = await ask('SELECT DISTINCT value FROM mailtrail_count_totals')
  expect(rows).toEqual([{ value: 'b' }])
  await expectToHave(store, everything(['b']))
}, 30_000)

test('those alone are taken whose value has the text in it, put together or not', async () => {
  const values = ['for josé@example.com', 'for josef@example.com', 'for jos']
  await inTables(newPool(), (tables) => tables.addCounts(everything(values)))
  await mergeAll(store)
  await inTables(newPool(), (tables) => tables.addCounts(everything(values)))
  // The server's pattern fits all of them, for it knows letters of ASCII alone.
  const taken = await inTables(newPool(), (tables) => tables.takeCountsWith(['JOSÉ']))
  expect(new Set(taken.map(({ value }) => value))).toEqual(new Set(['for josé@example.com']))
  const others = everything(values.slice(1))
  await expectToHave(store, [...others, ...others])
}, 30_000)

test('who removes is told how much went, of what is put together and of what is not', async () => {
  const remove = () =>
    inTables(newPool(), (tables) => tables.removeCounts(['tag'], begin + days * day))
  await inTables(newPool(), (tables) => tables.addCounts([changeOf(0, 'a'), changeOf(1, 'b')]))
  await mergeAll(store)
  await inTables(newPool(), (tables) => tables.addCounts([0, 1, 2].map((at) => changeOf(at, 'c'))))
  expect(await remove()).toBe(5)
  expect(await remove()).toBe(0)
})

test('whoever adds, puts together, removes and takes at the same time, counts stay right', async () => {
  const codes: unknown[] = []
  const values = ['a', 'b', 'c of ann@example.com']
  const adders = Array.from({ length: 3 }, () => watchedPool(codes))
  const [taker = newPool(), ...mergers] = Array.from({ length: 3 }, () => watchedPool(codes))
  const rounds = 15
  await Promise.all([
    ...adders.map(async (pool) => {
      for (let round = 0; round < rounds; round += 1) {
        await inTables(pool, (tables) => tables.addCounts(shuffled(everything(values))))
      }
    }),
    ...mergers.map(async (pool, index) => {
      for (let round = 0; round < rounds; round += 1) {
        await inTables(pool, async (tables) => tables.mergeCounts?.(begin + (20 + index) * day))
        await inTables(pool, (tables) => tables.removeCounts(['tag'], begin + 5 * day))
      }
    }),
    (async () => {
      for (let round = 0; round < rounds; round += 1) {
        await inTables(taker, async (tables) => {
          await tables.addCounts(await tables.takeCountsWith(['ann@example.com']))
        })
      }
    })(),
  ])
  const all = adders.flatMap(() => Array.from({ length: rounds }, () => everything(values))).flat()
  const kept = all.filter(({ start }) => start >= begin + 5 * day)
  await expectToHave(store, kept, 5)
  await mergeAll(store)
  await expectToHave(store, kept, 5)
  while ((await store.prune({ days: begin + 5 * day }, 100)) > 0);
  await expectToHave(store, kept)
  expect(codes).toEqual([])
}, 60_000)

test('of a month, weeks are read and days where there is no whole week', async () => {
  const values = Array.from({ length: 50 }, (_, index) => `value ${index}`)
  await inTables(newPool(), (tables) => tables.addCounts(everything(values)))
  await mergeAll(store)
  await ask('VACUUM ANALYZE')
  const reader = await explained(({ text }) => text.includes('mailtrail_count_totals'))
  // From a Tuesday: two days, four weeks from a Thursday on, and one day.
  expect(await reader.store.counts(inSpan(4, 4 + 31))).toHaveLength(50)
  expect(reader.nodes.map(({ kind }) => kind)).not.toContain('Seq Scan')
  const scans = reader.nodes.filter(({ index }) => index !== undefined)
  expect(scans.reduce((read, { rows }) => read + rows, 0)).toBe(50 * (2 + 4 + 1))
})
