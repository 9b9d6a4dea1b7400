import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { DelayedError, Job, type JobsOptions } from 'bullmq'
import { v7 as uuidv7 } from 'uuid'
import { bullmqQueue, eventProcessor } from '../src/bullmq/index.js'
import type { QueuedEvents, QueuedResult } from '../src/event-queue.js'

// What needs no Redis; the rest is in bullmq.services.ts.

const begun = Date.parse('2026-11-28T10:00:00Z')

afterEach(() => void jest.useRealTimers())

/** Runs a job as a worker does, and gives what was asked of the correlator and until when it was put off. */
async function process(
  job: { attemptsStarted?: number; attemptsMade?: number; opts?: JobsOptions },
  result: Partial<QueuedResult> = {},
) {
  jest.useFakeTimers({ now: begun })
  const asked: QueuedEvents[] = []
  const putOff: number[] = []
  const processor = eventProcessor({
    async tellQueued(queued) {
      asked.push(queued)
      return { told: 0, failures: [], later: [], ...result }
    },
  })
  const whole: Job = Object.assign(Object.create(Job.prototype), {
    id: 'job',
    data: { eventIds: ['event'] },
    attemptsStarted: 1,
    attemptsMade: 0,
    opts: {},
    moveToDelayed: async (time: number) => void putOff.push(time - begun),
    ...job,
  })
  const error = await Promise.resolve(processor(whole, 'token')).then(
    () => undefined,
    (failure: unknown) => failure,
  )
  return { asked: asked[0], putOff, error }
}

describe('a job that meets events which have to wait', () => {
  test.each([
    [1, 0, 100],
    [2, 0, 200],
    [3, 0, 400],
    [6, 0, 3200],
    [7, 0, 5000],
    [100, 0, 5000],
    // Those that told something, and failed, waited for their back-off.
    [5, 4, 100],
  ])('in its run %i, %i of which were attempts, waits %i ms', async (started, made, wait) => {
    const job = { attemptsStarted: started, attemptsMade: made }
    const { putOff, error } = await process(job, { later: ['event'] })
    expect(putOff).toEqual([wait])
    expect(error).toBeInstanceOf(DelayedError)
  })
})

describe('what was not taken stays with its job', () => {
  test.each<[string, JobsOptions['backoff'], number, number]>([
    ['no back-off', undefined, 0, 0],
    ['one in ms', 400, 3, 400],
    ['a fixed one', { type: 'fixed', delay: 400 }, 3, 400],
    ['one that doubles', { type: 'exponential', delay: 1000 }, 8, 256_000],
    ['one of your own', { type: 'mine', delay: 1000 }, 3, 3_600_000],
  ])('with %s, %j, after %i attempts for %i ms', async (_, backoff, made, longest) => {
    const opts = { attempts: 10, ...(backoff !== undefined && { backoff }) }
    const { asked } = await process({ attemptsMade: made, opts })
    expect(asked).toMatchObject({ nextRunWithin: longest, last: false })
  })
})

test('a job of 500 events is some 20 kB', async () => {
  const added: unknown[] = []
  const queue = bullmqQueue({
    addBulk: async (jobs) => {
      added.push(...jobs.map(({ data }) => data))
      return []
    },
    getJobs: async () => [],
    defaultJobOptions: {},
  })
  await queue.add([Array.from({ length: 500 }, () => uuidv7())])
  expect(Math.round(JSON.stringify(added[0]).length / 1000)).toBe(20)
})
