// Past one process: handlers on one PostgreSQL, and listeners in workers of BullMQ on one Redis, all on this machine.
import { setTimeout as delay } from 'node:timers/promises'
import { start } from './processes.mjs'
import { newMessages } from './webhook-batches.mjs'

const size = 100
const clientsEach = 2

/**
 * @param {{ handlers: number, workers: number, events: number, postgres: string, redis: string }} options
 */
export async function measureMachines({ handlers, workers, events, postgres, redis }) {
  const load = await start('ingest-load.mjs', ['sendgrid'])
  const begin = (role) => start('queue-process.mjs', [role, load.ready.key, postgres, redis])
  const handling = await Promise.all(Array.from({ length: handlers }, () => begin('handler')))
  const working = await Promise.all(Array.from({ length: workers }, () => begin('worker')))
  const records = newMessages('sendgrid', 10_000)
  await load.ask('know', { records })
  await handling[0].ask('know', { records })
  const all = [...handling, ...working]
  const states = () => Promise.all(all.map((side) => side.ask('told')))
  const toldBy = (list) => list.reduce((sum, { told }) => sum + told, 0)
  const cpuOf = (list) => list.reduce((sum, { cpu }) => sum + cpu.user + cpu.system, 0)

  async function run(count) {
    await load.ask('make', { batches: count / size, size })
    const before = await states()
    const began = performance.now()
    const ports = handling.map(({ ready }) => ready.port)
    await load.ask('postAll', { ports, clients: clientsEach })
    const answered = performance.now() - began
    let after = await states()
    while (toldBy(after) - toldBy(before) < count) {
      await delay(20)
      after = await states()
    }
    const told = performance.now() - began
    const cpu = (from, to) => (cpuOf(after.slice(from, to)) - cpuOf(before.slice(from, to))) / count
    return {
      'answered/s': Math.round((count / answered) * 1000),
      'told/s': Math.round((count / told) * 1000),
      'us an event in handlers': Math.round(cpu(0, handlers)),
      'us in workers': Math.round(cpu(handlers)),
    }
  }

  await run(Math.min(events, 4000))
  const measured = await run(events)
  await Promise.all([load, ...all].map((side) => side.stop()))
  return { handlers, workers, events, ...measured }
}
