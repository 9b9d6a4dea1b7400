import { beforeEach, expect, test } from '@jest/globals'
import type { Pool } from 'mysql2/promise'
import { v7 as uuidv7 } from 'uuid'
import { digest, toBytes } from '../../src/ids.js'
import type { StoreQuery } from '../../src/store.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import { atEnd, newPool, once, url, withReads } from './mysql-database.js'

const start = Date.parse('2026-01-01T00:00:00Z')
const count = 1200
const ids = Array.from({ length: count }, (_, index) => uuidv7({ msecs: start + index * 1000 }))

let pool: Pool
beforeEach(async () => {
  const store = mysqlStore(url())
  atEnd(() => store.close())
  await store.open()
  pool = newPool()
  const messages = ids.map((id, index) => [toBytes(id), index % 3 === 0 ? 'a' : 'b', '{}'])
  const labels = ids.flatMap((id, index) =>
    ['tag:all', index % 2 === 0 ? 'tag:even' : 'tag:odd', `metadata:["order","${index}"]`].map(
      (label) => [digest(label), toBytes(id)],
    ),
  )
  await pool.query('INSERT INTO mailtrail_messages VALUES ?', [messages])
  await pool.query('INSERT INTO mailtrail_labels VALUES ?', [labels])
  await once(pool, async (tables) => {
    await tables.putStates(
      ids.flatMap((trackingId, index) =>
        ['ann@example.com', `u${index % 10}@example.com`].map((address) => ({
          trackingId,
          address,
          status: index % 5 === 0 ? 'bounced' : 'delivered',
          statusBefore: undefined,
          state: '{}',
        })),
      ),
    )
  })
  await pool.query('ANALYZE TABLE mailtrail_messages, mailtrail_recipients, mailtrail_labels')
}, 30_000)

const address = 'ann@example.com'
const span = { from: start + 200_000, to: start + 1_000_000 }

test.each<[query: StoreQuery, fits: (index: number) => boolean]>([
  [{}, () => true],
  [{ provider: 'a' }, (index) => index % 3 === 0],
  [{ address }, () => true],
  [{ address: 'u3@example.com' }, (index) => index % 10 === 3],
  [{ address: 'u5@example.com', status: 'bounced' }, (index) => index % 10 === 5],
  [{ status: 'delivered' }, (index) => index % 5 !== 0],
  [{ labels: ['tag:all'] }, () => true],
  [{ labels: ['tag:even', 'tag:all'] }, (index) => index % 2 === 0],
  [{ labels: ['tag:all', 'tag:even', 'tag:odd'] }, () => false],
  [{ labels: ['tag:all'], provider: 'a', status: 'bounced' }, (index) => index % 15 === 0],
  [{ labels: ['tag:odd'], provider: 'a', address }, (index) => index % 6 === 3],
  [{ ...span }, (index) => index >= 200 && index < 1000],
  [{ ...span, status: 'bounced', address }, (i) => i >= 200 && i < 1000 && i % 5 === 0],
  [{ ...span, labels: ['tag:even'] }, (i) => i >= 200 && i < 1000 && i % 2 === 0],
])('%j is found page by page, and little else is read', async (query, fits) => {
  const expected = ids.filter((_, index) => fits(index)).toReversed()
  const found: string[] = []
  for (let before: string | undefined, more = true; more;) {
    const { result, reads } = await withReads(pool, (tables) =>
      tables.findMessages(query, 50, before),
    )
    // At worst one in fifteen fits, and is looked up in two more tables.
    if (result.length === 50) expect(reads).toBeLessThan(50 * 15 * 3)
    found.push(...result)
    before = result.at(-1)
    more = result.length === 50
  }
  expect(found).toEqual(expected)
})

test('a page is no dearer when it is far from the newest message', async () => {
  for (const query of [{}, { address }, { labels: ['tag:all'] }, { provider: 'b' }]) {
    const { result, reads } = await withReads(pool, (tables) =>
      tables.findMessages(query, 10, ids[100]),
    )
    expect(result).toHaveLength(10)
    expect(reads).toBeLessThan(30)
  }
})

test('what few messages have leads to them, whatever else is asked', async () => {
  const query: StoreQuery = {
    labels: ['tag:all', 'metadata:["order","7"]'],
    status: 'delivered',
    provider: 'b',
  }
  const { result, reads } = await withReads(pool, (tables) =>
    tables.findMessages(query, 10, undefined),
  )
  expect(result).toEqual([ids[7]])
  expect(reads).toBeLessThan(10)
})

test('labels are replaced, and those that no text can tell apart are one', async () => {
  const [id = ''] = ids
  const before = ['tag:order', 'metadata:["order","0"]']
  const after = ['tag:\ud800', 'tag:\ufffd', 'tag:x', 'tag:X']
  await once(pool, (tables) => tables.putLabels(id, after, before))
  const find = (label: string) =>
    once(pool, (tables) => tables.findMessages({ labels: [label] }, 10, undefined))
  expect(await find('tag:x')).toEqual([id])
  expect(await find('tag:\ud800')).toEqual([id])
  expect(await find('metadata:["order","0"]')).toEqual([])
  await once(pool, (tables) => tables.putLabels(id, [], after))
  expect(await find('tag:X')).toEqual([])
})
