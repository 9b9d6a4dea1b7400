import type { StoredSuppression, SuppressionFact } from '../store.js'
import { isAdded, withFact } from '../suppression.js'

/** Who must not be mailed, in this process. */
export interface MemorySuppressions {
  take(facts: readonly SuppressionFact[]): void
  of(addresses: readonly string[]): StoredSuppression[]
  list(limit: number, after?: string): (StoredSuppression & { place: string })[]
  remove(address: string): void
}

export function memorySuppressions(): MemorySuppressions {
  const known = new Map<string, StoredSuppression>()
  return {
    take(facts) {
      for (const fact of facts) {
        const { address, scope, cause } = fact
        const key = [address, scope, cause].join('\0')
        known.set(key, { address, scope, cause, state: withFact(known.get(key)?.state, fact) })
      }
    },

    of(addresses) {
      const asked = new Set(addresses)
      return [...known.values()].filter(({ address }) => asked.has(address))
    },

    list(limit, after = '') {
      return [...known]
        .filter(([place, { state }]) => place > after && isAdded(state))
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, limit)
        .map(([place, suppression]) => ({ ...suppression, place }))
    },

    remove(address) {
      for (const [key, suppression] of known) if (suppression.address === address) known.delete(key)
    },
  }
}
