import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import {
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openDatabase } from '../../src/stores/sqlite-driver.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { openWriteAheadLog } from '../../src/stores/sqlite-wal.js'
import { recordAt, start } from '../../src/testing/store-samples.js'
import { add } from '../../src/testing/store-steps.js'

let folder = ''
let handle: { datasync(): Promise<void> }
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-wal-'))
  const file = await open(folder)
  // Every file that is opened has this method from there.
  handle = Object.getPrototypeOf(file)
  await file.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => void jest.restoreAllMocks())

const synchronous = (database: Awaited<ReturnType<typeof openDatabase>>): unknown =>
  Reflect.get(Object(database.prepare('PRAGMA synchronous').get()), 'synchronous')

test('a message counts as written when the log is on disk, and no sooner', async () => {
  const store = sqliteStore(join(folder, 'store.db'))
  await store.open()
  let release = (): void => {}
  const disk = new Promise<void>((resolve) => {
    release = resolve
  })
  const synced: string[] = []
  const { datasync } = handle
  jest.spyOn(handle, 'datasync').mockImplementation(async function (this: { fd?: number }) {
    if (process.platform === 'linux') synced.push(readlinkSync(`/proc/self/fd/${this.fd}`))
    await Reflect.apply(datasync, this, [])
    await disk
  })
  let written = false
  const adding = add(store, recordAt(start, 'ann@example.com')).then(() => (written = true))
  await delay(50)
  expect(written).toBe(false)
  release()
  await adding
  expect(written).toBe(true)
  expect(handle.datasync).toHaveBeenCalledTimes(1)
  if (process.platform === 'linux') expect(synced).toEqual([join(folder, 'store.db-wal')])
  await store.close()
})

test.each<[string, (file: string) => void]>([
  ['moved', (file) => renameSync(file, `${file}.old`)],
  ['removed', (file) => rmSync(file)],
  [
    'replaced',
    (file) => {
      renameSync(file, `${file}.old`)
      writeFileSync(file, '')
    },
  ],
])('nothing counts as written in a file that was %s', async (what, change) => {
  const file = join(folder, `${what}.db`)
  const store = sqliteStore(file)
  await add(store, recordAt(start, 'ann@example.com'))
  change(file)
  for (let time = 0; time < 2; time += 1) {
    await expect(add(store, recordAt(start, 'bob@example.com'))).rejects.toThrow(
      `${file} was moved or removed while it was open`,
    )
  }
  await store.close()
})

test('a file that was put back is written again when the store is opened anew, and no sooner', async () => {
  const file = join(folder, 'back.db')
  const store = sqliteStore(file)
  await add(store, recordAt(start, 'ann@example.com'))
  renameSync(file, `${file}.old`)
  await expect(add(store, recordAt(start, 'bob@example.com'))).rejects.toThrow('was moved')
  renameSync(`${file}.old`, file)
  await expect(add(store, recordAt(start, 'bob@example.com'))).rejects.toThrow(
    'nothing is written until the store is opened anew',
  )
  await store.close()
  const again = sqliteStore(file)
  await add(again, recordAt(start, 'carl@example.com'))
  await again.close()
})

test('a file is not made anew where one was moved away from its log, which has what came last', async () => {
  const file = join(folder, 'apart-from-log.db')
  const store = sqliteStore(file)
  const record = recordAt(start, 'ann@example.com')
  await add(store, record)
  renameSync(file, `${file}.old`)
  const meanwhile = sqliteStore(file)
  await expect(add(meanwhile, recordAt(start, 'bob@example.com'))).rejects.toThrow(
    `sqliteStore cannot open ${file}: it was moved or removed, and ${file}-wal was left`,
  )
  await meanwhile.close()
  await store.close()
  renameSync(`${file}.old`, file)
  const again = sqliteStore(file)
  expect((await again.message(record.trackingId))?.record).toEqual(record)
  await again.close()
})

test('a file that was moved with its log is whole where it went, though another was made meanwhile', async () => {
  const file = join(folder, 'together.db')
  const store = sqliteStore(file)
  const [before, after] = [
    recordAt(start, 'ann@example.com'),
    recordAt(start, 'bob@example.com'),
  ] as const
  await add(store, before)
  for (const part of ['', '-wal', '-shm']) renameSync(`${file}${part}`, `${file}.old${part}`)
  const meanwhile = sqliteStore(file)
  await add(meanwhile, after)
  await store.close()
  await meanwhile.close()
  const moved = sqliteStore(`${file}.old`)
  expect((await moved.message(before.trackingId))?.record).toEqual(before)
  expect(await moved.message(after.trackingId)).toBeUndefined()
  await moved.close()
})

test('a commit does not wait by itself where the log is synced', async () => {
  const database = await openDatabase(join(folder, 'apart.db'))
  database.exec('CREATE TABLE theirs (x)')
  const log = await openWriteAheadLog(database)
  expect(synchronous(database)).toBe(1)
  await log.sync()
  await log.close()
  database.close()
})

test('the log stands beside the file itself, where a link leads to it', async () => {
  mkdirSync(join(folder, 'elsewhere'))
  const file = join(folder, 'elsewhere', 'store.db')
  const link = join(folder, 'link.db')
  symlinkSync(file, link)
  const database = await openDatabase(link)
  database.exec('CREATE TABLE theirs (x)')
  const log = await openWriteAheadLog(database)
  expect(synchronous(database)).toBe(1)
  await log.close()
  database.close()
})

test('a database without a log waits with each commit, whatever else is called like one', async () => {
  const cwd = process.cwd()
  // In memory it has no name, and what would stand beside it is this.
  writeFileSync(join(folder, '-wal'), '')
  process.chdir(folder)
  try {
    const database = await openDatabase(':memory:')
    const log = await openWriteAheadLog(database)
    expect(synchronous(database)).toBe(2)
    await log.sync()
    await log.close()
    database.close()
  } finally {
    process.chdir(cwd)
  }
})
