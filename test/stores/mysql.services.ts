import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createPool, type Pool } from 'mysql2/promise'
import { inspect } from 'node:util'
import { v7 as uuidv7 } from 'uuid'
import { messageKeys } from '../../src/matching.js'
import type { Schedule, Store } from '../../src/store.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import { mysqlTables } from '../../src/stores/mysql-tables.js'
import { inTransaction, onConnection, type Query } from '../../src/stores/mysql-transaction.js'
import { batchFor, batchOf, recordOf } from '../../src/testing/store-samples.js'
import { storeContract } from '../../src/testing/store-contract.js'
import { type Database, newMysqlDatabase } from '../databases.js'

describe('the MySQL store', () => {
  const databases: Database[] = []
  afterAll(async () => {
    for (const { remove } of databases) await remove()
  }, 120_000)
  const open = async () => {
    const database = await newMysqlDatabase()
    databases.push(database)
    return { store: mysqlStore(database.url), other: mysqlStore(database.url) }
  }
  for (const { name, run } of storeContract(open)) test(name, run, 20_000)
})

const now = Date.now()
const scheduleOf = (owner: string, until = now + 60_000): Schedule => ({
  now,
  foreignAt: now + 60_000,
  lease: { owner, until },
})
const schedule = scheduleOf('this one')

