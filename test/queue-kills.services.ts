import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createCorrelator } from '../src/index.js'
import { postgresStore } from '../src/stores/postgres.js'
import { type Database, newPostgresDatabase } from './databases.js'
import { type QueueProcess, queueSystem, type QueueSystem } from './queue-processes.js'
import { type RedisServer, startRedis } from './redis-servers.js'
import { addressOf, recordNamed, signedPost } from './signed-posts.js'

let database: Database
let redis: RedisServer
let system: QueueSystem
let handler: QueueProcess

beforeEach(async () => {
  database = await newPostgresDatabase()
  redis = await startRedis()
  system = queueSystem(database.url, [redis.port])
  handler = await system.start('handler')
}, 30_000)
afterEach(async () => {
  await system.remove()
  await redis.remove()
  await database.remove()
}, 30_000)

/** Records a message, and gives its name. */
async function recorded(events: number): Promise<string> {
  const recorder = createCorrelator({ store: postgresStore(database.url) })
  const name = randomUUID()
  await recordNamed(recorder, name, events)
  await recorder.close()
  return name
}

const addresses = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => addressOf(name, index))

/** Resolves when so much was told, and gives how long that took, in ms. */
async function toldWithin(count: number, longest: number): Promise<number> {
  const begun = Date.now()
  while (new Set(system.told()).size < count && Date.now() < begun + longest) await delay(50)
  expect(new Set(system.told()).size).toBe(count)
  return Date.now() - begun
}

const inOrder = (): string[] => [...new Set(system.told())]

test('what comes while Redis is killed is answered, and told when it is back', async () => {
  await system.start('worker')
  const name = await recorded(6)
  expect(await handler.post(signedPost([name, 0], [name, 1]))).toBe(200)
  await redis.kill()
  for (const index of [2, 3, 4]) {
    const begun = Date.now()
    expect(await handler.post(signedPost([name, index]))).toBe(200)
    expect(Date.now() - begun).toBeLessThan(1000)
  }
  await redis.start()
  expect(await handler.post(signedPost([name, 5]))).toBe(200)
  await toldWithin(6, 50_000)
  expect(inOrder()).toEqual(addresses(name, 6))
}, 90_000)

test('what a worker was at when it was killed is told by another, within the lock of BullMQ', async () => {
  const worker = await system.start('worker')
  const name = await recorded(100)
  const events = addresses(name, 100).map((_, index): [string, number] => [name, index])
  expect(await handler.post(signedPost(...events))).toBe(200)
  while (system.told().length < 5) await delay(5)
  await worker.kill()
  const before = system.told().length
  expect(before).toBeLessThan(100)
  await system.start('worker')
  // A lock of two seconds, looked at every second, and what is left to be told.
  expect(await toldWithin(100, 20_000)).toBeLessThan(8000)
  expect(inOrder()).toEqual(addresses(name, 100))
  // What was told is not told again, but for what was not written yet.
  expect(system.told().length).toBeLessThan(120)
}, 60_000)

test('what a handler was killed with before it was in the queue is told when its lease is over', async () => {
  const name = await recorded(2)
  await redis.kill()
  expect(await handler.post(signedPost([name, 0], [name, 1]))).toBe(200)
  await handler.kill()
  await redis.start()
  await system.start('worker')
  expect(await toldWithin(2, 45_000)).toBeGreaterThan(10_000)
  expect(inOrder()).toEqual(addresses(name, 2))
}, 90_000)

test('what is in the queue when Redis loses everything is told when its lease is over', async () => {
  const name = await recorded(2)
  expect(await handler.post(signedPost([name, 0], [name, 1]))).toBe(200)
  await delay(500)
  await redis.remove()
  redis = await startRedis('--port', `${redis.port}`)
  await system.start('worker')
  await toldWithin(2, 45_000)
  expect(inOrder()).toEqual(addresses(name, 2))
}, 90_000)
