import { randomUUID } from 'node:crypto'
import type { JobsOptions, Queue } from 'bullmq'
import { ConfigurationError } from '../errors.js'
import type { EventQueue } from '../event-queue.js'

/** What a job holds. */
export interface EventJob {
  eventIds: string[]
  /** They were not taken in all attempts of the job, and are dead letters. */
  givenUp?: true
}

/** What is needed of a queue of BullMQ. */
export type JobQueue = Pick<Queue, 'addBulk' | 'getJobs' | 'defaultJobOptions'>

/** As long as a process tells its own listeners: waits of 1 s, 2 s, 4 s … 256 s between ten attempts. */
const jobOptions: JobsOptions = {
  attempts: 10,
  backoff: { type: 'exponential', delay: 1000 },
  // For a look at what went on; nothing needs them.
  removeOnComplete: 1000,
}

/**
 * Has events told by the workers of a queue of BullMQ. Its `defaultJobOptions` go before ours: ten attempts with a
 * back-off that doubles from one second.
 *
 * @throws ConfigurationError when it is no queue
 */
export function bullmqQueue(queue: JobQueue): EventQueue {
  if (typeof queue?.addBulk !== 'function' || typeof queue.getJobs !== 'function') {
    throw new ConfigurationError("bullmqQueue: it takes a queue: new Queue('mailtrail', …)")
  }
  return {
    async add(jobs) {
      const opts = { ...jobOptions, ...queue.defaultJobOptions }
      await queue.addBulk(
        jobs.map((eventIds) => ({
          name: 'events',
          data: { eventIds },
          // Numbers begin anew in a Redis that has lost everything.
          opts: { ...opts, jobId: randomUUID() },
        })),
      )
    },

    async waitingSince() {
      const [next] = await queue.getJobs(['waiting'], 0, 0, true)
      return next?.timestamp
    },
  }
}
