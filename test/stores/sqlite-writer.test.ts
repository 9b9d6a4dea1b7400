import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Tables } from '../../src/stores/sql-tables.js'
import { openDatabase, type SqliteDatabase } from '../../src/stores/sqlite-driver.js'
import { createWriter, type Writer } from '../../src/stores/sqlite-writer.js'

let folder = ''
let files = 0
let database: SqliteDatabase
let writer: Writer

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-writer-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(async () => {
  database = await openDatabase(join(folder, `${(files += 1)}.db`))
  database.exec('CREATE TABLE kept (name TEXT, content BLOB)')
  // What the work is done with does not matter to who commits it.
  writer = createWriter(database, {} as Tables)
})
afterEach(async () => {
  await writer.end()
  database.close()
})

const insert = (name: string, size = 10): Promise<string> =>
  writer.transaction(async () => {
    database.prepare('INSERT INTO kept VALUES (?, zeroblob(?))').run(name, size)
    return name
  })

const names = (): unknown[] =>
  database
    .prepare('SELECT name FROM kept ORDER BY name')
    .all()
    .map((row) => Reflect.get(Object(row), 'name'))

const limitTo = (pages: number): void => database.exec(`PRAGMA max_page_count = ${pages}`)

describe('work that is asked for at once', () => {
  test('is committed together, and answered after the commit', async () => {
    const answered: string[] = []
    const commits: string[][] = []
    const counting: SqliteDatabase = {
      exec: (sql) => database.exec(sql),
      close: () => {},
      prepare(sql) {
        const statement = database.prepare(sql)
        if (sql !== 'COMMIT') return statement
        return {
          get: (...values) => statement.get(...values),
          all: (...values) => statement.all(...values),
          run: (...values) => {
            commits.push([...answered])
            return statement.run(...values)
          },
        }
      },
    }
    writer = createWriter(counting, {} as Tables)
    await Promise.all(['a', 'b', 'c'].map(async (name) => void answered.push(await insert(name))))
    expect(commits).toEqual([[]])
    expect(answered).toEqual(['a', 'b', 'c'])
    expect(names()).toEqual(['a', 'b', 'c'])
  })

  test('fails alone', async () => {
    const failing = writer.transaction(async () => {
      database.prepare('INSERT INTO kept VALUES (?, NULL)').run('half')
      throw new Error('no')
    })
    const results = await Promise.allSettled([insert('a'), failing, insert('b')])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(names()).toEqual(['a', 'b'])
  })
})

describe('when the disk is full', () => {
  test('who had no room is told, and nothing of it is kept; with room again it goes on', async () => {
    limitTo(10)
    const results = await Promise.allSettled([
      insert('small'),
      insert('large', 1_000_000),
      insert('last'),
    ])
    for (const [index, result] of results.entries()) {
      const name = ['small', 'large', 'last'][index] ?? ''
      expect(names().includes(name)).toBe(result.status === 'fulfilled')
    }
    const [, large] = results
    expect(large).toMatchObject({
      status: 'rejected',
      reason: expect.objectContaining({ message: expect.stringContaining('full') }),
    })
    limitTo(10_000)
    expect(await insert('large', 1_000_000)).toBe('large')
    expect(names()).toContain('large')
  })
})

test('what is read sees no transaction that is still open', async () => {
  let open = false
  const writing = writer.transaction(async () => {
    open = true
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
    open = false
  })
  const reading = Array.from({ length: 20 }, async () => {
    await writer.idle()
    return open
  })
  await writing
  expect(await Promise.all(reading)).not.toContain(true)
})
