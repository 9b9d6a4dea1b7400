import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type Job, Queue, type QueueOptions, Worker, type WorkerOptions } from 'bullmq'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { bullmqQueue, eventProcessor } from '../src/bullmq/index.js'
import { type Correlator, createCorrelator } from '../src/index.js'
import type { Store } from '../src/store.js'
import { memoryStore } from '../src/stores/memory.js'
import { mysqlStore } from '../src/stores/mysql.js'
import { postgresStore } from '../src/stores/postgres.js'
import { type Database, newMysqlDatabase, newPostgresDatabase } from './databases.js'
import {
  clusterPlace,
  connectTo,
  redisPlace,
  type RedisPlace,
  startRedis,
} from './redis-servers.js'
import { addressOf, postTo, recordNamed, signedPost, signedWebhook } from './signed-posts.js'

interface Case {
  redis: string
  place: () => Promise<RedisPlace>
  database: () => Promise<Database>
  storeOf: (url: string) => Store
}

const cases: Case[] = [
  {
    redis: 'Redis',
    place: redisPlace,
    database: newPostgresDatabase,
    storeOf: (url) => postgresStore(url),
  },
  {
    redis: 'a Redis Cluster of three nodes',
    place: clusterPlace,
    database: newMysqlDatabase,
    storeOf: (url) => mysqlStore(url),
  },
]

