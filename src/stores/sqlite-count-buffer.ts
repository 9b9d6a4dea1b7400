import { addTo, countKey, isNothing } from '../counts.js'
import type { CountChange } from '../store.js'

/**
 * What a commit adds to counts. Most pieces of work that are committed together change the same few rows, and
 * each row is written once.
 */
export interface CountBuffer {
  /** Takes what a piece of work adds. */
  add(changes: readonly CountChange[]): void
  /** Takes out again what has a text in its value, whatever its case. */
  takeWith(text: string): CountChange[]
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

  return {
    add: (changes) => void fresh.push(...changes),
    takeWith(text) {
      const lowered = text.toLowerCase()
      const found = new Map<string, CountChange>()
      for (const change of [...kept.values(), ...fresh]) {
        if (change.value.toLowerCase().includes(lowered)) merge(found, change)
      }
      const taken = [...found.values()].filter(({ counts }) => !isNothing(counts))
      // What is kept stays, for this piece of work may be undone.
      fresh.push(...taken.map(opposite))
      return taken
    },
    keep() {
      for (const change of fresh) merge(kept, change)
      fresh = []
    },
    drop() {
      fresh = []
    },
    write() {
      for (const change of kept.values()) if (!isNothing(change.counts)) put(change)
      kept.clear()
    },
    clear() {
      fresh = []
      kept.clear()
    },
  }
}

function merge(sums: Map<string, CountChange>, change: CountChange): void {
  const key = countKey(change)
  const known = sums.get(key)
  if (known) addTo(known.counts, change.counts)
  else sums.set(key, { ...change, counts: { ...change.counts } })
}

function opposite(change: CountChange): CountChange {
  const counts = {}
  addTo(counts, change.counts, -1)
  return { ...change, counts }
}
