import { setTimeout as delay } from 'node:timers/promises'
import type { Dispatcher } from './dispatcher.js'
import { QueueError, StoreError } from './errors.js'
import { type EventQueue, queueOwner } from './event-queue.js'
import type { Listeners } from './listeners.js'
import { reportingSilence } from './queue-silence.js'
import type { Delivery, Lease, Store } from './store.js'

/** How many events one job has at most: a webhook with more becomes several. */
const mostInJob = 500

/** How many events are on their way into the queue at once: when it is away, the rest stays in the store. */
const mostUnderWay = 10_000

/** How many events are taken from the store at once. */
const claimLimit = 1000

/** The store is looked through at least this often, in ms. */
const idlePoll = 1000

/** How soon it is looked for events again that others are at, in ms; that doubles while nothing is found. */
const shortestPoll = 100
const longestPoll = 5000

/** Looks that find nothing take no more than this share of the time: much may be due that others are at. */
const mostLooking = 0.1

/** How often it is looked whether all is told while draining, in ms. */
const drainPoll = 50

export interface QueuePace {
  /** How long events wait in the queue before it is asked whether it still has them, in ms. */
  leaseDuration: number
  /** How far the clocks of processes may be apart, and how long adding a job may take, in ms. */
  leeway: number
}

const defaultPace: QueuePace = { leaseDuration: 30_000, leeway: 5000 }

/**
 * Hands stored events on to a queue. The store says what is still to be told: what the queue has lost, or never
 * got, is added again. As jobs run in the order they were added, that is what was added before the next one to run,
 * and is told by nobody; a queue that is only behind gets nothing twice.
 */
export function createQueueDispatcher(
  store: Store,
  eventQueue: EventQueue,
  listeners: Pick<Listeners, 'any'>,
  report: (error: QueueError | StoreError) => void,
  pace: Partial<QueuePace> = {},
): Dispatcher {
  const { leaseDuration, leeway } = { ...defaultPace, ...pace }
  const queue = reportingSilence(eventQueue, leeway, report)
  const running = new Set<Promise<unknown>>()
  let underWay = 0
  let poll = shortestPoll
  let wakeTimer: NodeJS.Timeout | undefined
  let wakeTime = Infinity
  let restUntil = 0
  let closing = false

  const leaseFrom = (now: number): Lease => ({ owner: queueOwner, until: now + leaseDuration })

  /** Resolves to whether the queue has them. What it has not is due when the lease is over, and added then. */
  function push(deliveries: readonly Delivery[]): Promise<boolean> {
    const eventIds = deliveries.map(({ event }) => event.id)
    const jobs: string[][] = []
    for (let start = 0; start < eventIds.length; start += mostInJob) {
      jobs.push(eventIds.slice(start, start + mostInJob))
    }
    if (jobs.length === 0) return Promise.resolve(true)
    underWay += eventIds.length
    const added = (async () => {
      try {
        await queue.add(jobs)
        return true
      } catch (error) {
        report(new QueueError('adding events', error))
        return false
      } finally {
        underWay -= eventIds.length
      }
    })()
    keep(added)
    return added
  }

  function keep(work: Promise<unknown>): void {
    running.add(work)
    void work.finally(() => running.delete(work))
  }

  function wakeAt(time: number): void {
    if (closing || time >= wakeTime) return
    clearTimeout(wakeTimer)
    wakeTime = Math.max(time, restUntil)
    const wait = Math.max(wakeTime - Date.now(), 0)
    wakeTimer = setTimeout(() => keep(look()), wait).unref()
  }

  async function look(): Promise<void> {
    // One look at a time: the queue may be away, and then it lasts until that is back.
    wakeTime = -Infinity
    const begun = Date.now()
    let wait = idlePoll
    try {
      wait = await addDue()
    } catch (error) {
      report(error instanceof QueueError ? error : new StoreError('looking for events', error))
    }
    const ended = Date.now()
    const rest = wait > 0 ? (ended - begun) * (1 / mostLooking - 1) : 0
    restUntil = ended + Math.min(rest, longestPoll)
    wakeTime = Infinity
    wakeAt(ended + wait)
  }

  /** Adds what is due, and resolves to how long to wait before the next look, in ms. */
  async function addDue(): Promise<number> {
    const now = Date.now()
    const next = await store.nextDue()
    if (next === undefined || next > now) return Math.min((next ?? Infinity) - now, idlePoll)
    if (underWay >= mostUnderWay) return idlePoll
    const wait = poll
    poll = Math.min(poll * 2, longestPoll)
    const since = (await waitingSince()) ?? Infinity
    const until = Math.min(now, since + leaseDuration - leeway)
    if (next > until || closing) return wait
    const due = await store.claim(until, leaseFrom(Date.now()), claimLimit)
    if (due.length === 0) return wait
    poll = shortestPoll
    return (await push(due)) ? 0 : idlePoll
  }

  async function waitingSince(): Promise<number | undefined> {
    try {
      return await queue.waitingSince()
    } catch (error) {
      throw new QueueError('asking what waits', error)
    }
  }

  // Without a webhook or a listener, too: others may have died.
  wakeAt(Date.now())

  return {
    lease: (now) => (!closing && underWay < mostUnderWay ? leaseFrom(now) : undefined),
    push: (deliveries) => void push(deliveries),
    wakeAt,

    wakeSoon() {
      poll = shortestPoll
      wakeAt(Date.now() + shortestPoll)
    },

    untold: () => underWay,

    async drain() {
      for (;;) {
        if (closing) throw new Error('the correlator is closed: nothing is told any more')
        await Promise.all(running)
        if (!listeners.any() || (await store.nextDue()) === undefined) return
        await delay(drainPoll)
      }
    },

    async close(timeout) {
      closing = true
      clearTimeout(wakeTimer)
      const ended = new AbortController()
      const late = delay(timeout, undefined, { signal: ended.signal }).catch(() => {})
      await Promise.race([Promise.all(running), late])
      ended.abort()
    },
  }
}
