import type { SuppressionCause } from '../store.js'
import { prepared, type Query } from './postgres-transaction.js'
import { columnsOf, digestId, firstId, isId, storable } from './postgres-values.js'
import type { SuppressionRow, Tables } from './sql-tables.js'

/** What facts have said of addresses. */
export function suppressionTables(
  query: Query,
): Pick<Tables, 'putSuppressions' | 'suppressionsOf' | 'removeSuppressions' | 'suppressions'> {
  return {
    async putSuppressions(rows) {
      if (rows.length > 0) await query(putSuppressions, toColumns(rows))
    },

    async suppressionsOf(addresses) {
      if (addresses.length === 0) return []
      const rows = await query(suppressionsOf, [addresses.map(digestId)])
      return rows.map(toSuppression)
    },

    async removeSuppressions(address) {
      const key = [digestId(address)]
      await query(lockSuppressions, key)
      return (await query(removeSuppressions, key)).length
    },

    async suppressions(limit, after) {
      const place = after === undefined ? firstPlace : placeOf(after)
      if (!place) return []
      const rows = await query(suppressions, [...place, limit])
      return rows.map((row) => ({
        ...toSuppression(row),
        place: [row.address_digest, row.scope_digest, row.cause].join(' '),
      }))
    },
  }
}

const types = 'uuid uuid text text text bigint bigint bigint text text bigint'.split(' ')
const parameters = types.map((type, index) => `$${index + 1}::${type}[]`).join(', ')

// In the order of their keys, or two transactions might wait for each other.
const putSuppressions = prepared(
  'put_suppressions',
  `INSERT INTO mailtrail_suppressions AS known (address_digest, scope_digest, cause, address, scope,
     first_added_at, added_at, removed_at, provider, detail, expires_at)
   SELECT * FROM unnest(${parameters}) AS new (address_digest, scope_digest, cause)
   ORDER BY address_digest, scope_digest, cause
   ON CONFLICT (address_digest, scope_digest, cause) DO UPDATE SET
     first_added_at = least(known.first_added_at, excluded.first_added_at),
     removed_at = greatest(known.removed_at, excluded.removed_at),
     (added_at, provider, detail, expires_at) = (
       SELECT * FROM (VALUES
         (known.added_at, known.provider, known.detail, known.expires_at),
         (excluded.added_at, excluded.provider, excluded.detail, excluded.expires_at)
       ) AS said (added_at, provider, detail, expires_at)
       ORDER BY added_at DESC NULLS LAST, provider DESC, detail DESC, expires_at DESC LIMIT 1)`,
)

interface SuppressionColumns {
  address: string
  scope: string
  cause: SuppressionCause
  first_added_at: string | null
  added_at: string | null
  removed_at: string | null
  provider: string
  detail: string
  expires_at: string
}
const columns =
  'address, scope, cause, first_added_at, added_at, removed_at, provider, detail, expires_at'

const suppressionsOf = prepared<SuppressionColumns>(
  'suppressions_of',
  `SELECT ${columns} FROM mailtrail_suppressions WHERE address_digest = ANY ($1::uuid[])`,
)
const lockSuppressions = prepared(
  'lock_suppressions',
  `SELECT FROM mailtrail_suppressions WHERE address_digest = $1
   ORDER BY scope_digest, cause FOR UPDATE`,
)
const removeSuppressions = prepared<{ cause: string }>(
  'remove_suppressions',
  'DELETE FROM mailtrail_suppressions WHERE address_digest = $1 RETURNING cause',
)
const suppressions = prepared<
  SuppressionColumns & { address_digest: string; scope_digest: string }
>(
  'suppressions',
  `SELECT address_digest, scope_digest, ${columns} FROM mailtrail_suppressions
   WHERE (address_digest, scope_digest, cause) > ($1, $2, $3)
     AND added_at >= coalesce(removed_at, 0)
   ORDER BY address_digest, scope_digest, cause LIMIT $4`,
)

function toColumns(rows: readonly SuppressionRow[]): unknown[][] {
  return [
    rows.map(({ address }) => digestId(address)),
    // JSON, for it tells apart what becomes the same where text is made storable.
    rows.map(({ scope }) => digestId(JSON.stringify(scope))),
    ...columnsOf(rows, 'cause', 'address'),
    rows.map(({ scope }) => storable(scope)),
    ...columnsOf(rows, 'firstAddedAt', 'addedAt', 'removedAt'),
    rows.map(({ provider }) => storable(provider)),
    rows.map(({ detail }) => storable(detail)),
    ...columnsOf(rows, 'expiresAt'),
  ]
}

function toSuppression({ address, scope, cause, provider, detail, ...row }: SuppressionColumns) {
  return {
    address,
    scope,
    cause,
    firstAddedAt: timeOf(row.first_added_at),
    addedAt: timeOf(row.added_at),
    removedAt: timeOf(row.removed_at),
    provider,
    detail,
    expiresAt: Number(row.expires_at),
  }
}

function timeOf(text: string | null): number | null {
  return text === null ? null : Number(text)
}

/** Comes before every key there is. */
const firstPlace = [firstId, firstId, '']

/** A place is the key of its row. It may come from outside: what is no place has nothing behind it. */
function placeOf(place: string): string[] | undefined {
  const [address = '', scope = '', cause = ''] = place.split(' ')
  return isId(address) && isId(scope) ? [address, scope, storable(cause)] : undefined
}
