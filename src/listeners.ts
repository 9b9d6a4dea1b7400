import { randomUUID } from 'node:crypto'
import type { Alarm } from './alarms.js'
import type { WebhookError } from './errors.js'
import type { AnyEvent, EventOf, EventType } from './event.js'
import type { SentMessage } from './message.js'

/**
 * Called with an event and the message it belongs to, which is undefined for a foreign event.
 * It may be async; when it throws or rejects it is called again later, with the same `event.id`.
 */
export type EventListener<T extends EventType = EventType> = (
  event: EventOf<T>,
  message: SentMessage | undefined,
) => unknown

/** What is kept of a listener beyond this process. */
export interface ListenerOptions {
  /**
   * Under which the store keeps how far telling it has come, so that after a restart only the
   * listeners that have not taken an event are told of it again. Without a name all of them are.
   */
  name?: string
}

/** Events by name, as the arguments of their listeners. */
export type CorrelatorEvents = {
  [T in EventType]: [event: EventOf<T>, message: SentMessage | undefined]
} & { refused: [refusal: WebhookError]; alarm: [alarm: Alarm] }

/** A listener as it is kept: for which types it asked is known where it was registered. */
export type AnyListener = (event: AnyEvent, message: SentMessage | undefined) => unknown

interface Registration extends TakenListener {
  listener: unknown
  types: ReadonlySet<EventType> | 'any'
  ended: boolean
}

/** A listener that is to be told of an event. */
export interface TakenListener {
  /** Its name, or else something that no other has, in this process or in another. */
  readonly id: string
  readonly call: AnyListener
  /** It is told of one event, and no further. */
  readonly once: boolean
  /** It was taken away by its owner, and wants to hear no more. */
  readonly ended: boolean
  /** Has it found again, when it is told of one event and did not take that. */
  putBack(): void
}

export interface Listeners {
  add<T extends EventType>(
    types: T | readonly T[] | 'any',
    listener: EventListener<T>,
    options?: ListenerOptions & { once?: boolean },
  ): () => void
  remove(types: EventType | readonly EventType[], listener: unknown): void
  /** Whether anybody listens to anything. */
  any(): boolean
  /** Those to be told of an event now; listeners for one time are not found again. */
  take(type: EventType): TakenListener[]
}

/** Every type of event; complete when it compiles. */
export const eventTypes: Readonly<Record<EventType, true>> = {
  accepted: true,
  deferred: true,
  delivered: true,
  bounced: true,
  rejected: true,
  failed: true,
  opened: true,
  clicked: true,
  complained: true,
  unsubscribed: true,
  subscribed: true,
  suppression: true,
  inbound: true,
  unknown: true,
}

/** @throws TypeError when it is no function, which would only show with the first event */
export function checkListener(listener: unknown): void {
  if (typeof listener === 'function') return
  throw new TypeError(`a listener must be a function, and this is ${typeof listener}`)
}

/** @throws TypeError for a misspelled type, which would never be heard of */
export function checkTypes(types: readonly EventType[]): void {
  for (const type of types) {
    if (!Object.hasOwn(eventTypes, type)) {
      const known = Object.keys(eventTypes).join(', ')
      throw new TypeError(`no event is of type ${JSON.stringify(type)}: there are ${known}`)
    }
  }
}

// No name begins with it.
const unnamed = '#'

/** The name of a listener by its id; undefined when it has none. */
export function listenerName(id: string): string | undefined {
  return id.startsWith(unnamed) ? undefined : id
}

/** Who listens to what. */
export function createListeners(): Listeners {
  const registrations = new Set<Registration>()

  function idFor(name: string | undefined): string {
    if (name === undefined) return unnamed + randomUUID()
    if (typeof name !== 'string' || name === '' || name.startsWith(unnamed)) {
      throw new TypeError(`a listener's name must be a text that does not begin with ${unnamed}`)
    }
    if ([...registrations].some(({ id }) => id === name)) {
      throw new TypeError(`two listeners are named ${JSON.stringify(name)}`)
    }
    return name
  }

  function end(registration: Registration): void {
    registration.ended = true
    registrations.delete(registration)
  }

  return {
    add(types, listener, { name, once = false } = {}) {
      checkListener(listener)
      const wanted = types === 'any' ? types : [types].flat()
      if (wanted !== 'any') checkTypes(wanted)
      const registration: Registration = {
        id: idFor(name),
        listener,
        // The types it asked for decide what it is called with, and no type can follow that.
        call: listener as AnyListener,
        types: wanted === 'any' ? wanted : new Set(wanted),
        once,
        ended: false,
        putBack() {
          if (!registration.ended) registrations.add(registration)
        },
      }
      registrations.add(registration)
      return () => end(registration)
    },

    remove(types, listener) {
      const unwanted = [types].flat()
      checkTypes(unwanted)
      for (const registration of registrations) {
        if (registration.listener !== listener || registration.types === 'any') continue
        registration.types = new Set(
          [...registration.types].filter((type) => !unwanted.includes(type)),
        )
        if (registration.types.size === 0) end(registration)
      }
    },

    any: () => registrations.size > 0,

    take(type) {
      const found: TakenListener[] = []
      for (const registration of registrations) {
        if (registration.types !== 'any' && !registration.types.has(type)) continue
        if (registration.once) registrations.delete(registration)
        found.push(registration)
      }
      return found
    },
  }
}
