import { beforeEach, expect, jest, test } from '@jest/globals'
import type { Pool } from 'mysql2/promise'
import { setTimeout as delay } from 'node:timers/promises'
import { v7 as uuidv7 } from 'uuid'
import { digest, toBytes } from '../../src/ids.js'
import { labelsOf } from '../../src/matching.js'
import type { CountChange, Store } from '../../src/store.js'
import { counted, noCounts } from '../../src/counts.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import type { Tables } from '../../src/stores/sql-tables.js'
import { batchOf, recordOf, start } from '../../src/testing/store-samples.js'
import { add, answer, byNobody, giveUp, idsOf, ingest } from '../../src/testing/store-steps.js'
import { atEnd, newPool, once, url, withReads } from './mysql-database.js'

const ann = 'ann.o@example.com'

let store: Store
let pool: Pool
beforeEach(async () => {
  store = mysqlStore(url())
  atEnd(() => store.close())
  await store.open()
  pool = newPool()
})

function changeOf(value: string, change: Partial<CountChange> = {}): CountChange {
  return { start: 0, provider: 'a', dimension: 'tag', value, counts: { messages: 1 }, ...change }
}

const take =
  (...texts: string[]) =>
  (tables: Tables) =>
    tables.takeCountsWith(texts)

async function valuesLeft(): Promise<string[]> {
  const query = { dimension: 'tag', from: 0, to: 1, by: 'value', limit: 100 } as const
  return (await store.counts(query)).map(({ key }) => key).toSorted()
}

/** Every value of every table, bytes both as text and in hexadecimal. */
async function dump(): Promise<string> {
  const rowsOf = async (sql: string): Promise<object[]> => {
    const [rows] = await pool.query(sql)
    return Array.isArray(rows) ? rows.map(Object) : []
  }
  const values: string[] = []
  for (const table of (await rowsOf('SHOW TABLES')).flatMap((row) => Object.values(row))) {
    for (const row of await rowsOf(`SELECT * FROM ${String(table)}`)) {
      for (const value of Object.values(row)) {
        values.push(String(value))
        if (Buffer.isBuffer(value)) values.push(value.toString('hex'), value.toString('base64'))
      }
    }
  }
  return values.join('\n').toLowerCase()
}

test('after an address was forgotten no table has it, or a digest of it', async () => {
  const record = {
    ...recordOf('Ann.O@Example.com', 'bob@example.org'),
    metadata: { user: ann },
    tags: [ann],
    templateId: `for ${encodeURIComponent(ann)}`,
  }
  await add(store, record)
  await answer(store, record, {
    outcome: 'sent',
    recipients: record.recipients.map((entry, index) => ({
      ...entry,
      status: 'accepted',
      providerMessageId: `p-${index}`,
    })),
  })
  const of = { ownId: record.trackingId, recipient: ann, raw: { email: ann } }
  const hard = { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } } as const
  const link = `https://example.com/u/${encodeURIComponent(ann)}`
  const told = await ingest(
    store,
    batchOf({ ...hard, ...of }, { type: 'opened', ...of }, { type: 'clicked', url: link, ...of }),
  )
  const progress = { crm: { attempts: 10, error: `no ${ann} here`, ended: 'given-up' as const } }
  await store.settle(
    idsOf(told.deliveries).map((eventId) => ({ eventId, kind: 'given-up', progress, at: start })),
  )
  // One that waits for its message, and one that nothing belongs to.
  const waiting = { type: 'delivered', recipient: ann, providerMessageId: 'q' } as const
  await ingest(store, batchOf(waiting), byNobody)
  await ingest(store, batchOf({ type: 'delivered', recipient: ann, raw: { ann } }), byNobody)
  const digests = [ann, ...labelsOf(record), ann, `for ${encodeURIComponent(ann)}`, link].map(
    digest,
  )
  const traces = [
    ann,
    encodeURIComponent(ann).toLowerCase(),
    ...digests.map((bytes) => bytes.toString('hex')),
    ...idsOf(told.deliveries).map((id) => id.replaceAll('-', '')),
  ]
  const before = await dump()
  expect(traces.filter((trace) => !before.includes(trace))).toEqual([])
  await store.forget(ann, ['Ann.O@Example.com'], 'x@forgotten.invalid')
  const after = await dump()
  const all = [...traces, ...digests.map((bytes) => bytes.toString('base64').toLowerCase())]
  expect(all.filter((trace) => after.includes(trace))).toEqual([])
  expect(after).toContain('x@forgotten.invalid')
})

