import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { ListenerError, messageOf, StoreError } from './errors.js'
import type { Listeners, TakenListener } from './listeners.js'
import type { Delivery, Settlement, Store } from './store.js'

/** How long events are ours to tell before another process may take them, in ms. */
const leaseDuration = 30_000

// Waits of 1 s, 2 s, 4 s … 256 s between ten attempts: a listener may be away for eight minutes.
const defaultRetries = { firstWait: 1000, attempts: 10 }

/** How many messages' events are told at the same time. */
const concurrency = 64

/** How long listeners may keep the event loop before others get their turn, in ms. */
const longestTurn = 5

/** How many events are taken from the store at once. */
const claimLimit = 1000

/** Endings are written together: as many as come within this many ms. */
const settleAfter = 10

/** The store is looked through at least this often, for events that others left, in ms. */
const idlePoll = 10_000

/** While draining it is looked through more often, for other processes settle events too. */
const drainPoll = 100
const shortWait = 5

/** How long to wait before endings are written again that the store did not take, in ms. */
const settleRetry = 1000

export interface Dispatcher {
  /** When events that are written now may be told by others: at once, if nobody listens here. */
  leaseUntil(now: number): number
  /** Tells events that were written and leased to us. */
  push(deliveries: Delivery[]): void
  /** Looks for due events at this time, in ms since 1970. */
  wakeAt(time: number): void
  /** Resolves when every stored event was told; at once where nobody listens. */
  drain(): Promise<void>
  /** Resolves when what is being told has been, and is written. */
  close(): Promise<void>
}

interface Job extends Delivery {
  /** Those that have not taken the event yet; undefined before the first attempt. */
  remaining?: TakenListener[]
}

/**
 * Tells stored events to listeners: those of one message one after the other, those of different
 * messages side by side. An event is settled in the store only when every listener has taken it.
 */
export function createDispatcher(
  store: Store,
  listeners: Listeners,
  report: (error: ListenerError | StoreError) => void,
  retries = defaultRetries,
): Dispatcher {
  const lanes = new Map<string, Job[]>()
  const ready: string[] = []
  // Until its end is written an event may be found due once more, and would be told twice.
  const known = new Set<string>()
  let running = 0
  let starting = false
  const settlements: Settlement[] = []
  let settling: Promise<void> | undefined
  let wakeTimer: NodeJS.Timeout | undefined
  let wakeTime = Infinity
  let closing = false

  function push(deliveries: Delivery[]): void {
    // Told to nobody they would be lost for the listeners of other processes, or of a later one.
    if (!listeners.any()) return
    for (const delivery of deliveries) {
      if (known.has(delivery.event.id)) continue
      known.add(delivery.event.id)
      const lane = delivery.event.trackingId ?? delivery.event.id
      const jobs = lanes.get(lane)
      if (jobs) jobs.push(delivery)
      else {
        lanes.set(lane, [delivery])
        ready.push(lane)
      }
    }
    startReady()
  }

  function startReady(): void {
    if (starting) return
    starting = true
    void start()
  }

  /** Begins in a turn of its own: the answer to a webhook comes before any listener. */
  async function start(): Promise<void> {
    let turnEnd = -Infinity
    while (running < concurrency && ready.length > 0 && !closing) {
      if (performance.now() >= turnEnd) {
        await nextTurn()
        turnEnd = performance.now() + longestTurn
        continue
      }
      const lane = ready.shift()
      if (lane === undefined) break
      running += 1
      void tellNext(lane).finally(() => {
        running -= 1
        startReady()
      })
    }
    // In the same turn as the last look, or what comes between would wait for the next one to come.
    starting = false
  }

  /** Tells the first event of a lane, and lines the lane up again for the next one. */
  async function tellNext(lane: string): Promise<void> {
    const jobs = lanes.get(lane) ?? []
    const [job] = jobs
    if (!job) return
    const error = await tell(job)
    if (error && !error.final) {
      retryLater(lane, job, error)
      return
    }
    jobs.shift()
    const { id: eventId } = job.event
    settle(
      error
        ? { eventId, kind: 'given-up', attempts: job.attempts, error: error.message }
        : { eventId, kind: 'told' },
    )
    if (jobs.length === 0) lanes.delete(lane)
    else ready.push(lane)
  }

  async function tell(job: Job): Promise<ListenerError | undefined> {
    const { event, message } = job
    const asked = (job.remaining ?? listeners.take(event.type)).filter(({ ended }) => !ended)
    if (asked.length === 0) return undefined
    const results = await Promise.allSettled(asked.map(async ({ call }) => call(event, message)))
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason] : [],
    )
    if (failures.length === 0) return undefined
    job.remaining = asked.filter((_, index) => results[index]?.status === 'rejected')
    job.attempts += 1
    const error = new ListenerError(
      event.id,
      job.attempts,
      job.attempts >= retries.attempts,
      failures.length === 1 ? failures[0] : new AggregateError(failures, messageOf(failures[0])),
    )
    report(error)
    return error
  }

  function retryLater(lane: string, job: Job, error: ListenerError): void {
    const wait = retries.firstWait * 2 ** (job.attempts - 1)
    settle({
      eventId: job.event.id,
      kind: 'again',
      at: Date.now() + wait,
      attempts: job.attempts,
      error: error.message,
    })
    setTimeout(() => {
      ready.push(lane)
      startReady()
    }, wait).unref()
  }

  function settle(settlement: Settlement): void {
    settlements.push(settlement)
    settling ??= writeSettlements()
  }

  async function writeSettlements(): Promise<void> {
    await delay(settleAfter)
    while (settlements.length > 0) {
      const batch = settlements.splice(0)
      try {
        await store.settle(batch)
        for (const { eventId, kind } of batch) if (kind !== 'again') known.delete(eventId)
      } catch (error) {
        report(new StoreError('writing what listeners were told', error))
        // Unwritten, these events would only be told again.
        if (closing) break
        settlements.unshift(...batch)
        await delay(settleRetry)
      }
    }
    // In the same turn as the last look, or an ending that comes between would never be written.
    settling = undefined
  }

  function wakeAt(time: number): void {
    if (closing || time >= wakeTime) return
    clearTimeout(wakeTimer)
    wakeTime = time
    const wait = Math.min(Math.max(time - Date.now(), 0), idlePoll)
    wakeTimer = setTimeout(() => void lookForDue(), wait).unref()
  }

  async function lookForDue(): Promise<void> {
    wakeTime = Infinity
    if (!listeners.any()) return
    try {
      const now = Date.now()
      const due = await store.claimDue(now, now + leaseDuration, claimLimit)
      push(due)
      const next = due.length === claimLimit ? now : await store.nextDue()
      wakeAt(Math.min(next ?? Infinity, Date.now() + idlePoll))
    } catch (error) {
      report(new StoreError('looking for events to tell', error))
      wakeAt(Date.now() + idlePoll)
    }
  }

  return {
    leaseUntil: (now) => (listeners.any() ? now + leaseDuration : now),
    push,
    wakeAt,

    async drain() {
      for (;;) {
        if (closing) throw new Error('the correlator is closed: nothing is told any more')
        await settling
        if (!listeners.any() && lanes.size === 0) return
        const next = await store.nextDue()
        if (next === undefined) return
        const wait = lanes.size > 0 ? shortWait : next - Date.now()
        await delay(Math.min(Math.max(wait, shortWait), drainPoll))
        if (lanes.size === 0) await lookForDue()
      }
    },

    async close() {
      closing = true
      clearTimeout(wakeTimer)
      while (running > 0) await delay(shortWait)
      await settling
    },
  }
}
