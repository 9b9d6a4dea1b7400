import { createHash } from 'node:crypto'
import { beforeEach, expect, test } from '@jest/globals'
import type { MessageRecord } from '../../src/message.js'
import type { CountDimension, Store } from '../../src/store.js'
import { digestId } from '../../src/stores/postgres-values.js'
import { batchOf, recordAt, type SampleEvent, start } from '../../src/testing/store-samples.js'
import {
  add,
  answer,
  byFirst,
  byNobody,
  claim,
  farAhead,
  first,
  giveUp,
  idsOf,
  ingest,
  now,
  tell,
} from '../../src/testing/store-steps.js'
import { isCommit, isNamed } from './interposed-pool.js'
import {
  ask,
  explained,
  newPool,
  opened,
  pausedStore,
  shuffled,
  waits,
} from './postgres-database.js'

const ann = 'ann.o@example.com'
const bob = 'bob@example.org'
const pseudonym = 'forgotten-1@forgotten.invalid'

let store: Store
beforeEach(async () => {
  store = await opened(newPool())
})

/** A message to two, with every kind of event of both: told, dead, and still to be told. */
async function busy(index = 0): Promise<MessageRecord> {
  const record: MessageRecord = {
    ...recordAt(start + index, 'Ann.O@Example.com', bob),
    to: [
      { name: 'Ann Other', address: 'Ann.O@Example.com' },
      { name: 'Bob', address: bob },
    ],
    subject: `For ${ann}`,
    tags: ['order', `for ${ann}`],
    metadata: { user: ann, order: '42' },
  }
  await add(store, record)
  const recipients = record.recipients.map((recipient, number) => ({
    ...recipient,
    status: 'accepted' as const,
    providerMessageId: `p-${index}-${number}`,
  }))
  await answer(store, record, { outcome: 'sent', recipients })
  const eventsOf = (recipient: string): SampleEvent[] => {
    const of = { ownId: record.trackingId, recipient, raw: { email: recipient } }
    const url = `https://example.com/u/${encodeURIComponent(recipient)}`
    return [
      { type: 'delivered', ...of, response: `250 <${recipient.toUpperCase()}> ok after ${bob}` },
      { type: 'clicked', ...of, url },
      { type: 'complained', ...of },
    ]
  }
  const { deliveries } = await ingest(store, batchOf(...eventsOf(ann), ...eventsOf(bob)))
  const [dead = '', ...others] = idsOf(deliveries)
  const progress = { crm: { attempts: 10, error: `no ${ann} here`, ended: 'given-up' as const } }
  await store.settle([{ eventId: dead, kind: 'given-up', progress, at: now }])
  await tell(store, others)
  await ingest(store, batchOf({ type: 'opened', ownId: record.trackingId, recipient: ann }), {
    ...byNobody,
    now,
  })
  return record
}

/** All tables, as text. */
async function dump(): Promise<string> {
  const tables = await ask(
    `SELECT tablename FROM pg_tables WHERE tablename LIKE 'mailtrail_%' ORDER BY tablename`,
  )
  const texts: string[] = []
  for (const { tablename } of tables.rows) {
    const { rows } = await ask(`SELECT line::text AS text FROM ${tablename} AS line`)
    texts.push(tablename, ...rows.map(({ text }) => text))
  }
  return texts.join('\n').toLowerCase()
}

/** An address, and what it is hashed to, in every form. */
function tracesOf(address: string): string[] {
  const texts = [address, `tag:for ${address}`, `metadata:["user","${address}"]`]
  const hashes = texts.flatMap((text) => {
    const bytes = createHash('sha256').update(text).digest()
    const half = bytes.subarray(0, 16)
    return [
      digestId(text),
      half.toString('hex'),
      half.toString('base64'),
      bytes.toString('base64').slice(0, 21),
    ]
  })
  return [address, encodeURIComponent(address), ...hashes].map((text) => text.toLowerCase())
}

