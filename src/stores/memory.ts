import type { AnyEvent } from '../event.js'
import { canonicalAddress, matched } from '../matching.js'
import { type MessageRecord, toSentMessage, withResult } from '../message.js'
import { initialState, recipientStatus, withEvent, withSendStatus } from '../status.js'
import type {
  Delivery,
  IncomingEvent,
  MatchKey,
  MessageKey,
  RecipientState,
  Schedule,
  Store,
} from '../store.js'

interface Message {
  record: MessageRecord
  states: Map<string, RecipientState>
  events: StoredEvent[]
}

interface StoredEvent {
  /** Which one it was to come. */
  position: number
  event: AnyEvent
  address: string | undefined
  matchKeys: MatchKey[]
  attempts: number
  /** When it is to be told; undefined once it was told, or given up. */
  dueAt?: number | undefined
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
  const untold = new Set<StoredEvent>()
  const nonces = new Map<string, string>()

  function setDue(stored: StoredEvent, dueAt: number | undefined): void {
    stored.dueAt = dueAt
    if (dueAt === undefined) untold.delete(stored)
    else untold.add(stored)
  }

  function toDelivery({ event, attempts }: StoredEvent): Delivery {
    const message = event.trackingId === undefined ? undefined : messages.get(event.trackingId)
    return { event, message: message && toSentMessage(message.record), attempts }
  }

  /** Gives an event to its message, and folds it into the state of the recipient. */
  function tie(
    stored: StoredEvent,
    via: MatchKey['via'],
    message: Message,
    keyAddress: string | undefined,
  ): void {
    const tied = matched(stored.event, message.record, via, stored.address ?? keyAddress)
    stored.event = tied.event
    message.events.push(stored)
    const state = tied.address === undefined ? undefined : message.states.get(tied.address)
    if (tied.address !== undefined && state) {
      message.states.set(tied.address, withEvent(state, tied.event))
    }
  }

  /** Makes a message known by these ids, and gives it the events that waited for one of them. */
  function join(message: Message, keys: MessageKey[], { leaseUntil }: Schedule): Delivery[] {
    const joined: StoredEvent[] = []
    for (const { key, address } of keys) {
      messageKeys.set(key, { message, address })
      for (const stored of waiting.get(key) ?? []) {
        const via = stored.matchKeys.find((candidate) => candidate.key === key)?.via ?? 'own-id'
        const pending = stored.event.correlation.status === 'pending'
        for (const candidate of stored.matchKeys) waiting.get(candidate.key)?.delete(stored)
        tie(stored, via, message, address)
        // A foreign one was told already, or is being told.
        if (pending) {
          setDue(stored, leaseUntil)
          joined.push(stored)
        }
      }
      waiting.delete(key)
    }
    return joined.toSorted((a, b) => a.position - b.position).map(toDelivery)
  }

  function add({ event, providerKey, address, matchKeys }: IncomingEvent): StoredEvent {
    const position = events.size
    const stored: StoredEvent = { position, event, address, matchKeys, attempts: 0 }
    events.set(event.id, stored)
    if (providerKey !== undefined) providerKeys.add(providerKey)
    for (const { via, key } of matchKeys) {
      const found = messageKeys.get(key)
      if (found) {
        tie(stored, via, found.message, found.address)
        return stored
      }
    }
    for (const { key } of matchKeys) waiting.set(key, (waiting.get(key) ?? new Set()).add(stored))
    return stored
  }

  let closed = false

  /** As with a file: what has been closed takes nothing more. */
  function checkOpen(): void {
    if (closed) throw new Error('the memory store is closed')
  }

  const isKnown = ({ event, providerKey }: IncomingEvent): boolean =>
    events.has(event.id) || (providerKey !== undefined && providerKeys.has(providerKey))

  return {
    async open() {},

    async addMessage(record, keys, schedule) {
      checkOpen()
      const message: Message = { record, states: new Map(), events: [] }
      for (const { address, status } of record.recipients) {
        message.states.set(canonicalAddress(address), withSendStatus(initialState, status))
      }
      messages.set(record.trackingId, message)
      return join(message, keys, schedule)
    },

    async addResult(trackingId, result, keys, schedule) {
      checkOpen()
      const message = messages.get(trackingId)
      if (!message) return []
      message.record = withResult(message.record, result)
      for (const recipient of result.recipients) {
        const address = canonicalAddress(recipient.address)
        const state = message.states.get(address) ?? initialState
        message.states.set(address, withSendStatus(state, recipient.status))
      }
      return join(message, keys, schedule)
    },

    async ingest(batch, { leaseUntil, foreignAt }) {
      checkOpen()
      const { nonce } = batch
      if (nonce) {
        const content = nonces.get(nonce.token) ?? nonce.content
        if (content !== nonce.content) return { kind: 'replayed' }
        nonces.set(nonce.token, content)
      }
      const deliveries: Delivery[] = []
      let duplicates = 0
      for (const incoming of batch.events) {
        if (isKnown(incoming)) {
          duplicates += 1
          continue
        }
        const stored = add(incoming)
        const pending = stored.event.correlation.status === 'pending'
        setDue(stored, pending ? foreignAt : leaseUntil)
        if (!pending) deliveries.push(toDelivery(stored))
      }
      const waitingNow = batch.events.length - duplicates - deliveries.length
      return { kind: 'stored', deliveries, duplicates, waiting: waitingNow }
    },

    async claimDue(now, leaseUntil, limit) {
      checkOpen()
      const due = [...untold].filter(({ dueAt }) => dueAt !== undefined && dueAt <= now)
      return due.slice(0, limit).map((stored) => {
        setDue(stored, leaseUntil)
        if (stored.event.correlation.status === 'pending') {
          stored.event = { ...stored.event, correlation: { status: 'foreign' } }
        }
        return toDelivery(stored)
      })
    },

    async settle(settlements) {
      checkOpen()
      for (const settlement of settlements) {
        const stored = events.get(settlement.eventId)
        // Whoever came first has settled it: a listener that failed elsewhere changes nothing.
        if (stored?.dueAt === undefined) continue
        setDue(stored, settlement.kind === 'again' ? settlement.at : undefined)
        if (settlement.kind !== 'told') stored.attempts = settlement.attempts
      }
    },

    async nextDue() {
      checkOpen()
      return [...untold].reduce<number | undefined>(
        (first, { dueAt = Infinity }) => Math.min(first ?? Infinity, dueAt),
        undefined,
      )
    },

    async message(trackingId) {
      checkOpen()
      const message = messages.get(trackingId)
      if (!message) return undefined
      const timeline = message.events.map(({ event }) => event)
      timeline.sort((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime())
      return { record: message.record, states: new Map(message.states), events: timeline }
    },

    async find({ provider, address, status }, limit, before) {
      checkOpen()
      const fits = ({ record, states }: Message): boolean =>
        (before === undefined || record.trackingId < before) &&
        (provider === undefined || record.provider === provider) &&
        ((address === undefined && status === undefined) ||
          [...states].some(
            ([key, state]) =>
              (address === undefined || key === address) &&
              (status === undefined || recipientStatus(state) === status),
          ))
      const found = [...messages.values()].filter(fits)
      found.sort((a, b) => (a.record.trackingId < b.record.trackingId ? 1 : -1))
      return found
        .slice(0, limit)
        .map(({ record, states }) => ({ record, states: new Map(states) }))
    },

    async close() {
      closed = true
    },
  }
}
