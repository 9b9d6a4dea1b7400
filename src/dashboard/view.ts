import type { Correlator } from '../correlator.js'
import type { Alarm } from '../alarms.js'
import type { FailedMessages } from '../failed-messages.js'
import type { SentInfo } from '../transporter.js'
import type { Place } from './links.js'
import type { Page } from './page.js'

/** What views ask, and act on: the correlator's public questions, and no more. */
export interface Sources {
  correlator: Pick<
    Correlator,
    'find' | 'message' | 'stats' | 'health' | 'suppressions' | 'deadLetters'
  >
  /** Those that are raised now, the latest first. */
  alarms(): readonly Alarm[]
  failed: readonly FailedMessages<SentInfo>[]
}

/** A view as it is asked for. */
export interface Asked extends Place {
  /** How many rows a page has: more when they are handed to a machine. */
  limit: number
  /** What its forms carry. */
  token: string
  now: Date
}

/** What became of an action: the key of a notice, and how many it was about. */
export interface Done {
  notice: string
  count?: number
}

interface Titled {
  title: string
  /** @throws TypeError for a form that cannot be taken */
  act?(sources: Sources, form: URLSearchParams): Promise<Done>
}

/** There is something at its place whatever is read, so that the head of the page goes ahead of it. */
export interface StandingView extends Titled {
  always: true
  read(sources: Sources, asked: Asked): Promise<Page>
}

/** Whether there is something at its place turns out when it is read. */
export interface FoundView extends Titled {
  always: false
  read(sources: Sources, asked: Asked): Promise<Page | undefined>
}

/** One view of the dashboard: what it reads and shows, and what can be done there. */
export type View = StandingView | FoundView
