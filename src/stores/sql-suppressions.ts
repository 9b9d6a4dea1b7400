import type { StoredSuppression, SuppressionFact, SuppressionState } from '../store.js'
import { withFact } from '../suppression.js'
import type { SuppressionRow, Tables } from './sql-tables.js'

/** Takes facts in, whatever is known already: the database merges, so that nobody has to lock. */
export async function suppress(tables: Tables, facts: readonly SuppressionFact[]): Promise<void> {
  const known = new Map<string, StoredSuppression>()
  for (const fact of facts) {
    const { address, scope, cause } = fact
    const key = [address, scope, cause].join('\0')
    known.set(key, { address, scope, cause, state: withFact(known.get(key)?.state, fact) })
  }
  await tables.putSuppressions([...known.values()].map(toRow))
}

function toRow({ state, ...place }: StoredSuppression): SuppressionRow {
  const { firstAddedAt, addedAt, removedAt, provider, detail, expiresAt } = state
  return {
    ...place,
    firstAddedAt: firstAddedAt ?? null,
    addedAt: addedAt ?? null,
    removedAt: removedAt ?? null,
    provider: provider ?? '',
    detail: detail ?? '',
    expiresAt: expiresAt ?? 0,
  }
}

export function fromRow({ address, scope, cause, ...row }: SuppressionRow): StoredSuppression {
  const state: SuppressionState = {
    ...(row.firstAddedAt !== null && { firstAddedAt: row.firstAddedAt }),
    ...(row.addedAt !== null && {
      addedAt: row.addedAt,
      provider: row.provider,
      detail: row.detail,
      expiresAt: row.expiresAt,
    }),
    ...(row.removedAt !== null && { removedAt: row.removedAt }),
  }
  return { address, scope, cause, state }
}
