import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { bullmqQueue } from '../src/bullmq/index.js'
import { type Correlator, createCorrelator, memoryStore, type QueuedResult } from '../src/index.js'
import type { Store } from '../src/store.js'
import { plainQueue, type PlainQueue } from './plain-queue.js'
import { addressOf, postTo, recordNamed, signedPost, signedWebhook } from './signed-posts.js'

let store: Store
let queue: PlainQueue
let correlator: Correlator
let errors: string[]
let runs: number

beforeEach(() => {
  store = memoryStore()
  queue = plainQueue()
  errors = []
  runs = 0
  correlator = createCorrelator({ store, queue, webhooks: [signedWebhook()], foreignAfter: 100 })
  correlator.onError(({ message }) => errors.push(message))
})
afterEach(() => correlator.close({ timeout: 100 }))

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 3000; !isSo() && Date.now() < end;) await delay(5)
  expect(isSo()).toBe(true)
}

/** Runs the next job, as a worker does. */
async function runNext(last = false): Promise<QueuedResult> {
  await until(() => queue.waiting.length > 0)
  const { eventIds = [] } = queue.waiting.shift() ?? {}
  runs += 1
  return correlator.tellQueued({
    eventIds,
    job: `job ${runs}`,
    run: 1,
    last,
    replayed: false,
    nextRunWithin: 0,
    givingUp: async () => {},
  })
}

describe('a correlator with a queue', () => {
  test('has its listeners told by the jobs of the queue alone', async () => {
    const told: unknown[] = []
    correlator.on('delivered', ({ recipient }, message) =>
      told.push([recipient, message?.providerMessageId]),
    )
    await recordNamed(correlator, 'm', 2)
    expect(await postTo(correlator, signedPost(['m', 0], ['m', 1]))).toBe(200)
    await delay(50)
    expect(told).toEqual([])
    expect(await runNext()).toEqual({ told: 2, failures: [], later: [] })
    expect(told).toEqual([
      [addressOf('m', 0), 'm'],
      [addressOf('m', 1), 'm'],
    ])
    await correlator.drain()
  })

  test('answers webhooks whether the queue answers or not', async () => {
    queue.add = () => new Promise(() => {})
    await recordNamed(correlator, 'm', 2)
    const begun = Date.now()
    expect(await postTo(correlator, signedPost(['m', 0]))).toBe(200)
    queue.add = () => Promise.reject(new Error('OOM command not allowed'))
    expect(await postTo(correlator, signedPost(['m', 1]))).toBe(200)
    expect(Date.now() - begun).toBeLessThan(500)
    await until(() => errors.length > 0)
    expect(errors).toEqual(['the queue failed while adding events: OOM command not allowed'])
  })

  test('adds what waited for its message when that has come, and when it has not', async () => {
    await postTo(correlator, signedPost(['m', 0], ['nobody', 0]))
    expect(queue.added).toEqual([])
    await recordNamed(correlator, 'm', 1)
    const told: unknown[] = []
    correlator.onAny(({ recipient, correlation }) => told.push([recipient, correlation.status]))
    await runNext()
    await runNext()
    expect(told).toEqual([
      [addressOf('m', 0), 'matched'],
      [addressOf('nobody', 0), 'foreign'],
    ])
    expect(correlator.health().foreign).toEqual({ sendgrid: 1 })
  })

  test('adds dead letters again that are replayed, and what came after one of them at once', async () => {
    let calls = 0
    correlator.onAny(() => {
      calls += 1
      if (calls === 1) throw new Error('not yet')
    })
    await recordNamed(correlator, 'm', 2)
    await postTo(correlator, signedPost(['m', 0], ['m', 1]))
    expect(await runNext(true)).toMatchObject({ told: 0, failures: [{ final: true }] })
    const begun = Date.now()
    expect(await runNext()).toMatchObject({ told: 1 })
    expect(Date.now() - begun).toBeLessThan(600)
    expect((await correlator.deadLetters.list()).deadLetters).toHaveLength(1)
    expect(await correlator.deadLetters.replay()).toBe(1)
    expect(await runNext()).toMatchObject({ told: 1 })
  })
})

describe('what is no queue is refused', () => {
  test('by createCorrelator', () => {
    // @ts-expect-error it has no methods
    expect(() => createCorrelator({ store, queue: {} })).toThrow('createCorrelator: queue is none')
  })

  test('by bullmqQueue', () => {
    // @ts-expect-error it has no methods
    expect(() => bullmqQueue({})).toThrow('bullmqQueue: it takes a queue')
  })

  test('by a correlator without one, which tells its listeners itself', async () => {
    const own = createCorrelator({ store: memoryStore() })
    const queued = { eventIds: [], job: 'a', run: 1, last: false, replayed: false }
    await expect(
      own.tellQueued({ ...queued, nextRunWithin: 0, givingUp: async () => {} }),
    ).rejects.toThrow('queue is missing')
    await own.close()
  })
})
