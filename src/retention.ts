import { checkedTime } from './checked-time.js'
import { inStore } from './in-store.js'
import { misspeltOption } from './misspelt-option.js'
import type { PruneLimits, Store } from './store.js'

/** How long what is stored is kept. What is left out is kept for good. */
export interface Retention {
  /** Messages that were sent before, each with its recipients and events; counts of them stay. */
  messages?: Date
  /** Events that belong to no message of ours, and happened before. */
  events?: Date
  /**
   * One-time tokens of webhooks that were used before; a day ago by default. A signature that comes again later is
   * still known by its events, as long as those are kept.
   */
  tokens?: Date
  /** Counts of messages that were sent on days before. */
  counts?: Date
  signal?: AbortSignal
  /** Told after each step with how much was removed so far. */
  onProgress?: (removed: number) => void
}

const day = 24 * 3600_000

/** Counts by minute serve alarms alone, and those look back for hours. */
const minutesKept = 2 * day

/** So much is removed in one transaction, for others wait meanwhile. */
const atOnce = 500

/**
 * Removes what is too old, in steps, and puts together what is counted of days that are over.
 *
 * @returns how much it was
 * @throws TypeError for a time that is none, or an option that is none
 */
export async function prune(
  store: Pick<Store, 'prune' | 'mergeCounts'>,
  { messages, events, tokens, counts, signal, onProgress, ...unknown }: Retention,
  now: number,
): Promise<number> {
  const misspelt = misspeltOption('prune', unknown)
  if (misspelt !== undefined) throw new TypeError(misspelt)
  const limits: PruneLimits = {
    ...(messages !== undefined && { messages: checkedTime(messages, 'prune: messages') }),
    ...(events !== undefined && { events: checkedTime(events, 'prune: events') }),
    ...(counts !== undefined && { days: checkedTime(counts, 'prune: counts') }),
    nonces: tokens === undefined ? now - day : checkedTime(tokens, 'prune: tokens'),
    minutes: now - minutesKept,
  }
  let removed = 0
  for (;;) {
    signal?.throwIfAborted()
    const count = await inStore('pruning', () => store.prune(limits, atOnce))
    if (count === 0) break
    removed += count
    onProgress?.(removed)
  }
  // Nobody adds much to a day that is over.
  const merge = async (): Promise<number> => (await store.mergeCounts?.(now - (now % day))) ?? 0
  while ((await inStore('putting counts together', merge)) > 0) signal?.throwIfAborted()
  return removed
}
