import type { CountChange, CountQuery, CountRow } from '../store.js'
import { counted, countedByDay } from '../counts.js'
import { addToKnown, columns, sums, type Sums, toCounts } from './count-columns.js'
import { wholeWeeks } from './count-weeks.js'
import type { Tables } from './sql-tables.js'
import { type CountBuffer, createCountBuffer } from './sqlite-count-buffer.js'
import { type CountColumns, place, sqliteCountTotals } from './sqlite-count-totals.js'
import type { SqliteDatabase, SqliteStatement } from './sqlite-driver.js'

type CountTables = Pick<
  Tables,
  'addCounts' | 'counts' | 'mergeCounts' | 'removeCounts' | 'takeCountsWith'
>

/** So many are put together or removed at once: others wait meanwhile. */
const atOnce = 200

/** What is counted: in one row as long as its day lasts, in totals afterwards. */
export function sqliteCounts(database: SqliteDatabase): {
  tables: CountTables
  buffer: CountBuffer
} {
  const totals = sqliteCountTotals(database)
  const add = database.prepare(
    `INSERT INTO mailtrail_counts AS known (${place}, ${columns})
     VALUES (?, ?, ?, ?, ${counted.map(() => '?').join(', ')}) ON CONFLICT ${addToKnown}`,
  )
  const takeOld = database.prepare(
    `DELETE FROM mailtrail_counts WHERE (${place}) IN (
       SELECT ${place} FROM mailtrail_counts WHERE dimension = ? AND start < ? LIMIT ?)
     RETURNING ${place}, ${columns}`,
  ) as SqliteStatement<CountColumns>
  const takeWith = database.prepare(
    `DELETE FROM mailtrail_counts WHERE instr(lower(value), lower(?)) > 0
     RETURNING ${place}, ${columns}`,
  ) as SqliteStatement<CountColumns>

  const buffer = createCountBuffer(({ dimension, start, provider, value, counts }) => {
    add.run(dimension, start, provider, value, ...counted.map((name) => counts[name] ?? 0))
  })

  const tables: CountTables = {
    async addCounts(changes) {
      buffer.add(changes)
    },

    counts: async (query) => readCounts(database, query),

    async mergeCounts(before) {
      let merged = 0
      for (const dimension of countedByDay) {
        const rows = takeOld.all(dimension, before, atOnce - merged)
        for (const row of rows) totals.add(row)
        merged += rows.length
      }
      return merged
    },

    async removeCounts(dimensions, before) {
      let removed = 0
      for (const dimension of dimensions) {
        removed += takeOld.all(dimension, before, atOnce - removed).length
        removed += totals.remove(dimension, before, atOnce - removed)
      }
      return removed
    },

    async takeCountsWith(texts) {
      return texts.flatMap((text) => [
        ...buffer.takeWith(text),
        ...takeWith.all(text).map(toChange),
        ...totals.take(text).map(toChange),
      ])
    },
  }
  return { tables, buffer }
}

function toChange({ dimension, start, provider, value, ...counts }: CountColumns): CountChange {
  return { dimension, start, provider, value, counts }
}

const total = `SELECT value, ${columns} FROM mailtrail_count_totals
  WHERE dimension = ?1 AND provider = ?5`

/** Of one provider, or of all: from totals where there are some, and from what is not put together yet. */
const places = `${total} AND weekly = 1 AND start >= ?6 AND start < ?7
  UNION ALL ${total} AND weekly = 0 AND start >= ?2 AND start < ?6
  UNION ALL ${total} AND weekly = 0 AND start >= ?7 AND start < ?3
  UNION ALL SELECT value, ${columns} FROM mailtrail_counts
    WHERE dimension = ?1 AND start >= ?2 AND start < ?3 AND ?5 IN ('', provider)`

// To add up all columns of all values takes three times as long as to find those that are asked for first.
const readValues = `SELECT value AS key, ${sums} FROM (${places})
  WHERE value IN (
    SELECT value FROM (${places})
    GROUP BY value ORDER BY sum(recipients) + sum(events) DESC, value LIMIT ?4)
  GROUP BY value ORDER BY sum(recipients) + sum(events) DESC, value LIMIT ?4`

// Of these there are few.
const readPlaces = (by: 'start' | 'provider', order: string): string =>
  `SELECT ${by} AS key, ${sums} FROM (
    SELECT start, provider, ${columns} FROM mailtrail_count_totals
      WHERE dimension = ?1 AND weekly = 0 AND provider <> '' AND start >= ?2 AND start < ?3
    UNION ALL SELECT start, provider, ${columns} FROM mailtrail_counts
      WHERE dimension = ?1 AND start >= ?2 AND start < ?3
  ) WHERE ?5 IN ('', provider) GROUP BY ${by} ORDER BY ${order} LIMIT ?4`

const readBy = {
  start: readPlaces('start', 'start'),
  provider: readPlaces('provider', 'sum(recipients) + sum(events) DESC, provider'),
}

/** Adds up what was counted. */
function readCounts(
  database: SqliteDatabase,
  { dimension, from, to, provider = '', by, limit }: CountQuery,
): CountRow[] {
  const values = [dimension, from, to, limit, provider]
  const rows =
    by === 'value'
      ? database.prepare(readValues).all(...values, ...wholeWeeks(from, to))
      : database.prepare(readBy[by]).all(...values)
  return (rows as ({ key: string | number } & Sums)[]).map((row) => ({
    key: String(row.key),
    counts: toCounts(row),
  }))
}
