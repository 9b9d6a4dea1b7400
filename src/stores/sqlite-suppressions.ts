import { digest } from '../ids.js'
import type { SuppressionRow, Tables } from './sql-tables.js'
import type { SqliteStatements, SuppressionColumns } from './sqlite-statements.js'

type Suppressions = Pick<Tables, 'putSuppressions' | 'suppressionsOf' | 'suppressions'>

/** Who must not be mailed. */
export function sqliteSuppressions(statements: SqliteStatements): Suppressions {
  return {
    async putSuppressions(rows) {
      for (const row of rows) {
        const { address, scope, cause, provider, detail, expiresAt } = row
        statements.putSuppression.run(
          digest(address),
          scope,
          cause,
          address,
          row.firstAddedAt,
          row.addedAt,
          row.removedAt,
          provider,
          detail,
          expiresAt,
        )
      }
    },

    async suppressionsOf(addresses) {
      return addresses.flatMap((address) =>
        statements.suppressionsOf.all(digest(address)).map(toSuppression),
      )
    },

    async suppressions(limit, after) {
      const { key, scope, cause } = placeOf(after)
      return statements.suppressions.all(key, scope, cause, limit).map((row) => ({
        ...toSuppression(row),
        place: [Buffer.from(row.address_digest).toString('hex'), row.cause, row.scope].join(' '),
      }))
    },
  }
}

function toSuppression({
  address,
  scope,
  cause,
  provider,
  detail,
  ...row
}: SuppressionColumns): SuppressionRow {
  return {
    address,
    scope,
    cause,
    firstAddedAt: row.first_added_at,
    addedAt: row.added_at,
    removedAt: row.removed_at,
    provider,
    detail,
    expiresAt: row.expires_at,
  }
}

/** A place is the key of its row; a scope may have spaces, and is last. */
function placeOf(place = ''): { key: Buffer; scope: string; cause: string } {
  const [hex = '', cause = '', ...scope] = place.split(' ')
  return { key: Buffer.from(hex, 'hex'), scope: scope.join(' '), cause }
}
