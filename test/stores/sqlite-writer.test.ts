import {
  afterAll,
  beforeAll,
  beforeEach,
  afterEach,
  describe,
  expect,
  jest,
  test,
} from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as setImmediateCallback } from 'node:timers'
import { setImmediate } from 'node:timers/promises'
import type { Tables } from '../../src/stores/sql-tables.js'
import { openDatabase, type SqliteDatabase } from '../../src/stores/sqlite-driver.js'
import { createWriter, type Writer } from '../../src/stores/sqlite-writer.js'

let steps: Record<'keep' | 'drop' | 'write' | 'clear', jest.Mock<() => void>>
const sync = jest.fn<() => Promise<void>>()
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
  steps = { keep: jest.fn(), drop: jest.fn(), write: jest.fn(), clear: jest.fn() }
  sync.mockReset().mockResolvedValue()
  // What the work is done with does not matter to who commits it.
  writer = createWriter(database, {} as Tables, steps, sync)
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
  /** Tells at each commit what had been answered before it. */
  const counting = (atCommit: () => void): SqliteDatabase => ({
    exec: (sql) => database.exec(sql),
    close: () => {},
    prepare(sql) {
      const statement = database.prepare(sql)
      if (sql !== 'COMMIT') return statement
      return {
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
        run: (...values) => {
          atCommit()
          return statement.run(...values)
        },
      }
    },
  })

  test.each([
    { takes: 0, each: 'is committed together', commits: [[]] },
    { takes: 20, each: 'goes on for 50 ms at most', commits: [[], ['a', 'b', 'c']] },
    {
      takes: 50,
      each: 'is a commit each where it is slow',
      commits: [[], ['a'], ['a', 'b'], ['a', 'b', 'c']],
    },
  ])('$each, and is answered after the commit ($takes ms each)', async ({ takes, commits }) => {
    const answered: string[] = []
    const seen: string[][] = []
    let time = 0
    writer = createWriter(
      counting(() => seen.push([...answered])),
      {} as Tables,
      steps,
      sync,
      () => time,
    )
    const slow = (name: string): Promise<string> =>
      writer.transaction(async () => {
        time += takes
        database.prepare('INSERT INTO kept VALUES (?, NULL)').run(name)
        return name
      })
    const all = ['a', 'b', 'c', 'd']
    await Promise.all(all.map(async (name) => void answered.push(await slow(name))))
    expect(seen).toEqual(commits)
    expect(answered).toEqual(all)
    expect(names()).toEqual(all)
  })

  test('lets others have their turn every 10 ms, and nobody read meanwhile', async () => {
    const done: string[] = []
    let time = 0
    writer = createWriter(database, {} as Tables, steps, sync, () => time)
    const working = ['a', 'b', 'c'].map((name) =>
      writer.transaction(async () => {
        time += 15
        done.push(name)
        setImmediateCallback(() => done.push('turn'))
      }),
    )
    await setImmediate()
    await setImmediate()
    await writer.idle()
    done.push('read')
    await Promise.all(working)
    expect(done.filter((what) => what !== 'turn')).toEqual(['a', 'b', 'c', 'read'])
    expect(done.indexOf('turn')).toBeLessThan(done.indexOf('c'))
  })

  test('fails alone', async () => {
    const failing = writer.transaction(async () => {
      database.prepare('INSERT INTO kept VALUES (?, NULL)').run('half')
      throw new Error('no')
    })
    const results = await Promise.allSettled([insert('a'), failing, insert('b')])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(names()).toEqual(['a', 'b'])
    expect(steps.keep).toHaveBeenCalledTimes(2)
    expect(steps.drop).toHaveBeenCalledTimes(1)
  })

  test('is undone whole when the last step before the commit fails', async () => {
    steps.write.mockImplementationOnce(() => {
      throw new Error('no room')
    })
    const results = await Promise.allSettled([insert('a'), insert('b')])
    expect(results).toMatchObject([
      { status: 'rejected', reason: { message: 'no room' } },
      { status: 'rejected' },
    ])
    expect(steps.clear).toHaveBeenCalledTimes(1)
    expect(names()).toEqual([])
    expect(await insert('c')).toBe('c')
    expect(names()).toEqual(['c'])
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

describe('while the disk is waited for', () => {
  /** A disk that takes its time: resolves when it is waited for, with what lets it end. */
  const slowDisk = (): Promise<{ end: () => void; fail: (error: Error) => void }> =>
    new Promise((reached) => {
      sync.mockImplementationOnce(
        () => new Promise((end, fail) => reached({ end: () => end(), fail })),
      )
    })

  test('nobody is answered, and what is asked for meanwhile is gathered', async () => {
    const answered: string[] = []
    const asked = async (name: string) => void answered.push(await insert(name))
    const disk = slowDisk()
    const first = [asked('a'), asked('b')]
    const { end } = await disk
    const next = [asked('c'), asked('d')]
    for (let turn = 0; turn < 20; turn += 1) await setImmediate()
    expect(names()).toEqual(['a', 'b'])
    expect(answered).toEqual([])
    end()
    await Promise.all([...first, ...next])
    expect(answered).toEqual(['a', 'b', 'c', 'd'])
    expect(sync).toHaveBeenCalledTimes(2)
  })

  test('what is committed can be read', async () => {
    const disk = slowDisk()
    const writing = insert('a')
    const { end } = await disk
    await writer.idle()
    expect(names()).toEqual(['a'])
    end()
    await writing
  })

  test('it is not ended', async () => {
    const disk = slowDisk()
    const writing = insert('a')
    const { end } = await disk
    let ended = false
    const ending = writer.end().then(() => (ended = true))
    for (let turn = 0; turn < 20; turn += 1) await setImmediate()
    expect(ended).toBe(false)
    end()
    await Promise.all([writing, ending])
  })

  test('and it fails, everybody is told, and nothing is acknowledged any more', async () => {
    const disk = slowDisk()
    const writing = Promise.allSettled([insert('a'), insert('b')])
    const { fail } = await disk
    const meanwhile = Promise.allSettled([insert('c')])
    const reason = new Error('EIO')
    fail(reason)
    const results = [
      ...(await writing),
      ...(await meanwhile),
      ...(await Promise.allSettled([insert('d')])),
    ]
    for (const result of results) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: {
          message: 'EIO: nothing is written until the store is opened anew',
          cause: reason,
        },
      })
    }
    expect(names()).toEqual(['a', 'b'])
  })

  test('for nothing, it is not', async () => {
    const failing = writer.transaction(async () => {
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(sync).not.toHaveBeenCalled()
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