test('what is counted is taken once and summed over its shards, by two at once too', async () => {
  const random = jest.spyOn(Math, 'random')
  for (let index = 0; index < 40; index += 1) {
    random.mockReturnValueOnce((index % 8) / 8)
    await once(pool, (tables) =>
      tables.addCounts([changeOf(`for ${ann}`, { counts: { messages: 2, opens: -1 } })]),
    )
  }
  random.mockRestore()
  const counts = { ...noCounts, messages: 80, opens: -40 }
  const taken = await Promise.all([1, 2, 3].map(() => once(pool, take(ann, 'for Ann'))))
  expect(taken.flat()).toEqual([changeOf(`for ${ann}`, { counts })])
  expect(await valuesLeft()).toEqual([])
})

test('two who forget different addresses in one value leave neither', async () => {
  await once(pool, (tables) => tables.addCounts([changeOf('ann@x and bob@x')]))
  const second = await once(pool, async (tables) => {
    await tables.takeCountsWith(['ann@x'])
    const taking = once(pool, take('bob@x'))
    await delay(200)
    await tables.addCounts([changeOf('somebody and bob@x')])
    return { taking }
  })
  expect(await second.taking).toMatchObject([{ value: 'somebody and bob@x' }])
  expect(await valuesLeft()).toEqual([])
})

test('texts are meant as they are, in whatever case', async () => {
  const values = [
    'Zoë',
    'a%b@x',
    'a_b@x',
    'a\\b@x',
    "a'b@x",
    'acb@x',
    'é@x',
    'e@x',
    'É@X',
    '€ a?b@x',
    '😀@x',
  ]
  await once(pool, (tables) => tables.addCounts(values.map((value) => changeOf(value))))
  for (const [text, found] of [
    ['A%B@X', ['a%b@x']],
    ['a_b@x', ['a_b@x']],
    ['a\\B@x', ['a\\b@x']],
    ["a'b@x", ["a'b@x"]],
    ['A?b@x', ['€ a?b@x']],
    ['É@x', ['É@X', 'é@x']],
    ['😀@X', ['😀@x']],
    ['zOË', ['Zoë']],
  ] as const) {
    const taken = await once(pool, take(text))
    expect(taken.map(({ value }) => value).toSorted()).toEqual(found)
  }
  expect(await once(pool, take())).toEqual([])
  expect(await valuesLeft()).toEqual(['acb@x', 'e@x'])
})

test.each(["''", "'NO_BACKSLASH_ESCAPES'", "'ANSI'"])(
  'counts are taken with the mode %s, by a connection of another character set',
  async (mode) => {
    const theirs = newPool({ connectionLimit: 1, charset: 'latin1_swedish_ci' })
    await theirs.query(`SET SESSION sql_mode = ${mode}`)
    await once(theirs, (tables) => tables.addCounts([changeOf('é\\@x'), changeOf('e@x')]))
    expect(await once(theirs, take('É\\@X'))).toMatchObject([{ value: 'é\\@x' }])
    expect(await valuesLeft()).toEqual(['e@x'])
  },
)

test('who takes counts does not wait for those who count something else', async () => {
  await once(pool, (tables) => tables.addCounts([changeOf(ann), changeOf('x')]))
  await once(pool, async (tables) => {
    await tables.addCounts([changeOf('x')])
    expect(await once(pool, take(ann))).toHaveLength(1)
  })
})

