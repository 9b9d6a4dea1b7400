import type { Job, Processor } from 'bullmq'
import type { Correlator } from '../correlator.js'
import type { ListenerError } from '../errors.js'
import type { EventJob } from './queue.js'

/** How long to wait before looking again at events that have to be told later, in ms; it doubles up to the longest. */
const firstWait = 100
const longestWait = 5000

/** How long the wait of a back-off that is not BullMQ's own is taken to be, in ms. */
const unknownBackoff = 60 * 60_000

/** How many failures are named in the error of a job. */
const mostNamed = 20

/**
 * What workers of BullMQ run: `new Worker('mailtrail', eventProcessor(correlator), …)`. A job fails when a listener
 * did not take an event, and with it only what it did not take is told again.
 */
export function eventProcessor(correlator: Pick<Correlator, 'tellQueued'>): Processor<EventJob> {
  // BullMQ gives a signal to who takes three arguments.
  return async (job, token, signal) => {
    const { eventIds, givenUp } = job.data
    if (!Array.isArray(eventIds) || job.id === undefined) {
      throw new TypeError('this is no job of bullmqQueue: other jobs need another queue')
    }
    const { attempts = 1 } = job.opts
    const { told, failures, later } = await correlator.tellQueued({
      eventIds,
      job: job.id,
      run: job.attemptsStarted,
      last: job.attemptsMade + 1 >= attempts,
      replayed: givenUp === true,
      nextRunWithin: longestBackoff(job),
      signal,
      givingUp: (ids) => job.updateData({ eventIds: [...ids], givenUp: true }),
    })
    if (failures.length > 0) throw new Error(named(failures))
    if (later.length > 0) {
      await job.moveToDelayed(Date.now() + waitFor(job), token)
      const { DelayedError } = await import('bullmq')
      throw new DelayedError()
    }
    return { told }
  }
}

/** A run that only waits costs no attempt, so there are more of them the longer it has waited. */
function waitFor({ attemptsStarted, attemptsMade }: Job): number {
  return Math.min(firstWait * 2 ** Math.max(attemptsStarted - attemptsMade - 1, 0), longestWait)
}

/** What BullMQ waits before the next attempt, at most. */
function longestBackoff({ opts: { backoff = 0 }, attemptsMade }: Job): number {
  const { type, delay = 0 } =
    typeof backoff === 'number' ? { type: 'fixed', delay: backoff } : backoff
  if (type === 'fixed') return delay
  return type === 'exponential' ? delay * 2 ** attemptsMade : unknownBackoff
}

function named(failures: readonly ListenerError[]): string {
  const events = new Set(failures.map(({ eventId }) => eventId))
  const lines = failures.slice(0, mostNamed).map(({ message }) => message)
  const more = failures.length - lines.length
  return [
    `${events.size} ${events.size === 1 ? 'event was' : 'events were'} not taken`,
    ...lines,
    ...(more > 0 ? [`and ${more} more`] : []),
  ].join('\n')
}
