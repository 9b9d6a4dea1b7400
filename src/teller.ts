import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ListenerError } from './errors.js'
import { callListener } from './listener-call.js'
import type { TakenListener } from './listeners.js'
import type { Observing } from './observing.js'
import type { Delivery } from './store.js'

/** How many messages' events one listener is told at the same time. */
const concurrency = 64

/** How long a listener may keep the event loop before others get their turn, in ms. */
const longestTurn = 5

/** When a listener that fails is told again. */
export interface TellingRetries {
  /** After the first failure, in ms; it doubles with every further one. */
  firstWait: number
  /** How often it is told at most. */
  attempts: number
  /** How long it may take each time, in ms. */
  timeout: number
}

/** An event on its way to its listeners. */
export interface Job {
  readonly delivery: Delivery
  /** Events of one lane are told one after the other. */
  readonly lane: string
  /** When each listener that has failed is told again, in ms since 1970. */
  readonly retryAt: Map<string, number>
  /** It is told by somebody else now. */
  lost: boolean
}

export interface Teller {
  add(job: Job): void
  /** Whether it is being told of something just now. */
  busy(): boolean
  /** Whether nothing is left that it is to be told of. */
  idle(): boolean
  /** Begins with nothing new from now on. */
  stop(): void
}

/**
 * Tells one listener: events of one message one after the other, those of different messages side by
 * side. One that fails is told again later, and hears nothing more of that message meanwhile.
 *
 * @param ended called when the listener has taken an event, or is not told of it again
 * @param failed called with each failure
 */
export function createTeller(
  listener: TakenListener,
  retries: TellingRetries,
  ended: (job: Job) => void,
  failed: (job: Job, error: ListenerError) => void,
  observing: Observing,
): Teller {
  const lanes = new Map<string, Job[]>()
  const ready: string[] = []
  let running = 0
  let starting = false
  let stopped = false

  function startReady(): void {
    if (starting) return
    starting = true
    void start()
  }

  /** Begins in a turn of its own: the answer to a webhook comes before any listener. */
  async function start(): Promise<void> {
    let turnEnd = -Infinity
    while (running < concurrency && ready.length > 0 && !stopped) {
      if (performance.now() >= turnEnd) {
        await nextTurn()
        turnEnd = performance.now() + longestTurn
        continue
      }
      const lane = ready.shift()
      if (lane === undefined) break
      running += 1
      void tellFirst(lane).finally(() => {
        running -= 1
        startReady()
      })
    }
    // In the same turn as the last look, or what comes between would wait for the next one to come.
    starting = false
  }

  /** Tells the first event of a lane, and lines the lane up again for the next one. */
  async function tellFirst(lane: string): Promise<void> {
    const jobs = lanes.get(lane) ?? []
    const [job] = jobs
    if (!job) return
    const wait = await tell(job)
    if (wait !== undefined) {
      setTimeout(() => {
        ready.push(lane)
        startReady()
      }, wait).unref()
      return
    }
    jobs.shift()
    if (jobs.length === 0) lanes.delete(lane)
    else ready.push(lane)
    if (!job.lost) ended(job)
  }

  /** How long to wait before it is told again, in ms; undefined when that was the last time. */
  async function tell(job: Job): Promise<number | undefined> {
    if (job.lost || listener.ended) return undefined
    const { timeout, attempts, firstWait } = retries
    const isFinal = (count: number): boolean => count >= attempts
    const error = await callListener(listener, job.delivery, timeout, isFinal, observing)
    if (!error) return undefined
    const wait = error.final ? undefined : firstWait * 2 ** (error.attempts - 1)
    if (wait !== undefined) job.retryAt.set(listener.id, Date.now() + wait)
    failed(job, error)
    return wait
  }

  return {
    add(job) {
      const jobs = lanes.get(job.lane)
      if (jobs) jobs.push(job)
      else {
        lanes.set(job.lane, [job])
        ready.push(job.lane)
      }
      startReady()
    },
    busy: () => running > 0,
    idle: () => lanes.size === 0,
    stop() {
      stopped = true
    },
  }
}
