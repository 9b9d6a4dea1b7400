import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Queue } from 'bullmq'
import { type Database, newPostgresDatabase } from '../databases.js'
import { connectTo, type RedisServer, startRedis } from '../redis-servers.js'
import {
  ask,
  eventually,
  patience,
  type RunningExample,
  startExample,
  startSurroundings,
  type Surroundings,
} from './running.js'

let around: Surroundings
let database: Database
let redis: RedisServer
let web: RunningExample
const workers: RunningExample[] = []

const environment = () => ({
  ...around.environment,
  MAILTRAIL_STORE: database.url,
  REDIS_URL: `redis://127.0.0.1:${redis.port}`,
})

async function startWorker(): Promise<RunningExample> {
  const program = ['bullmq-workers/worker.mjs']
  const worker = await startExample(program, { environment: environment(), readyLine: 'ready' })
  workers.push(worker)
  return worker
}

beforeAll(async () => {
  around = await startSurroundings()
  database = await newPostgresDatabase()
  redis = await startRedis()
  web = await startExample(['bullmq-workers/web.mjs'], { environment: environment() })
  around.leadTo(web.url)
  await Promise.all([startWorker(), startWorker()])
}, patience * 3)
afterAll(async () => {
  await Promise.all([web, ...workers].map((process) => process?.stop()))
  await around?.close()
  await redis?.remove()
  await database?.remove()
})

const invite = async (email: string) => {
  const { status } = await ask('POST', `${web.url}/invitations`, { email })
  expect(status).toBe(202)
}

/** What all workers were told of an address, when it is something. */
const told = (email: string): Promise<string[]> =>
  eventually(() => {
    const lines = workers.flatMap((worker) => worker.lines)
    const found = lines.filter((line) => line.startsWith(`${email}: `))
    expect(found).not.toEqual([])
    return found
  })

test('an event is told once, in one of the workers', async () => {
  await Promise.all(['ann@example.com', 'nobody@example.com'].map(invite))
  expect(await told('ann@example.com')).toEqual([
    expect.stringContaining('You are invited: delivered'),
  ])
  expect(await told('nobody@example.com')).toEqual([
    expect.stringContaining('You are invited: bounced'),
  ])
  expect(web.lines.filter((line) => line.includes('delivered'))).toEqual([])
})

test('workers end when they are asked to, and what comes then is told by the next one', async () => {
  expect(await Promise.all(workers.map((worker) => worker.terminate()))).toEqual([0, 0])
  await invite('bob@example.com')
  await around.sendgrid.settled()
  expect(new Set(around.sendgrid.posted.map(({ status }) => status))).toEqual(new Set([200]))
  const connection = connectTo(redis.port)
  const queue = new Queue('mailtrail', { connection })
  await eventually(async () => expect(await queue.getWaitingCount()).toBeGreaterThan(0))
  await queue.close()
  connection.disconnect()
  const next = await startWorker()
  await next.said('bob@example.com: You are invited: delivered')
  expect(await told('bob@example.com')).toHaveLength(1)
  expect(await next.terminate()).toBe(0)
  expect(await web.terminate()).toBe(0)
})
