import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { messageKeys } from '../../src/matching.js'
import type { Store } from '../../src/store.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { batchFor, recordOf } from '../../src/testing/store-samples.js'

const root = dirname(dirname(__dirname))
const now = Date.now()
const lease = { owner: 'this one', until: now + 60_000 }
const schedule = { now, foreignAt: now + 60_000, lease: { owner: 'another', until: now } }

let folder = ''
let store: Store
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-backup-'))
  store = sqliteStore(join(folder, 'mailtrail.db'))
  await store.open()
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A message, delivered, which nobody was told yet. */
async function deliver() {
  const record = recordOf('ann@example.com')
  await store.addMessage(record, messageKeys(record), schedule)
  const batch = batchFor(record, 'delivered')
  await store.ingest(batch, schedule)
  return { record, batch }
}

/** The statement that docs/operations.md has for a backup. */
const [, statement = ''] =
  /^sqlite3 mailtrail\.db "(.*)"$/m.exec(readFileSync(join(root, 'docs/operations.md'), 'utf8')) ??
  []

/** Runs it in a process of its own, as the command line of SQLite does. */
async function backUp(): Promise<void> {
  const program = `
    const { DatabaseSync } =
      process.getBuiltinModule('node:sqlite') ?? require('@photostructure/sqlite')
    const database = new DatabaseSync(process.argv[1])
    database.exec(process.argv[2])
    database.close()
  `
  const file = join(folder, 'mailtrail.db')
  const child = spawn(
    process.execPath,
    ['--eval', program, file, statement.replace("'", `'${folder}/`)],
    {
      cwd: root,
      stdio: 'inherit',
    },
  )
  expect(await once(child, 'exit')).toEqual([0, null])
}

test('a backup has all that was acknowledged before, though the store goes on being written', async () => {
  const before = await Promise.all(Array.from({ length: 50 }, deliver))
  let over = false
  const backup = backUp().finally(() => {
    over = true
  })
  let meanwhile = 0
  for (; !over; meanwhile += 1) await deliver()
  await backup
  expect(meanwhile).toBeGreaterThan(0)

  const restored = sqliteStore(join(folder, 'backup.db'))
  for (const { record, batch } of before) {
    const message = await restored.message(record.trackingId)
    expect(message?.states.get('ann@example.com')?.deliveredAt).toBeDefined()
    // What providers or backfill() bring again is known.
    expect(await restored.ingest(batch, schedule)).toMatchObject({ duplicates: 1 })
  }
  await restored.close()
})

test('what nobody was told when the backup was made is told again from it', async () => {
  const { batch } = await deliver()
  await backUp()
  const [told] = await store.claim(now + 1, lease, 10)
  if (!told) throw new Error('there is nothing to be told')
  await store.settle([{ eventId: told.event.id, kind: 'told' }])
  const restored = sqliteStore(join(folder, 'backup.db'))
  const again = await restored.claim(now + 1, lease, 10)
  expect(again.map(({ event }) => event.id)).toEqual(batch.events.map(({ event }) => event.id))
  await restored.close()
})

test('a copy of the file alone lacks what was acknowledged last', async () => {
  const { record } = await deliver()
  copyFileSync(join(folder, 'mailtrail.db'), join(folder, 'copy.db'))
  const copy = sqliteStore(join(folder, 'copy.db'))
  expect(await copy.message(record.trackingId)).toBeUndefined()
  await copy.close()
})

test('once every process has closed the store, a copy of all its files is whole', async () => {
  const { record } = await deliver()
  await store.close()
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('-shm')) {
      copyFileSync(join(folder, name), join(folder, name.replace('mailtrail', 'copy')))
    }
  }
  const copy = sqliteStore(join(folder, 'copy.db'))
  expect((await copy.message(record.trackingId))?.record).toEqual(record)
  await copy.close()
})
