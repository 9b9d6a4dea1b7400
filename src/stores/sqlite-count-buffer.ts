import { addTo, countKey } from '../counts.js'
import type { CountChange } from '../store.js'

/**
 * What a commit adds to counts. Most pieces of work that are committed together change the same few rows, and
 * each row is written once.
 */
export interface CountBuffer {
  /** Takes what a piece of work adds. */
  add(changes: readonly CountChange[]): void
  /** The piece of work has ended well. */
  keep(): void
  /** It was undone, and adds nothing. */
  drop(): void
  /** Writes what was kept, within the transaction. */
  write(): void
  /** The transaction was undone. */
  clear(): void
}

export function createCountBuffer(put: (change: CountChange) => void): CountBuffer {
  let fresh: CountChange[] = []
  const kept = new Map<string, CountChange>()

  function merge(change: CountChange): void {
    const key = countKey(change)
    const known = kept.get(key)
    if (known) addTo(known.counts, change.counts)
    else kept.set(key, { ...change, counts: { ...change.counts } })
  }

  return {
    add: (changes) => void fresh.push(...changes),
    keep() {
      for (const change of fresh) merge(change)
      fresh = []
    },
    drop() {
      fresh = []
    },
    write() {
      for (const change of kept.values()) put(change)
      kept.clear()
    },
    clear() {
      fresh = []
      kept.clear()
    },
  }
}
