import type { CountDimension, Counted } from './store.js'

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
  'pending',
  'accepted',
  'deferred',
  'delivered',
  'bounced',
  'rejected',
  'failed',
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
