import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageKeys } from '../../src/matching.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { openDatabase } from '../../src/stores/sqlite-driver.js'
import { fields } from '../../src/payload.js'
import { batchFor, recordOf } from '../../src/testing/store-samples.js'
import { expectToBeWrittenDown } from './schema.js'

const now = Date.now()
const schedule = { now, foreignAt: now + 60_000, lease: { owner: 'another', until: now } }

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-migrations-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A file as the first version leaves it, with a message and an event of it. */
async function firstVersion(file: string) {
  const store = sqliteStore(file)
  const record = recordOf('ann@example.com')
  const batch = batchFor(record, 'delivered')
  await store.addMessage(record, messageKeys(record), schedule)
  await store.ingest({ ...batch, nonce: { token: 't', content: 'a' } }, schedule)
  await store.close()
  const database = await openDatabase(file)
  for (const name of ['nonces_by_time', 'waiting_by_event', 'events_alone']) {
    database.exec(`DROP INDEX mailtrail_${name}`)
  }
  for (const name of ['labels', 'counts', 'count_totals', 'checkpoints', 'suppressions']) {
    database.exec(`DROP TABLE mailtrail_${name}`)
  }
  database.exec('ALTER TABLE mailtrail_nonces DROP COLUMN used_at')
  database.exec('DELETE FROM mailtrail_migrations WHERE version > 1')
  database.close()
  return { record, batch }
}

test('what the first version has kept is there after the upgrade, and goes on', async () => {
  const file = join(folder, 'mailtrail.db')
  const { record, batch } = await firstVersion(file)
  const [store, other] = [sqliteStore(file), sqliteStore(file)]
  await Promise.all([store.open(), other.open()])
  const message = await store.message(record.trackingId)
  expect(message?.record).toEqual(record)
  expect(message?.states.get('ann@example.com')?.deliveredAt).toBeDefined()
  const nonce = { token: 't', content: 'b' }
  expect(await store.ingest({ events: [], nonce }, schedule)).toEqual({ kind: 'replayed' })
  expect(await other.ingest(batch, schedule)).toMatchObject({ duplicates: 1 })
  expect(await other.ingest(batchFor(record, 'opened'), schedule)).toMatchObject({ duplicates: 0 })
  const told = await store.claim(now + 1, { owner: 'this one', until: now + 60_000 }, 10)
  expect(told.map(({ event }) => event.type)).toEqual(['delivered', 'opened'])
  // A token of the first version has no time, and goes with the oldest.
  expect(await store.prune({ nonces: now }, 10)).toBe(1)
  await store.close()
  await other.close()
})

test('the tables of a new file are those that are written down', async () => {
  const file = join(folder, 'mailtrail.db')
  const store = sqliteStore(file)
  await store.open()
  await store.close()
  const database = await openDatabase(file)
  const rows = database
    .prepare(
      `SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name`,
    )
    .all()
  database.close()
  expectToBeWrittenDown(
    'sqlite',
    rows.flatMap((row) => String(fields(row)['sql']).split('\n')).map((line) => line.trimEnd()),
  )
})
