import { expect, test } from '@jest/globals'
import { batchOf, recordOf, resultOf } from '../../src/testing/store-samples.js'
import {
  add,
  answer,
  claim,
  farAhead,
  first,
  idsOf,
  ingest,
  tell,
} from '../../src/testing/store-steps.js'
import { ask, explained, type PlanNode } from './postgres-database.js'

const parts = 16

/** By what each large table can be spread: it is part of everything that is unique there. */
const distributionKeys = {
  messages: 'tracking_id',
  recipients: 'tracking_id',
  labels: 'tracking_id',
  keys: 'key',
  events: 'id',
  provider_keys: 'key',
}

/** The tables as they would be where rows are spread by a hash of their key. */
async function spread(): Promise<void> {
  for (const [table, key] of Object.entries(distributionKeys)) {
    const name = `mailtrail_${table}`
    const { rows } = await ask(
      `SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index
       WHERE indrelid = '${name}'::regclass`,
    )
    await ask(
      `ALTER TABLE ${name} RENAME TO ${name}_ranges;
       CREATE TABLE ${name} (LIKE ${name}_ranges INCLUDING IDENTITY) PARTITION BY HASH (${key});
       DROP TABLE ${name}_ranges`,
    )
    for (let part = 0; part < parts; part += 1) {
      await ask(
        `CREATE TABLE ${name}_part_${part} PARTITION OF ${name}
         FOR VALUES WITH (MODULUS ${parts}, REMAINDER ${part})`,
      )
    }
    for (const { definition } of rows) {
      await ask(String(definition).replace(` ONLY public.${name} `, ` ${name} `))
    }
  }
}

/** Statements that have read more than one part of a table, though all they were about was one row of it. */
function wide(nodes: readonly PlanNode[]): string[] {
  const reached = new Map<string, { statement: string; parts: Set<string> }>()
  for (const { statement, run, relation } of nodes) {
    const [, table, part] = /^mailtrail_(\w+)_part_(\d+)$/.exec(relation ?? '') ?? []
    if (table === undefined || part === undefined) continue
    const found = reached.get(`${run} ${table}`) ?? { statement, parts: new Set() }
    reached.set(`${run} ${table}`, { statement, parts: found.parts.add(part) })
  }
  expect(reached.size).toBeGreaterThan(0)
  const found = [...reached.values()].filter(({ parts: { size } }) => size > 1)
  return [...new Set(found.map(({ statement }) => statement))]
}

/** A store over such tables, and how its statements were run. */
async function overParts() {
  let made = false
  const reader = await explained(({ text }) => made && /mailtrail_(?!migrations)/.test(text))
  await spread()
  made = true
  return reader
}

test('every statement of a message, its events and telling them has the key of each table it reads', async () => {
  const { store, nodes } = await overParts()
  const record = recordOf('ann@example.com')
  // Alone with one key, as messages that are sent without a Message-ID are.
  const message = { ...record, messageId: '' }
  await add(store, message)
  await answer(store, message, { ...resultOf(message, 'p-1') })
  const byOwnId = batchOf({ type: 'delivered', ownId: message.trackingId, providerEventId: 'e-1' })
  await tell(store, idsOf((await ingest(store, byOwnId)).deliveries))
  const byTheirs = batchOf({ type: 'opened', providerMessageId: 'p-1' })
  await tell(store, idsOf((await ingest(store, byTheirs)).deliveries))
  await ingest(store, batchOf({ type: 'opened', providerMessageId: 'p-2' }))
  await tell(store, idsOf(await claim(store, first, farAhead)))
  expect(nodes.length).toBeGreaterThan(20)
  expect(wide(nodes)).toEqual([])
})

test('what is asked of a message, and of all, is asked of every part', async () => {
  const reader = await overParts()
  const record = recordOf('ann@example.com')
  await add(reader.store, record)
  reader.nodes.splice(0)
  await reader.store.message(record.trackingId)
  expect(wide(reader.nodes)).toEqual(['mailtrail_events_of'])
  reader.nodes.splice(0)
  await reader.store.find({}, 10)
  expect(wide(reader.nodes)).toEqual([expect.stringContaining('SELECT DISTINCT tracking_id')])
})
