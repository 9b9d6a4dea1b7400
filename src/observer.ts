import type { RefusalReason, SendErrorCategory, SendErrorCode } from './errors.js'
import type { EventType } from './event.js'

/**
 * Told of what happens, for metrics, traces and logs. Nothing that it is told holds an address, a subject, a tag, a
 * URL, a secret or a text from outside. What it throws is a process warning, and changes nothing.
 */
export interface Observer {
  /** Told of each thing once, when it is over. */
  notice?(fact: Fact): void
  /** Follows something from its begin on. Undefined when it does not care. */
  begin?(activity: Activity): Following | undefined
  /** Given what can be measured of a correlator at any time. The returned function is called when that is closed. */
  watch?(gauges: Gauges): () => void
}

/** Something that has begun. */
export type Activity =
  | { kind: 'send'; provider: string; trackingId: string }
  | { kind: 'webhook'; webhook: string; provider: string }
  | { kind: 'verify'; webhook: string; provider: string }
  | { kind: 'ingest'; webhook?: string; provider: string }
  | ListenerCall

/** What follows something that has begun. */
export interface Following {
  /** Does the work, with whatever is to be in force meanwhile, such as a span that others are made children of. */
  run?<Result>(work: () => Result): Result
  /** Called with what it ended in. */
  end?(fact: Fact): void
  /** Names the span of a send, as in the W3C's header of that name: it is kept with the message. */
  traceparent?: string
}

/** Something that happened. */
export type Fact =
  | SendFact
  | WebhookFact
  | VerifyFact
  | IngestFact
  | ListenerFact
  | DeadLetterFact
  | FailureFact
  | AlarmFact

/** A `sendMail()` is over. */
export interface SendFact extends Timed {
  kind: 'send'
  trackingId: string
  /** The one that it ended with, where several were tried. */
  provider: string
  /** `unknown`: the provider may have taken it. */
  outcome: 'sent' | 'failed' | 'unknown'
  /** Why it was not sent; absent when it was. */
  failure?: SendFailure
  /** Those that it was tried with before, and in vain. */
  passedOn: { provider: string; category: string }[]
}

/** What is told of a `SendError`. */
export interface SendFailure {
  category: SendErrorCategory
  code: SendErrorCode
  retryable: boolean
  /** The HTTP status of the provider's answer. */
  statusCode?: number
}

/** A request to a webhook was answered. */
export interface WebhookFact extends Timed {
  kind: 'webhook'
  webhook: string
  provider: string
  /** `tried`: a GET or HEAD. `unavailable`: the store could not commit. */
  outcome: 'stored' | 'tried' | 'refused' | 'unavailable'
  /** Why it was refused; absent when it was not. */
  reason?: RefusalReason
}

/** The body of a webhook request was verified and read. */
export interface VerifyFact extends Timed {
  kind: 'verify'
  webhook: string
  provider: string
  /** Why it was refused; absent when it was not. */
  reason?: RefusalReason
}

/** The events of a webhook request, or of a page of a history, were stored, or could not be. */
export interface IngestFact extends Timed {
  kind: 'ingest'
  provider: string
  /** Absent when they were fetched from a history. */
  webhook?: string
  outcome: 'stored' | 'replayed' | 'failed'
  /** How many were new, by type. */
  events: Partial<Record<EventType, number>>
  /** How many were known already. */
  duplicates: number
  /** From the send of a message to each new delivery of it, in ms; where the message is known. */
  deliveryTimes: number[]
}

/** A listener is called with an event. */
export interface ListenerCall {
  kind: 'listener'
  /** Its name, where it has one. */
  listener?: string
  eventId: string
  type: EventType
  provider: string
  /** Of the message, where it is known. */
  trackingId?: string
  /** Names the span in which that was sent, where it was traced. */
  traceparent?: string
  /** How often the listener was called with the event, this time included. */
  attempt: number
}

/** A listener was called with an event. */
export interface ListenerFact extends Timed, ListenerCall {
  /** `given-up`: it failed, and is not called again. */
  outcome: 'taken' | 'failed' | 'given-up'
  /** What it failed with, such as `ECONNREFUSED` or `TypeError`, where that says no more than its kind. */
  cause?: string
}

/** An event became a dead letter: some listener did not take it in all its attempts. */
export interface DeadLetterFact {
  kind: 'dead-letter'
  eventId: string
}

/** Something failed that nobody waits for. */
export interface FailureFact {
  kind: 'failure'
  of: 'store' | 'queue'
  /** What was being done. */
  doing: string
  /** What it failed with, such as `ECONNREFUSED`, where that says no more than its kind. */
  cause?: string
}

/** An alarm was raised, or is over. */
export interface AlarmFact {
  kind: 'alarm'
  alarm: 'failure-rate' | 'critical-message' | 'silence'
  state: 'raised' | 'over'
  provider: string
  /** Of the message that must not fail; of no other alarm. */
  trackingId?: string
}

interface Timed {
  /** How long it took, in ms. */
  duration: number
}

/** What can be measured of a correlator. */
export interface Gauges {
  /** How many events this process holds that are still to be told, or handed on to the queue. */
  untold(): number
  /** How long the event that was due first is waiting to be told, in ms; of all processes on its store. */
  overdue(): Promise<number>
}
