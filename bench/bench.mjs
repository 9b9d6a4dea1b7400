// npm run bench [-- --quick] [--only ingest,latency,growth,memory,start] [--messages 10000000]
//
// Measures what takes webhooks in, prints what it found and what it is to reach, and fails where that was missed.
// With BENCH_POSTGRES_URL it measures PostgreSQL, too: a database of its own, whose user may create others.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { measureGrowth } from './growth.mjs'
import { measureIngest } from './ingest.mjs'
import { measureLatency } from './latency.mjs'
import { measureMemory } from './memory.mjs'
import { measureStart } from './start.mjs'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'ingest,latency,growth,memory,start' },
    messages: { type: 'string', default: '1000000' },
  },
})
const { quick } = values
const wanted = new Set(values.only.split(','))
const url = process.env['BENCH_POSTGRES_URL']

/** @type {{ what: string, measured: number, wanted: string, reached: boolean }[]} */
const targets = []
const atLeast = (what, measured, least) =>
  targets.push({ what, measured, wanted: `at least ${least}`, reached: measured >= least })
const atMost = (what, measured, most) =>
  targets.push({ what, measured, wanted: `at most ${most}`, reached: measured <= most })

console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}\n`)

const main = { size: 100, clients: 8, events: quick ? 8000 : 40_000, rounds: quick ? 5 : 11 }
const others = quick
  ? [{ ...main, size: 1000, events: 16_000, rounds: 3 }]
  : [1, 100, 1000].flatMap((size) =>
      [1, 8, 16].flatMap((clients) => {
        const load = { ...main, size, clients, events: size === 1 ? 8000 : 40_000, rounds: 5 }
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
  console.table(tables.flat())
  const [[{ 'events/s': rate, 'of the limit': ofLimit, 'times the Express app': times }]] = tables
  highest = rate
  atLeast('ingest, of the limit, batches of 100 and 8 clients', ofLimit, 0.6)
  atLeast('ingest, times the Express app', times, 6)
}
if (wanted.has('latency')) {
  const latency = await measureLatency({ rate: highest / 2, seconds: quick ? 8 : 60 })
  console.table([latency])
  atMost('p99 of an answer at half load, ms', latency['p99 ms'], 50)
}
if (wanted.has('growth')) {
  const sizes = quick ? [50_000] : [100_000, Number(values.messages)]
  const table = []
  for (const messages of sizes)
    table.push(await measureGrowth({ messages, rounds: quick ? 60 : 300 }))
  if (url && !quick) table.push(await measureGrowth({ messages: 100_000, rounds: 100, url }))
  console.table(table)
  for (const { store, messages, times } of table) {
    atMost(`a batch, ${store} with ${messages} messages against 10000`, times, 1.5)
  }
}
if (wanted.has('memory')) {
  const memory = await measureMemory(quick ? 60_000 : 2_000_000)
  console.table([memory])
  atMost('resident size while events pass, MB', memory['largest MB'], 200)
  if (!quick) atMost('its growth over the last half', memory.growth, 0.1)
}
if (wanted.has('start')) {
  const table = measureStart(quick ? 3 : 11)
  console.table(table)
  const loaded = table.filter(({ SDKs }) => SDKs !== '').length
  atMost('entries that load an SDK when they are imported', loaded, 0)
}

console.table(targets)
process.exit(targets.every(({ reached }) => reached) ? 0 : 1)
