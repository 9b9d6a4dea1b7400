import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type ListenerError, StoreError } from './errors.js'
import type { AnyEvent } from './event.js'
import type { Listeners, TakenListener } from './listeners.js'
import { type Observing, unobserved } from './observing.js'
import { createSettling } from './settling.js'
import type { Delivery, Lease, Settlement, Store } from './store.js'
import { createTeller, type Job, type Teller, type TellingRetries } from './teller.js'

/** How a dispatcher keeps time. */
export interface Pace extends TellingRetries {
  /** How long events are ours to tell before another process may take them, in ms. */
  leaseDuration: number
}

export interface DispatcherOptions extends Partial<Pace> {
  /** Called with events that are told for the first time. */
  told?: (events: readonly AnyEvent[]) => void
  observing?: Observing
}

/** How many events are held at once: the rest of a backlog stays in the store. */
const mostHeld = 10_000

/** How many events are taken from the store, or prolonged in it, at once. */
const claimLimit = 1000

/** The store is looked through at least this often, for events that others left, in ms. */
const idlePoll = 1000

/** When events are due and cannot be had, for others tell earlier ones, they are looked for again, in ms. */
const blockedPoll = 100

/** While draining it is looked through more often, for other processes settle events too. */
const drainPoll = 50
const shortWait = 5

const defaultPace: Pace = {
  // Waits of 1 s, 2 s, 4 s … 256 s between ten attempts: a listener may be away for eight minutes.
  firstWait: 1000,
  attempts: 10,
  timeout: 5 * 60_000,
  leaseDuration: 30_000,
}

export interface Dispatcher {
  /** Under which events that are written now are ours to tell; undefined when others shall. */
  lease(now: number): Lease | undefined
  /** Tells events that were written and leased to us. */
  push(deliveries: readonly Delivery[]): void
  /** Looks for due events at this time, in ms since 1970. */
  wakeAt(time: number): void
  /** Looks soon: events were left for whoever claims them. */
  wakeSoon(): void
  /** How many events are held here that are still to be told, or handed on. */
  untold(): number
  /** Resolves when every stored event was told; at once where nobody listens. */
  drain(): Promise<void>
  /** Resolves when what is being told has been, or the time in ms is over; the rest is left to others. */
  close(timeout: number): Promise<void>
}

interface HeldJob extends Job {
  remaining: Set<string>
  leasedUntil: number
}

/**
 * Tells stored events to listeners. An event is settled in the store only when every listener has
 * taken it or was given up; each is told, and told again, without regard to the others.
 */
