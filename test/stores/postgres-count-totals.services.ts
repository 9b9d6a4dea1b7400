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

async function eventsIn(
  from: number,
  to: number,
  more: Partial<CountQuery> = {},
): Promise<[key: string, events: number][]> {
  const rows = await store.counts({ ...inSpan(from, to), ...more })
  return rows.flatMap(({ key, counts }) => (counts.events === 0 ? [] : [[key, counts.events]]))
}

/** What was added, added up here. */
function sumOf(
  added: readonly CountChange[],
  keyOf: (change: CountChange) => string,
  fits: (change: CountChange) => boolean,
): [key: string, events: number][] {
  const sums = new Map<string, number>()
  for (const change of added.filter(fits)) {
    const key = keyOf(change)
    sums.set(key, (sums.get(key) ?? 0) + (change.counts.events ?? 0))
  }
  return [...sums].toSorted(([a, more], [b, less]) => less - more || (a < b ? -1 : 1))
}

/** Of all spans, all providers and each, by whatever it is added up. */
async function expectToHave(added: readonly CountChange[], first = -1): Promise<void> {
  for (let from = first; from <= days; from += 3) {
    for (let to = from; to <= days + 1; to += 2) {
      const provider = [undefined, ...providers][(from + to + 2) % 4]
      const fits = (change: CountChange): boolean =>
        change.start >= begin + from * day &&
        change.start < begin + to * day &&
        (provider === undefined || change.provider === provider)
      const more = provider === undefined ? {} : { provider }
      expect(await eventsIn(from, to, more)).toEqual(sumOf(added, ({ value }) => value, fits))
      expect(await eventsIn(from, to, { ...more, by: 'provider' })).toEqual(
        sumOf(added, (change) => change.provider, fits),
      )
      const byStart = sumOf(added, ({ start }) => String(start), fits)
      expect(await eventsIn(from, to, { ...more, by: 'start' })).toEqual(
        byStart.toSorted(([a], [b]) => Number(a) - Number(b)),
      )
    }
  }
}

const rowsOf = async (table: string): Promise<unknown> =>
  (await ask(`SELECT count(*)::int AS rows FROM ${table}`)).rows[0]
const totalRows = () => rowsOf('mailtrail_count_totals')
const partRows = () => rowsOf('mailtrail_counts')

test('counts of any span are what was added, whether it is put together or not', async () => {
  const first = everything(['a', 'b'])
  await inTables(newPool(), (tables) => tables.addCounts(first))
  await expectToHave(first)
  await mergeAll(store)
  expect(await partRows()).toEqual({ rows: 0 })
  await expectToHave(first)
  const all = [...first, ...everything(['b', 'c'])]
  await inTables(newPool(), (tables) => tables.addCounts(everything(['b', 'c'])))
  await expectToHave(all)
  await mergeAll(store)
  await expectToHave(all)
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
  await expectToHave(all.filter(({ start }) => start >= begin + 10 * day))
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
  await expectToHave(everything(['b']))
}, 30_000)

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
  await expectToHave(kept, 5)
  await mergeAll(store)
  await expectToHave(kept, 5)
  while ((await store.prune({ days: begin + 5 * day }, 100)) > 0);
  await expectToHave(kept)
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
