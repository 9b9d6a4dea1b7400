import type { Forgetting } from '../forgetting.js'
import type { CountChange, Counted, CountQuery, CountRow, PruneLimits } from '../store.js'
import { addTo, countKey, noCounts } from '../counts.js'

/** What was counted, in this process. */
export interface MemoryCounts {
  add(changes: readonly CountChange[]): void
  read(query: CountQuery): CountRow[]
  /** Removes what is too old, and gives how much it was. */
  remove(limits: Pick<PruneLimits, 'days' | 'minutes'>): number
  /** Takes an address out of every value. */
  rename(forgetting: Pick<Forgetting, 'text'>): void
}

export function memoryCounts(): MemoryCounts {
  const known = new Map<string, CountChange>()

  function add(changes: Iterable<CountChange>): void {
    for (const change of changes) {
      const key = countKey(change)
      const row = known.get(key)
      if (row) addTo(row.counts, change.counts)
      else known.set(key, { ...change, counts: { ...change.counts } })
    }
  }

  return {
    add,

    remove({ days = 0, minutes = 0 }) {
      const old = [...known].filter(
        ([, { dimension, start }]) => start < (dimension === 'minute' ? minutes : days),
      )
      for (const [key] of old) known.delete(key)
      return old.length
    },

    rename({ text }) {
      const rows = [...known.values()]
      known.clear()
      add(rows.map((row) => ({ ...row, value: text(row.value) })))
    },

    read({ dimension, from, to, provider, by, limit }) {
      const rows = new Map<string, Record<Counted, number>>()
      for (const row of known.values()) {
        if (row.dimension !== dimension || row.start < from || row.start >= to) continue
        if (provider !== undefined && row.provider !== provider) continue
        const key = String(row[by])
        const sums = rows.get(key) ?? { ...noCounts }
        addTo(sums, row.counts)
        rows.set(key, sums)
      }
      return [...rows]
        .map(([key, counts]) => ({ key, counts }))
        .toSorted((a, b) => order(a, b, by))
        .slice(0, limit)
    },
  }
}

function order(a: CountRow, b: CountRow, by: CountQuery['by']): number {
  if (by === 'start') return Number(a.key) - Number(b.key)
  return sizeOf(b) - sizeOf(a) || (a.key < b.key ? -1 : 1)
}

function sizeOf({ counts }: CountRow): number {
  return counts.recipients + counts.events
}
