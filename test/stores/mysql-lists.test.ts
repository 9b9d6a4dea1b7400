import { expect, test } from '@jest/globals'
import { mysqlLists, type Row, short } from '../../src/stores/mysql-lists.js'
import type { MysqlValue, Query } from '../../src/stores/mysql-transaction.js'

/** The values of every statement that was sent. */
function recorded(): { sent: (readonly MysqlValue[])[]; query: Query } {
  const sent: (readonly MysqlValue[])[] = []
  const query: Query = (_sql, values = []) => {
    sent.push(values)
    return Promise.resolve([])
  }
  return { sent, query }
}

const rowsOf = (...sizes: number[]): Row[] =>
  sizes.map((size, index) => [Buffer.alloc(size), index])
const ofNumbers = Array.from({ length: 300 }, () => Array.from({ length: 1000 }, () => 0))

test.each<[what: string, rows: Row[], parts: number[]]>([
  ['what fits into one statement goes in one', rowsOf(10, 20, 30), [3]],
  ['what is too large for one goes in several', rowsOf(900_000, 900_000, 900_000, 10), [2, 2]],
  ['a row that is larger than a statement goes alone', rowsOf(10, 5_000_000, 10), [1, 1, 1]],
  ['numbers have their size too', ofNumbers, [250, 50]],
])('%s', async (_what, rows, parts) => {
  const { sent, query } = recorded()
  await mysqlLists(query).insert('somewhere', rows)
  const inserted = sent.map(([part]) => (Array.isArray(part) ? part : []))
  expect(inserted.map((part) => part.length)).toEqual(parts)
  expect(inserted.flat().every((row, index) => row === rows[index])).toBe(true)
})

test('a list of more than 500 values goes in several statements, each with what comes before and after', async () => {
  const { sent, query } = recorded()
  const list = Array.from({ length: 1001 }, (_, index) => index)
  await mysqlLists(query).each('some statement', list, [-1], [-2])
  expect(sent).toEqual([
    [-1, list.slice(0, 500), -2],
    [-1, list.slice(500, 1000), -2],
    [-1, [1000], -2],
  ])
})

test('more than 100 rows are changed by several statements', async () => {
  const { sent, query } = recorded()
  const rows = Array.from({ length: 201 }, (_, index) => ({
    key: Buffer.from([index]),
    values: [index],
  }))
  await mysqlLists(query).set('somewhere', 'id', ['event'], rows, ', other = ?', [7])
  expect(sent.map((values) => values.length)).toEqual([202, 202, 4])
  expect(sent.at(-1)).toEqual([Buffer.from([200]), 200, 7, [Buffer.from([200])]])
})

test('a name that is too long is named by its beginning', () => {
  expect(short('é'.repeat(127))).toHaveLength(254)
  expect(() => short('é'.repeat(128))).toThrow(
    `the MySQL store takes names of up to 255 bytes: ${'é'.repeat(32)}…`,
  )
})
