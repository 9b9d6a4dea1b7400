import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../../src/store.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { openDatabase } from '../../src/stores/sqlite-driver.js'
import { batchOf, recordOf } from '../../src/testing/store-samples.js'
import {
  add,
  answer,
  farAhead,
  idsOf,
  ingest,
  statusOf,
  tell,
} from '../../src/testing/store-steps.js'

let folder = ''
let file = ''
let store: Store

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-rows-'))
  file = join(folder, 'store.db')
  store = sqliteStore(file)
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A message whose provider id turned out to be that of one of its recipients. */
async function sent() {
  const record = { ...recordOf('ann@example.com', 'bob@example.com'), providerMessageId: 'p-1' }
  await add(store, record)
  await answer(store, record, {
    outcome: 'sent',
    recipients: record.recipients.map((entry, index) => ({
      ...entry,
      status: 'accepted',
      providerMessageId: `p-${index + 1}`,
    })),
  })
  const batch = batchOf({ type: 'delivered', providerMessageId: 'p-1' })
  await tell(store, idsOf((await ingest(store, batch)).deliveries))
  return record
}

test('an id that was known for the whole message becomes that of one recipient', async () => {
  const record = await sent()
  expect(await statusOf(store, record, 'ann@example.com')).toBe('delivered')
  expect(await statusOf(store, record, 'bob@example.com')).toBe('accepted')
})

test('of a message that is pruned no row is left in any table', async () => {
  await sent()
  expect(await store.prune({ messages: farAhead }, 10)).toBe(1)
  const database = await openDatabase(file)
  const rowsOf = (table: string): number =>
    database.prepare(`SELECT 1 FROM mailtrail_${table}`).all().length
  const tables = ['messages', 'recipients', 'labels', 'keys', 'events', 'waiting', 'untold']
  const left = tables.map((table) => [table, rowsOf(table)])
  database.close()
  expect(left).toEqual(tables.map((table) => [table, 0]))
})
