import { setTimeout as delay } from 'node:timers/promises'
import { type ListenerError, StoreError } from './errors.js'
import type { QueuedEvents, QueuedResult } from './event-queue.js'
import type { AnyEvent } from './event.js'
import type { Listeners } from './listeners.js'
import { type Observing, unobserved } from './observing.js'
import { runJob } from './queued-run.js'
import { createSettling, type Settling } from './settling.js'
import type { Store } from './store.js'

/** While closing it is looked this often whether runs have ended, in ms. */
const shortWait = 5

export interface QueueTellingOptions {
  /** How long a listener may take each time, in ms. */
  timeout: number
  /** How long events are a run's before others may take them, in ms; it prolongs that while it tells them. */
  leaseDuration: number
  /** Called with events that are told for the first time. */
  told: (events: readonly AnyEvent[]) => void
  observing: Observing
}

/** Tells listeners of the events that jobs of a queue bring. */
export interface QueueTelling {
  run(queued: QueuedEvents): Promise<QueuedResult>
  /** Begins with no further event. Resolves when the runs have ended, or the time in ms is over. */
  close(timeout: number): Promise<void>
}

/** What all runs of a process share. */
export interface RunContext extends QueueTellingOptions {
  store: Store
  listeners: Listeners
  settling: Settling
  report: (error: ListenerError | StoreError) => void
  isClosing: () => boolean
}

export function createQueueTelling(
  store: Store,
  listeners: Listeners,
  report: (error: ListenerError | StoreError) => void,
  options: Partial<QueueTellingOptions> = {},
): QueueTelling {
  let running = 0
  let closing = false
  const { observing = unobserved } = options
  const context: RunContext = {
    timeout: 5 * 60_000,
    leaseDuration: 30_000,
    told: () => {},
    ...options,
    observing,
    store,
    listeners,
    settling: createSettling(store, () => {}, report, observing),
    report,
    isClosing: () => closing,
  }

  return {
    async run(queued) {
      const notNow: QueuedResult = { told: 0, failures: [], later: queued.eventIds }
      // Where nobody listens yet, it would be over, and nobody told.
      if (closing || !listeners.any()) return notNow
      running += 1
      try {
        return await runJob(context, queued)
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        report(error)
        return notNow
      } finally {
        running -= 1
      }
    },

    async close(timeout) {
      closing = true
      const deadline = Date.now() + timeout
      while (running > 0 && Date.now() < deadline) await delay(shortWait)
      context.settling.hurry()
      await context.settling.written()
    },
  }
}
