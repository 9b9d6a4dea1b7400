import { digest } from '../ids.js'
import type { SuppressionCause } from '../store.js'
import { suppressionCauses } from '../suppression.js'
import { mysqlLists } from './mysql-lists.js'
import type { Query } from './mysql-transaction.js'
import type { SuppressionRow, Tables } from './sql-tables.js'

interface Columns {
  address_digest: Buffer
  scope_digest: Buffer
  cause: Buffer
  address: Buffer
  scope: Buffer
  first_added_at: number | null
  added_at: number | null
  removed_at: number | null
  provider: Buffer
  detail: Buffer
  expires_at: number
}

const columns =
  'address_digest, scope_digest, cause, address, scope, first_added_at, added_at, removed_at, provider, detail, expires_at'

// Nothing is known of a time that is NULL, so the other one stands.
const earliest = (column: string): string => `LEAST(${either(column)})`
const latest = (column: string): string => `GREATEST(${either(column)})`
const either = (column: string): string =>
  `COALESCE(${column}, VALUES(${column})), COALESCE(VALUES(${column}), ${column})`

const isLater = `(VALUES(added_at) > added_at
  OR added_at IS NULL AND VALUES(added_at) IS NOT NULL
  OR VALUES(added_at) = added_at AND (VALUES(provider) > provider
    OR VALUES(provider) = provider AND (VALUES(detail) > detail
      OR VALUES(detail) = detail AND VALUES(expires_at) > expires_at)))`
const ofLater = (column: string): string =>
  `${column} = IF(${isLater}, VALUES(${column}), ${column})`

// One assignment sees what those before it did. So what decides first comes last: once a lesser one is
// taken over, a greater one is still greater.
const merged = `first_added_at = ${earliest('first_added_at')},
  removed_at = ${latest('removed_at')},
  ${ofLater('expires_at')}, ${ofLater('detail')}, ${ofLater('provider')},
  added_at = ${latest('added_at')}`

/** Who must not be mailed. */
export function mysqlSuppressions(
  query: Query,
): Pick<Tables, 'putSuppressions' | 'suppressionsOf' | 'suppressions'> {
  const { insert, each } = mysqlLists(query)

  return {
    async putSuppressions(rows) {
      const keyed = rows.map((row) => ({
        addressDigest: digest(row.address),
        scopeDigest: digest(row.scope),
        cause: Buffer.from(row.cause),
        rest: [
          Buffer.from(row.address),
          Buffer.from(row.scope),
          row.firstAddedAt,
          row.addedAt,
          row.removedAt,
          Buffer.from(row.provider),
          Buffer.from(row.detail),
          row.expiresAt,
        ],
      }))
      // In the order of the key, or two who change the same rows might wait for each other.
      const sorted = keyed.toSorted(
        (a, b) =>
          Buffer.compare(a.addressDigest, b.addressDigest) ||
          Buffer.compare(a.scopeDigest, b.scopeDigest) ||
          Buffer.compare(a.cause, b.cause),
      )
      await insert(
        `mailtrail_suppressions (${columns})`,
        sorted.map((row) => [row.addressDigest, row.scopeDigest, row.cause, ...row.rest]),
        `ON DUPLICATE KEY UPDATE ${merged}`,
      )
    },

    async suppressionsOf(addresses) {
      const rows = await each<Columns>(
        `SELECT ${columns} FROM mailtrail_suppressions FORCE INDEX (PRIMARY)
         WHERE address_digest IN (?)`,
        [...new Set(addresses)].map(digest),
      )
      return rows.flatMap(toSuppression)
    },

    async suppressions(limit, after = '') {
      const [address = '', scope = '', cause = ''] = after.split(' ')
      const addressDigest = Buffer.from(address, 'hex')
      const scopeDigest = Buffer.from(scope, 'hex')
      // Written out, for rows that are compared as a whole are looked for from the first one on.
      const rows = await query<Columns>(
        `SELECT ${columns} FROM mailtrail_suppressions FORCE INDEX (PRIMARY)
         WHERE (address_digest > ?
             OR address_digest = ? AND scope_digest > ?
             OR address_digest = ? AND scope_digest = ? AND cause > ?)
           AND added_at >= COALESCE(removed_at, 0)
         ORDER BY address_digest, scope_digest, cause LIMIT ?`,
        [
          addressDigest,
          addressDigest,
          scopeDigest,
          addressDigest,
          scopeDigest,
          Buffer.from(cause),
          limit,
        ],
      )
      return rows.flatMap((row) => {
        const digests = [row.address_digest, row.scope_digest].map((bytes) => bytes.toString('hex'))
        const place = [...digests, row.cause.toString()].join(' ')
        return toSuppression(row).map((suppression) => ({ ...suppression, place }))
      })
    },
  }
}

/** None of a cause that a later version may have written. */
function toSuppression(row: Columns): SuppressionRow[] {
  const cause = causeOf(row.cause.toString())
  if (cause === undefined) return []
  return [
    {
      address: row.address.toString(),
      scope: row.scope.toString(),
      cause,
      firstAddedAt: timeOf(row.first_added_at),
      addedAt: timeOf(row.added_at),
      removedAt: timeOf(row.removed_at),
      provider: row.provider.toString(),
      detail: row.detail.toString(),
      expiresAt: Number(row.expires_at),
    },
  ]
}

function causeOf(text: string): SuppressionCause | undefined {
  return suppressionCauses.find((cause) => cause === text)
}

/** A pool that was given may write large numbers as text. */
function timeOf(column: number | null): number | null {
  return column === null ? null : Number(column)
}
