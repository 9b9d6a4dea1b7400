import { afterEach, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { createCorrelator } from '../src/index.js'
import { postgresStore } from '../src/stores/postgres.js'
import { newPostgresDatabase } from './databases.js'
import { queueSystem } from './queue-processes.js'
import { type RedisServer, startRedis, startRedisCluster } from './redis-servers.js'
import { addressOf, recordNamed, signedPost } from './signed-posts.js'
import { restartPostgres } from './started-services.js'

/** For how long something is killed again and again. */
const seconds = Number(process.env['MAILTRAIL_FAULT_SECONDS'] ?? 12)

/** A queue's lease, a run's lease, and what is left to be told then. */
const longestEnd = 120_000

const eventsOfMessage = 12
const clients = 6

type Victim = 'handler' | 'worker' | 'Redis' | 'PostgreSQL'

interface Killable {
  kill(): Promise<void>
  start(): Promise<void>
}

interface Message {
  name: string
  /** How many of its events were answered 2xx, the first ones. */
  answered: number
}

const anyOf = <T>(items: readonly T[]): T | undefined =>
  items[Math.floor(Math.random() * items.length)]

let ending: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const end of ending.toReversed()) await end()
  ending = []
}, 60_000)

test.each([
  ['Redis', async () => [await startRedis()]],
  ['a Redis Cluster of three nodes', startRedisCluster],
] satisfies [string, () => Promise<RedisServer[]>][])(
  'whatever is killed, on %s, each event that was answered 2xx is told, and in order',
  async (place, startPlace) => {
    const database = await newPostgresDatabase()
    ending.push(database.remove)
    const redis = await startPlace()
    ending.push(...redis.map(({ remove }) => remove))
    const ports = redis.map(({ port }) => port)
    const system = queueSystem(database.url, ports)
    ending.push(system.remove)
    const handlers = [await system.start('handler'), await system.start('handler')]
    const workers = [await system.start('worker'), await system.start('worker')]
    const store = postgresStore(database.url)
    const recorder = createCorrelator({ store })
    ending.push(() => recorder.close())
    const messages: Message[] = []
    const kills: Record<Victim, number> = { handler: 0, worker: 0, Redis: 0, PostgreSQL: 0 }
    const end = Date.now() + seconds * 1000

    /** Posts the events of one message after the other, each until it is answered, as providers do. */
    async function client(id: number): Promise<void> {
      for (let turn = 0; Date.now() < end; turn += 1) {
        const message: Message = { name: `${id}-${turn}`, answered: 0 }
        const record = () => recordNamed(recorder, message.name, eventsOfMessage)
        // The database may be away just now.
        while ((await record().catch(() => undefined)) === undefined) await delay(50)
        messages.push(message)
        while (message.answered < eventsOfMessage) {
          const count = 1 + Math.floor(Math.random() * 2)
          const next = Math.min(message.answered + count, eventsOfMessage)
          const events = Array.from(
            { length: next - message.answered },
            (_, index): [string, number] => [message.name, message.answered + index],
          )
          const status = await anyOf(handlers)?.post(signedPost(...events))
          if (status === 200) message.answered = next
          else await delay(50)
        }
      }
    }

    async function disturb(): Promise<void> {
      const killable: [Victim, readonly Killable[]][] = [
        ['handler', handlers],
        ['worker', workers],
        ['Redis', redis],
        ['PostgreSQL', [{ kill: restartPostgres, start: async () => {} }]],
      ]
      while (Date.now() < end) {
        await delay(100 + Math.random() * 700)
        const [victim, all] = anyOf(killable) ?? ['handler', handlers]
        const one = anyOf(all)
        await one?.kill()
        kills[victim] += 1
        await delay(Math.random() * 500)
        await one?.start()
      }
    }

    await Promise.all([disturb(), ...Array.from({ length: clients }, (_, id) => client(id))])
    const begun = Date.now()
    while ((await store.nextDue()) !== undefined && Date.now() < begun + longestEnd)
      await delay(200)
    const told = system.told()
    const faults = faultsOf(messages, told)
    const events = messages.reduce((sum, { answered }) => sum + answered, 0)
    const killed = Object.entries(kills).map(([victim, count]) => `${victim} ${count} times`)
    process.stdout.write(
      `on ${place}, in ${seconds} s: killed ${killed.join(', ')}; ${events} events answered 2xx, ` +
        `${faults.lost} lost, ${faults.overtaken} told too early, ${told.length - new Set(told).size} told again; ` +
        `all told ${Date.now() - begun} ms after the last\n`,
    )
    expect(faults).toEqual({ lost: 0, overtaken: 0 })
    expect(events).toBeGreaterThan(0)
  },
  seconds * 1000 + longestEnd + 60_000,
)

function faultsOf(
  messages: readonly Message[],
  told: readonly string[],
): { lost: number; overtaken: number } {
  const first = new Map<string, number>()
  for (const [place, address] of told.entries()) {
    if (!first.has(address)) first.set(address, place)
  }
  let lost = 0
  let overtaken = 0
  for (const { name, answered } of messages) {
    let last = -1
    for (let index = 0; index < answered; index += 1) {
      const place = first.get(addressOf(name, index))
      if (place === undefined) lost += 1
      else if (place < last) overtaken += 1
      last = Math.max(last, place ?? -1)
    }
  }
  return { lost, overtaken }
}
