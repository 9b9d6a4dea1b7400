import type { AnyEvent } from '../event.js'
import { createCounting, isCountedAlike } from '../counting.js'
import { createForgetting } from '../forgetting.js'
import { canonicalAddress, firstTrackingId, labelsOf, matched } from '../matching.js'
import { type MessageRecord, type SentRecipient, toSentMessage, withResult } from '../message.js'
import { initialState, recipientStatus, withEvent, withSendStatus } from '../status.js'
import type {
  Delivery,
  IncomingEvent,
  Lease,
  MatchKey,
  MessageKey,
  Progress,
  RecipientState,
  Schedule,
  Store,
  StoredMessage,
  Tellable,
  TimeSpan,
} from '../store.js'
import { factsOf } from '../suppression.js'
import { inTimeOrder } from '../timeline.js'
import { memoryCounts } from './memory-counts.js'
import { memorySuppressions } from './memory-suppressions.js'
import { replayable } from './progress.js'

interface Message {
  record: MessageRecord
  states: Map<string, RecipientState>
  events: StoredEvent[]
}

interface StoredEvent {
  event: AnyEvent
  address: string | undefined
  matchKeys: MatchKey[]
  providerKey: string | undefined
}

/** What is still to be told of an event. */
interface Untold {
  stored: StoredEvent
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
  stored: StoredEvent
  position: number
  progress: Progress
  givenUpAt: number
}

/**
 * Keeps everything in this process until it ends: for tests, and for trying things out. It is also
 * the plainest telling of what a store does.
 */
