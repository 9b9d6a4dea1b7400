import { beforeEach, expect, test } from '@jest/globals'
import type { CountChange, CountQuery, Store } from '../../src/store.js'
import type { PgPool } from '../../src/stores/postgres.js'
import { postgresTables } from '../../src/stores/postgres-tables.js'
import { inTransaction, writing } from '../../src/stores/postgres-transaction.js'
import type { Tables } from '../../src/stores/sql-tables.js'
import { ask, explained, newPool, opened, shuffled, watchedPool } from './postgres-database.js'

const day = 24 * 3600_000
// A Friday, in the midst of one of the weeks that totals are kept for, which begin on Thursdays.
const begin = Date.UTC(2026, 0, 2)
const days = 40
const providers = ['postmark', 'ses', 'smtp']

let store: Store
beforeEach(async () => {
  store = await opened(newPool())
})

const inTables = <T>(pool: PgPool, work: (tables: Tables) => Promise<T>): Promise<T> =>
  inTransaction(pool, writing, (query) => work(postgresTables(query)))

const changeOf = (index: number, value: string, events = 1): CountChange => ({
  start: begin + (index % days) * day,
  provider: providers[index % providers.length] ?? '',
  dimension: 'tag',
  value,
  counts: { events },
})

/** So much of every value on every day of every provider. */
const everything = (values: readonly string[]): CountChange[] =>
  values.flatMap((value) =>
    Array.from({ length: days * providers.length }, (_, index) => changeOf(index, value)),
  )

async function mergeAll(target: Store): Promise<void> {
  while (((await target.mergeCounts?.(begin + days * day)) ?? 0) > 0);
}

const inSpan = (from: number, to: number): Omit<CountQuery, 'provider'> => ({
  dimension: 'tag',
  from: begin + from * day,
  to: begin + to * day,
  by: 'value',
  limit: 1000,
})

/** Read from totals. */
async function totals(from: number, to: number): Promise<[value: string, events: number][]> {
  const rows = await store.counts(inSpan(from, to))
  return rows.flatMap(({ key, counts }) => (counts.events === 0 ? [] : [[key, counts.events]]))
}

/** Added up from what each provider has, which no total has a part in. */
async function recount(from: number, to: number): Promise<[value: string, events: number][]> {
  const sums = new Map<string, number>()
  for (const provider of providers) {
    for (const { key, counts } of await store.counts({ ...inSpan(from, to), provider })) {
      sums.set(key, (sums.get(key) ?? 0) + counts.events)
    }
  }
  return [...sums]
    .filter(([, events]) => events !== 0)
    .toSorted(([a, more], [b, less]) => less - more || (a < b ? -1 : 1))
}

async function expectTotalsToBeRight(): Promise<void> {
  for (let from = -1; from <= days; from += 3) {
    for (let to = from; to <= days + 1; to += 1) {
      expect(await totals(from, to)).toEqual(await recount(from, to))
    }
  }
}

const totalRows = async (): Promise<unknown> =>
  (await ask('SELECT count(*)::int AS rows FROM mailtrail_count_totals')).rows[0]

test('totals of any span are what its days add up to, whether they are put together or not', async () => {
  await inTables(newPool(), (tables) => tables.addCounts(everything(['a', 'b'])))
  expect(await totals(0, days)).toEqual([
    ['a', 120],
    ['b', 120],
  ])
  await expectTotalsToBeRight()
  await mergeAll(store)
  await inTables(newPool(), (tables) => tables.addCounts(everything(['b', 'c'])))
  await expectTotalsToBeRight()
  await mergeAll(store)
  await expectTotalsToBeRight()
  expect((await totals(0, days))[0]).toEqual(['b', 240])
}, 30_000)

test('a day before 1970 belongs to its week', async () => {
  const start = -10 * day
  await inTables(newPool(), (tables) =>
    tables.addCounts([{ ...changeOf(0, 'a', 3), start }, changeOf(0, 'a')]),
  )
  await mergeAll(store)
  const all = { dimension: 'tag', by: 'value', limit: 10 } as const
  const eventsIn = async (from: number, to: number) =>
    (await store.counts({ ...all, from, to })).map(({ counts }) => counts.events)
  expect(await eventsIn(-14 * day, -7 * day)).toEqual([3])
  expect(await eventsIn(-7 * day, 0)).toEqual([])
  expect(await eventsIn(-Infinity, Infinity)).toEqual([4])
})

test('what is removed leaves the totals, and the week that it is removed from keeps its other days', async () => {
  await inTables(newPool(), (tables) => tables.addCounts(everything(['a', 'b'])))
  await mergeAll(store)
  // Some of what is removed is not put together.
  await inTables(newPool(), (tables) => tables.addCounts(everything(['a'])))
  while ((await store.prune({ days: begin + 10 * day }, 100)) > 0);
  expect(await totals(0, days)).toEqual([
    ['a', 180],
    ['b', 90],
  ])
  await expectTotalsToBeRight()
  while ((await store.prune({ days: begin + days * day }, 100)) > 0);
  expect(await totalRows()).toEqual({ rows: 0 })
}, 30_000)

test('of what is taken no total is left', async () => {
  await inTables(newPool(), (tables) => tables.addCounts(everything(['for ann@example.com', 'b'])))
  await mergeAll(store)
  await inTables(newPool(), (tables) => tables.addCounts(everything(['for ann@example.com'])))
  await inTables(newPool(), (tables) => tables.takeCountsWith(['ANN@example.com']))
  const { rows } = await ask('SELECT DISTINCT value FROM mailtrail_count_totals')
  expect(rows).toEqual([{ value: 'b' }])
  await expectTotalsToBeRight()
}, 30_000)

test('whoever adds, puts together, removes and takes at the same time, totals stay right', async () => {
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
  await expectTotalsToBeRight()
  await mergeAll(store)
  await expectTotalsToBeRight()
  const events = adders.length * rounds * (days - 5) * providers.length
  while ((await store.prune({ days: begin + 5 * day }, 100)) > 0);
  // Days and providers meet in a way that each day has its providers in turn: three of each in all.
  expect(await totals(5, days)).toEqual(values.map((value) => [value, events]))
  expect(codes).toEqual([])
}, 60_000)

test('of a month, weeks are read and days where there is no whole week', async () => {
  const values = Array.from({ length: 50 }, (_, index) => `value ${index}`)
  await inTables(newPool(), (tables) => tables.addCounts(everything(values)))
  await mergeAll(store)
  await ask('VACUUM ANALYZE')
  const reader = await explained(({ text }) => text.includes('FROM mailtrail_count_totals'))
  // From a Tuesday: two days, four weeks from a Thursday on, and one day.
  expect(await reader.store.counts(inSpan(4, 4 + 31))).toHaveLength(50)
  expect(reader.nodes.map(({ kind }) => kind)).not.toContain('Seq Scan')
  const scans = reader.nodes.filter(({ index }) => index !== undefined)
  expect(scans.reduce((read, { rows }) => read + rows, 0)).toBe(50 * (2 + 4 + 1))
})
