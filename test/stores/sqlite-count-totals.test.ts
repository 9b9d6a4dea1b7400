import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { CountChange } from '../../src/store.js'
import type { Tables } from '../../src/stores/sql-tables.js'
import type { CountBuffer } from '../../src/stores/sqlite-count-buffer.js'
import { openDatabase, type SqliteDatabase } from '../../src/stores/sqlite-driver.js'
import { sqliteMigrations } from '../../src/stores/sqlite-migrations.js'
import { sqliteTables } from '../../src/stores/sqlite-tables.js'
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

let database: SqliteDatabase
let tables: Tables
let buffer: CountBuffer

beforeEach(async () => {
  database = await openDatabase(':memory:')
  for (const statement of sqliteMigrations.flat()) database.exec(statement)
  const made = sqliteTables(database)
  tables = made.tables
  buffer = made.counts
})
afterEach(() => database.close())

async function add(changes: readonly CountChange[]): Promise<void> {
  await tables.addCounts(changes)
  buffer.keep()
  buffer.write()
}

async function mergeAll(): Promise<void> {
  while (((await tables.mergeCounts?.(begin + days * day)) ?? 0) > 0);
}

async function removeAll(before: number): Promise<void> {
  while ((await tables.removeCounts(['tag'], before)) > 0);
}

const rowsOf = (table: string): unknown =>
  Reflect.get(Object(database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()), 'rows')

test('counts of any span are what was added, whether it is put together or not', async () => {
  const first = everything(['a', 'b'])
  await add(first)
  await expectToHave(tables, first)
  await mergeAll()
  expect(rowsOf('mailtrail_counts')).toBe(0)
  await expectToHave(tables, first)
  const all = [...first, ...everything(['b', 'c'])]
  await add(everything(['b', 'c']))
  await expectToHave(tables, all)
  await mergeAll()
  await expectToHave(tables, all)
})

test('a day before 1970 belongs to its week', async () => {
  await add([{ ...changeOf(0, 'a', 3), start: -10 * day }, changeOf(0, 'a')])
  await mergeAll()
  const all = { dimension: 'tag', by: 'value', limit: 10 } as const
  const eventsBetween = async (from: number, to: number) =>
    (await tables.counts({ ...all, from, to })).map(({ counts }) => counts.events)
  expect(await eventsBetween(-14 * day, -7 * day)).toEqual([3])
  expect(await eventsBetween(-7 * day, 0)).toEqual([])
  expect(await eventsBetween(-Infinity, Infinity)).toEqual([4])
})

test('no more is put together at once than others can wait for', async () => {
  await add(everything(Array.from({ length: 2 }, (_, index) => `value ${index}`)))
  expect(await tables.mergeCounts?.(begin + days * day)).toBe(200)
  expect(await tables.mergeCounts?.(begin + days * day)).toBe(40)
  expect(await tables.mergeCounts?.(begin + days * day)).toBe(0)
  expect(await tables.removeCounts(['tag'], begin + days * day)).toBe(200)
  expect(await tables.removeCounts(['tag'], begin + days * day)).toBe(40)
})

test('a day that is not over is not put together', async () => {
  await add(everything(['a']))
  while (((await tables.mergeCounts?.(begin + 10 * day)) ?? 0) > 0);
  expect(rowsOf('mailtrail_counts')).toBe(days * providers.length - 10 * providers.length)
  await expectToHave(tables, everything(['a']))
})

test('what is removed leaves the totals, and the week that it is removed from keeps its other days', async () => {
  await add(everything(['a', 'b']))
  await mergeAll()
  // Some of what is removed is not put together.
  await add(everything(['a']))
  await removeAll(begin + 10 * day)
  const all = [...everything(['a', 'b']), ...everything(['a'])]
  await expectToHave(
    tables,
    all.filter(({ start }) => start >= begin + 10 * day),
  )
  await removeAll(begin + days * day)
  expect(rowsOf('mailtrail_count_totals')).toBe(0)
})

test('of what is taken no total is left, wherever it stands', async () => {
  const anns = everything(['for ann@example.com'])
  await add([...anns, ...everything(['b'])])
  await mergeAll()
  await add(anns)
  // Of pieces of work in the same transaction: one that has ended, and one that takes.
  await tables.addCounts(anns)
  buffer.keep()
  await tables.addCounts(anns.map((change) => ({ ...change, counts: { events: 10 } })))
  const taken = await tables.takeCountsWith(['ANN@example.com', 'for ann'])
  expect(taken.reduce((sum, { counts }) => sum + (counts.events ?? 0), 0)).toBe(13 * anns.length)
  buffer.keep()
  buffer.write()
  for (const table of ['mailtrail_counts', 'mailtrail_count_totals']) {
    const rows = database.prepare(`SELECT DISTINCT value FROM ${table} WHERE value <> 'b'`).all()
    expect(rows).toEqual([])
  }
  await expectToHave(tables, everything(['b']))
})

test('of a month, weeks are read and days where there is no whole week', async () => {
  const values = Array.from({ length: 50 }, (_, index) => `value ${index}`)
  await add(everything(values))
  await mergeAll()
  // From a Tuesday: two days, four weeks from a Thursday on, and one day. What else there is, is spoilt.
  const week = 7 * day
  const thursday = begin + 6 * day
  database.exec(
    `UPDATE mailtrail_count_totals SET events = 1000 WHERE NOT weekly
       AND start >= ${thursday} AND start < ${thursday + 4 * week}`,
  )
  const rows = await tables.counts(inSpan(4, 4 + 31))
  expect(rows.map(({ counts }) => counts.events)).toEqual(values.map(() => 31 * providers.length))
})
