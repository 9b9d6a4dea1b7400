// npm run bench:questions [-- --store sqlite|postgres] [--messages 1000000]
//
// Fills a store with messages of thirty days and what became of them, while this process's memory is watched;
// then, after pruning as it is done once a day, asks each question of a correlator several times. PostgreSQL is
// the one of BENCH_POSTGRES_URL, a database of its own that is left filled.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { v7 as uuidv7 } from 'uuid'
import { createCorrelator } from '../dist/esm/index.js'
import { messageKeys, toIncoming } from '../dist/esm/matching.js'
import { postgresStore } from '../dist/esm/stores/postgres.js'
import { sqliteStore } from '../dist/esm/stores/sqlite.js'

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    messages: { type: 'string', default: '1000000' },
  },
})
const count = Number(values.messages)
const atOnce = 500
const rounds = 21

const day = 24 * 3600_000
const begin = Date.now() - 30 * day
const providers = ['sendgrid', 'mailgun', 'mandrill']

/** @param {number} index */
function messageOf(index) {
  const sentAt = begin + Math.floor((index / count) * 30 * day)
  const address = `customer-${index % 300_000}@domain-${(index * 7) % 1000}.example`
  /** @type {import('../dist/esm/index.js').MessageRecord} */
  const record = {
    trackingId: uuidv7({ msecs: sentAt }),
    provider: providers[index % 3] ?? '',
    messageId: `<${crypto.randomUUID()}@example.com>`,
    providerMessageId: crypto.randomUUID(),
    envelope: { from: 'shop@example.com', to: [address] },
    from: { name: 'Shop', address: 'shop@example.com' },
    to: [{ name: `Customer ${index}`, address }],
    cc: [],
    bcc: [],
    subject: `Your order ${index}`,
    tags: [`kind-${index % 20}`],
    metadata: { order: String(index) },
    templateId: `template-${index % 50}`,
    sentAt: new Date(sentAt),
    recipients: [{ address, kind: 'to', status: 'accepted', providerStatus: '' }],
    outcome: 'sent',
  }
  return record
}

/**
 * @param {import('../dist/esm/index.js').MessageRecord} record
 * @param {number} index
 */
function eventsOf(record, index) {
  /** @type {import('../dist/esm/event.js').EventFact[]} */
  const facts = [
    index % 50 === 0
      ? { type: 'bounced', bounce: { kind: 'hard', asynchronous: false, enhancedCode: '5.1.1' } }
      : { type: 'delivered', response: '250 OK' },
  ]
  if (index % 4 === 0) facts.push({ type: 'opened', ip: '203.0.113.1' })
  if (index % 20 === 0) {
    facts.push({ type: 'clicked', url: `https://shop.example/p/${index % 500}?c=${index}` })
  }
  return facts.map((fact, place) =>
    toIncoming(
      record.provider,
      {
        ...fact,
        providerEvent: fact.type,
        providerEventId: crypto.randomUUID(),
        occurredAt: new Date(record.sentAt.getTime() + 1000 * (place + 1)),
        recipient: record.recipients[0]?.address ?? '',
        ownId: record.trackingId,
        tags: record.tags,
        metadata: record.metadata,
        raw: { event: fact.type },
      },
      new Date(),
    ),
  )
}

const folder = mkdtempSync(join(tmpdir(), 'mailtrail-questions-'))
const file = join(folder, 'store.db')
const store =
  values.store === 'postgres'
    ? postgresStore(process.env['BENCH_POSTGRES_URL'] ?? '')
    : sqliteStore(file)
const correlator = createCorrelator({ store })

const residentOf = () => Math.round(process.memoryUsage().rss / 1e6)
const resident = []
const began = performance.now()
for (let index = 0; index < count; index += atOnce) {
  const now = Date.now()
  const schedule = { now, foreignAt: now, lease: { owner: 'bench', until: now + 60_000 } }
  const records = Array.from({ length: Math.min(atOnce, count - index) }, (_, place) =>
    messageOf(index + place),
  )
  // As many as send at once: those that wait two seconds for a connection are refused.
  for (let first = 0; first < records.length; first += 50) {
    const some = records.slice(first, first + 50)
    await Promise.all(some.map((record) => store.addMessage(record, messageKeys(record), schedule)))
  }
  const events = records.flatMap((record, place) => eventsOf(record, index + place))
  const result = await store.ingest({ events }, schedule)
  if (result.kind !== 'stored' || result.waiting > 0) throw new Error('a batch was not matched')
  await store.settle(result.deliveries.map(({ event }) => ({ eventId: event.id, kind: 'told' })))
  if (index % Math.floor(count / 10) < atOnce) resident.push(residentOf())
}
const took = (performance.now() - began) / 1000
console.log(`${count} messages with their events stored in ${Math.round(took)} s`)
console.log(`resident size while they were, in MB: ${resident.join(' ')}`)
if (values.store === 'sqlite') {
  console.log(`${Math.round(statSync(file).size / count)} bytes a message in the file`)
}

const pruning = performance.now()
await correlator.prune({})
console.log(`pruned as once a day in ${Math.round((performance.now() - pruning) / 1000)} s`)
if (values.store === 'postgres') {
  // As the server does by itself within minutes.
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: process.env['BENCH_POSTGRES_URL'] })
  await client.connect()
  await client.query('VACUUM ANALYZE')
  await client.end()
}

const middle = messageOf(Math.floor(count / 2))
const recipient = middle.recipients[0]?.address ?? ''
const week = { from: new Date(begin + 10 * day), to: new Date(begin + 17 * day) }
const [known] = (await correlator.find({ recipient }, { limit: 1 })).messages
const deep = await correlator.find({}, { limit: 1000 })

/** @type {Record<string, () => Promise<unknown>>} */
const questions = {
  'message(id)': () => correlator.message(known?.trackingId ?? ''),
  'find()': () => correlator.find(),
  'find(), a later page': () => correlator.find({}, { cursor: deep.cursor ?? '' }),
  'find({ recipient })': () => correlator.find({ recipient }),
  'find({ status: bounced })': () => correlator.find({ status: 'bounced' }),
  'find({ tag })': () => correlator.find({ tag: 'kind-3' }),
  'find({ metadata })': () => correlator.find({ metadata: { order: String(count >> 1) } }),
  'find({ tag, status, provider, week })': () =>
    correlator.find({ tag: 'kind-1', status: 'bounced', provider: 'mailgun', ...week }),
  'find({ tag, status }) that there is not': () =>
    correlator.find({ tag: 'kind-3', status: 'bounced' }),
  'find({ provider, week })': () => correlator.find({ provider: 'mailgun', ...week }),
  'stats(), 30 days': () => correlator.stats(),
  'stats({ provider, week })': () => correlator.stats({ provider: 'mailgun', ...week }),
  'recipientHealth()': () => correlator.recipientHealth(recipient),
  'suppressions.get()': () => correlator.suppressions.get(recipient),
  'suppressions.list()': () => correlator.suppressions.list(),
}
const table = []
for (const [question, ask] of Object.entries(questions)) {
  const times = []
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now()
    await ask()
    times.push(performance.now() - start)
  }
  const sorted = times.toSorted((a, b) => a - b)
  table.push({
    question,
    'median ms': Number((sorted[rounds >> 1] ?? 0).toFixed(1)),
    'longest ms': Number((sorted.at(-1) ?? 0).toFixed(1)),
  })
}
console.table(table)
await correlator.close()
rmSync(folder, { recursive: true, force: true })
