// The resident size of a process that takes webhooks, while very many events pass.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { start } from './processes.mjs'
import { newMessages } from './webhook-batches.mjs'

const size = 100
const clients = 8
const samples = 20

/** @param {number} events */
export async function measureMemory(events) {
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail-memory-'))
  const load = await start('ingest-load.mjs', ['sendgrid'])
  const given = ['mailtrail', 'sendgrid', load.ready.key, join(folder, 'store.db')]
  const server = await start('ingest-server.mjs', given)
  const records = newMessages('sendgrid', 10_000)
  for (const side of [load, server]) await side.ask('know', { records })
  const sizes = []
  for (let sample = 0; sample < samples; sample += 1) {
    await load.ask('make', { batches: Math.ceil(events / size / samples), size })
    await load.ask('post', { port: server.ready.port, clients })
    const { resident } = await server.ask('drain')
    sizes.push(Math.round(resident / 1e6))
  }
  await Promise.all([load.stop(), server.stop()])
  rmSync(folder, { recursive: true, force: true })
  const middle = sizes.slice(samples / 2)
  return {
    events,
    'MB, at each twentieth': sizes.join(' '),
    'largest MB': Math.max(...sizes),
    // How the last half has grown, of what it was in its midst.
    growth: Number(((middle.at(-1) - middle[0]) / middle[0]).toFixed(3)),
  }
}
