import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageKeys } from '../../src/matching.js'
import type { Store } from '../../src/store.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import { postgresStore } from '../../src/stores/postgres.js'
import { batchFor, recordOf } from '../../src/testing/store-samples.js'
import { type Database, newMysqlDatabase, newPostgresDatabase } from '../databases.js'

const now = Date.now()
const schedule = { now, foreignAt: now + 60_000, lease: { owner: 'another', until: now } }
const lease = { owner: 'this one', until: now + 60_000 }

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-backup-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function run(program: string, words: readonly string[], input?: Buffer): Buffer {
  return execFileSync(program, words, { cwd: folder, input, maxBuffer: 100_000_000 })
}

/** With the options that docs/operations.md has. */
function copyPostgres(from: Database, to: Database): void {
  run('pg_dump', ['--format=custom', '--file=backup.dump', from.url])
  run('pg_restore', ['--no-owner', `--dbname=${to.url}`, 'backup.dump'])
}

function copyMysql(from: Database, to: Database): void {
  const at = ({ url }: Database): string[] => {
    const { hostname, port, username, password, pathname } = new URL(url)
    const secret = password === '' ? [] : [`--password=${decodeURIComponent(password)}`]
    return [
      `--host=${hostname}`,
      `--port=${port}`,
      `--user=${username}`,
      ...secret,
      pathname.slice(1),
    ]
  }
  const dump = run('mysqldump', ['--single-transaction', ...at(from)])
  run('mysql', at(to), dump)
}

const servers: [
  name: string,
  newDatabase: () => Promise<Database>,
  open: (url: string) => Store,
  copy: (from: Database, to: Database) => void,
][] = [
  ['PostgreSQL', newPostgresDatabase, postgresStore, copyPostgres],
  [
    'PostgreSQL by day',
    newPostgresDatabase,
    (url) => postgresStore(url, { partitions: 'day' }),
    copyPostgres,
  ],
  ['MariaDB', newMysqlDatabase, mysqlStore, copyMysql],
]

test.each(servers)('a dump of %s is a store that goes on', async (_, newDatabase, open, copy) => {
  const [from, to] = [await newDatabase(), await newDatabase()]
  const store = open(from.url)
  const record = recordOf('ann@example.com')
  await store.addMessage(record, messageKeys(record), schedule)
  const batch = batchFor(record, 'delivered')
  await store.ingest(batch, schedule)
  copy(from, to)

  const restored = open(to.url)
  const message = await restored.message(record.trackingId)
  expect(message?.record).toEqual(record)
  expect(message?.states.get('ann@example.com')?.deliveredAt).toBeDefined()
  // What comes again is known, and what nobody was told is told from here.
  expect(await restored.ingest(batch, schedule)).toMatchObject({ duplicates: 1 })
  const later = batchFor(record, 'opened')
  await restored.ingest(later, schedule)
  const told = await restored.claim(now + 1, lease, 10)
  expect(told.map(({ event }) => event.id)).toEqual(
    [...batch.events, ...later.events].map(({ event }) => event.id),
  )
  await restored.close()
  await store.close()
  await from.remove()
  await to.remove()
})