const dimensions: CountDimension[] = ['all', 'template', 'tag', 'domain', 'reason', 'link']

/** Sums of all that was counted, of each dimension. */
async function sums() {
  const bounds = { from: 0, to: farAhead, by: 'provider', limit: 1000 } as const
  return Promise.all(dimensions.map((dimension) => store.counts({ dimension, ...bounds })))
}

test('neither the address nor what it is hashed to stands in any table', async () => {
  await busy()
  const early = { type: 'delivered', providerMessageId: 'q', recipient: ann } as const
  await ingest(store, batchOf({ ...early, raw: { to: ann } }), byNobody)
  const added = { kind: 'added', address: ann, cause: 'added', at: start, detail: ann } as const
  await store.suppress([
    { ...added, scope: 'all' },
    { ...added, scope: `group:postmark:${ann}` },
  ])
  const { rows: known } = await ask(
    'SELECT id FROM mailtrail_events WHERE strpos(event, $$ann$$) > 0',
  )
  const before = await dump()
  for (const trace of tracesOf(ann).slice(0, 3)) expect(before).toContain(trace)
  expect(known.length).toBeGreaterThan(4)

  await store.forget(ann, ['Ann.O@Example.com'], pseudonym)
  const after = await dump()
  for (const trace of [...tracesOf(ann), 'ann other', ...known.map(({ id }) => id)]) {
    expect(after).not.toContain(trace)
  }
  expect(after).toContain(bob)
  expect(after).toContain(digestId(pseudonym))
})

test.each([
  ['one of two addresses each', [ann, bob]],
  ['the same address', [ann, ann, ann]],
])(
  'of several that forget %s at once each does so, and what was counted is exact',
  async (_, addresses) => {
    for (let index = 0; index < 20; index += 1) await busy(index)
    const before = await sums()
    await Promise.all(
      addresses.map(async (address, index) => {
        const handle = await opened(newPool())
        await handle.forget(address, [], `forgotten-${index}@forgotten.invalid`)
      }),
    )
    const after = await dump()
    for (const trace of addresses.flatMap(tracesOf)) expect(after).not.toContain(trace)
    expect(await sums()).toEqual(before)
    const bounds = { from: 0, to: farAhead, by: 'value', limit: 1000 } as const
    const domains = await store.counts({ dimension: 'domain', ...bounds })
    const recipients = new Map(domains.map(({ key, counts }) => [key, counts.recipients]))
    expect(recipients.get('forgotten.invalid')).toBe(20 * new Set(addresses).size)
    expect(recipients.get('example.com')).toBe(0)
  },
  30_000,
)

test('who forgets, prunes, tells again and writes at once leaves nothing half done', async () => {
  const records: MessageRecord[] = []
  for (let index = 0; index < 30; index += 1) records.push(await busy(index))
  const letters = await store.deadLetters(100)
  const handle = async () => opened(newPool())
  const [forgetter, pruner, replayer, dispatcher] = await Promise.all([1, 2, 3, 4].map(handle))
  await Promise.all([
    forgetter?.forget(ann, [], pseudonym),
    (async () => {
      for (let time = 0; time < 30; time += 1) await pruner?.prune({ messages: start + time }, 5)
    })(),
    (async () => {
      for (const { event } of shuffled(letters)) await replayer?.replay([event.id], now)
    })(),
    (async () => {
      for (let round = 0; round < 30; round += 1) {
        const claimed = dispatcher ? await claim(dispatcher, first, now, 5) : []
        if (dispatcher) await giveUp(dispatcher, idsOf(claimed))
      }
    })(),
    (async () => {
      for (const { trackingId: ownId } of shuffled(records)) {
        await ingest(store, batchOf({ type: 'opened', ownId, recipient: bob }), byFirst)
      }
    })(),
  ])
  const { rows } = await ask(
    `SELECT 'untold' AS left, event_id FROM mailtrail_untold
     WHERE NOT EXISTS (SELECT FROM mailtrail_events WHERE id = event_id)
     UNION ALL SELECT 'dead', event_id FROM mailtrail_dead_letters
     WHERE NOT EXISTS (SELECT FROM mailtrail_events WHERE id = event_id)
     UNION ALL SELECT 'waiting', event_id FROM mailtrail_waiting
     WHERE NOT EXISTS (SELECT FROM mailtrail_events WHERE id = event_id)
     UNION ALL SELECT 'event', id FROM mailtrail_events AS event
     WHERE tracking_id IS NOT NULL AND NOT EXISTS (
       SELECT FROM mailtrail_messages AS message WHERE message.tracking_id = event.tracking_id)
     UNION ALL SELECT 'recipient', tracking_id FROM mailtrail_recipients AS recipient
     WHERE NOT EXISTS (
       SELECT FROM mailtrail_messages AS message WHERE message.tracking_id = recipient.tracking_id)`,
  )
  expect(rows).toEqual([])
  expect(await dump()).not.toContain(ann)
}, 30_000)

