import type { AnyEvent } from '../event.js'
import type { SentMessage } from '../message.js'
import type { Delivery, Lease, Progress, Schedule, Store, Tellable } from '../store.js'
import { replayable } from './progress.js'

/** An event as it is by now. */
interface Told {
  event: AnyEvent
}

/** What is still to be told of an event. */
export interface Untold {
  stored: Told
  /** Events of one message are told one after the other, and so are all in one lane. */
  lane: string
  /** Which one it was to come. */
  position: number
  /** When anybody may tell it; while it is leased, when the lease ends. */
  dueAt: number
  owner: string | undefined
  progress: Progress
}

interface DeadLetter {
  stored: Told
  position: number
  progress: Progress
  givenUpAt: number
}

type Methods = 'claim' | 'claimEvents' | 'renew' | 'settle' | 'nextDue' | 'deadLetters' | 'replay'

/** What is to be told, and what was given up, in this process. */
export interface MemoryTelling extends Pick<Store, Methods> {
  /** An event has come, and is to be told from then on. */
  add(stored: Told, dueAt: number): Untold
  /** It has joined a message; undefined where it was told already. */
  join(stored: Told): Untold | undefined
  /** Lines events up to be told: under the caller's lease, unless others are at the same message. */
  lineUp(entries: readonly Untold[], schedule: Schedule): Tellable
  isUntold(eventId: string): boolean
  /** How far telling it has come. */
  progressOf(eventId: string): Progress
  /** It stands under another id by now. */
  rename(from: string, stored: Told, progress: Progress): void
  /** It is removed, and no dead letter any more. */
  remove(eventId: string): void
}

/**
 * @param messageOf what listeners are told with an event
 */
