import type { CountChange, Counted, CountQuery, CountRow } from '../store.js'
import { counted, noCounts } from './counts.js'
import { countShards, firstShardLock, lockClass } from './postgres-locks.js'
import { prepared } from './postgres-statements.js'
import type { Query, Statement } from './postgres-transaction.js'
import { columnsOf, digestId, storable } from './postgres-values.js'
import type { Tables } from './sql-tables.js'

/** What is counted. */
export function countTables(query: Query): Pick<Tables, 'addCounts' | 'counts'> {
  return {
    async addCounts(changes) {
      if (changes.length > 0) await query(addCounts, toColumns(changes))
    },

    async counts(asked) {
      const { statement, values } = readCounts(asked)
      return (await query(statement, values)).map(toCountRow)
    },
  }
}

const columns = counted.join(', ')
const placeTypes = ['text', 'bigint', 'uuid', 'text', 'text']
const parameters = [...placeTypes, ...counted.map(() => 'bigint')]
  .map((type, index) => `$${index + 1}::${type}[]`)
  .join(', ')

// Each of those who add at once has a shard to itself, as far as there are some left: a row is locked
// until its transaction has ended. The first that is free, so that there are no more rows than
// that takes. Where there is none, rows are waited for, by all in the order of their keys.
const addCounts = prepared(
  'add_counts',
  `INSERT INTO mailtrail_counts AS known
     (dimension, start, value_digest, shard, provider, value, ${columns})
   SELECT dimension, start, value_digest,
     coalesce(
       (SELECT shard FROM generate_series(0, ${countShards - 1}) AS shard
        WHERE pg_try_advisory_xact_lock(${lockClass}, ${firstShardLock} + shard) LIMIT 1),
       pg_backend_pid() % ${countShards}),
     provider, value, ${columns}
   FROM unnest(${parameters}) AS new (dimension, start, value_digest, provider, value, ${columns})
   ORDER BY dimension, start, value_digest
   ON CONFLICT (dimension, start, value_digest, shard)
     DO UPDATE SET ${counted.map((name) => `${name} = known.${name} + excluded.${name}`).join(', ')}`,
)

function toColumns(changes: readonly CountChange[]): unknown[][] {
  return [
    ...columnsOf(changes, 'dimension', 'start'),
    // JSON, for it tells apart what becomes the same where text is made storable.
    changes.map(({ provider, value }) => digestId(JSON.stringify([provider, value]))),
    changes.map(({ provider }) => storable(provider)),
    changes.map(({ value }) => storable(value)),
    ...counted.map((name) => changes.map(({ counts }) => counts[name] ?? 0)),
  ]
}

/** A key, and sums as PostgreSQL writes them. */
type SumsRow = Record<'key' | Counted, string>

function readCounts({ dimension, from, to, provider, by, limit }: CountQuery): {
  statement: Statement<SumsRow>
  values: unknown[]
} {
  const values: unknown[] = [dimension, whole(from), whole(to), limit]
  if (provider !== undefined) values.push(storable(provider))
  const text = `SELECT ${by} AS key, ${counted.map((name) => `sum(${name}) AS ${name}`).join(', ')}
    FROM mailtrail_counts
    WHERE dimension = $1 AND start >= $2 AND start < $3
      ${provider === undefined ? '' : 'AND provider = $5'}
    GROUP BY ${by} ORDER BY ${by === 'start' ? '' : 'sum(recipients) + sum(events) DESC,'} ${by}
    LIMIT $4`
  return { statement: { text }, values }
}

/** A bound of what begins at whole milliseconds, as `bigint` takes it. */
function whole(milliseconds: number): number {
  const { MIN_SAFE_INTEGER, MAX_SAFE_INTEGER } = Number
  return Math.min(Math.max(Math.ceil(milliseconds), MIN_SAFE_INTEGER), MAX_SAFE_INTEGER)
}

function toCountRow(row: SumsRow): CountRow {
  const counts = { ...noCounts }
  for (const name of counted) counts[name] = Number(row[name])
  return { key: row.key, counts }
}
