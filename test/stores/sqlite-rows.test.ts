import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openDatabase, type SqliteDatabase } from '../../src/stores/sqlite-driver.js'
import { prepareRows } from '../../src/stores/sqlite-rows.js'

let database: SqliteDatabase
beforeEach(async () => {
  database = await openDatabase(':memory:')
  database.exec('CREATE TABLE kept (position INTEGER PRIMARY KEY, name TEXT UNIQUE, size INTEGER)')
})
afterEach(() => database.close())

const insert = (count: number, from = 0): number =>
  prepareRows(
    database,
    2,
    (rows) => `INSERT INTO kept (name, size) VALUES ${rows}`,
  )(Array.from({ length: count }, (_, index) => [`name ${from + index}`, from + index]))

const kept = (): unknown[] =>
  database
    .prepare('SELECT position, name, size FROM kept ORDER BY position')
    .all()
    .map((row) => Object.values(Object(row)))

describe('rows that go into as few statements as can be', () => {
  test.each([0, 1, 2, 31, 32, 33, 100])('all %d are written, one after the other', (count) => {
    insert(2, 1000)
    expect(insert(count)).toBe(count === 0 ? 0 : 2 + count)
    expect(kept().slice(2)).toEqual(
      Array.from({ length: count }, (_, index) => [index + 3, `name ${index}`, index]),
    )
  })

  test('those that were removed leave no place in between', () => {
    insert(40)
    const remove = prepareRows(database, 1, (names) => `DELETE FROM kept WHERE name IN (${names})`)
    remove(Array.from({ length: 35 }, (_, index) => [`name ${index + 5}`]))
    expect(kept()).toHaveLength(5)
    expect(insert(35, 100)).toBe(40)
    expect(kept()).toHaveLength(40)
  })

  test('one that cannot be written is told', () => {
    insert(1, 50)
    expect(() => insert(100)).toThrow('UNIQUE')
  })
})
