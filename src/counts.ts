import { recipientStatuses } from './status.js'
import type { CountChange, CountDimension, Counted } from './store.js'

/** How much of what. */
export type Counts = Partial<Record<Counted, number>>

export function namesOf(counts: Readonly<Counts>): Counted[] {
  // Only the type says that there are no others.
  return Object.keys(counts) as Counted[]
}

/** Adds counts to others, or takes them away. */
export function addTo(sums: Counts, counts: Readonly<Counts>, sign: 1 | -1 = 1): void {
  for (const name of namesOf(counts)) sums[name] = (sums[name] ?? 0) + sign * (counts[name] ?? 0)
}

export function isNothing(counts: Readonly<Counts>): boolean {
  return namesOf(counts).every((name) => counts[name] === 0)
}

/** What a row of counts is known by. */
export function countKey({
  dimension,
  start,
  provider,
  value,
}: Pick<CountChange, 'dimension' | 'start' | 'provider' | 'value'>): string {
  return `${dimension}\0${start}\0${provider}\0${value}`
}

/**
 * What is counted, in the order of the columns that SQL databases have for it: what rows are ordered by is read
 * first.
 */
export const counted: readonly Counted[] = [
  'recipients',
  'events',
  'messages',
  'sent',
  'unsent',
  ...recipientStatuses,
  'opened',
  'clicked',
  'complained',
  'unsubscribed',
  'opens',
  'clicks',
]

export const noCounts = Object.fromEntries(counted.map((name) => [name, 0])) as Record<
  Counted,
  number
>

/** What is counted by the day on which its message was sent. */
export const countedByDay: readonly CountDimension[] = [
  'all',
  'template',
  'tag',
  'domain',
  'reason',
  'link',
]
