import type { ListenerError } from './errors.js'

/** The events of a job by their ids: they themselves stand in the store alone. */
export type QueuedIds = readonly string[]

/** Under whom events are leased in the store while a queue has them, and nobody tells them yet. */
export const queueOwner = 'queue'

/** Carries events from where webhooks come in to where listeners are, and has them told again what they did not take. */
export interface EventQueue {
  /** Adds these jobs. Resolves when the queue has them. */
  add(jobs: readonly QueuedIds[]): Promise<void>
  /** When the job was added that is the next to run, in ms since 1970; undefined when none waits. */
  waitingSince(): Promise<number | undefined>
}

/** One run of a job. */
export interface QueuedEvents {
  eventIds: QueuedIds
  /** Names the job in all its runs, and no other job ever. */
  job: string
  /** Which run of it this is: it takes over what earlier ones had. */
  run: number
  /** The queue has it run no more: what a listener does not take now is given up. */
  last: boolean
  /** They were given up, and are told again. */
  replayed: boolean
  /** After how long the next run comes at the latest when something was not taken, in ms. */
  nextRunWithin: number
  /** Ends it before the next event. */
  signal?: AbortSignal | undefined
  /** Called with what is given up, before it becomes dead letters. */
  givingUp(eventIds: QueuedIds): Promise<void>
}

/** What came of a run. */
export interface QueuedResult {
  /** How many events every listener has taken. */
  told: number
  /** What was not taken by whom. */
  failures: ListenerError[]
  /** Events that have to be told later: somebody else is at their message, or the store is away. */
  later: QueuedIds
}
