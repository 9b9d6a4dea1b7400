// How long an answer takes at half of the highest load, while listeners take 100 ms each.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quantile, start } from './processes.mjs'
import { newMessages } from './webhook-batches.mjs'

const size = 100
const clients = 16

/**
 * @param {{ rate: number, seconds: number }} options `rate` in events per second
 */
export async function measureLatency({ rate, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail-latency-'))
  const load = await start('ingest-load.mjs', ['sendgrid'])
  const given = ['mailtrail', 'sendgrid', load.ready.key, join(folder, 'store.db')]
  const environment = { LISTENER_TAKES: '100' }
  const server = await start('ingest-server.mjs', given, { environment })
  const records = newMessages('sendgrid', 10_000)
  for (const side of [load, server]) await side.ask('know', { records })
  const every = (size / rate) * 1000
  const pace = async (batches) => {
    await load.ask('make', { batches, size })
    const { times } = await load.ask('pace', { port: server.ready.port, clients, every })
    await server.ask('drain')
    return times
  }
  // A process is slower until its code is compiled.
  await pace(30)
  const times = await pace(Math.ceil((seconds * 1000) / every))
  await Promise.all([load.stop(), server.stop()])
  rmSync(folder, { recursive: true, force: true })
  return {
    'events/s': Math.round(rate),
    answers: times.length,
    'p50 ms': Number(quantile(times, 0.5).toFixed(1)),
    'p99 ms': Number(quantile(times, 0.99).toFixed(1)),
    'worst ms': Number(Math.max(...times).toFixed(1)),
  }
}
