import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import type { Pool } from 'mysql2/promise'
import type { CountChange, CountQuery, CountRow, Store } from '../../src/store.js'
import { noCounts } from '../../src/counts.js'
import { memoryCounts } from '../../src/stores/memory-counts.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import { atEnd, newPool, once, shuffled, url, withReads } from './mysql-database.js'

const day = 24 * 3600_000

let store: Store
let pool: Pool
beforeEach(async () => {
  store = mysqlStore(url())
  atEnd(() => store.close())
  await store.open()
  pool = newPool()
})
afterEach(() => {
  jest.restoreAllMocks()
})

function changeOf(change: Partial<CountChange> = {}): CountChange {
  return { start: 0, provider: 'a', dimension: 'tag', value: 'x', counts: {}, ...change }
}

function ask(query: Partial<CountQuery> = {}): Promise<CountRow[]> {
  return store.counts({
    dimension: 'tag',
    from: 0,
    to: 100 * day,
    by: 'value',
    limit: 1000,
    ...query,
  })
}

test('many who add to the same rows end exact, and never stand in a circle', async () => {
  const expected = memoryCounts()
  const transactions = Array.from({ length: 200 }, (_, index) =>
    shuffled(
      ['v', 'w', 'x', 'y', 'z', `new ${index % 10}`].flatMap((value) => [
        changeOf({ value, counts: { messages: 1, recipients: index, events: index % 7 } }),
        changeOf({ value, provider: 'b', start: day, counts: { pending: -1, delivered: 1 } }),
        changeOf({ value, dimension: 'domain', counts: { opens: 3 } }),
      ]),
    ),
  )
  for (const changes of transactions) expected.add(changes)
  await Promise.all(
    transactions.map((changes) => once(pool, (tables) => tables.addCounts(changes))),
  )
  const asked: Partial<CountQuery>[] = [
    {},
    { dimension: 'domain' },
    { by: 'start' },
    { by: 'provider', from: day },
    { provider: 'b', limit: 3 },
  ]
  for (const query of asked) {
    const all = { dimension: 'tag', from: 0, to: 100 * day, by: 'value', limit: 1000 } as const
    expect(await ask(query)).toEqual(expected.read({ ...all, ...query }))
  }
}, 30_000)

test('who adds to a row leaves others of its shards to others meanwhile', async () => {
  const changes = [changeOf({ counts: { messages: 1 } })]
  const random = jest.spyOn(Math, 'random').mockReturnValue(0)
  await once(pool, async (first) => {
    await first.addCounts(changes)
    random.mockReturnValue(0.999)
    await once(pool, (second) => second.addCounts(changes))
  })
  expect(await ask()).toEqual([{ key: 'x', counts: { ...noCounts, messages: 2 } }])
})

test('what stands in several shards is put into one, by two at once too, and nothing is lost', async () => {
  const random = jest.spyOn(Math, 'random')
  const values = ['x', 'y', 'z']
  for (let index = 0; index < 24; index += 1) {
    random.mockReturnValueOnce((index % 8) / 8)
    const counts = { messages: 1, opens: index }
    await once(pool, (tables) =>
      tables.addCounts(
        values.flatMap((value) => [
          changeOf({ value, counts }),
          changeOf({ value, start: day, counts }),
        ]),
      ),
    )
  }
  random.mockRestore()
  const rows = async (start: number): Promise<number> => {
    const [found] = await pool.query('SELECT shard FROM mailtrail_counts WHERE start = ?', [start])
    return Array.isArray(found) ? found.length : 0
  }
  const before = await ask()
  expect([await rows(0), await rows(day)]).toEqual([24, 24])
  const merge = () => once(pool, async (tables) => (await tables.mergeCounts?.(day)) ?? 0)
  const merged = await Promise.all([merge(), merge()])
  expect(merged.reduce((sum, count) => sum + count, 0)).toBe(21)
  expect([await rows(0), await rows(day)]).toEqual([3, 24])
  expect(await ask()).toEqual(before)
  expect(await merge()).toBe(0)
})

test('what was added by a transaction that did not end well is not counted', async () => {
  const failed = once(pool, async (tables) => {
    await tables.addCounts([changeOf({ counts: { messages: 1 } })])
    throw new Error('stopped')
  })
  await expect(failed).rejects.toThrow('stopped')
  expect(await ask()).toEqual([])
})

test.each(['start', 'provider', 'value'] as const)(
  'counts by %s are read from their dimension and span alone',
  async (by) => {
    const changes = Array.from({ length: 4000 }, (_, index) =>
      changeOf({
        start: (index % 400) * day,
        dimension: index % 2 === 0 ? 'tag' : 'link',
        value: `v ${index}`,
        counts: { events: 1 },
      }),
    )
    await once(pool, (tables) => tables.addCounts(changes))
    const query = { dimension: 'tag', from: 10 * day, to: 13 * day, by, limit: 1000 } as const
    const { result, reads } = await withReads(pool, (tables) => tables.counts(query))
    expect(result.reduce((sum, { counts }) => sum + counts.events, 0)).toBe(20)
    // A few times the rows that there are, for they are gathered and sorted.
    expect(reads).toBeLessThan(150)
  },
)

test('counts are numbers, whatever a pool that was given makes of them', async () => {
  const theirs = newPool({ supportBigNumbers: true, bigNumberStrings: true, rowsAsArray: true })
  const onPool = mysqlStore(theirs)
  const counts = { messages: 2 ** 40, events: 1 }
  await once(pool, (tables) => tables.addCounts([changeOf({ start: 50 * day, counts })]))
  for (const [by, key] of [
    ['start', String(50 * day)],
    ['provider', 'a'],
    ['value', 'x'],
  ] as const) {
    const query = { dimension: 'tag', from: 0, to: 100 * day, by, limit: 10 } as const
    expect(await onPool.counts(query)).toEqual([{ key, counts: { ...noCounts, ...counts } }])
  }
  await onPool.close()
})

test('the longest value that is counted by comes back whole', async () => {
  const value = '€'.repeat(200)
  const counts = { events: 1 }
  await once(pool, (tables) =>
    tables.addCounts([changeOf({ value, counts }), changeOf({ value: `${value}€`, counts })]),
  )
  // A longer one is cut, and still one of its own.
  expect((await ask()).map(({ key }) => key)).toEqual([value, value])
})
