import type { Counted } from '../store.js'

/** What is counted, in the order of the columns that SQL databases have for it. */
export const counted: readonly Counted[] = [
  'messages',
  'sent',
  'unsent',
  'recipients',
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
  'events',
]

export const noCounts = Object.fromEntries(counted.map((name) => [name, 0])) as Record<
  Counted,
  number
>
