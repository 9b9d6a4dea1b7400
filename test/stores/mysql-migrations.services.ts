import { expect, test } from '@jest/globals'
import { messageKeys } from '../../src/matching.js'
import type { Store } from '../../src/store.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import { mysqlMigrations } from '../../src/stores/mysql-migrations.js'
import { batchFor, recordOf } from '../../src/testing/store-samples.js'
import { atEnd, newPool, once, url } from './mysql-database.js'
import { expectToBeWrittenDown } from './schema.js'

const now = Date.now()
const schedule = { now, foreignAt: now + 60_000, lease: { owner: 'this one', until: now + 60_000 } }
const address = 'ann@example.com'

/** A database as version 1 left it, with a message in it. */
async function versionOne(): Promise<ReturnType<typeof recordOf>> {
  const pool = newPool()
  await pool.query('CREATE TABLE mailtrail_migrations (version INT NOT NULL PRIMARY KEY)')
  for (const statement of mysqlMigrations[0] ?? []) await pool.query(statement)
  await pool.query('INSERT INTO mailtrail_migrations VALUES (1)')
  const record = recordOf(address)
  const { trackingId, provider } = record
  await once(pool, async (tables) => {
    await tables.putMessage({ trackingId, provider, record: JSON.stringify(record) })
    await tables.putKeys(trackingId, messageKeys(record))
    const state = JSON.stringify({ step: 'pending', engagement: {} })
    await tables.putStates([
      { trackingId, address, status: 'pending', statusBefore: undefined, state },
    ])
  })
  return record
}

function open(): Store {
  const store = mysqlStore(url())
  atEnd(() => store.close())
  return store
}

test('a database of version 1 is brought to this one, by several at once, and keeps what it has', async () => {
  const record = await versionOne()
  const stores = [open(), open(), open()]
  await Promise.all(stores.map((store) => store.open()))
  const [store = open()] = stores
  expect((await store.message(record.trackingId))?.record).toEqual(record)
  expect(await store.ingest(batchFor(record, 'delivered'), schedule)).toMatchObject({
    deliveries: [{ message: { trackingId: record.trackingId } }],
  })
  expect(await store.find({ address, status: 'delivered' }, 10)).toHaveLength(1)
  const newer = recordOf(address)
  await store.addMessage(newer, messageKeys(newer), schedule)
  expect(await store.find({ labels: ['tag:order'] }, 10)).toMatchObject([
    { record: { trackingId: newer.trackingId } },
  ])
  const pool = newPool()
  const [rows] = await pool.query('SELECT version FROM mailtrail_migrations ORDER BY version')
  expect(rows).toEqual([{ version: 1 }, { version: 2 }])
})

const second = mysqlMigrations[1] ?? []

test.each([...second.keys()])(
  'an upgrade that was killed after %i statements is finished by the next start',
  async (count) => {
    const record = await versionOne()
    const pool = newPool({ connectionLimit: 1 })
    await pool.query("INSERT INTO mailtrail_nonces (token, content) VALUES ('t', 'a')")
    for (const statement of second.slice(0, count)) await pool.query(statement)
    const store = open()
    expect(await store.suppressionsOf([address])).toEqual([])
    expect((await store.message(record.trackingId))?.events).toEqual([])
    // A token of before is as old as can be.
    expect(await store.prune({ nonces: 1 }, 10)).toBe(1)
  },
)

test('what an upgrade changes is changed once', async () => {
  const columns = `SELECT table_name AS t, column_name AS c, column_type AS d, is_nullable AS n
    FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY t, c`
  const indexes = `SELECT table_name AS t, index_name AS i, seq_in_index AS s, column_name AS c
    FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY t, i, s`
  const pool = newPool({ connectionLimit: 1 })
  const shape = async () => [(await pool.query(columns))[0], (await pool.query(indexes))[0]]
  await open().open()
  const fresh = await shape()
  // Everything once more, as if it had been killed at its end.
  for (const statement of second) await pool.query(statement)
  expect(await shape()).toEqual(fresh)
  expect(JSON.stringify(fresh)).toContain('mailtrail_events_of_message')
  expect(JSON.stringify(fresh)).not.toContain('mailtrail_events_by_message')
})

test('the tables of a new database are those that are written down', async () => {
  await open().open()
  // Servers write the width of integers, which means nothing, or do not; some quote a default.
  const columns = `SELECT table_name AS name, ordinal_position AS number, CONCAT_WS(' ', ' ', column_name,
      REGEXP_REPLACE(column_type, 'int[(][0-9]+[)]', 'int'), IF(is_nullable = 'NO', 'not null', NULL),
      IF(extra LIKE '%auto_increment%', 'auto_increment', NULL),
      CONCAT('default ', NULLIF(column_default, 'NULL'))) AS line
    FROM information_schema.columns WHERE table_schema = DATABASE()`
  const indexes = `SELECT table_name AS name, 1000 AS number, CONCAT('  ', IF(non_unique, '', 'unique '),
      index_name, ' (', GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')') AS line
    FROM information_schema.statistics WHERE table_schema = DATABASE()
    GROUP BY table_name, index_name, non_unique`
  const tables = `SELECT table_name AS name, 0 AS number, CONCAT_WS(' ', 'table', table_name, engine,
      row_format) AS line FROM information_schema.tables WHERE table_schema = DATABASE()`
  const [rows] = await newPool().query(
    `SELECT line FROM (${tables} UNION ALL ${columns} UNION ALL ${indexes}) AS \`lines\`
     ORDER BY name, number, line`,
  )
  expectToBeWrittenDown(
    'mysql',
    Array.isArray(rows) ? rows.map((row) => String(Object(row).line)) : [],
  )
})
