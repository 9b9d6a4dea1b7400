import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { messageKeys } from '../../src/matching.js'
import { openDatabase } from '../../src/stores/sqlite-driver.js'
import type { Store } from '../../src/store.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { storeContract } from '../../src/testing/store-contract.js'
import { batchOf, recordOf } from '../../src/testing/store-samples.js'
import { answersWhileLocked } from '../locked.js'

let folder = ''
let files = 0
const newFile = (): string => join(folder, `store ${(files += 1)}.db`)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailtrail-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const schedule = {
  now: Date.now(),
  lease: { owner: 'this one', until: Date.now() + 60_000 },
  foreignAt: Date.now() + 60_000,
}

describe('the SQLite store', () => {
  const open = async () => {
    const file = newFile()
    return { store: sqliteStore(file), other: sqliteStore(file) }
  }
  for (const { name, run } of storeContract(open)) test(name, run)

  test('keeps everything in its file', async () => {
    const file = newFile()
    const record = recordOf('ann@example.com')
    const first = sqliteStore(file)
    await first.addMessage(record, messageKeys(record), schedule)
    await first.ingest(batchOf({ type: 'delivered', ownId: record.trackingId }), schedule)
    await first.close()
    const second = sqliteStore(file)
    const stored = await second.message(record.trackingId)
    expect(stored?.record).toEqual(record)
    expect(stored?.events).toHaveLength(1)
    await second.close()
  })

  test('shares its file with other processes', async () => {
    const file = newFile()
    const one = sqliteStore(file)
    const other = sqliteStore(file)
    const record = recordOf('ann@example.com')
    const event = batchOf({ type: 'delivered', ownId: record.trackingId })
    await one.addMessage(record, messageKeys(record), schedule)
    const results = await Promise.all([
      one.ingest(event, schedule),
      other.ingest(event, schedule),
      one.ingest(event, schedule),
      other.ingest(event, schedule),
    ])
    const told = results.flatMap((result) => (result.kind === 'stored' ? result.deliveries : []))
    expect(told).toHaveLength(1)
    expect((await other.message(record.trackingId))?.events).toHaveLength(1)
    await one.close()
    await other.close()
  })

  test('stores a batch whole or not at all', async () => {
    const store = sqliteStore(newFile())
    const record = recordOf('ann@example.com')
    await store.addMessage(record, messageKeys(record), schedule)
    const ownId = record.trackingId
    const good = batchOf({ type: 'delivered', ownId })
    // No JSON can be made of the second one.
    const bad = batchOf({ type: 'delivered', ownId }, { type: 'opened', ownId, raw: 5n })
    await expect(store.ingest(bad, schedule)).rejects.toThrow('BigInt')
    expect((await store.message(ownId))?.events).toEqual([])
    expect(await store.ingest(good, schedule)).toMatchObject({ duplicates: 0 })
    await store.close()
  })

  test('rejects while another process holds the file for long, and goes on afterwards', async () => {
    const file = newFile()
    const store = sqliteStore(file)
    await store.open()
    const other = await openDatabase(file)
    other.exec('BEGIN IMMEDIATE')
    const event = batchOf({ type: 'delivered', providerMessageId: 'p-1' })
    await expect(store.ingest(event, schedule)).rejects.toThrow('locked')
    other.exec('COMMIT')
    expect(await store.ingest(event, schedule)).toMatchObject({ waiting: 1 })
    other.close()
    await store.close()
  })

  test('has a webhook answered 503 in time while another process holds the file, and takes it again', async () => {
    const file = newFile()
    const answers = await answersWhileLocked(sqliteStore(file), async () => {
      const other = await openDatabase(file)
      other.exec('BEGIN IMMEDIATE')
      return async () => other.close()
    })
    expect(answers).toEqual({ locked: 503, took: expect.any(Number), again: 202, events: 1 })
    expect(answers.took).toBeLessThan(3000)
  })

  test('has a webhook answered 503 while tables are not those of its version, and takes it again', async () => {
    const file = newFile()
    const answers = await answersWhileLocked(sqliteStore(file), async () => {
      const later = await openDatabase(file)
      later.exec('ALTER TABLE mailtrail_events RENAME TO theirs')
      return async () => {
        later.exec('ALTER TABLE theirs RENAME TO mailtrail_events')
        later.close()
      }
    })
    expect(answers).toMatchObject({ locked: 503, again: 202, events: 1 })
  })

  test('lets everything else go on while another process holds the file', async () => {
    const file = newFile()
    const store = sqliteStore(file)
    await store.open()
    const other = await openDatabase(file)
    other.exec('BEGIN IMMEDIATE')
    let turns = 0
    const ticking = setInterval(() => (turns += 1), 10)
    const event = batchOf({ type: 'delivered', providerMessageId: 'p-1' })
    const stored = store.ingest(event, schedule)
    while (turns < 20) await delay(5)
    // Reading needs no lock.
    expect(await store.find({}, 1)).toEqual([])
    other.exec('COMMIT')
    expect(await stored).toMatchObject({ waiting: 1 })
    clearInterval(ticking)
    other.close()
    await store.close()
  })

  test('keeps what is written together apart: one that fails takes nobody with it', async () => {
    const store = sqliteStore(newFile())
    const event = (name: string, raw: unknown = {}) =>
      store.ingest(batchOf({ type: 'delivered', providerMessageId: name, raw }), schedule)
    const results = await Promise.allSettled([event('a'), event('b', 5n), event('c')])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await event('a')).toMatchObject({ duplicates: 1 })
    expect(await event('b')).toMatchObject({ duplicates: 0 })
    expect(await event('c')).toMatchObject({ duplicates: 1 })
    await store.close()
  })

  test('is not opened by a version that does not know its tables', async () => {
    const file = newFile()
    const store = sqliteStore(file)
    await store.open()
    await store.close()
    const database = await openDatabase(file)
    database.exec('INSERT INTO mailtrail_migrations (version) VALUES (99)')
    database.close()
    const older = sqliteStore(file)
    await expect(older.open()).rejects.toThrow('which a later mailtrail has made')
    await older.close()
  })

  test('has every commit on disk before it is acknowledged, in a file that was there before too', async () => {
    const file = newFile()
    // SQLite may be built to wait for the disk in new files alone.
    for (let opening = 0; opening < 2; opening += 1) {
      const database = await openDatabase(file)
      database.exec('CREATE TABLE IF NOT EXISTS theirs (x)')
      expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
      expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
      database.close()
    }
  })

  test('says which file cannot be opened, and tries again the next time', async () => {
    const path = join(folder, 'missing', 'store.db')
    const store = sqliteStore(path)
    await expect(store.open()).rejects.toThrow(
      `sqliteStore cannot open ${path}: make the folder ${join(folder, 'missing')} first`,
    )
    await expect(store.nextDue()).rejects.toThrow(path)
    await store.close()
  })

  test.each([[''], [undefined], [{ path: 'x' }]])('is not opened at %j', (path) => {
    const openAt = sqliteStore as (path: unknown) => Store
    expect(() => openAt(path)).toThrow('sqliteStore: path is missing')
  })

  test('waits for a file in the old form that another process reads, without stopping this one', async () => {
    const file = newFile()
    // The same SQLite as the store's: two of them in one process do not see each other's locks.
    const driver: typeof import('@photostructure/sqlite') =
      process.getBuiltinModule('node:sqlite') ?? require('@photostructure/sqlite')
    const other = new driver.DatabaseSync(file)
    other.exec('CREATE TABLE theirs (x)')
    other.exec('BEGIN')
    other.prepare('SELECT * FROM theirs').all()
    setTimeout(() => other.exec('COMMIT'), 50)
    const store = sqliteStore(file)
    await store.open()
    await store.close()
    other.close()
  })

  test('is opened by several processes at once, though its file is new', async () => {
    const file = newFile()
    const worker = `
      const { workerData } = require('node:worker_threads')
      const { sqliteStore } = require(workerData.entry)
      const store = sqliteStore(workerData.file)
      store.open().then(() => store.close())
    `
    const workerData = { file, entry: join(process.cwd(), 'dist/cjs/stores/sqlite.js') }
    const exits = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const [code] = await once(new Worker(worker, { eval: true, workerData }), 'exit')
        return code
      }),
    )
    expect(exits).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('is over when it was closed, and lets its file go', async () => {
    const file = newFile()
    const store = sqliteStore(file)
    await store.open()
    expect(existsSync(`${file}-wal`)).toBe(true)
    await store.close()
    await expect(store.nextDue()).rejects.toThrow('closed')
    await store.close()
    // Whoever closes it last takes the log away, but for the driver that Node needs before 22.13.
    if (process.getBuiltinModule('node:sqlite')) expect(existsSync(`${file}-wal`)).toBe(false)
  })

  test('is over when it was closed before it was opened', async () => {
    const store = sqliteStore(newFile())
    await store.close()
    await expect(store.nextDue()).rejects.toThrow('closed')
  })
})
