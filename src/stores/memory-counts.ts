import type { Forgetting } from '../forgetting.js'
import type { CountChange, Counted, CountQuery, CountRow, PruneLimits } from '../store.js'
import { noCounts } from '../counts.js'

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
    for (const { counts, ...place } of changes) {
      const { start, provider, dimension, value } = place
      const key = [start, dimension, provider, value].join('\0')
      const row = known.get(key) ?? { ...place, counts: {} }
      known.set(key, { ...place, counts: sum(row.counts, counts) })
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
        rows.set(key, { ...noCounts, ...sum(rows.get(key) ?? noCounts, row.counts) })
      }
      return [...rows]
        .map(([key, counts]) => ({ key, counts }))
        .toSorted((a, b) => order(a, b, by))
        .slice(0, limit)
    },
  }
}

function sum(
  a: Partial<Record<Counted, number>>,
  b: Partial<Record<Counted, number>>,
): Partial<Record<Counted, number>> {
  const total = { ...a }
  for (const counted of Object.keys(b) as Counted[]) {
    total[counted] = (a[counted] ?? 0) + (b[counted] ?? 0)
  }
  return total
}

function order(a: CountRow, b: CountRow, by: CountQuery['by']): number {
  if (by === 'start') return Number(a.key) - Number(b.key)
  return sizeOf(b) - sizeOf(a) || (a.key < b.key ? -1 : 1)
}

function sizeOf({ counts }: CountRow): number {
  return counts.recipients + counts.events
}
