import type { CountChange, CountDimension, CountQuery, CountRow } from '../store.js'
import { counted, countedByDay } from '../counts.js'
import { addToKnown, columns, sums, type Sums, toCounts } from './count-columns.js'
import {
  changeTotals,
  mostRemoved,
  readValues,
  removeEmptyTotals,
  removeEmptyTotalsOf,
  removeTotals,
} from './postgres-count-totals.js'
import { wholeWeeks } from './count-weeks.js'
import { countShards, firstShardLock, lockClass, totalsLock } from './postgres-locks.js'
import { prepared, type Query, type Statement } from './postgres-transaction.js'
import { columnsOf, digestId, storable, whole } from './postgres-values.js'
import type { Tables } from './sql-tables.js'

/** What is counted. */
export function countTables(
  query: Query,
): Pick<Tables, 'addCounts' | 'counts' | 'mergeCounts' | 'removeCounts' | 'takeCountsWith'> {
  return {
    async addCounts(changes) {
      if (changes.length > 0) await query(addCounts, toColumns(changes))
    },

    async counts(asked) {
      const { statement, values } = readCounts(asked)
      return (await query(statement, values)).map(toCountRow)
    },

    async mergeCounts(before) {
      await query(lockTotals)
      const [row] = await query(mergeCounts, [countedByDay, whole(before)])
      return Number(row?.merged ?? 0)
    },

    async removeCounts(dimensions, before) {
      await query(lockTotals)
      const given = [dimensions, whole(before)]
      const [parts] = await query(removeParts, given)
      const [totals] = await query(removeTotals, given)
      await query(removeEmptyTotals, given)
      return Number(parts?.removed ?? 0) + Number(totals?.removed ?? 0)
    },

    async takeCountsWith(texts) {
      const lowered = [...new Set(texts.map((text) => storable(text).toLowerCase()))]
      if (lowered.length === 0) return []
      await query(lockTotals)
      const patterns = [lowered.map(patternOf)]
      const isFound = ({ value }: { value: string }): boolean =>
        lowered.some((text) => value.toLowerCase().includes(text))
      const parts = (await query(partsWith, patterns)).filter(isFound)
      const locked = await query(lockParts, keysOf(parts))
      const values = (await query(totalsWith, patterns)).filter(isFound).map(({ value }) => value)
      const taken = await query(takeCounts, [...keysOf(locked), values])
      await query(removeEmptyTotalsOf, [values])
      return taken.map((row) => ({
        dimension: row.dimension,
        start: Number(row.start),
        provider: row.provider,
        value: row.value,
        counts: toCounts(row),
      }))
    },
  }
}

const placeTypes = ['text', 'bigint', 'uuid', 'text', 'text']
const parameters = [...placeTypes, ...counted.map(() => 'bigint')]
  .map((type, index) => `$${index + 1}::${type}[]`)
  .join(', ')

const byKey = 'ON CONFLICT (dimension, start, value_digest, shard)'

