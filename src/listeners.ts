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

/** Events by type, as the arguments of their listeners. */
export type CorrelatorEvents = {
  [T in EventType]: [event: EventOf<T>, message: SentMessage | undefined]
}

/** A listener as it is kept: for which types it asked is known where it was registered. */
export type AnyListener = (event: AnyEvent, message: SentMessage | undefined) => unknown

interface Registration {
  listener: unknown
  call: AnyListener
  types: ReadonlySet<EventType> | 'any'
  once: boolean
}

export interface Listeners {
  add<T extends EventType>(
    types: T | readonly T[] | 'any',
    listener: EventListener<T>,
    once?: boolean,
  ): () => void
  remove(type: EventType, listener: unknown): void
  /** Those to be told of an event now; listeners for one time are not found again. */
  take(type: EventType): AnyListener[]
}

/** Who listens to what. */
export function createListeners(): Listeners {
  const registrations = new Set<Registration>()
  return {
    add(types, listener, once = false) {
      const wanted = typeof types === 'string' ? (types === 'any' ? types : [types]) : types
      const registration: Registration = {
        listener,
        // The types it asked for decide what it is called with, and no type can follow that.
        call: listener as AnyListener,
        types: wanted === 'any' ? wanted : new Set(wanted),
        once,
      }
      registrations.add(registration)
      return () => void registrations.delete(registration)
    },

    remove(type, listener) {
      for (const registration of registrations) {
        if (registration.listener !== listener || registration.types === 'any') continue
        const rest = new Set(registration.types)
        rest.delete(type)
        registration.types = rest
        if (rest.size === 0) registrations.delete(registration)
      }
    },

    take(type) {
      const found: AnyListener[] = []
      for (const registration of registrations) {
        if (registration.types !== 'any' && !registration.types.has(type)) continue
        if (registration.once) registrations.delete(registration)
        found.push(registration.call)
      }
      return found
    },
  }
}
