import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createPool } from 'mysql2/promise'
import { inspect } from 'node:util'
import { Pool } from 'pg'
import { ConfigurationError } from '../../src/errors.js'
import { messageKeys } from '../../src/matching.js'
import type { Store } from '../../src/store.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import { postgresStore } from '../../src/stores/postgres.js'
import { batchFor, batchOf, recordOf } from '../../src/testing/store-samples.js'
import { type Database, newMysqlDatabase, newPostgresDatabase } from '../databases.js'
import { answersWhileLocked } from '../locked.js'
import { restartPostgres } from '../started-services.js'

const now = Date.now()
const schedule = { now, foreignAt: now + 60_000, lease: { owner: 'this one', until: now + 60_000 } }

/** A connection beside the store's, and a pool that a program might have already. */
interface Beside {
  query(sql: string): Promise<unknown[]>
  storeOnPool(): Store
  end(): Promise<void>
}

function besidePostgres(url: string): Beside {
  const pool = new Pool({ connectionString: url })
  // One that the server ends says so here, and the pool makes another.
  pool.on('error', () => {})
  const client = pool.connect()
  return {
    query: async (sql) => (await (await client).query(sql)).rows,
    storeOnPool: () => postgresStore(pool),
    async end() {
      ;(await client).release()
      await pool.end()
    },
  }
}

function besideMysql(url: string): Beside {
  const pool = createPool({
    uri: url,
    rowsAsArray: true,
    bigNumberStrings: true,
    supportBigNumbers: true,
  })
  const connection = pool.getConnection()
  return {
    async query(sql) {
      const [rows] = await (await connection).query({ sql, rowsAsArray: false })
      return Array.isArray(rows) ? rows : []
    },
    storeOnPool: () => mysqlStore(pool),
    async end() {
      ;(await connection).release()
      await pool.end()
    },
  }
}

const servers: [
  name: string,
  newDatabase: () => Promise<Database>,
  open: (url: string) => Store,
  beside: (url: string) => Beside,
][] = [
  ['PostgreSQL', newPostgresDatabase, postgresStore, besidePostgres],
  ['MySQL', newMysqlDatabase, mysqlStore, besideMysql],
]

describe.each(servers)('the %s store', (name, newDatabase, open, beside) => {
  let database: Database
  let store: Store
  let another: Beside
  beforeEach(async () => {
    database = await newDatabase()
    store = open(database.url)
    another = beside(database.url)
  })
  afterEach(async () => {
    await store.close()
    await another.end()
    await database.remove()
  })

  test('is opened by several processes at once, though the database is empty', async () => {
    const stores = Array.from({ length: 6 }, () => open(database.url))
    await Promise.all(stores.map((one) => one.open()))
    const [row] = await another.query('SELECT count(*) AS versions FROM mailtrail_migrations')
    expect(Number(Reflect.get(Object(row), 'versions'))).toBe(2)
    for (const one of stores) await one.close()
  })

  test('is not opened by a version that does not know its tables', async () => {
    await store.open()
    await another.query('INSERT INTO mailtrail_migrations (version) VALUES (99)')
    const older = open(database.url)
    await expect(older.open()).rejects.toThrow('which a later mailtrail has made')
    await older.close()
  })

  test('runs on a pool that it was given, which it does not close', async () => {
    const onPool = another.storeOnPool()
    const record = recordOf('ann@example.com')
    await onPool.addMessage(record, messageKeys(record), schedule)
    const batch = batchFor(record, 'accepted', 'delivered')
    const result = await onPool.ingest(batch, schedule)
    expect(result).toMatchObject({ duplicates: 0, left: 0 })
    expect((await store.message(record.trackingId))?.events).toHaveLength(2)
    await onPool.close()
    await expect(onPool.nextDue()).rejects.toThrow('closed')
    expect(await another.query('SELECT 1 AS one')).toHaveLength(1)
  })

  test('rejects in time while somebody holds what it needs, and goes on afterwards', async () => {
    const record = recordOf('ann@example.com')
    await store.addMessage(record, messageKeys(record), schedule)
    await another.query('BEGIN')
    await another.query('SELECT * FROM mailtrail_messages FOR UPDATE')
    const began = performance.now()
    await expect(store.ingest(batchFor(record, 'delivered'), schedule)).rejects.toThrow()
    expect(performance.now() - began).toBeLessThan(3000)
    await another.query('ROLLBACK')
    expect(await store.ingest(batchFor(record, 'delivered'), schedule)).toMatchObject({
      duplicates: 0,
    })
  }, 20_000)

  test('has a webhook answered 503 in time while somebody holds its message, and takes it again', async () => {
    const own = open(database.url)
    const answers = await answersWhileLocked(own, async () => {
      await another.query('BEGIN')
      await another.query('SELECT * FROM mailtrail_messages FOR UPDATE')
      return async () => void (await another.query('ROLLBACK'))
    })
    expect(answers).toEqual({ locked: 503, took: expect.any(Number), again: 202, events: 1 })
    expect(answers.took).toBeLessThan(3000)
  }, 20_000)

  test('says that it cannot connect, without the password', async () => {
    const named = name === 'MySQL' ? 'mysqlStore' : 'postgresStore'
    const wrong = new URL(database.url)
    wrong.username = 'nobody'
    wrong.password = 'very-secret'
    wrong.pathname = '/nowhere'
    const refused = open(wrong.href)
    const error: unknown = await refused.open().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toHaveProperty('message', expect.stringContaining(`${named} cannot connect: `))
    expect(inspect(error, { depth: 9 }) + JSON.stringify(error)).not.toContain('very-secret')
    await refused.close()
    const scheme = name === 'MySQL' ? 'mysql' : 'postgres'
    const absent = open(`${scheme}://user:very-secret@127.0.0.1:1/x`)
    const failure: unknown = await absent.open().catch((reason: unknown) => reason)
    expect(failure).not.toBeInstanceOf(ConfigurationError)
    expect(failure).toMatchObject({
      message: expect.stringContaining(`${named} cannot connect: `),
      code: 'ECONNREFUSED',
    })
    expect(inspect(failure, { depth: 9 }) + JSON.stringify(failure)).not.toContain('very-secret')
    await absent.close()
  })

  test.each([[''], [undefined], [{}], ['some/file.db']])('is not made with %j', (connection) => {
    const make = open as (connection: unknown) => Store
    expect(() => make(connection)).toThrow(ConfigurationError)
    expect(() => make(connection)).toThrow('the connection is missing')
  })
})

test('the PostgreSQL store goes on by itself when its server was restarted', async () => {
  const database = await newPostgresDatabase()
  const store = postgresStore(database.url)
  const event = (name: string) =>
    store.ingest(batchOf({ type: 'delivered', providerMessageId: name }), schedule)
  await event('a')
  await restartPostgres()
  // Connections that broke meanwhile may fail once each; the provider sends again.
  for (let attempt = 0; attempt < 20; attempt += 1) await event('b').catch(() => {})
  expect(await event('b')).toMatchObject({ duplicates: 1 })
  expect(await event('a')).toMatchObject({ duplicates: 1 })
  await store.close()
  await database.remove()
}, 20_000)
