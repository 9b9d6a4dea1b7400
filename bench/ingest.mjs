// What a webhook costs from its bytes on a socket to every listener, against a bare loop in one process that only
// verifies, parses and inserts (the limit), and against an Express app as people write it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, start } from './processes.mjs'
import { newMessages } from './webhook-batches.mjs'

const known = 10_000

/**
 * Three sides with a store each, and what posts to them.
 *
 * @param {string} provider
 * @param {string} [url] of a PostgreSQL, in place of SQLite
 */
async function startSides(provider, url) {
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail-ingest-'))
  const place = (name) => url ?? join(folder, `${name}.db`)
  const load = await start('ingest-load.mjs', [provider])
  const { key } = load.ready
  const ours = await start('ingest-server.mjs', ['mailtrail', provider, key, place('ours')])
  const express = await start('ingest-server.mjs', ['express', provider, key, place('express')])
  const limit = await start('ingest-limit.mjs', [provider, place('limit')])
  const records = newMessages(provider, known)
  for (const side of [load, ours, limit]) await side.ask('know', { records })
  return {
    async ours(work) {
      await load.ask('make', work)
      const began = performance.now()
      await load.ask('post', { port: ours.ready.port, clients: work.clients })
      await ours.ask('drain')
      return performance.now() - began
    },
    async express(work) {
      await load.ask('make', work)
      const { took } = await load.ask('post', { port: express.ready.port, clients: work.clients })
      return took
    },
    async limit(work) {
      await limit.ask('make', work)
      const { took } = await limit.ask('run', { clients: work.clients })
      return took
    },
    async stop() {
      await Promise.all([load, ours, express, limit].map((side) => side.stop()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Events per second of each side, and the ratios of rounds that follow each other.
 *
 * @param {string} provider
 * @param {{ size: number, clients: number, events: number, rounds: number }[]} loads
 * @param {string} [url]
 */
export async function measureIngest(provider, loads, url) {
  const sides = await startSides(provider, url)
  const table = []
  for (const { size, clients, events, rounds } of loads) {
    const work = { size, clients, batches: Math.max(clients, Math.round(events / size)) }
    // One commit an event: a tenth of the work is enough to know how long it takes.
    const less = { ...work, batches: Math.max(clients, Math.round(work.batches / 10)) }
    const rates = { ours: [], limit: [], express: [] }
    for (let round = -1; round < rounds; round += 1) {
      for (const [side, given] of [
        ['ours', work],
        ['limit', work],
        ['express', less],
      ]) {
        const took = await sides[side](given)
        if (round >= 0) rates[side].push((given.batches * size * 1000) / took)
      }
    }
    const ratio = (to) => median(rates.ours.map((rate, round) => rate / to[round]))
    table.push({
      provider,
      store: url ? 'PostgreSQL' : 'SQLite',
      batch: size,
      clients,
      'events/s': Math.round(median(rates.ours)),
      'of the limit': Number(ratio(rates.limit).toFixed(2)),
      'times the Express app': Number(ratio(rates.express).toFixed(1)),
    })
  }
  await sides.stop()
  return table
}