describe('in MySQL itself', () => {
  let database: Database
  let store: Store
  let pool: Pool
  beforeEach(async () => {
    database = await newMysqlDatabase()
    store = mysqlStore(database.url)
    await store.open()
    pool = createPool({ uri: database.url, connectionLimit: 20 })
  })
  afterEach(async () => {
    await store.close()
    await pool.end()
    await database.remove()
  })

  const rows = async (sql: string): Promise<unknown[]> => {
    const [found] = await pool.query(sql)
    return Array.isArray(found) ? found : []
  }

  async function added(): Promise<ReturnType<typeof recordOf>> {
    const record = recordOf('ann@example.com')
    await store.addMessage(record, messageKeys(record), schedule)
    return record
  }

  /** Does something within a transaction that does not end before the function does. */
  async function within<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return onConnection({ pool, lent: false }, async (query) => {
      await query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
      await query('START TRANSACTION')
      try {
        return await work(query)
      } finally {
        await query('ROLLBACK')
      }
    })
  }

  test('who makes keys known waits for who finds them unknown, and for nobody else', async () => {
    const locked = (keys: string[], mode: 'shared' | 'exclusive') =>
      within(async (query) => {
        await query('SET SESSION innodb_lock_wait_timeout = 1')
        await mysqlTables(query).lockKeys(keys, mode)
      })
    const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`)
    await within(async (query) => {
      await mysqlTables(query).lockKeys(keys, 'shared')
      await locked(keys, 'shared')
      await expect(locked(keys, 'exclusive')).rejects.toThrow('Lock wait timeout')
    })
    await within(async (query) => {
      await mysqlTables(query).lockKeys(['key 1'], 'exclusive')
      await locked(['key 2'], 'exclusive')
      await expect(locked(['key 1'], 'shared')).rejects.toThrow('Lock wait timeout')
    })
  })

  test('who is about to lease an event of a lane has the lane, and no claim takes it', async () => {
    const record = await added()
    await store.ingest(batchFor(record, 'accepted'), scheduleOf('one', now + 10))
    const lane = record.trackingId
    const due = await within(async (first) => {
      // The lease is over, but none of it is another's: what comes now is leased to it again.
      expect(await mysqlTables(first).busyLanes([lane], 'one')).toEqual(new Set())
      return within((second) => mysqlTables(second).dueLanes(now + 20, 10))
    })
    expect(due).toEqual([])
    expect(await within((query) => mysqlTables(query).dueLanes(now + 20, 10))).toEqual([lane])
  })

  test('who is about to lease an event waits for a claim of its lane, and sees it', async () => {
    const record = await added()
    await store.ingest(batchFor(record, 'accepted'), scheduleOf('one', now + 10))
    const lane = record.trackingId
    const busy = await onConnection({ pool, lent: false }, async (query) => {
      await query('START TRANSACTION')
      const tables = mysqlTables(query)
      const [event] = await tables.laneEvents(await tables.dueLanes(now + 20, 10), 10)
      await tables.lease([event?.eventId ?? ''], { owner: 'other', until: now + 99 })
      const looking = within((other) => mysqlTables(other).busyLanes([lane], 'one'))
      await new Promise((resolve) => void setTimeout(resolve, 100))
      await query('COMMIT')
      return looking
    })
    expect(busy).toEqual(new Set([lane]))
  })

  test('no claim is of a lane in which a later event is leased to another', async () => {
    const record = await added()
    await store.ingest(batchFor(record, 'accepted'), scheduleOf('one', now + 10))
    await store.ingest(batchFor(record, 'delivered'), scheduleOf('one', now + 60_000))
    expect(await store.claim(now + 20, { owner: 'other', until: now + 99 }, 10)).toEqual([])
  })

  /** What becomes of work on a second connection that has to wait until the first one commits. */
  async function afterCommit<T>(
    first: (query: Query) => Promise<unknown>,
    then: (query: Query) => Promise<T>,
  ): Promise<T> {
    return onConnection({ pool, lent: false }, async (query) => {
      await query('START TRANSACTION')
      await first(query)
      let over = false
      const waiting = within(then).finally(() => (over = true))
      await new Promise((resolve) => void setTimeout(resolve, 150))
      expect(over).toBe(false)
      await query('COMMIT')
      return waiting
    })
  }

  async function toldOnce(): Promise<string> {
    const record = await added()
    const result = await store.ingest(batchFor(record, 'accepted'), scheduleOf('one', now + 10))
    const [delivery] = result.kind === 'stored' ? result.deliveries : []
    return delivery?.event.id ?? ''
  }

  test('what was claimed by another meanwhile is not prolonged', async () => {
    const eventId = await toldOnce()
    const lease = { owner: 'other', until: now + 99 }
    const held = await afterCommit(
      (query) => mysqlTables(query).lease([eventId], lease),
      (query) => mysqlTables(query).prolong([eventId], { owner: 'one', until: now + 200 }),
    )
    expect(held).toEqual(new Set())
  })

  test('what was told by another meanwhile becomes no dead letter', async () => {
    const eventId = await toldOnce()
    const letters = await afterCommit(
      (query) => mysqlTables(query).removeUntold([eventId]),
      async (query) => {
        await mysqlTables(query).bury([{ eventId, progress: '{}', givenUpAt: now }])
        return mysqlTables(query).deadLetters(10, undefined)
      },
    )
    expect(letters).toEqual([])
  })

  test('a claim waits for what joins its message, and sees that it has', async () => {
    const record = await added()
    const key = 'provider-id:postmark:p-1'
    await store.ingest(batchOf({ type: 'accepted', providerMessageId: 'p-1' }), schedule)
    const claimed = await afterCommit(
      async (query) => {
        const tables = mysqlTables(query)
        const [row] = await tables.waiting([key])
        await tables.tieEvents(record.trackingId, [{ id: row?.eventId ?? '', event: '"tied"' }])
      },
      async (query) => {
        const tables = mysqlTables(query)
        return tables.laneEvents(await tables.dueLanes(now + 90_000, 10), 10)
      },
    )
    expect(claimed.map(({ event }) => event)).toEqual(['"tied"'])
  })

  test('what has waited for its message does not wait any more when that has come', async () => {
    const record = recordOf('ann@example.com')
    await store.ingest(batchOf({ type: 'delivered', ownId: record.trackingId }), schedule)
    expect(await rows('SELECT via FROM mailtrail_waiting')).toHaveLength(1)
    await store.addMessage(record, messageKeys(record), schedule)
    expect(await rows('SELECT via FROM mailtrail_waiting')).toEqual([])
    expect((await store.message(record.trackingId))?.events).toHaveLength(1)
  })

  test('states of recipients are looked up, however many others there are', async () => {
    const records = Array.from({ length: 300 }, () => recordOf('ann@example.com'))
    await Promise.all(
      records.map((record) => store.addMessage(record, messageKeys(record), schedule)),
    )
    await rows(`INSERT INTO mailtrail_recipients
      WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)
      SELECT UNHEX(MD5(CONCAT(a.i, '-', b.i))), UNHEX(MD5(a.i)), '', '', ''
      FROM n AS a JOIN n AS b ON b.i <= 50`)
    await rows('ANALYZE TABLE mailtrail_recipients')
    const asked = records
      .slice(0, 100)
      .map(({ trackingId }) => ({ trackingId, address: 'ann@example.com' }))
    const read = await within(async (query) => {
      await query('FLUSH STATUS')
      expect(await mysqlTables(query).states(asked)).toHaveLength(100)
      const counts = await query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Handler_read_rnd%'")
      return counts.reduce((sum, { Value: value }) => sum + Number(value), 0)
    })
    expect(read).toBeLessThan(50)
  })

  test('a batch of more than a thousand events is stored whole, and once', async () => {
    const events = Array.from({ length: 1200 }, (_, index) => ({
      type: 'delivered' as const,
      providerMessageId: `p-${index}`,
      providerEventId: `e-${index}`,
    }))
    const result = await store.ingest(batchOf(...events), schedule)
    expect(result).toMatchObject({ waiting: 1200, duplicates: 0 })
    expect(await store.ingest(batchOf(...events), schedule)).toMatchObject({ duplicates: 1200 })
    const claimed = await store.claim(now + 60_000, { owner: 'x', until: now + 90_000 }, 2000)
    expect(claimed.map(({ event }) => event.providerMessageId)).toEqual(
      events.map(({ providerMessageId }) => providerMessageId),
    )
    const eventIds = claimed.map(({ event }) => event.id)
    await store.settle(
      eventIds.map((eventId, index) =>
        index % 2 === 0
          ? { eventId, kind: 'released', progress: { a: { attempts: index } }, dueAt: index }
          : { eventId, kind: 'given-up', progress: { a: { attempts: 1 } }, at: now },
      ),
    )
    const again = await store.claim(now, { owner: 'y', until: now + 90_000 }, 2000)
    expect(again.map(({ progress }) => progress['a']?.attempts)).toEqual(
      Array.from({ length: 600 }, (_, index) => index * 2),
    )
    expect(await store.replay(eventIds, now)).toBe(600)
  }, 30_000)

  test('many who write the same events in other orders end as if one had', async () => {
    const records = await Promise.all(Array.from({ length: 20 }, added))
    const batches = records.map(
      (record) => batchFor(record, 'accepted', 'delivered', 'opened').events,
    )
    const handles = Array.from({ length: 8 }, () => mysqlStore(database.url))
    const results = await Promise.all(
      handles.flatMap((handle) =>
        Array.from({ length: 4 }, async () => {
          const events = batches.toSorted(() => Math.random() - 0.5).flat()
          return handle.ingest({ events: [...events, ...events.slice(0, 7)] }, schedule)
        }),
      ),
    )
    const told = results.flatMap((result) => (result.kind === 'stored' ? result.deliveries : []))
    expect(told).toHaveLength(60)
    for (const { trackingId } of records) {
      expect((await store.message(trackingId))?.events).toHaveLength(3)
    }
    for (const handle of handles) await handle.close()
  }, 30_000)

  test('a pool that was given gets its connections back as they were', async () => {
    const theirs = createPool({ uri: database.url, connectionLimit: 1 })
    const state =
      'SELECT @@SESSION.innodb_lock_wait_timeout, @@SESSION.sql_mode, @@SESSION.tx_isolation, @@autocommit, @mailtrail_lock_wait'
    await theirs.query("SET SESSION innodb_lock_wait_timeout = 33, sql_mode = 'ANSI_QUOTES'")
    const [before] = await theirs.query(state)
    const onPool = mysqlStore(theirs)
    const record = recordOf('ann@example.com')
    await onPool.addMessage(record, messageKeys(record), schedule)
    await onPool.message(record.trackingId)
    const nobody = { ...record, provider: 'x'.repeat(300) }
    await expect(onPool.addMessage(nobody, [], schedule)).rejects.toThrow('names of up to 255')
    expect(await theirs.query(state).then(([after]) => after)).toEqual(before)
    await onPool.close()
    await theirs.end()
  })

  test.each<[connections: string, open: () => Store]>([
    ['a pool that was given', () => mysqlStore(pool)],
    ['connections of its own', () => mysqlStore(database.url)],
  ])(
    'on %s nothing goes on waiting once it was rejected',
    async (_, open) => {
      const another = open()
      const record = await added()
      await another.open()
      await within(async (query) => {
        await query('SELECT * FROM mailtrail_messages FOR UPDATE')
        const failed = await another.ingest(batchFor(record, 'delivered'), schedule).then(
          () => undefined,
          (error: unknown) => error,
        )
        expect(failed).toBeInstanceOf(Error)
        await new Promise((resolve) => void setTimeout(resolve, 1500))
        const waiting = await rows(
          "SELECT * FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
        )
        expect(waiting).toEqual([])
        // The statement holds all that was to be written.
        expect(inspect(failed, { depth: 9 })).not.toContain('mailtrail_messages')
      })
      await another.close()
    },
    20_000,
  )

  test.each([
    ["SET SESSION sql_mode = ''"],
    ["SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH'"],
    ['SET NAMES latin1'],
  ])('text comes back as it was after %s', async (setting) => {
    const theirs = createPool({
      uri: database.url,
      bigNumberStrings: true,
      supportBigNumbers: true,
      nestTables: true,
      typeCast: () => 'not that',
      ...(setting.includes('latin1') && { charset: 'latin1_swedish_ci' }),
    })
    theirs.pool.on('connection', (connection) => void connection.query(setting))
    const onPool = mysqlStore(theirs)
    const text = `'"\`\\'; -- \\" \0 \x1a \n % _ 𝒜 é ${'\u{10ffff}'} \ud800 X'00'`
    const address = `o'br"ie\\n𝒜@example.com`
    const record = { ...recordOf(address), subject: text, metadata: { [text]: text } }
    await onPool.addMessage(record, messageKeys(record), schedule)
    const batch = batchOf({
      type: 'delivered',
      ownId: record.trackingId,
      recipient: address,
      raw: { [text]: text },
    })
    await onPool.ingest(batch, schedule)
    const stored = await store.message(record.trackingId)
    expect(stored?.record).toEqual(record)
    expect(stored?.events).toMatchObject([{ raw: { [text]: text } }])
    expect([...(stored?.states.keys() ?? [])]).toEqual([address])
    expect(await onPool.find({ address }, 10)).toHaveLength(1)
    await onPool.close()
    await theirs.end()
  })

  test('a connection that is killed midway rejects, and the next one is another', async () => {
    const record = await added()
    const batch = batchFor(record, 'delivered')
    await within(async (query) => {
      await query('SELECT * FROM mailtrail_messages FOR UPDATE')
      const failing = expect(store.ingest(batch, schedule)).rejects.toThrow()
      await new Promise((resolve) => void setTimeout(resolve, 300))
      const waiting = await rows(
        "SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
      )
      for (const row of waiting) await rows(`KILL ${Number(Reflect.get(Object(row), 'id'))}`)
      expect(waiting.length).toBeGreaterThan(0)
      await failing
    })
    expect(await store.ingest(batch, schedule)).toMatchObject({ duplicates: 0 })
  })

  test('a statement that the server refuses is not tried again, and its connection is used on', async () => {
    const one = createPool({ uri: database.url, connectionLimit: 1 })
    const identities: unknown[] = []
    const refused = inTransaction({ pool: one, lent: false }, 'writing', async (query) => {
      identities.push(...(await query('SELECT CONNECTION_ID() AS id')))
      await query('SELECT nonsense')
    })
    await expect(refused).rejects.toMatchObject({ code: 'ER_BAD_FIELD_ERROR' })
    const [after] = await one.query('SELECT CONNECTION_ID() AS id')
    expect(identities).toEqual(after)
    await one.end()
  })

  test.each(['ER_LOCK_DEADLOCK', 'ER_DUP_ENTRY'])(
    'what fails for others with %s is tried again, and not for ever',
    async (code) => {
      let attempts = 0
      const failing = (times: number) =>
        inTransaction({ pool, lent: false }, 'writing', async () => {
          attempts += 1
          if (attempts <= times) throw Object.assign(new Error(code), { code, sqlState: '40001' })
          return 'done'
        })
      expect(await failing(9)).toBe('done')
      attempts = 0
      await expect(failing(99)).rejects.toThrow(code)
      expect(attempts).toBe(10)
    },
  )

  test('a migration that was killed half-way is finished by the next start', async () => {
    await rows('DROP TABLE mailtrail_nonces, mailtrail_untold')
    await rows('DELETE FROM mailtrail_key_locks WHERE bucket > 9')
    await rows('DELETE FROM mailtrail_migrations')
    const next = mysqlStore(database.url)
    expect(await next.nextDue()).toBeUndefined()
    expect(await rows('SELECT * FROM mailtrail_key_locks')).toHaveLength(64)
    await next.close()
  })

  test('rejects where a lock of its keys is gone, rather than do without', async () => {
    await rows('DELETE FROM mailtrail_key_locks')
    const record = recordOf('ann@example.com')
    await expect(store.addMessage(record, messageKeys(record), schedule)).rejects.toThrow(
      'mailtrail_key_locks',
    )
  })
})

test('a URL that cannot be read is not shown', () => {
  const url = `mysql://user:very secret@host:${uuidv7()}/x`
  let error: unknown
  try {
    mysqlStore(url)
  } catch (thrown) {
    error = thrown
  }
  expect(inspect(error, { depth: 9 })).toContain('the URL cannot be read')
  expect(inspect(error, { depth: 9 })).not.toContain('very secret')
})
