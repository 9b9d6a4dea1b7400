// What matching and recording a batch costs with many stored messages against what it costs with 10,000: two
// databases, filled through the store itself, take batches in turn. And what a message takes in the file, and
// how long it takes to remove what is old.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageKeys, toIncoming } from '../dist/esm/matching.js'
import { median } from './processes.mjs'
import { newMessages } from './webhook-batches.mjs'

/** @typedef {import('../dist/esm/index.js').Store} Store */
/** @typedef {import('../dist/esm/index.js').MessageRecord} MessageRecord */

const few = 10_000
const batchSize = 100
const filledAtOnce = 500

/** @typedef {{ store: Store, recent: MessageRecord[], sample: MessageRecord[], count: number }} Filled */

/**
 * @param {Filled} filled
 * @param {number} count
 */
async function fill(filled, count) {
  const { store, recent, sample } = filled
  const every = Math.max(1, Math.floor(count / few))
  const schedule = { now: Date.now(), foreignAt: Date.now() }
  const began = performance.now()
  while (filled.count < count) {
    const records = newMessages('sendgrid', Math.min(filledAtOnce, count - filled.count))
    await Promise.all(
      records.map((record) => store.addMessage(record, messageKeys(record), schedule)),
    )
    for (const record of records) {
      filled.count += 1
      recent.push(record)
      if (filled.count % every === 0) sample.push(record)
    }
    if (recent.length > few) recent.splice(0, recent.length - few)
  }
  return Math.round(count / ((performance.now() - began) / 1000))
}

let second = Math.floor(Date.now() / 1000)

/**
 * A batch of new events about random ones of these messages, known by each kind of id in turn.
 *
 * @param {MessageRecord[]} records
 */
function batchAbout(records) {
  second += 1
  return Array.from({ length: batchSize }, (_, index) => {
    const record = records[Math.floor(Math.random() * records.length)]
    if (!record) throw new Error('there are no messages')
    const ids = [
      { ownId: record.trackingId },
      { providerMessageId: record.providerMessageId ?? '' },
      { messageId: record.messageId ?? '' },
    ][index % 3]
    return toIncoming(
      record.provider,
      {
        type: index % 2 === 0 ? 'delivered' : 'opened',
        providerEvent: 'event',
        providerEventId: crypto.randomUUID(),
        occurredAt: new Date(second * 1000),
        recipient: record.recipients[0]?.address ?? '',
        tags: ['order'],
        metadata: record.metadata,
        raw: { event: 'delivered', response: '250 OK', useragent: 'x'.repeat(200) },
        ...ids,
      },
      new Date(),
    )
  })
}

/**
 * How long one batch takes, in ms.
 *
 * @param {Store} store
 * @param {MessageRecord[]} records
 */
async function timed(store, records) {
  const events = batchAbout(records)
  const now = Date.now()
  const lease = { owner: 'bench', until: now + 60_000 }
  const began = performance.now()
  const result = await store.ingest({ events }, { now, lease, foreignAt: now })
  const time = performance.now() - began
  if (result.kind !== 'stored' || result.waiting > 0) throw new Error('a batch was not matched')
  await store.settle(result.deliveries.map(({ event }) => ({ eventId: event.id, kind: 'told' })))
  return time
}

/**
 * How long a batch takes in each, in ms, in turn.
 *
 * @param {Filled} small
 * @param {Filled} large
 * @param {'recent' | 'sample'} which
 * @param {number} rounds
 */
async function compare(small, large, which, rounds) {
  /** @type {number[]} */
  const smallTimes = []
  /** @type {number[]} */
  const largeTimes = []
  for (let round = -20; round < rounds; round += 1) {
    const times = [await timed(small.store, small[which]), await timed(large.store, large[which])]
    if (round < 0) continue
    smallTimes.push(times[0] ?? 0)
    largeTimes.push(times[1] ?? 0)
  }
  return [median(smallTimes), median(largeTimes)]
}

/** @param {readonly number[]} pair of the small store, and of the large one */
const inBoth = ([small = NaN, large = NaN]) => `${small.toFixed(2)}, then ${large.toFixed(2)}`

/** @param {readonly number[]} pair */
const timesOf = ([small = NaN, large = NaN]) => Number((large / small).toFixed(2))

/**
 * Two empty stores, and what takes them away again.
 *
 * @param {string} [url] of a PostgreSQL, in place of SQLite
 */
async function openStores(url) {
  if (url) {
    const { postgresStore } = await import('../dist/esm/stores/postgres.js')
    const { default: pg } = await import('pg')
    const admin = new pg.Client({ connectionString: url })
    await admin.connect()
    const names = ['small', 'large'].map((name) => `mailtrail_bench_${name}_${process.pid}`)
    for (const name of names) await admin.query(`CREATE DATABASE ${name}`)
    const stores = names.map((name) => {
      const own = new URL(url)
      own.pathname = `/${name}`
      return postgresStore(own.href)
    })
    return {
      stores,
      async bytes() {
        await admin.query('CHECKPOINT')
        const { rows } = await admin.query('SELECT pg_database_size($1) AS bytes', [names[1]])
        return Number(rows[0].bytes)
      },
      async remove() {
        for (const name of names) await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
        await admin.end()
      },
    }
  }
  const { sqliteStore } = await import('../dist/esm/stores/sqlite.js')
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail-growth-'))
  const files = ['small.db', 'large.db'].map((name) => join(folder, name))
  return {
    stores: files.map((file) => sqliteStore(file)),
    bytes: async () => statSync(files[1] ?? '').size,
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

/**
 * @param {{ messages: number, rounds: number, url?: string }} options
 */
export async function measureGrowth({ messages, rounds, url }) {
  const { stores, bytes, remove } = await openStores(url)
  try {
    const [small, large] = stores.map((store) => {
      /** @type {Filled} */
      const filled = { store, recent: [], sample: [], count: 0 }
      return filled
    })
    if (!small || !large) throw new Error('there are two')
    await fill(small, few)
    const rate = await fill(large, messages)
    const perMessage = Math.round((await bytes()) / messages)
    const recent = await compare(small, large, 'recent', rounds)
    const sample = await compare(small, large, 'sample', rounds)
    const pruning = performance.now()
    const limits = { messages: Date.now() + 1000 }
    const removed = await large.store.prune(limits, 500)
    const pruned = performance.now() - pruning
    for (const store of stores) await store.close()
    return {
      store: url ? 'PostgreSQL' : 'SQLite',
      messages,
      'stored/s': rate,
      'bytes a message': perMessage,
      'ms a batch, of the newest': inBoth(recent),
      times: timesOf(recent),
      'ms a batch, of all': inBoth(sample),
      'times, of all': timesOf(sample),
      'ms to prune 500 messages': Number(((pruned / removed) * 500).toFixed(1)),
    }
  } finally {
    await remove()
  }
}