export function memoryStore(): Store {
  const messages = new Map<string, Message>()
  const messageKeys = new Map<string, { message: Message; address: string | undefined }>()
  const events = new Map<string, StoredEvent>()
  const providerKeys = new Set<string>()
  const waiting = new Map<string, Set<StoredEvent>>()
  const untold = new Map<string, Untold>()
  const lanes = new Map<string, Set<Untold>>()
  const deadLetters = new Map<string, DeadLetter>()
  const nonces = new Map<string, { content: string; usedAt: number }>()
  const checkpoints = new Map<string, string>()
  const suppressions = memorySuppressions()
  const counts = memoryCounts()
  let lastPosition = 0
  let closed = false

  /** As with a file: what has been closed takes nothing more. */
  function checkOpen(): void {
    if (closed) throw new Error('the memory store is closed')
  }

  function toDelivery({ stored, progress }: Pick<Untold, 'stored' | 'progress'>): Delivery {
    const { trackingId } = stored.event
    const message = trackingId === undefined ? undefined : messages.get(trackingId)
    return structuredClone({
      event: stored.event,
      message: message && toSentMessage(message.record),
      progress,
    })
  }

  function addUntold(entry: Untold): void {
    untold.set(entry.stored.event.id, entry)
    lanes.set(entry.lane, (lanes.get(entry.lane) ?? new Set()).add(entry))
  }

  function removeUntold(entry: Untold): void {
    untold.delete(entry.stored.event.id)
    const lane = lanes.get(entry.lane)
    lane?.delete(entry)
    if (lane?.size === 0) lanes.delete(entry.lane)
  }

  /** Lines events up to be told: under the caller's lease, unless others are at the same message. */
  function lineUp(entries: Untold[], { now, lease }: Schedule): Tellable {
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

  /** Writes a message as it is now, and counts it in place of what it was. */
  function write(message: Message, before: MessageRecord | undefined, answered: SentRecipient[]) {
    const { record, states } = message
    const counting = createCounting()
    counting.message(record, before)
    if (before && !isCountedAlike(record, before)) counting.moved(record, before, states)
    for (const { address, status } of answered) {
      const canonical = canonicalAddress(address)
      const known = states.get(canonical)
      const state = withSendStatus(known ?? initialState, status)
      counting.recipient(record, canonical, state, known)
      states.set(canonical, state)
    }
    counts.add(counting.changes())
  }

  function removeEvent(id: string): void {
    const { matchKeys = [], providerKey } = events.get(id) ?? {}
    if (providerKey !== undefined) providerKeys.delete(providerKey)
    for (const { key } of matchKeys) {
      const entries = waiting.get(key)
      for (const stored of entries ?? []) if (stored.event.id === id) entries?.delete(stored)
      if (entries?.size === 0) waiting.delete(key)
    }
    events.delete(id)
    deadLetters.delete(id)
  }

  /** Gives an event to its message, counts it, and folds it into the state of the recipient. */
  function tie(
    stored: StoredEvent,
    via: MatchKey['via'],
    message: Message,
    keyAddress: string | undefined,
  ): void {
    const tied = matched(stored.event, message.record, via, stored.address ?? keyAddress)
    stored.event = tied.event
    message.events.push(stored)
    const counting = createCounting()
    counting.event(message.record, tied.event)
    const state = tied.address === undefined ? undefined : message.states.get(tied.address)
    if (tied.address !== undefined && state) {
      const next = withEvent(state, tied.event)
      counting.recipient(message.record, tied.address, next, state)
      message.states.set(tied.address, next)
    }
    counts.add(counting.changes())
  }

  /** Makes a message known by these ids, and gives it the events that waited for one of them. */
  function join(message: Message, keys: MessageKey[], schedule: Schedule): Tellable {
    const joined: Untold[] = []
    for (const { key, address } of keys) {
      messageKeys.set(key, { message, address })
      for (const stored of waiting.get(key) ?? []) {
        const via = stored.matchKeys.find((candidate) => candidate.key === key)?.via ?? 'own-id'
        const pending = stored.event.correlation.status === 'pending'
        for (const candidate of stored.matchKeys) waiting.get(candidate.key)?.delete(stored)
        tie(stored, via, message, address)
        const entry = untold.get(stored.event.id)
        // A foreign one was told already, or is being told: that stands as it is.
        if (!pending || !entry) continue
        removeUntold(entry)
        entry.lane = message.record.trackingId
        addUntold(entry)
        joined.push(entry)
      }
      waiting.delete(key)
    }
    return lineUp(
      joined.toSorted((a, b) => a.position - b.position),
      schedule,
    )
  }

  /** The one message to this address in the span; undefined when there are none or several. */
  function onlyMessageTo(
    provider: string,
    address: string,
    { from, to }: TimeSpan,
  ): Message | undefined {
    const first = firstTrackingId(from)
    const end = firstTrackingId(to + 1)
    const [only, ...others] = [...messages.values()].filter(
      ({ record, states }) =>
        record.provider === provider &&
        states.has(address) &&
        record.trackingId >= first &&
        record.trackingId < end,
    )
    return others.length === 0 ? only : undefined
  }

  function add({ event, providerKey, address, matchKeys, sentWithin }: IncomingEvent): StoredEvent {
    const stored: StoredEvent = {
      event: structuredClone(event),
      address,
      matchKeys,
      providerKey,
    }
    events.set(event.id, stored)
    if (providerKey !== undefined) providerKeys.add(providerKey)
    for (const { via, key } of matchKeys) {
      const found = messageKeys.get(key)
      if (found) {
        tie(stored, via, found.message, found.address)
        return stored
      }
    }
    const message =
      sentWithin && address !== undefined && onlyMessageTo(event.provider, address, sentWithin)
    if (message) tie(stored, 'recipient', message, address)
    for (const { key } of matchKeys) waiting.set(key, (waiting.get(key) ?? new Set()).add(stored))
    return stored
  }

  const isKnown = ({ event, providerKey }: IncomingEvent): boolean =>
    events.has(event.id) || (providerKey !== undefined && providerKeys.has(providerKey))

  const toStored = ({ record, states }: Message): StoredMessage =>
    structuredClone({ record, states })

  return {
    async open() {},

    async addMessage(record, keys, schedule) {
      checkOpen()
      const known = messages.get(record.trackingId)
      const message = known ?? { record, states: new Map(), events: [] }
      const before = known?.record
      message.record = structuredClone(record)
      write(message, before, record.recipients)
      messages.set(record.trackingId, message)
      return join(message, keys, schedule)
    },

    async addResult(trackingId, result, keys, schedule) {
      checkOpen()
      const message = messages.get(trackingId)
      if (!message) return { deliveries: [], left: 0 }
      const before = message.record
      message.record = structuredClone(withResult(before, result))
      write(message, before, result.recipients)
      return join(message, keys, schedule)
    },

    async ingest(batch, schedule) {
      checkOpen()
      const { nonce } = batch
      if (nonce) {
        const { content } = nonces.get(nonce.token) ?? nonce
        if (content !== nonce.content) return { kind: 'replayed' }
        nonces.set(nonce.token, { content, usedAt: schedule.now })
      }
      if (batch.checkpoint) checkpoints.set(batch.checkpoint.name, batch.checkpoint.position)
      const tellable: Untold[] = []
      const trackingIds = new Set<string>()
      let duplicates = 0
      let waitingNow = 0
      for (const incoming of batch.events) {
        if (isKnown(incoming)) {
          duplicates += 1
          continue
        }
        const stored = add(incoming)
        suppressions.take(factsOf(stored.event))
        const { id, correlation, trackingId } = stored.event
        const entry: Untold = {
          stored,
          lane: trackingId ?? id,
          position: (lastPosition += 1),
          dueAt: schedule.foreignAt,
          owner: undefined,
          progress: {},
        }
        addUntold(entry)
        if (correlation.status === 'pending') waitingNow += 1
        else tellable.push(entry)
        if (trackingId !== undefined) trackingIds.add(trackingId)
      }
      return {
        kind: 'stored',
        ...lineUp(tellable, schedule),
        duplicates,
        waiting: waitingNow,
        trackingIds: [...trackingIds],
      }
    },

    async claim(now, lease, limit) {
      checkOpen()
      const claimed: Untold[] = []
      for (const entries of lanes.values()) {
        const lane = [...entries].toSorted((a, b) => a.position - b.position)
        if (lane.some(({ owner, dueAt }) => owner !== undefined && dueAt > now)) continue
        const end = lane.findIndex(({ dueAt }) => dueAt > now)
        claimed.push(...lane.slice(0, end < 0 ? undefined : end))
      }
      return claimed
        .toSorted((a, b) => a.position - b.position)
        .slice(0, limit)
        .map((entry) => take(entry, lease))
    },

    async claimEvents({ eventIds, leftBy, mostEarlier }, now, lease) {
      checkOpen()
      const byPosition = (a: Untold, b: Untold): number => a.position - b.position
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
      checkOpen()
      return eventIds.filter((id) => {
        const entry = untold.get(id)
        if (entry?.owner !== lease.owner) return true
        entry.dueAt = lease.until
        return false
      })
    },

    async settle(settlements) {
      checkOpen()
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
        if (kind === 'told' || kind === 'given-up') removeUntold(entry)
        if (kind === 'given-up') {
          deadLetters.set(eventId, { ...entry, givenUpAt: settlement.at })
        }
      }
    },

    async nextDue() {
      checkOpen()
      const times = [...untold.values()].map(({ dueAt }) => dueAt)
      return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b))
    },

    async deadLetters(limit, before) {
      checkOpen()
      return [...deadLetters.values()]
        .filter(({ stored }) => before === undefined || stored.event.id < before)
        .toSorted((a, b) => (a.stored.event.id < b.stored.event.id ? 1 : -1))
        .slice(0, limit)
        .map((entry) => ({ ...toDelivery(entry), givenUpAt: entry.givenUpAt }))
    },

    async replay(eventIds, now) {
      checkOpen()
      let replayed = 0
      for (const id of eventIds) {
        const entry = deadLetters.get(id)
        if (!entry) continue
        deadLetters.delete(id)
        const { stored, position, progress } = entry
        addUntold({
          stored,
          lane: stored.event.trackingId ?? id,
          position,
          dueAt: now,
          owner: undefined,
          progress: replayable(progress),
        })
        replayed += 1
      }
      return replayed
    },

    async message(trackingId) {
      checkOpen()
      const message = messages.get(trackingId)
      if (!message) return undefined
      const timeline = inTimeOrder(message.events.map(({ event }) => event))
      return { ...toStored(message), events: structuredClone(timeline) }
    },

    async find({ provider, address, status, from, to, labels = [] }, limit, before) {
      checkOpen()
      const first = firstTrackingId(from ?? 0)
      const end = to === undefined ? undefined : firstTrackingId(to)
      const fits = ({ record, states }: Message): boolean =>
        (before === undefined || record.trackingId < before) &&
        record.trackingId >= first &&
        (end === undefined || record.trackingId < end) &&
        labels.every((label) => labelsOf(record).includes(label)) &&
        (provider === undefined || record.provider === provider) &&
        ((address === undefined && status === undefined) ||
          [...states].some(
            ([key, state]) =>
              (address === undefined || key === address) &&
              (status === undefined || recipientStatus(state) === status),
          ))
      return [...messages.values()]
        .filter(fits)
        .toSorted((a, b) => (a.record.trackingId < b.record.trackingId ? 1 : -1))
        .slice(0, limit)
        .map(toStored)
    },

    async prune(
      { messages: sentBefore, events: happenedBefore, nonces: usedBefore, ...limits },
      most,
    ) {
      checkOpen()
      const idBefore = (time: number | undefined): string => firstTrackingId(time ?? 0)
      const oldMessages = [...messages]
        .filter(([id]) => id < idBefore(sentBefore))
        .filter(([, { events: mine }]) => mine.every(({ event }) => !untold.has(event.id)))
        .slice(0, most)
      for (const [id, { events: mine }] of oldMessages) {
        messages.delete(id)
        for (const [key, { message }] of messageKeys) {
          if (message.record.trackingId === id) messageKeys.delete(key)
        }
        for (const { event } of mine) removeEvent(event.id)
      }
      const oldEvents = [...events.values()]
        .filter(({ event }) => event.trackingId === undefined && !untold.has(event.id))
        .filter(({ event }) => event.id < idBefore(happenedBefore))
        .slice(0, most)
      for (const { event } of oldEvents) removeEvent(event.id)
      const oldNonces = [...nonces].filter(([, { usedAt }]) => usedAt < (usedBefore ?? 0))
      for (const [token] of oldNonces.slice(0, most)) nonces.delete(token)
      return (
        oldMessages.length +
        oldEvents.length +
        Math.min(oldNonces.length, most) +
        counts.remove(limits)
      )
    },

    async forget(address, written, pseudonym) {
      checkOpen()
      const forgetting = createForgetting([address, ...written], pseudonym)
      const counting = createCounting()
      let changed = 0
      for (const message of messages.values()) {
        if (!forgetting.isIn(JSON.stringify(message.record))) continue
        changed += 1
        const before = message.record
        message.record = forgetting.record(before)
        const state = message.states.get(address)
        if (!state) continue
        message.states.delete(address)
        message.states.set(pseudonym, state)
        counting.renamed(before, address, pseudonym, state)
      }
      for (const [key, { message, address: of }] of messageKeys) {
        if (of === address) messageKeys.set(key, { message, address: pseudonym })
      }
      // A copy, for what is written under a new id would come again.
      for (const stored of Array.from(events.values())) {
        const { id } = stored.event
        const dead = deadLetters.get(id)
        const entry = untold.get(id)
        const told = { ...entry?.progress, ...dead?.progress }
        if (![stored.event, told].some((part) => forgetting.isIn(JSON.stringify(part)))) continue
        changed += 1
        if (entry) removeUntold(entry)
        events.delete(id)
        deadLetters.delete(id)
        stored.event = forgetting.event(stored.event)
        if (stored.address === address) stored.address = pseudonym
        const known = stored.event.id
        events.set(known, stored)
        const progress: Progress = JSON.parse(forgetting.text(JSON.stringify(told)))
        if (dead) deadLetters.set(known, { ...dead, progress })
        if (entry) addUntold({ ...entry, progress, lane: stored.event.trackingId ?? known })
      }
      suppressions.remove(address)
      counts.add(counting.changes())
      counts.rename(forgetting)
      return changed
    },

    async checkpoint(name) {
      checkOpen()
      return checkpoints.get(name)
    },

    async counts(query) {
      checkOpen()
      return counts.read(query)
    },

    async suppress(facts) {
      checkOpen()
      suppressions.take(facts)
    },

    async suppressionsOf(addresses) {
      checkOpen()
      return suppressions.of(addresses)
    },

    async suppressions(limit, after) {
      checkOpen()
      return suppressions.list(limit, after)
    },

    async close() {
      closed = true
    },
  }
}
