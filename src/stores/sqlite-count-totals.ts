import type { CountDimension, Counted } from '../store.js'
import { counted } from '../counts.js'
import { addToKnown, columns, isEmpty } from './count-columns.js'
import { weekOf } from './count-weeks.js'
import type { SqliteDatabase, SqliteStatement, SqliteValue } from './sqlite-driver.js'

// A thousand domains of three providers are a hundred thousand counts a month, and to sort them by their names
// takes longer than an answer should. So counts are put together by day and by week, and both also for all
// providers, whose name is empty here: a month is read from some of these.

/** Where something is counted, and how much of what. */
export interface CountColumns extends Record<Counted, number> {
  dimension: CountDimension
  start: number
  provider: string
  value: string
}

export const place = 'dimension, start, provider, value'

/** Totals of what is put together. All of it happens in the caller's transaction. */
export interface CountTotals {
  add(row: CountColumns): void
  /** Removes those of a dimension's days before; no more than so many. Resolves to how many. */
  remove(dimension: CountDimension, before: number, most: number): number
  /** Takes those whose value has a text in it, whatever its case. */
  take(text: string): CountColumns[]
}

export function sqliteCountTotals(database: SqliteDatabase): CountTotals {
  const table = 'mailtrail_count_totals'
  const change = database.prepare(
    `INSERT INTO ${table} AS known (weekly, ${place}, ${columns})
     VALUES (${Array(5 + counted.length)
       .fill('?')
       .join(', ')})
     ON CONFLICT ${addToKnown}`,
  )
  const removeEmpty = database.prepare(
    `DELETE FROM ${table} WHERE weekly = ? AND dimension = ? AND start = ? AND provider = ?
       AND value = ? AND ${isEmpty}`,
  )
  // What was counted is the totals of each provider's days; all others follow from them.
  const ofDays = "NOT weekly AND provider <> ''"
  const removeOld = database.prepare(
    `DELETE FROM ${table} WHERE (weekly, ${place}) IN (
       SELECT weekly, ${place} FROM ${table}
       WHERE dimension = ? AND ${ofDays} AND start < ? LIMIT ?)
     RETURNING ${place}, ${columns}`,
  ) as SqliteStatement<CountColumns>
  const takeWith = database.prepare(
    `DELETE FROM ${table} WHERE ${ofDays} AND instr(lower(value), lower(?)) > 0
     RETURNING ${place}, ${columns}`,
  ) as SqliteStatement<CountColumns>

  function removeFromOthers(rows: readonly CountColumns[]): void {
    for (const row of rows) {
      for (const total of followingTotals(row)) {
        change.run(...total, ...counted.map((name) => -row[name]))
        removeEmpty.run(...total)
      }
    }
  }

  return {
    add(row) {
      const counts = counted.map((name) => row[name])
      change.run(...dayOf(row), ...counts)
      for (const total of followingTotals(row)) change.run(...total, ...counts)
    },

    remove(dimension, before, most) {
      const removed = removeOld.all(dimension, before, most)
      removeFromOthers(removed)
      return removed.length
    },

    take(text) {
      const taken = takeWith.all(text)
      removeFromOthers(taken)
      return taken
    },
  }
}

type Total = SqliteValue[]

const dayOf = ({ dimension, start, provider, value }: CountColumns): Total => [
  0,
  dimension,
  start,
  provider,
  value,
]

function followingTotals(row: CountColumns): Total[] {
  const { dimension, provider, value } = row
  const start = weekOf(row.start)
  return [
    dayOf({ ...row, provider: '' }),
    [1, dimension, start, provider, value],
    [1, dimension, start, '', value],
  ]
}
