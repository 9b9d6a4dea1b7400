import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ListenerError } from './errors.js'
import { queueOwner, type QueuedEvents, type QueuedResult } from './event-queue.js'
import { inStore } from './in-store.js'
import { keepLeased, type LeasedEvents } from './leased-events.js'
import { callListener } from './listener-call.js'
import type { RunContext } from './queue-telling.js'
import type { ClaimedEvents, Delivery } from './store.js'

/** How many messages' events one run tells at the same time. */
const concurrency = 64

/** How many earlier events of its messages a run tells with its own: their job was lost, or comes later. */
const mostEarlier = 500

/**
 * Tells each event of a job once, those of a message one after the other. What is not taken, and what comes after
 * it of its message, stays leased to the job: when it is told again is the queue's affair.
 *
 * @throws StoreError when the store is away, and the signal's reason when that has ended it
 */
export async function runJob(context: RunContext, queued: QueuedEvents): Promise<QueuedResult> {
  const { store, leaseDuration, report } = context
  const { last, signal } = queued
  const owner = `${queued.job} ${queued.run}`
  const { deliveries, blocked } = await take(context, queued, owner)
  const leased = keepLeased(store, owner, deliveries, leaseDuration, report)
  const { told, failures } = await tellAll(context, queued, deliveries, leased)
  const failed = new Set(failures.map(({ eventId }) => eventId))
  await settleRest(context, queued, leased.open, failures)
  await inStore('leaving events to the next run', async () => {
    if (!last) await leased.prolong(failed.size > 0 ? queued.nextRunWithin : 0)
    await store.renew(blocked, { owner: queueOwner, until: Date.now() + leaseDuration })
  })
  signal?.throwIfAborted()
  const untried = [...leased.open.keys()].filter((id) => !failed.has(id))
  return {
    told,
    // What came along and was not taken is told in a job of its own.
    failures: last ? failures.filter(({ final }) => final) : failures,
    later: [...blocked, ...untried],
  }
}

async function take(
  { store, leaseDuration, told }: RunContext,
  { eventIds, job, replayed }: QueuedEvents,
  owner: string,
): Promise<ClaimedEvents> {
  const claimed = await inStore('taking the events of a job', async () => {
    const now = Date.now()
    if (replayed) await store.replay([...eventIds], now)
    const asked = { eventIds, leftBy: [queueOwner, `${job} `], mostEarlier }
    return store.claimEvents(asked, now, { owner, until: now + leaseDuration })
  })
  told(
    claimed.deliveries.flatMap(({ event, progress }) =>
      Object.keys(progress).length > 0 ? [] : event,
    ),
  )
  return claimed
}

async function tellAll(
  context: RunContext,
  { eventIds, last, signal }: QueuedEvents,
  deliveries: readonly Delivery[],
  leased: LeasedEvents,
): Promise<{ told: number; failures: ListenerError[] }> {
  const asked = new Set(eventIds)
  const failures: ListenerError[] = []
  let told = 0
  let storeError: unknown

  async function tellInOrder(events: readonly Delivery[]): Promise<void> {
    for (const delivery of events) {
      const { id } = delivery.event
      // Between listeners that never wait, locks have to be prolonged too.
      await nextTurn()
      await leased.makeSure().catch((error: unknown) => (storeError = error))
      if (context.isClosing() || signal?.aborted || storeError || !leased.open.has(id)) return
      // What came along has all its attempts still before it.
      const errors = await callAll(context, delivery, last && asked.has(id))
      failures.push(...errors)
      if (errors.length > 0) return
      context.settling.add({ eventId: id, kind: 'told' })
      leased.done(id)
      told += 1
    }
  }

  await sideBySide(byMessage(deliveries), tellInOrder)
  leased.stop()
  if (storeError) throw storeError
  return { told, failures }
}

/** Writes what became of the events that were not told. */
async function settleRest(
  { settling }: RunContext,
  { last, givingUp }: QueuedEvents,
  open: ReadonlyMap<string, Delivery>,
  failures: readonly ListenerError[],
): Promise<void> {
  const failed = new Set(failures.map(({ eventId }) => eventId))
  const final = failures.filter((error) => error.final && open.has(error.eventId))
  const givenUp = new Set(final.map(({ eventId }) => eventId))
  if (givenUp.size > 0) await givingUp([...givenUp])
  const now = Date.now()
  for (const [eventId, { progress }] of open) {
    if (givenUp.has(eventId)) settling.add({ eventId, kind: 'given-up', progress, at: now })
    else if (last) settling.add({ eventId, kind: 'released', progress, dueAt: now })
    else if (failed.has(eventId)) settling.add({ eventId, kind: 'failed', progress })
  }
  await settling.written()
}

async function callAll(
  { listeners, timeout, report, observing }: RunContext,
  delivery: Delivery,
  isFinal: boolean,
): Promise<ListenerError[]> {
  const asked = listeners
    .take(delivery.event.type)
    .filter(({ id }) => !delivery.progress[id]?.ended)
  const results = await Promise.all(
    asked.map(async (listener) => {
      const error = await callListener(listener, delivery, timeout, () => isFinal, observing)
      if (!error) return []
      listener.putBack()
      report(error)
      return error
    }),
  )
  return results.flat()
}

function byMessage(deliveries: readonly Delivery[]): Delivery[][] {
  const messages = new Map<string, Delivery[]>()
  for (const delivery of deliveries) {
    const { id, trackingId = id } = delivery.event
    const others = messages.get(trackingId)
    if (others) others.push(delivery)
    else messages.set(trackingId, [delivery])
  }
  return [...messages.values()]
}

async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  const workers = Array.from({ length: Math.min(concurrency, items.length) }, async () => {
    for (const item of rest) await work(item)
  })
  await Promise.all(workers)
}
