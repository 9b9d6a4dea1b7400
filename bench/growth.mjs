// npm run bench:growth [-- --store sqlite|postgres] [--messages 1000000] [--rounds 300]
//
// What matching and recording a batch costs with many stored messages against what it costs with
// 10,000: two databases, filled through the store itself, take batches in turn. PostgreSQL is the one
// of BENCH_POSTGRES_URL, whose user may create databases.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { v7 as uuidv7 } from 'uuid'
import { messageKeys, toIncoming } from '../dist/esm/matching.js'

/** @typedef {import('../dist/esm/index.js').Store} Store */
/** @typedef {import('../dist/esm/index.js').MessageRecord} MessageRecord */

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    messages: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '300' },
  },
})
const few = 10_000
const many = Number(values.messages)
const rounds = Number(values.rounds)
const batchSize = 100
const filledAtOnce = 500

let sequence = 0

/** A message as a transport records it, with the provider's answer. */
function newMessage() {
  sequence += 1
  const address = `customer-${sequence}@example.com`
  const trackingId = uuidv7()
  /** @type {MessageRecord} */
  const record = {
    trackingId,
    provider: 'sendgrid',
    messageId: `<${crypto.randomUUID()}@example.com>`,
    providerMessageId: crypto.randomUUID(),
    envelope: { from: 'shop@example.com', to: [address] },
    from: { name: 'Shop', address: 'shop@example.com' },
    to: [{ name: `Customer ${sequence}`, address }],
    cc: [],
    bcc: [],
    subject: `Your order ${sequence}`,
    tags: ['order'],
    metadata: { order: String(sequence) },
    sentAt: new Date(),
    recipients: [{ address, kind: 'to', status: 'accepted', providerStatus: '' }],
    outcome: 'sent',
  }
  return record
}

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
    const records = Array.from({ length: Math.min(filledAtOnce, count - filled.count) }, newMessage)
    await Promise.all(
      records.map((record) => store.addMessage(record, messageKeys(record), schedule)),
    )
    for (const record of records) {
      filled.count += 1
      recent.push(record)
      if (filled.count % every === 0) sample.push(record)
    }
    if (recent.length > few) recent.splice(0, recent.length - few)
    if (process.stderr.isTTY) process.stderr.write(`\r${filled.count} of ${count} messages `)
  }
  const rate = Math.round(count / ((performance.now() - began) / 1000))
  if (process.stderr.isTTY) process.stderr.write('\r')
  console.log(`${count} messages stored, ${rate} a second`)
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
    const record = records[Math.floor(Math.random() * records.length)] ?? newMessage()
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

/** @param {number[]} times */
function median(times) {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}

/**
 * @param {string} name
 * @param {Filled} small
 * @param {Filled} large
 * @param {'recent' | 'sample'} which
 */
async function compare(name, small, large, which) {
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
  const [a, b] = [median(smallTimes), median(largeTimes)]
  console.log(
    `${name}: ${a.toFixed(2)} ms with ${few}, ${b.toFixed(2)} ms with ${many}: ${(b / a).toFixed(2)} times`,
  )
}

/** Two empty stores, and what takes them away again. */
async function openStores() {
  if (values.store === 'postgres') {
    const { postgresStore } = await import('../dist/esm/stores/postgres.js')
    const { default: pg } = await import('pg')
    const url = process.env['BENCH_POSTGRES_URL']
    if (!url) throw new Error('BENCH_POSTGRES_URL is missing: postgres://user@host/database')
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
      settle: async () => {
        await admin.query('CHECKPOINT')
      },
      remove: async () => {
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
    settle: async () => {
      const [, large = ''] = files
      console.log(`the large file has ${Math.round(statSync(large).size / many)} bytes a message`)
    },
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

const { stores, settle, remove } = await openStores()
try {
  const [small, large] = stores.map((store) => {
    /** @type {Filled} */
    const filled = { store, recent: [], sample: [], count: 0 }
    return filled
  })
  if (!small || !large) throw new Error('there are two')
  await fill(small, few)
  await fill(large, many)
  await settle()
  console.log(`batches of ${batchSize} new events, ${rounds} each, in turn; medians:`)
  await compare('about the 10,000 newest messages', small, large, 'recent')
  await compare('about any message', small, large, 'sample')
  for (const store of stores) await store.close()
} finally {
  await remove()
}