// Who changes totals has this lock, so that nobody waits for another one who waits for him.
const lockTotals: Statement<never> = {
  text: `SELECT pg_advisory_xact_lock(${lockClass}, ${totalsLock})`,
}

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
   ${byKey} ${addToKnown}`,
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

function readCounts({ dimension, from, to, provider, by, limit }: CountQuery): {
  statement: Statement<Sums & { key: string }>
  values: unknown[]
} {
  const span = [whole(from), whole(to)] as const
  const whose = provider === undefined ? '' : storable(provider)
  const values = [dimension, ...span, limit, whose]
  return by === 'value'
    ? { statement: readValues, values: [...values, ...wholeWeeks(...span)] }
    : { statement: readBy[by], values }
}

// Of these there are few.
const readPlaces = (
  by: 'start' | 'provider',
  order: string,
): Statement<Sums & { key: string }> => ({
  text: `SELECT ${by} AS key, ${sums} FROM (
      SELECT start, provider, ${columns} FROM mailtrail_count_totals
      WHERE NOT weekly AND provider <> '' AND dimension = $1 AND start >= $2 AND start < $3
      UNION ALL SELECT start, provider, ${columns} FROM mailtrail_counts
      WHERE dimension = $1 AND start >= $2 AND start < $3
    ) AS counts
    WHERE $5 IN ('', provider)
    GROUP BY ${by} ORDER BY ${order} LIMIT $4`,
})
const readBy = {
  start: readPlaces('start', 'start'),
  provider: readPlaces('provider', 'sum(recipients) + sum(events) DESC, provider'),
}

function toCountRow(row: Sums & { key: string }): CountRow {
  return { key: row.key, counts: toCounts(row) }
}

/** So many parts are put together at once, or it might take longer than a statement may. */
const mostMerged = 5000

// What somebody adds to meanwhile stays for the next time. Minutes are not kept for long enough.
const mergeCounts: Statement<{ merged: string }> = {
  text: `WITH gone AS (
      DELETE FROM mailtrail_counts WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM mailtrail_counts WHERE dimension = ANY ($1::text[]) AND start < $2
        LIMIT ${mostMerged} FOR UPDATE SKIP LOCKED))
      RETURNING *
    ), changed AS (
      ${changeTotals('gone', 'add')}
    )
    SELECT count(*) AS merged FROM gone`,
}

// By their places in the table: those that somebody adds to meanwhile stay until the next time.
const removeParts: Statement<{ removed: string }> = {
  text: `WITH gone AS (
      DELETE FROM mailtrail_counts WHERE ctid = ANY (ARRAY (
        SELECT place FROM unnest($1::text[]) AS given (dimension) CROSS JOIN LATERAL (
          SELECT ctid AS place FROM mailtrail_counts AS known
          WHERE known.dimension = given.dimension AND start < $2
          ORDER BY start LIMIT ${mostRemoved} FOR UPDATE SKIP LOCKED) AS old
        LIMIT ${mostRemoved}))
      RETURNING shard
    )
    SELECT count(*) AS removed FROM gone`,
}

interface CountKey {
  dimension: CountDimension
  start: string
  value_digest: string
  shard: string
}
const keysOf = (rows: readonly CountKey[]): string[][] =>
  columnsOf(rows, 'dimension', 'start', 'value_digest', 'shard')
// A text may stand anywhere in a value, so all are read: as fast as can be, and without a lock.
const partsWith: Statement<CountKey & { value: string }> = {
  text: `SELECT dimension, start, value_digest, shard, value FROM mailtrail_counts
    WHERE lower(value) LIKE ANY ($1::text[]) ORDER BY dimension, start, value_digest, shard`,
}
const totalsWith: Statement<{ value: string }> = {
  text: `SELECT DISTINCT value FROM mailtrail_count_totals WHERE lower(value) LIKE ANY ($1::text[])`,
}
const given = `unnest($1::text[], $2::bigint[], $3::uuid[], $4::smallint[])
      AS given (dimension, start, value_digest, shard)`
const isGiven = `known.dimension = given.dimension AND known.start = given.start
          AND known.value_digest = given.value_digest AND known.shard = given.shard`
const lockParts: Statement<CountKey> = {
  text: `SELECT locked.* FROM ${given}
    CROSS JOIN LATERAL (
      SELECT dimension, start, value_digest, shard FROM mailtrail_counts AS known
      WHERE ${isGiven} FOR UPDATE) AS locked`,
}
// Those alone that are locked: a row that was made since may be held by one who waits for these.
const takeCounts: Statement<
  Sums & Omit<CountKey, 'value_digest' | 'shard'> & Record<Text, string>
> = {
  text: `WITH parts AS (
      DELETE FROM mailtrail_counts AS known USING ${given}
        WHERE ${isGiven}
      RETURNING known.*
    ), totals AS (
      DELETE FROM mailtrail_count_totals
        WHERE NOT weekly AND provider <> '' AND value = ANY ($5::text[])
      RETURNING *
    ), changed AS (
      ${changeTotals('totals', 'remove')}
    )
    SELECT dimension, start, provider, value, ${sums} FROM (
      SELECT dimension, start, provider, value, ${columns} FROM parts
      UNION ALL SELECT dimension, start, provider, value, ${columns} FROM totals
    ) AS taken
    GROUP BY dimension, start, provider, value`,
}
type Text = 'provider' | 'value'

/** A pattern for what has a text in it. `lower` knows letters of ASCII alone here, so others fit anything. */
function patternOf(text: string): string {
  const literal = text.replace(/[\\%_]/g, '\\$&').replace(/\P{ASCII}+/gu, '%')
  return `%${literal}%`
}