export function memoryTelling(
  messageOf: (event: AnyEvent) => SentMessage | undefined,
): MemoryTelling {
  const untold = new Map<string, Untold>()
  const lanes = new Map<string, Set<Untold>>()
  const deadLetters = new Map<string, DeadLetter>()
  let lastPosition = 0

  function toDelivery({ stored, progress }: Pick<Untold, 'stored' | 'progress'>): Delivery {
    return structuredClone({ event: stored.event, message: messageOf(stored.event), progress })
  }

  function enter(entry: Untold): void {
    untold.set(entry.stored.event.id, entry)
    lanes.set(entry.lane, (lanes.get(entry.lane) ?? new Set()).add(entry))
  }

  function leave(eventId: string, entry: Untold): void {
    untold.delete(eventId)
    const lane = lanes.get(entry.lane)
    lane?.delete(entry)
    if (lane?.size === 0) lanes.delete(entry.lane)
  }

  /** Leases an event to be told, as foreign when it is still without its message. */
  function take(entry: Untold, lease: Lease): Delivery {
    const { stored } = entry
    if (stored.event.correlation.status === 'pending') {
      stored.event = { ...stored.event, correlation: { status: 'foreign' } }
    }
    entry.owner = lease.owner
    entry.dueAt = lease.until
    return toDelivery(entry)
  }

  return {
    add(stored, dueAt) {
      const { id, trackingId = id } = stored.event
      const position = (lastPosition += 1)
      const entry = { stored, lane: trackingId, position, dueAt, owner: undefined, progress: {} }
      enter(entry)
      return entry
    },

    join(stored) {
      const { id, trackingId = id } = stored.event
      const entry = untold.get(id)
      if (!entry) return undefined
      leave(id, entry)
      entry.lane = trackingId
      enter(entry)
      return entry
    },

    lineUp(entries, { now, lease }) {
      const fresh = new Set(entries)
      const isBusy = (lane: string): boolean =>
        [...(lanes.get(lane) ?? [])].some(
          (other) => !fresh.has(other) && other.owner !== lease?.owner,
        )
      const leased = entries.filter((entry) => {
        const free = lease !== undefined && !isBusy(entry.lane)
        entry.owner = free ? lease.owner : undefined
        entry.dueAt = free ? lease.until : now
        return free
      })
      return { deliveries: leased.map(toDelivery), left: entries.length - leased.length }
    },

    isUntold: (eventId) => untold.has(eventId),

    progressOf: (eventId) => ({
      ...untold.get(eventId)?.progress,
      ...deadLetters.get(eventId)?.progress,
    }),

    rename(from, stored, progress) {
      const { id, trackingId = id } = stored.event
      const dead = deadLetters.get(from)
      deadLetters.delete(from)
      if (dead) deadLetters.set(id, { ...dead, progress })
      const entry = untold.get(from)
      if (!entry) return
      leave(from, entry)
      enter({ ...entry, progress, lane: trackingId })
    },

    remove: (eventId) => void deadLetters.delete(eventId),

    async claim(now, lease, limit) {
      const claimed: Untold[] = []
      for (const entries of lanes.values()) {
        const lane = [...entries].toSorted(byPosition)
        if (lane.some(({ owner, dueAt }) => owner !== undefined && dueAt > now)) continue
        const end = lane.findIndex(({ dueAt }) => dueAt > now)
        claimed.push(...lane.slice(0, end < 0 ? undefined : end))
      }
      return claimed
        .toSorted(byPosition)
        .slice(0, limit)
        .map((entry) => take(entry, lease))
    },

    async claimEvents({ eventIds, leftBy, mostEarlier }, now, lease) {
      const asked = new Set(eventIds.flatMap((id) => untold.get(id) ?? []))
      const before = (entry: Untold): Untold[] =>
        [...(lanes.get(entry.lane) ?? [])].filter(({ position }) => position < entry.position)
      const earlier = new Set([...asked].flatMap(before).toSorted(byPosition))
      const wanted = new Set([...asked, ...[...earlier].slice(0, mostEarlier)])
      const isFree = (entry: Untold): boolean => {
        const { owner, dueAt } = entry
        const isLeft =
          owner !== undefined &&
          (owner === lease.owner || leftBy.some((beginning) => owner.startsWith(beginning)))
        return wanted.has(entry) && (dueAt <= now || isLeft)
      }
      const claimed = [...wanted]
        .toSorted(byPosition)
        .filter((entry) => isFree(entry) && before(entry).every(isFree))
      return {
        deliveries: claimed.map((entry) => take(entry, lease)),
        blocked: [...asked]
          .filter((entry) => !claimed.includes(entry))
          .toSorted(byPosition)
          .map(({ stored }) => stored.event.id),
      }
    },

    async renew(eventIds, lease) {
      return eventIds.filter((id) => {
        const entry = untold.get(id)
        if (entry?.owner !== lease.owner) return true
        entry.dueAt = lease.until
        return false
      })
    },

    async settle(settlements) {
      for (const settlement of settlements) {
        const { eventId, kind } = settlement
        const entry = untold.get(eventId)
        // Whoever came first has settled it: a listener that failed elsewhere changes nothing.
        if (!entry) continue
        if (kind !== 'told') entry.progress = structuredClone(settlement.progress)
        if (kind === 'released') {
          entry.owner = undefined
          entry.dueAt = settlement.dueAt
        }
        if (kind === 'told' || kind === 'given-up') leave(eventId, entry)
        if (kind === 'given-up') deadLetters.set(eventId, { ...entry, givenUpAt: settlement.at })
      }
    },

    async nextDue() {
      const times = [...untold.values()].map(({ dueAt }) => dueAt)
      return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b))
    },

    async deadLetters(limit, before) {
      return [...deadLetters.values()]
        .filter(({ stored }) => before === undefined || stored.event.id < before)
        .toSorted((a, b) => (a.stored.event.id < b.stored.event.id ? 1 : -1))
        .slice(0, limit)
        .map((entry) => ({ ...toDelivery(entry), givenUpAt: entry.givenUpAt }))
    },

    async replay(eventIds, now) {
      let replayed = 0
      for (const id of eventIds) {
        const entry = deadLetters.get(id)
        if (!entry) continue
        deadLetters.delete(id)
        const { stored, position } = entry
        const lane = stored.event.trackingId ?? id
        const progress = replayable(entry.progress)
        enter({ stored, lane, position, dueAt: now, owner: undefined, progress })
        replayed += 1
      }
      return replayed
    },
  }
}

function byPosition(a: Untold, b: Untold): number {
  return a.position - b.position
}
