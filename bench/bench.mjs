// npm run bench [-- --quick] [--only ingest,latency,growth,memory,start,machines] [--messages 10000000]
//
// Measures what takes webhooks in, prints what it found and what it is to reach, and fails where that was missed.
// With BENCH_POSTGRES_URL it measures PostgreSQL, too: a database of its own, whose user may create others; and with
// BENCH_REDIS_URL beside it handlers and workers of BullMQ.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { measureGrowth } from './growth.mjs'
import { measureIngest } from './ingest.mjs'
import { measureLatency } from './latency.mjs'
import { measureMachines } from './machines.mjs'
import { measureMemory } from './memory.mjs'
import { measureStart } from './start.mjs'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'ingest,latency,growth,memory,start,machines' },
    messages: { type: 'string', default: '1000000' },
  },
})
const { quick } = values
const wanted = new Set(values.only.split(','))
const url = process.env['BENCH_POSTGRES_URL']

/** @type {{ what: string, measured: number | string, wanted?: string, reached?: boolean }[]} */
const rows = []
const found = (what, measured) => rows.push({ what, measured })
const atLeast = (what, measured, least) =>
  rows.push({ what, measured, wanted: `at least ${least}`, reached: measured >= least })
const atMost = (what, measured, most) =>
  rows.push({ what, measured, wanted: `at most ${most}`, reached: measured <= most })
/** All that was measured of something; where it has to be quick, what matters of it stands in the one table. */
const show = (table) => {
  if (!quick) console.table(table)
}

console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}\n`)

const main = { size: 100, clients: 8, events: quick ? 8000 : 20_000, rounds: quick ? 5 : 9 }
const others = quick
  ? [{ ...main, size: 1000, events: 16_000, rounds: 3 }]
  : [1, 100, 1000].flatMap((size) =>
      [1, 8, 16].flatMap((clients) => {
        const load = { ...main, size, clients, events: size === 1 ? 4000 : 20_000, rounds: 3 }
        return size === main.size && clients === main.clients ? [] : load
      }),
    )

let highest = 4000
if (wanted.has('ingest')) {
  const few = { ...main, events: quick ? 4000 : 20_000, rounds: quick ? 3 : 5 }
  const tables = [
    await measureIngest('sendgrid', [main, ...others]),
    await measureIngest('mailgun', [few]),
    await measureIngest('mandrill', [few]),
    ...(url ? [await measureIngest('sendgrid', [few], url)] : []),
  ]
  show(tables.flat())
  for (const row of tables.flat()) {
    const { provider, store, batch, clients } = row
    const load = `${provider}, ${store}, batches of ${provider === 'mailgun' ? 1 : batch}, ${clients} clients`
    found(`ingest, events/s: ${load}`, row['events/s'])
    if (row !== tables[0][0]) found(`  of the limit`, row['of the limit'])
  }
  const [[{ 'events/s': rate, 'of the limit': ofLimit, 'times the Express app': times }]] = tables
  highest = rate
  atLeast('ingest, of the limit, batches of 100 and 8 clients', ofLimit, 0.6)
  atLeast('ingest, times the Express app', times, 6)
}
if (wanted.has('latency')) {
  const latency = await measureLatency({ rate: highest / 2, seconds: quick ? 8 : 60 })
  show([latency])
  found('p50 of an answer at half load, ms', latency['p50 ms'])
  atMost('p99 of an answer at half load, ms', latency['p99 ms'], 50)
}
if (wanted.has('growth')) {
  const sizes = quick ? [50_000] : [100_000, Number(values.messages)]
  const table = []
  const rounds = quick ? 60 : 300
  for (const messages of sizes) table.push(await measureGrowth({ messages, rounds }))
  if (url && !quick) table.push(await measureGrowth({ messages: 100_000, rounds: 100, url }))
  show(table)
  for (const { store, messages, times } of table) {
    atMost(`a batch, ${store} with ${messages} messages against 10000`, times, 1.5)
  }
}
if (wanted.has('memory')) {
  const memory = await measureMemory(quick ? 60_000 : 2_000_000)
  show([memory])
  atMost('resident size while events pass, MB', memory['largest MB'], 200)
  if (!quick) atMost('its growth over the last half', memory.growth, 0.1)
}
const redis = process.env['BENCH_REDIS_URL']
if (wanted.has('machines') && url && redis) {
  const events = quick ? 8000 : 100_000
  const table = []
  for (const each of quick ? [4] : [1, 2, 4]) {
    const processes = { handlers: each, workers: each }
    table.push(await measureMachines({ ...processes, events, postgres: url, redis }))
  }
  show(table)
  for (const row of table) {
    found(`told/s: ${row.handlers} handlers, ${row.workers} workers`, row['told/s'])
  }
}
if (wanted.has('start')) {
  const table = measureStart(quick ? 3 : 11)
  show(table)
  for (const { entry, ms } of table.slice(0, 1)) found(`import ${entry}, ms`, ms)
  const loaded = table.filter(({ SDKs }) => SDKs !== '').length
  atMost('entries that load an SDK when they are imported', loaded, 0)
}

console.table(rows)
process.exit(rows.some(({ reached }) => reached === false) ? 1 : 0)
