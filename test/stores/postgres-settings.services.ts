import { describe, expect, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Settlement } from '../../src/store.js'
import { batchFor, batchOf, recordOf } from '../../src/testing/store-samples.js'
import {
  add,
  added,
  byFirst,
  claim,
  farAhead,
  ingest,
  now,
  onlyId,
  openingsIn,
} from '../../src/testing/store-steps.js'
import { interposedPool, isCommit, pausedPool } from './interposed-pool.js'
import {
  ask,
  atEnd,
  name,
  newPool,
  open,
  opening,
  url,
  urlOfWriter,
  waits,
} from './postgres-database.js'

describe('a database', () => {
  test('with defaults of its own is used as is needed', async () => {
    for (const setting of [
      `synchronous_commit = 'off'`,
      `default_transaction_isolation = 'serializable'`,
      'default_transaction_read_only = on',
      'statement_timeout = 50',
    ]) {
      await ask(`ALTER DATABASE ${name()} SET ${setting}`)
    }
    const bounds = {
      lock_timeout: '2s',
      statement_timeout: '2s',
      idle_in_transaction_session_timeout: '5s',
    }
    let seen: unknown
    const watched = interposedPool(newPool(), async (query, send) => {
      if (isCommit(query)) {
        const settings = ['transaction_isolation', 'synchronous_commit', ...Object.keys(bounds)]
        const text = `SELECT ${settings.map((setting) => `current_setting('${setting}') AS ${setting}`).join()}`
        ;[seen] = Reflect.get(Object(await send({ text })), 'rows')
      }
      return send()
    })
    const store = open(watched)
    const record = await added(store)
    expect(seen).toEqual({
      transaction_isolation: 'read committed',
      synchronous_commit: 'on',
      ...bounds,
    })
    await store.message(record.trackingId)
    expect(seen).toMatchObject({ transaction_isolation: 'repeatable read', ...bounds })
  })

  test('that waits for more than the disk is asked to do so no less', async () => {
    await ask(`ALTER DATABASE ${name()} SET synchronous_commit = 'remote_apply'`)
    let seen: unknown
    const watched = interposedPool(newPool(), async (query, send) => {
      if (isCommit(query)) {
        ;[seen] = Reflect.get(Object(await send({ text: 'SHOW synchronous_commit' })), 'rows')
      }
      return send()
    })
    await added(open(watched))
    expect(seen).toEqual({ synchronous_commit: 'remote_apply' })
  })

  test('is refused when it cannot keep every character', async () => {
    const latin = `${name()}_latin`
    await ask(
      `CREATE DATABASE ${latin} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    )
    const other = new URL(url())
    other.pathname = `/${latin}`
    const refused = open(other.href)
    atEnd(() => ask(`DROP DATABASE ${latin} WITH (FORCE)`))
    await expect(refused.open()).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringContaining('LATIN1'),
    })
  })

  test('is used on connections that have a name, and end with the store', async () => {
    const connections = async (): Promise<number> => {
      const { rows } = await ask(
        `SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'mailtrail'`,
      )
      return rows.length
    }
    const store = open(url())
    await store.open()
    expect(await connections()).toBeGreaterThan(0)
    await store.close()
    // One that is idle would end by itself, but only after ten seconds.
    for (const end = Date.now() + 5000; (await connections()) > 0 && Date.now() < end;) {
      await delay(10)
    }
    expect(await connections()).toBe(0)
  })

  test('does not keep a program from ending that is through, and has closed nothing', async () => {
    const program = `import { postgresStore } from 'mailtrail/postgres'
      const store = postgresStore(process.argv[1])
      await store.open()
      console.log('through')`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program, url()], {
      cwd: join(__dirname, '../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    await Promise.race([once(child.stdout, 'data'), ended])
    // A connection that is idle would keep it for ten seconds.
    const kill = setTimeout(() => child.kill(), 5000)
    expect(await ended).toEqual([0, null])
    clearTimeout(kill)
  })

  test('is opened by who may not make tables, when they are there', async () => {
    await open(url()).open()
    const store = open(await urlOfWriter())
    const record = await added(store)
    await ingest(store, batchFor(record, 'opened'))
    expect(await openingsIn(store, record)).toBe(1)
  })

  test('keeps any text', async () => {
    const store = open(url())
    const record = {
      ...recordOf('ann\0\ud800@example.com'),
      provider: 'post\0mark',
      subject: '\0\ud800',
    }
    await add(store, record)
    const raw = { '\0': '\udfff' }
    await ingest(store, batchOf({ type: 'opened', ownId: record.trackingId, raw }))
    const stored = await store.message(record.trackingId)
    expect(stored?.record).toEqual(record)
    expect(stored?.events[0]?.raw).toEqual(raw)
    expect(await store.find({ provider: record.provider }, 10)).toHaveLength(1)
    const withNonce = (content: string) =>
      store.ingest({ events: [], nonce: { token: 'a\0', content } }, byFirst)
    expect(await withNonce('b\0')).toMatchObject({ kind: 'stored' })
    expect(await withNonce('b\0')).toMatchObject({ kind: 'stored' })
    expect(await withNonce('b')).toEqual({ kind: 'replayed' })
  })

  test('knows nothing by what is no id', async () => {
    const store = open(url())
    await added(store)
    expect(await store.message('no id')).toBeUndefined()
    expect(await store.replay(['no id'], now)).toBe(0)
    expect(await store.find({}, 10, 'no id')).toEqual([])
    expect(await store.deadLetters(10, 'no id')).toEqual([])
  })

  test('keeps the last of several endings of one event that come together', async () => {
    const store = open(url())
    const ends = (['failed', 'released', 'given-up'] as const).map(async (kind, index) => {
      // Each of another message: what is released of one keeps what comes after it from being taken.
      const { deliveries } = await ingest(store, opening(await added(store), index))
      const eventId = onlyId(deliveries)
      const ending = (attempts: number): Settlement => {
        const progress = { crm: { attempts } }
        if (kind === 'released') return { eventId, kind, progress, dueAt: now + attempts }
        return kind === 'failed'
          ? { eventId, kind, progress }
          : { eventId, kind, progress, at: now }
      }
      await store.settle([ending(1), ending(2)])
    })
    await Promise.all(ends)
    const told = [...(await claim(store, 'anybody', farAhead)), ...(await store.deadLetters(10))]
    expect(told.map(({ progress }) => progress)).toEqual(Array(3).fill({ crm: { attempts: 2 } }))
  })

  test('is brought up to date by one process after the other', async () => {
    const migrating = pausedPool(newPool(), ({ text }) =>
      text.startsWith('INSERT INTO mailtrail_mig'),
    )
    migrating.arm()
    const first = open(migrating.pool).open()
    await migrating.reached
    const other = open(newPool()).open()
    expect(await waits(other)).toBe(true)
    const { rows } = await ask(
      `SELECT wait_event FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    expect(rows).toEqual([{ wait_event: 'advisory' }])
    migrating.resume()
    await first
    await other
  })

  test('is not read whole, though its tables were small when the statements were planned', async () => {
    const store = open(newPool({ max: 1 }))
    const record = await added(store)
    const events = (at: number) =>
      Array.from({ length: 100 }, (_, index) => ({
        type: 'opened' as const,
        ownId: record.trackingId,
        occurredAt: new Date((at * 100 + index) * 1000),
      }))
    await ingest(store, batchOf(...events(0)))
    await ask('VACUUM ANALYZE')
    for (let round = 1; round < 10; round += 1) await ingest(store, batchOf(...events(round)))
    await store.close()
    // What the connection has read is counted when it is idle for a second.
    await delay(1500)
    const { rows } = await ask(
      `SELECT relname, seq_scan FROM pg_stat_user_tables
       WHERE relname IN ('mailtrail_untold', 'mailtrail_events', 'mailtrail_recipients') AND seq_tup_read > 0`,
    )
    expect(rows).toEqual([])
  })
})