test('a dead letter that is told again while its event is renamed is told without it', async () => {
  await busy()
  const [letter] = await store.deadLetters(1)
  const replayer = await pausedStore(isNamed('add_untold'))
  const replaying = replayer.store.replay([letter?.event.id ?? ''], now)
  await replayer.reached
  const forgetting = store.forget(ann, [], pseudonym)
  expect(await waits(forgetting)).toBe(true)
  replayer.resume()
  expect(await replaying).toBe(1)
  await forgetting
  const claimed = await claim(store, first)
  expect(claimed.map(({ event: { type } }) => type).toSorted()).toEqual(['delivered', 'opened'])
  expect(JSON.stringify(claimed)).not.toContain(ann)
  await tell(store, idsOf(claimed))
  expect(await store.nextDue()).toBeUndefined()
})

test('an event that is settled while it is renamed is not told again', async () => {
  await busy()
  const [claimed] = await claim(store, first)
  const settler = await pausedStore(isCommit)
  const settling = giveUp(settler.store, [claimed?.event.id ?? ''])
  await settler.reached
  const forgetting = store.forget(ann, [], pseudonym)
  expect(await waits(forgetting)).toBe(true)
  settler.resume()
  await settling
  await forgetting
  expect(await store.nextDue()).toBeUndefined()
  expect(await store.deadLetters(10)).toHaveLength(2)
  expect(await dump()).not.toContain(ann)
})

test('of very many messages and events a chunk is read at once, along their keys', async () => {
  const id = `(lpad(to_hex(${start} + number), 12, '0') || '70008000' || lpad(to_hex(number), 12, '0'))::uuid`
  const record = JSON.stringify(recordAt(start, bob))
  await ask(
    `INSERT INTO mailtrail_messages
     SELECT ${id}, 'p', '${record}' FROM generate_series(1::bigint, 3000) AS number;
     INSERT INTO mailtrail_events (id, event)
     SELECT ${id}, '{}' FROM generate_series(1::bigint, 3000) AS number;
     INSERT INTO mailtrail_untold SELECT id, position, id, 0 FROM mailtrail_events;
     INSERT INTO mailtrail_dead_letters SELECT id, position, '{}', 0 FROM mailtrail_events;
     ANALYZE`,
  )
  const reader = await explained(({ text }) => text.endsWith('LIMIT $2'))
  expect(await reader.store.forget(ann, [], pseudonym)).toBe(0)
  expect(reader.nodes.map(({ kind }) => kind)).not.toContain('Sort')
  for (const { rows } of reader.nodes) expect(rows).toBeLessThanOrEqual(500)
  const walked = (table: string) =>
    reader.nodes.filter(({ kind, index }) => kind === 'Index Scan' && index === table)
  expect(walked('mailtrail_messages_first_pkey')).toHaveLength(7)
  expect(walked('mailtrail_events_first_position_idx')).toHaveLength(7)
})
