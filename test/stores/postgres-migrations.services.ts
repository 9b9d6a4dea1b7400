import { expect, test } from '@jest/globals'
import type { Store } from '../../src/store.js'
import { postgresMigrations } from '../../src/stores/postgres-migrations.js'
import { postgresTables } from '../../src/stores/postgres-tables.js'
import { inTransaction, writing } from '../../src/stores/postgres-transaction.js'
import { digestId } from '../../src/stores/postgres-values.js'
import { batchFor, recordOf, start } from '../../src/testing/store-samples.js'
import {
  add,
  added,
  byFirst,
  claim,
  farAhead,
  first,
  ingest,
  openingsIn,
} from '../../src/testing/store-steps.js'
import { ask, newPool, open, opening } from './postgres-database.js'
import { expectToBeWrittenDown } from './schema.js'

const message = recordOf('ann@example.com')
const waiting = batchFor(message, 'opened').events.map(({ event }) => event)

/** A database as the first version has made and filled it: with a message, and an event of it. */
async function firstVersion(): Promise<void> {
  for (const statement of postgresMigrations[0] ?? []) await ask(statement)
  await ask(
    `CREATE TABLE mailtrail_migrations (version integer PRIMARY KEY);
     INSERT INTO mailtrail_migrations VALUES (1)`,
  )
  await ask(
    `INSERT INTO mailtrail_nonces (token, content) VALUES ('${digestId('t')}', '${digestId('a')}')`,
  )
  const { trackingId, provider } = message
  const state = {
    step: 'accepted',
    engagement: { opened: { count: 1, first: start, last: start } },
  }
  await inTransaction(newPool(), writing, async (query) => {
    const tables = postgresTables(query)
    await tables.putMessage({ trackingId, provider, record: JSON.stringify(message) })
    await tables.putStates([
      {
        trackingId,
        address: 'ann@example.com',
        status: 'accepted',
        statusBefore: undefined,
        state: JSON.stringify(state),
      },
    ])
    const events = waiting.map((event) => ({ ...event, trackingId }))
    const positions = await tables.addEvents(
      events.map((event) => ({
        id: event.id,
        providerKey: undefined,
        trackingId,
        event: JSON.stringify(event),
      })),
    )
    await query({ text: `UPDATE mailtrail_events SET provider_key = '${digestId('e')}'` })
    await tables.addUntold(
      [...positions].map(([eventId, position]) => ({
        eventId,
        position,
        lane: trackingId,
        dueAt: start,
      })),
    )
  })
}

const find = async (store: Store, label: string): Promise<string[]> =>
  (await store.find({ labels: [label] }, 10)).map(({ record }) => record.trackingId)

test('what the first version has kept is there after the upgrade, and goes on', async () => {
  await firstVersion()
  const [store, other] = [open(newPool()), open(newPool())]
  await Promise.all([store.open(), other.open()])
  const { rows } = await ask('SELECT version FROM mailtrail_migrations ORDER BY version')
  expect(rows).toEqual([{ version: 1 }, { version: 2 }])
  expect((await store.message(message.trackingId))?.record).toEqual(message)
  expect(await openingsIn(store, message)).toBe(1)
  const nonce = { token: 't', content: 'b' }
  expect(await store.ingest({ events: [], nonce }, byFirst)).toEqual({ kind: 'replayed' })
  expect(await store.prune({ nonces: start }, 10)).toBe(1)
  const told = await claim(store, first, farAhead)
  expect(told.map(({ event }) => event.id)).toEqual(waiting.map(({ id }) => id))

  const [again] = opening(message, 5).events
  if (!again) throw new Error('there is no event')
  const batch = { events: [{ ...again, providerKey: digestId('e') }] }
  expect(await ingest(other, batch)).toMatchObject({ duplicates: 1 })
  await ingest(other, opening(message))
  expect(await openingsIn(store, message)).toBe(2)
  // As they came: those that are written now come after those that were there.
  const events = await ask('SELECT tracking_id FROM mailtrail_events ORDER BY position')
  expect(events.rowCount).toBe(2)
  await add(other, { ...message, tags: ['late'] })
  const fresh = await added(store)
  expect(await find(store, 'tag:late')).toEqual([message.trackingId])
  expect(await find(store, 'tag:order')).toEqual([fresh.trackingId])
  const days = { dimension: 'all', from: 0, to: farAhead, by: 'value', limit: 10 } as const
  const [counted] = await store.counts(days)
  expect(counted?.counts.opens).toBe(1)
})

test('a message can be found by what it says now, and no more by what it said before', async () => {
  const store = open(newPool())
  const record = await added(store)
  await add(store, { ...record, tags: ['order', 'late', 'a\0'], metadata: {} })
  expect(await find(store, 'tag:order')).toEqual([record.trackingId])
  expect(await find(store, 'tag:a\0')).toEqual([record.trackingId])
  expect(await find(store, 'metadata:["order","42"]')).toEqual([])
  await add(store, { ...record, tags: [], metadata: {} })
  expect(await find(store, 'tag:order')).toEqual([])
  const { rows } = await ask('SELECT * FROM mailtrail_labels')
  expect(rows).toEqual([])
})

test('the tables of a new database are those that are written down', async () => {
  await open(newPool()).open()
  const { rows } = await ask(
    `SELECT line FROM (
       SELECT relname, 0 AS part, 0 AS number, concat_ws(' ',
         CASE relkind WHEN 'p' THEN 'partitioned table' ELSE 'table' END, relname,
         pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid), reloptions::text) AS line
       FROM pg_class WHERE relname LIKE 'mailtrail_%' AND relkind IN ('r', 'p')
       UNION ALL
       SELECT relname, 1, attnum, concat_ws(' ', ' ', attname, format_type(atttypid, atttypmod),
         CASE collname WHEN 'C' THEN 'by its bytes' END, CASE WHEN attnotnull THEN 'not null' END,
         CASE attidentity WHEN 'a' THEN 'identity' END, 'default ' || pg_get_expr(adbin, adrelid))
       FROM pg_class
         JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
         LEFT JOIN pg_collation ON pg_collation.oid = attcollation
         LEFT JOIN pg_attrdef ON adrelid = pg_class.oid AND adnum = attnum
       WHERE relname LIKE 'mailtrail_%' AND relkind IN ('r', 'p')
       UNION ALL
       SELECT tablename, 2, 0, '  ' || regexp_replace(indexdef, ' ON .* USING', ' USING')
       FROM pg_indexes WHERE tablename LIKE 'mailtrail_%'
     ) AS lines ORDER BY relname COLLATE "C", part, number, line COLLATE "C"`,
  )
  expectToBeWrittenDown(
    'postgres',
    rows.map(({ line }) => line),
  )
})