export function createDispatcher(
  store: Store,
  listeners: Listeners,
  report: (error: ListenerError | StoreError) => void,
  { told, observing = unobserved, ...pace }: DispatcherOptions = {},
): Dispatcher {
  const retries = { ...defaultPace, ...pace }
  const { leaseDuration } = retries
  const owner = randomUUID()
  // Until its end is written: it may be found due once more before, and would be told twice.
  const held = new Map<string, HeldJob>()
  const tellers = new Map<string, Teller>()
  const settling = createSettling(store, forget, report, observing)
  let wakeTimer: NodeJS.Timeout | undefined
  let wakeTime = Infinity
  let leaseTimer: NodeJS.Timeout | undefined
  let closing = false

  const leaseFrom = (now: number): Lease => ({ owner, until: now + leaseDuration })
  const room = (): number => mostHeld - held.size

  function push(deliveries: readonly Delivery[]): void {
    const leasedUntil = Date.now() + leaseDuration
    const fresh = deliveries.filter(({ event }) => !held.has(event.id))
    told?.(fresh.flatMap(({ event, progress }) => (Object.keys(progress).length > 0 ? [] : event)))
    for (const delivery of fresh) {
      const { event, progress } = delivery
      const asked = listeners.take(event.type).filter(({ id }) => !progress[id]?.ended)
      const job: HeldJob = {
        delivery,
        lane: event.trackingId ?? event.id,
        retryAt: new Map(),
        lost: false,
        remaining: new Set(asked.map(({ id }) => id)),
        leasedUntil,
      }
      held.set(event.id, job)
      for (const listener of asked) tellerOf(listener).add(job)
      if (asked.length === 0) settle(job)
    }
    leaseTimer ??= setInterval(() => void prolongLeases(), leaseDuration / 6).unref()
  }

  function tellerOf(listener: TakenListener): Teller {
    const known = tellers.get(listener.id)
    if (known) return known
    const teller = createTeller(
      listener,
      retries,
      (job) => endFor(listener, job),
      (job, error) => {
        report(error)
        if (error.final || job.lost) return
        const { event, progress } = job.delivery
        settling.add({ eventId: event.id, kind: 'failed', progress: structuredClone(progress) })
      },
      observing,
    )
    tellers.set(listener.id, teller)
    return teller
  }

  function endFor(listener: TakenListener, job: Job): void {
    const { id } = listener
    // Who listens once, or no longer, is not told of anything else.
    if ((listener.once || listener.ended) && tellers.get(id)?.idle()) tellers.delete(id)
    const mine = held.get(job.delivery.event.id)
    mine?.remaining.delete(id)
    if (mine?.remaining.size === 0) settle(mine)
  }

  function settle({ delivery: { event, progress } }: HeldJob): void {
    const eventId = event.id
    const givenUp = Object.values(progress).some(({ ended }) => ended === 'given-up')
    settling.add(
      givenUp ? { eventId, kind: 'given-up', progress, at: Date.now() } : { eventId, kind: 'told' },
    )
  }

  function forget(settlements: readonly Settlement[]): void {
    for (const { eventId, kind } of settlements) if (kind !== 'failed') held.delete(eventId)
  }

  async function prolongLeases(): Promise<void> {
    const now = Date.now()
    const soon = now + (leaseDuration * 2) / 3
    const ending = [...held.values()].filter(({ leasedUntil }) => leasedUntil < soon)
    for (let start = 0; start < ending.length; start += claimLimit) {
      const jobs = ending.slice(start, start + claimLimit)
      try {
        const ids = jobs.map(({ delivery }) => delivery.event.id)
        const lost = new Set(await store.renew(ids, leaseFrom(now)))
        for (const job of jobs) {
          job.leasedUntil = now + leaseDuration
          if (lost.has(job.delivery.event.id)) lose(job)
        }
      } catch (error) {
        report(new StoreError('prolonging leases', error))
        return
      }
    }
  }

  function lose(job: HeldJob): void {
    job.lost = true
    held.delete(job.delivery.event.id)
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
    if (closing || !listeners.any()) return
    try {
      const now = Date.now()
      const next = await store.nextDue()
      const limit = Math.min(claimLimit, room())
      const due = next !== undefined && next <= now && limit > 0
      const claimed = due ? await store.claim(now, leaseFrom(now), limit) : []
      push(claimed)
      if (claimed.length > 0) wakeAt(Date.now())
      else wakeAt(Math.min(due ? now + blockedPoll : (next ?? Infinity), now + idlePoll))
    } catch (error) {
      report(new StoreError('looking for events to tell', error))
      wakeAt(Date.now() + idlePoll)
    }
  }

  return {
    lease: (now) =>
      listeners.any() && !closing && held.size < mostHeld ? leaseFrom(now) : undefined,
    push,
    wakeAt,
    wakeSoon: () => wakeAt(Date.now() + blockedPoll),
    untold: () => held.size,

    async drain() {
      for (;;) {
        if (closing) throw new Error('the correlator is closed: nothing is told any more')
        await settling.written()
        if (!listeners.any() && held.size === 0) return
        const next = await store.nextDue()
        if (next === undefined) return
        const wait = held.size > 0 ? shortWait : next - Date.now()
        await delay(Math.min(Math.max(wait, shortWait), drainPoll))
        await lookForDue()
      }
    },

    async close(timeout) {
      closing = true
      clearTimeout(wakeTimer)
      for (const teller of tellers.values()) teller.stop()
      const deadline = Date.now() + timeout
      while ([...tellers.values()].some((teller) => teller.busy()) && Date.now() < deadline) {
        await delay(shortWait)
      }
      clearInterval(leaseTimer)
      settling.hurry()
      for (const job of held.values()) if (job.remaining.size > 0) release(job)
      await settling.written()
    },
  }

  function release(job: HeldJob): void {
    const { event, progress } = job.delivery
    const dueAt = Math.max(Date.now(), ...job.retryAt.values())
    job.lost = true
    settling.add({ eventId: event.id, kind: 'released', progress, dueAt })
  }
}
