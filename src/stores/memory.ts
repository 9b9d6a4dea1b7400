import type { AnyEvent } from '../event.js'
import { createCounting, isCountedAlike } from '../counting.js'
import { createForgetting } from '../forgetting.js'
import { canonicalAddress, firstTrackingId, labelsOf, matched } from '../matching.js'
import { type MessageRecord, type SentRecipient, toSentMessage, withResult } from '../message.js'
import { initialState, recipientStatus, withEvent, withSendStatus } from '../status.js'
import type {
  IncomingEvent,
  MatchKey,
  MessageKey,
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
import { memoryTelling, type Untold } from './memory-telling.js'

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
  const nonces = new Map<string, { content: string; usedAt: number }>()
  const checkpoints = new Map<string, string>()
  const suppressions = memorySuppressions()
  const counts = memoryCounts()
  const telling = memoryTelling(({ trackingId }) => {
    const message = trackingId === undefined ? undefined : messages.get(trackingId)
    return message && toSentMessage(message.record)
  })
  let closed = false

  /** As with a file: what has been closed takes nothing more. */
  function checkOpen(): void {
    if (closed) throw new Error('the memory store is closed')
  }

  function whileOpen<Given extends unknown[], Result>(
    work: (...given: Given) => Result | Promise<Result>,
  ): (...given: Given) => Promise<Result> {
    return async (...given) => {
      checkOpen()
      return work(...given)
    }
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
    telling.remove(id)
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
        // A foreign one was told already, or is being told: that stands as it is.
        const entry = pending ? telling.join(stored) : undefined
        if (entry) joined.push(entry)
      }
      waiting.delete(key)
    }
    return telling.lineUp(
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
      const fresh: AnyEvent[] = []
      let duplicates = 0
      let waitingNow = 0
      for (const incoming of batch.events) {
        if (isKnown(incoming)) {
          duplicates += 1
          continue
        }
        const stored = add(incoming)
        suppressions.take(factsOf(stored.event))
        fresh.push(stored.event)
        const { correlation, trackingId } = stored.event
        const entry = telling.add(stored, schedule.foreignAt)
        if (correlation.status === 'pending') waitingNow += 1
        else tellable.push(entry)
        if (trackingId !== undefined) trackingIds.add(trackingId)
      }
      return {
        kind: 'stored',
        ...telling.lineUp(tellable, schedule),
        events: fresh,
        duplicates,
        waiting: waitingNow,
        trackingIds: [...trackingIds],
      }
    },

    claim: whileOpen(telling.claim),
    claimEvents: whileOpen(telling.claimEvents),
    renew: whileOpen(telling.renew),
    settle: whileOpen(telling.settle),
    nextDue: whileOpen(telling.nextDue),
    deadLetters: whileOpen(telling.deadLetters),
    replay: whileOpen(telling.replay),

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
        .filter(([, { events: mine }]) => mine.every(({ event }) => !telling.isUntold(event.id)))
        .slice(0, most)
      for (const [id, { events: mine }] of oldMessages) {
        messages.delete(id)
        for (const [key, { message }] of messageKeys) {
          if (message.record.trackingId === id) messageKeys.delete(key)
        }
        for (const { event } of mine) removeEvent(event.id)
      }
      const oldEvents = [...events.values()]
        .filter(({ event }) => event.trackingId === undefined && !telling.isUntold(event.id))
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
        const told = JSON.stringify(telling.progressOf(id))
        if (!forgetting.isIn(JSON.stringify(stored.event)) && !forgetting.isIn(told)) continue
        changed += 1
        events.delete(id)
        stored.event = forgetting.event(stored.event)
        if (stored.address === address) stored.address = pseudonym
        events.set(stored.event.id, stored)
        telling.rename(id, stored, JSON.parse(forgetting.text(told)))
      }
      suppressions.remove(address)
      counts.add(counting.changes())
      counts.rename(forgetting)
      return changed
    },

    checkpoint: whileOpen((name) => checkpoints.get(name)),
    counts: whileOpen(counts.read),
    suppress: whileOpen(suppressions.take),
    suppressionsOf: whileOpen(suppressions.of),
    suppressions: whileOpen(suppressions.list),

    async close() {
      closed = true
    },
  }
}