test('an event is written under another id wherever that stands', async () => {
  const batch = batchOf(
    { type: 'delivered', providerMessageId: 'p-1' },
    { type: 'delivered', providerMessageId: 'p-2' },
  )
  await ingest(store, batch, byNobody)
  const [untold = '', dead = ''] = batch.events.map(({ event }) => event.id)
  await giveUp(store, [dead])
  await once(pool, (tables) => tables.putProgress([{ eventId: untold, progress: '{"a":1}' }]))
  const ids = [uuidv7(), uuidv7()]
  await once(pool, async (tables) => {
    await tables.renameEvent(untold, ids[0] ?? '', '{"n":1}', undefined)
    await tables.renameEvent(dead, ids[1] ?? '', '{"n":2}', '{"b":2}')
  })
  expect(await once(pool, (tables) => tables.eventsAfter(0, 10))).toEqual([
    { id: ids[0], position: 1, event: '{"n":1}', progress: '{"a":1}' },
    { id: ids[1], position: 2, event: '{"n":2}', progress: '{"b":2}' },
  ])
  expect(await once(pool, (tables) => tables.dueLanes(Number.MAX_SAFE_INTEGER, 10))).toEqual([
    ids[0],
  ])
  const [rows] = await pool.query('SELECT event_id FROM mailtrail_waiting ORDER BY event_id')
  expect(rows).toEqual(ids.toSorted().map((id) => ({ event_id: toBytes(id) })))
})

test('several who forget, prune and write at once all come to an end', async () => {
  const stores = [store, mysqlStore(url()), mysqlStore(url())]
  for (const one of stores.slice(1)) atEnd(() => one.close())
  const people = Array.from({ length: 4 }, (_, index) => `u${index}@example.com`)
  const write = async (by: Store) => {
    for (const address of [...people, ...people, ...people]) {
      const record = { ...recordOf(address, ann), tags: [address, 'order'] }
      await add(by, record)
      const of = { ownId: record.trackingId, recipient: address }
      await ingest(by, batchOf({ type: 'opened', ...of }, { type: 'complained', ...of }))
    }
  }
  await Promise.all(stores.map(write))
  await Promise.all([
    ...people.map((address, index) =>
      (stores[index % 3] ?? store).forget(address, [], `${index}@forgotten.invalid`),
    ),
    ...stores.map(write),
    ...stores.map((by) => by.prune({ nonces: 1, days: 1, minutes: 1 }, 100)),
  ])
  for (const [index, address] of people.entries()) {
    await store.forget(address, [], `${index}@forgotten.invalid`)
  }
  const left = await dump()
  expect(people.filter((address) => left.includes(address))).toEqual([])
}, 60_000)

test('messages, events and counts are walked by their keys, and no more is read than is given', async () => {
  const count = 3000
  const ids = Array.from({ length: count }, () => toBytes(uuidv7()))
  const zeros = counted.map(() => 0)
  const days = ids.flatMap((id, index) => [
    ['minute', index, 'a', id, 0, '', ...zeros],
    ['all', index, 'a', id, 0, '', ...zeros],
  ])
  const inserts: [string, unknown[][]][] = [
    ['mailtrail_messages', ids.map((id) => [id, 'a', '{}'])],
    ['mailtrail_events', ids.map((id, index) => [index + 1, id, null, id, '{}'])],
    ['mailtrail_untold', ids.map((id, index) => [id, index, id, 0, null, '{}'])],
    ['mailtrail_waiting', ids.map((id) => [id, id, 'own-id'])],
    ['mailtrail_counts', [...days, ['tag', 0, 'a', digest(ann), 0, ann, ...zeros]]],
  ]
  for (const [table, rows] of inserts) await pool.query(`INSERT INTO ${table} VALUES ?`, [rows])
  await pool.query(`ANALYZE TABLE ${inserts.map(([name]) => name).join(', ')}`)
  let seen = 0
  for (let id: string | undefined, more = true; more;) {
    const { result, reads } = await withReads(pool, (tables) => tables.messagesAfter(id, 400))
    expect(reads).toBeLessThan(410)
    seen += result.length
    id = result.at(-1)?.trackingId
    more = result.length === 400
  }
  for (let position = 0, more = true; more;) {
    const { result, reads } = await withReads(pool, (tables) => tables.eventsAfter(position, 400))
    expect(reads).toBeLessThan(3 * 410)
    seen += result.length
    position = result.at(-1)?.position ?? 0
    more = result.length === 400
  }
  expect(seen).toBe(2 * count)
  const renamed = await withReads(pool, async (tables) => {
    const [event] = await tables.eventsAfter(1500, 1)
    await tables.renameEvent(event?.id ?? '', uuidv7(), '{}', undefined)
  })
  expect(renamed.reads).toBeLessThan(20)
  const taken = await withReads(pool, take(ann))
  expect(taken.result).toHaveLength(1)
  expect(taken.reads).toBeLessThan(30)
}, 30_000)