describe.each(cases)('on $redis', ({ place, database, storeOf }) => {
  let redis: RedisPlace
  let shared: Database
  let name: string
  let ending: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    redis = await place()
  }, 60_000)
  afterAll(() => redis.remove())
  beforeEach(async () => {
    shared = await database()
  }, 30_000)
  afterEach(async () => {
    for (const end of ending.toReversed()) await end()
    ending = []
    await shared.remove()
  }, 30_000)

  function connection(): ReturnType<RedisPlace['connect']> {
    const connected = redis.connect()
    ending.push(async () => connected.disconnect())
    return connected
  }

  function queueOf(options: Partial<QueueOptions> = {}): Queue {
    const queue = new Queue(name, { connection: connection(), prefix: '{mailtrail}', ...options })
    ending.push(() => queue.close())
    return queue
  }

  /** A correlator with a handle of its own on the database, as in another process. */
  function correlatorOn(queue: Queue): Correlator {
    const correlator = createCorrelator({
      store: storeOf(shared.url),
      webhooks: [signedWebhook()],
      queue: bullmqQueue(queue),
    })
    correlator.onError(() => {})
    ending.push(() => correlator.close())
    return correlator
  }

  function work(correlator: Correlator, options: Partial<WorkerOptions> = {}): Worker {
    const worker = new Worker(name, eventProcessor(correlator), {
      connection: connection(),
      prefix: '{mailtrail}',
      ...options,
    })
    worker.on('error', () => {})
    ending.push(() => worker.close())
    return worker
  }

  function handlerOf(options: Partial<QueueOptions> = {}): { handler: Correlator; queue: Queue } {
    name = `events-${randomUUID()}`
    const queue = queueOf(options)
    return { handler: correlatorOn(queue), queue }
  }

  /** Resolves when the queue has so many jobs in a state. */
  async function jobs(queue: Queue, state: 'completed' | 'failed', count: number): Promise<Job[]> {
    for (const end = Date.now() + 20_000; Date.now() < end; await delay(50)) {
      const found = await queue.getJobs([state])
      if (found.length >= count) return found
    }
    throw new Error(`${JSON.stringify(await queue.getJobCounts())}`)
  }

  test('one job is added for each webhook, with the ids of its events', async () => {
    const { handler, queue } = handlerOf()
    const names = [randomUUID(), randomUUID(), randomUUID()]
    for (const each of names) await recordNamed(handler, each, 2)
    expect(await bullmqQueue(queue).waitingSince()).toBeUndefined()
    for (const index of [0, 1]) {
      await delay(5)
      const events = names.map((each): [string, number] => [each, index])
      expect(await postTo(handler, signedPost(...events))).toBe(200)
    }
    await handler.drain()
    const waiting = await queue.getJobs(['waiting'], 0, 10, true)
    expect(waiting).toHaveLength(2)
    expect(await bullmqQueue(queue).waitingSince()).toBe(waiting[0]?.timestamp)
    expect(waiting[0]?.timestamp).toBeLessThan(waiting[1]?.timestamp ?? 0)
    await queue.pause()
    expect(await bullmqQueue(queue).waitingSince()).toBe(waiting[0]?.timestamp)
    expect(waiting.map(({ data }) => data.eventIds.length)).toEqual([3, 3])
    // No id comes twice, though Redis has lost everything.
    expect(waiting[0]?.id).toMatch(/^[\da-f]{8}-/)
    expect(waiting[0]?.opts).toMatchObject({
      attempts: 10,
      backoff: { type: 'exponential', delay: 1000 },
      removeOnComplete: 1000,
    })
    // Failed ones are all kept.
    expect(waiting[0]?.opts.removeOnFail).toBeUndefined()
  }, 60_000)

  test('a job whose message another one is at waits, which costs it no attempt', async () => {
    const { handler, queue } = handlerOf({ defaultJobOptions: { attempts: 1 } })
    const listening = correlatorOn(queue)
    const told: string[] = []
    listening.onAny(
      async ({ recipient = '' }) => {
        await delay(300)
        told.push(recipient)
      },
      { name: 'log' },
    )
    const each = randomUUID()
    await recordNamed(handler, each, 2)
    await postTo(handler, signedPost([each, 0]))
    await postTo(handler, signedPost([each, 1]))
    await handler.drain()
    const worker = work(listening, { concurrency: 2 })
    const failures: unknown[] = []
    worker.on('error', (error) => failures.push(error))
    worker.on('failed', (_, error) => failures.push(error))
    const completed = await jobs(queue, 'completed', 2)
    expect(failures).toEqual([])
    expect(told).toEqual([addressOf(each, 0), addressOf(each, 1)])
    expect(Math.max(...completed.map(({ attemptsStarted }) => attemptsStarted))).toBeGreaterThan(1)
    expect(completed.map(({ attemptsMade }) => attemptsMade)).toEqual([1, 1])
  }, 60_000)

  test('events are told in order by several workers, once', async () => {
    const { handler, queue } = handlerOf()
    const told: string[] = []
    for (let index = 0; index < 3; index += 1) {
      const correlator = correlatorOn(queue)
      correlator.onAny(
        async ({ recipient = '' }) => {
          await delay(Math.random() * 5)
          told.push(recipient)
        },
        { name: 'log' },
      )
      work(correlator, { concurrency: 4 })
    }
    const names = Array.from({ length: 12 }, () => randomUUID())
    await Promise.all(names.map((each) => recordNamed(handler, each, 10)))
    for (let index = 0; index < 10; index += 2) {
      for (let first = 0; first < names.length; first += 4) {
        const events = names.slice(first, first + 4).flatMap((each): [string, number][] => [
          [each, index],
          [each, index + 1],
        ])
        expect(await postTo(handler, signedPost(...events))).toBe(200)
      }
    }
    for (const end = Date.now() + 20_000; told.length < 120 && Date.now() < end;) await delay(20)
    await delay(200)
    for (const each of names) {
      const mine = told.filter((address) => address.startsWith(each))
      expect(mine).toEqual(Array.from({ length: 10 }, (_, index) => addressOf(each, index)))
    }
    expect(told).toHaveLength(120)
    expect(await queue.getJobCounts('failed')).toEqual({ failed: 0 })
  }, 60_000)

  test('what a listener did not take is told again by BullMQ, after its back-off', async () => {
    const backoff = { type: 'fixed', delay: 400 }
    const { handler, queue } = handlerOf({ defaultJobOptions: { backoff } })
    const listening = correlatorOn(queue)
    const times: number[] = []
    const log: string[] = []
    listening.onAny(
      () => {
        times.push(Date.now())
        if (times.length < 3) throw new Error('the CRM is away')
      },
      { name: 'crm' },
    )
    listening.onAny(({ recipient = '' }) => log.push(recipient), { name: 'log' })
    work(listening)
    const each = randomUUID()
    await recordNamed(handler, each, 2)
    await postTo(handler, signedPost([each, 0]))
    await postTo(handler, signedPost([each, 1]))
    await jobs(queue, 'completed', 2)
    expect(log).toEqual([addressOf(each, 0), addressOf(each, 1)])
    const [first = 0, second = 0, third = 0] = times
    expect(times).toHaveLength(4)
    expect(second - first).toBeGreaterThanOrEqual(390)
    expect(second - first).toBeLessThan(900)
    expect(third - second).toBeGreaterThanOrEqual(390)
  }, 60_000)

  test('while BullMQ waits for the next attempt nobody else has the event', async () => {
    const backoff = { type: 'exponential', delay: 100_000 }
    const { handler, queue } = handlerOf({ defaultJobOptions: { backoff } })
    const listening = correlatorOn(queue)
    listening.onAny(() => {
      throw new Error('not yet')
    })
    work(listening)
    const each = randomUUID()
    await recordNamed(handler, each, 1)
    await postTo(handler, signedPost([each, 0]))
    const begun = Date.now()
    while ((await queue.getDelayedCount()) < 1 && Date.now() < begun + 10_000) await delay(20)
    const store = storeOf(shared.url)
    ending.push(() => store.close())
    expect(await store.nextDue()).toBeGreaterThan(begun + 100_000)
  }, 60_000)

  test('a job that is cancelled ends before its next event, and goes on from there', async () => {
    const { handler, queue } = handlerOf({ defaultJobOptions: { backoff: 300 } })
    const listening = correlatorOn(queue)
    const told: string[] = []
    const worker = work(listening)
    listening.onAny(
      async ({ recipient = '' }) => {
        told.push(recipient)
        const [job] = told.length === 1 ? await queue.getActive() : []
        worker.cancelJob(job?.id ?? '')
      },
      { name: 'log' },
    )
    const each = randomUUID()
    await recordNamed(handler, each, 3)
    await postTo(handler, signedPost([each, 0], [each, 1], [each, 2]))
    const [completed] = await jobs(queue, 'completed', 1)
    expect(completed?.attemptsMade).toBe(2)
    expect(completed?.returnvalue).toEqual({ told: 2 })
    expect(told).toEqual([0, 1, 2].map((index) => addressOf(each, index)))
  }, 60_000)

  test('what is not taken in all attempts is a failed job and a dead letter, and its retry tells just that', async () => {
    const { handler, queue } = handlerOf({ defaultJobOptions: { attempts: 2, backoff: 50 } })
    const listening = correlatorOn(queue)
    let isAway = true
    const crm: string[] = []
    const log: string[] = []
    listening.onAny(({ recipient = '' }) => log.push(recipient), { name: 'log' })
    listening.onAny(
      ({ recipient = '' }) => {
        if (isAway && recipient.includes('-0@')) throw new Error('no such customer')
        crm.push(recipient)
      },
      { name: 'crm' },
    )
    work(listening)
    const each = randomUUID()
    const other = randomUUID()
    await recordNamed(handler, each, 2)
    await recordNamed(handler, other, 2)
    await postTo(handler, signedPost([each, 0], [each, 1], [other, 1]))
    const [failed] = await jobs(queue, 'failed', 1)
    const { deadLetters } = await handler.deadLetters.list()
    const [letter] = deadLetters
    expect(deadLetters).toHaveLength(1)
    expect(letter).toMatchObject({
      event: { recipient: addressOf(each, 0) },
      failures: [{ listener: 'crm', attempts: 2, error: 'no such customer' }],
    })
    expect(failed?.failedReason).toContain('1 event was not taken')
    expect(failed?.failedReason).toContain(letter?.event.id)
    expect(failed?.failedReason).toContain('crm')
    expect(failed?.data).toEqual({ eventIds: [letter?.event.id], givenUp: true })
    // What came after it goes on.
    await jobs(queue, 'completed', 1)
    expect(crm.toSorted()).toEqual([addressOf(each, 1), addressOf(other, 1)].toSorted())
    isAway = false
    await failed?.retry()
    await jobs(queue, 'completed', 2)
    expect(crm.at(-1)).toBe(addressOf(each, 0))
    expect(crm).toHaveLength(3)
    expect(log).toHaveLength(3)
    expect((await handler.deadLetters.list()).deadLetters).toEqual([])
    await handler.drain()
  }, 60_000)

  test('a dead letter that is replayed comes into the queue again', async () => {
    const { handler, queue } = handlerOf({ defaultJobOptions: { attempts: 1 } })
    const listening = correlatorOn(queue)
    let calls = 0
    listening.onAny(
      () => {
        calls += 1
        if (calls === 1) throw new Error('not yet')
      },
      { name: 'crm' },
    )
    work(listening)
    const each = randomUUID()
    await recordNamed(handler, each, 1)
    await postTo(handler, signedPost([each, 0]))
    await jobs(queue, 'failed', 1)
    expect(await handler.deadLetters.replay()).toBe(1)
    await jobs(queue, 'completed', 1)
    expect(calls).toBe(2)
  }, 60_000)

  test('the limiter of BullMQ limits how fast jobs are run', async () => {
    const { handler, queue } = handlerOf()
    const listening = correlatorOn(queue)
    const times: number[] = []
    listening.onAny(() => times.push(Date.now()), { name: 'log' })
    const names = Array.from({ length: 6 }, () => randomUUID())
    for (const each of names) {
      await recordNamed(handler, each, 1)
      await postTo(handler, signedPost([each, 0]))
    }
    work(listening, { concurrency: 10, limiter: { max: 2, duration: 500 } })
    await jobs(queue, 'completed', 6)
    expect((times[5] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(900)
    expect((await queue.getJobs(['completed'])).length).toBe(6)
  }, 60_000)

  test('a worker that is closed ends what it tells, and another goes on', async () => {
    const { handler, queue } = handlerOf()
    const told: string[] = []
    const begin = (who: string): Worker => {
      const listening = correlatorOn(queue)
      listening.onAny(
        async () => {
          await delay(300)
          told.push(who)
        },
        { name: 'log' },
      )
      return work(listening)
    }
    const first = begin('first')
    const names = [randomUUID(), randomUUID()]
    for (const each of names) {
      await recordNamed(handler, each, 1)
      await postTo(handler, signedPost([each, 0]))
    }
    for (const end = Date.now() + 5000; (await queue.getActiveCount()) < 1 && Date.now() < end;) {
      await delay(10)
    }
    await first.close()
    expect(told).toEqual(['first'])
    begin('second')
    await jobs(queue, 'completed', 2)
    expect(told).toEqual(['first', 'second'])
  }, 60_000)

  test('a job that is none of ours fails, and says so', async () => {
    const { queue } = handlerOf()
    const listening = correlatorOn(queue)
    listening.onAny(() => {}, { name: 'log' })
    work(listening)
    await queue.add('another', { anything: 1 })
    const [failed] = await jobs(queue, 'failed', 1)
    expect(failed?.failedReason).toContain('no job of bullmqQueue')
  }, 60_000)
})

test('a Redis that goes away is reported once, and gets what came meanwhile when it is back', async () => {
  const server = await startRedis()
  const connection = connectTo(server.port)
  const queue = new Queue('events', { connection })
  const told: Error[] = []
  queue.on('error', (error) => told.push(error))
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [signedWebhook()],
    queue: bullmqQueue(queue),
  })
  const errors: string[] = []
  correlator.onError(({ message }) => errors.push(message))
  try {
    await queue.waitUntilReady()
    await server.kill()
    for (const name of [randomUUID(), randomUUID()]) {
      await recordNamed(correlator, name, 1)
      expect(await postTo(correlator, signedPost([name, 0]))).toBe(200)
    }
    while (told.length === 0) await delay(10)
    expect(errors).toEqual([])
    await delay(8000)
    expect(errors).toEqual(['the queue failed while adding events: it has not answered for 5 s'])
    await server.start()
    await correlator.drain()
    expect(await queue.getWaitingCount()).toBe(2)
  } finally {
    await correlator.close()
    await queue.close()
    connection.disconnect()
    await server.remove()
  }
}, 60_000)
