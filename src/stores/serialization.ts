import type { AnyEvent } from '../event.js'
import type { MessageRecord } from '../message.js'
import type { RecipientState } from '../store.js'

/** A value as it comes back from JSON: its own dates are strings there. */
type Serialized<T> = T extends unknown
  ? { [K in keyof T]: T[K] extends Date | undefined ? string : T[K] }
  : never

/** An event from the JSON it was stored as. Dates inside `raw` were strings before, and stay so. */
export function eventFromJson(json: string): AnyEvent {
  const stored: Serialized<AnyEvent> = JSON.parse(json)
  const dates = { occurredAt: new Date(stored.occurredAt), receivedAt: new Date(stored.receivedAt) }
  switch (stored.type) {
    case 'suppression': {
      const { expiresAt: expiry, ...event } = stored
      return { ...event, ...dates, ...(expiry !== undefined && { expiresAt: new Date(expiry) }) }
    }
    case 'inbound': {
      const { date, ...mail } = stored.mail
      // Only the type of `mail` says that it is a date; in JSON it is a string.
      const written = date === undefined ? {} : { date: new Date(date) }
      return { ...stored, ...dates, mail: { ...mail, ...written } }
    }
    default:
      return { ...stored, ...dates }
  }
}

/** A message from the JSON it was stored as. */
export function recordFromJson(json: string): MessageRecord {
  const stored: Serialized<MessageRecord> = JSON.parse(json)
  const { earlierAttempts } = stored
  return {
    ...stored,
    sentAt: new Date(stored.sentAt),
    ...(earlierAttempts && {
      earlierAttempts: earlierAttempts.map((attempt) => ({
        ...attempt,
        endedAt: new Date(attempt.endedAt),
      })),
    }),
  }
}

/** The state of a recipient from the JSON it was stored as. */
export function stateFromJson(json: string): RecipientState {
  return JSON.parse(json)
}
