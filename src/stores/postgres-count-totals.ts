import { counted } from '../counts.js'
import { addToKnown, columns, sums, type Sums } from './postgres-count-columns.js'
import type { Statement } from './postgres-transaction.js'

// A thousand domains of three providers are a hundred thousand rows a month, and PostgreSQL takes half a
// microsecond for each that it adds up. So what is put together is also added to totals of all providers, by day
// and by week, and a month is read from those. They hold what rows of shard 0 hold, and change with them alone.

const week = 7 * 24 * 3600_000

/**
 * The end of a statement that changes totals by rows of counts: those in which it puts something together, or
 * those that it removes.
 */
export function changeTotals(rows: string, sign: '+' | '-'): string {
  return `INSERT INTO mailtrail_count_totals AS known (weekly, dimension, start, value, ${columns})
    SELECT weekly, dimension, beginning, value, ${counted.map((name) => `${sign} sum(${name})`).join(', ')}
    FROM ${rows} CROSS JOIN LATERAL (
      VALUES (false, start), (true, start - (start % ${week} + ${week}) % ${week})
    ) AS spans (weekly, beginning)
    GROUP BY weekly, dimension, beginning, value
    ORDER BY weekly, dimension, beginning, value
    ON CONFLICT (weekly, dimension, start, value)
    ${addToKnown}`
}

/** From the totals where there are some, and from what is not put together yet. */
export const readTotals: Statement<Sums & { key: string }> = {
  text: `SELECT value AS key, ${sums} FROM (
      SELECT value, ${columns} FROM mailtrail_count_totals
      WHERE weekly AND dimension = $1 AND start >= $5 AND start < $6
      UNION ALL
      SELECT value, ${columns} FROM mailtrail_count_totals
      WHERE NOT weekly AND dimension = $1 AND start >= $2 AND start < $5
      UNION ALL
      SELECT value, ${columns} FROM mailtrail_count_totals
      WHERE NOT weekly AND dimension = $1 AND start >= $6 AND start < $3
      UNION ALL
      SELECT value, ${columns} FROM mailtrail_counts
      WHERE shard > 0 AND dimension = $1 AND start >= $2 AND start < $3
    ) AS counts
    GROUP BY value ORDER BY sum(recipients) + sum(events) DESC, value LIMIT $4`,
}

/** Where the whole weeks of a span begin and end; both at its beginning where it has none. */
export function wholeWeeks(from: number, to: number): [from: number, to: number] {
  const begin = Math.ceil(from / week) * week
  const end = Math.floor(to / week) * week
  return begin < end ? [begin, end] : [from, from]
}

const isEmpty = counted.map((name) => `${name} = 0`).join(' AND ')

export const removeEmptyTotals: Statement<never> = {
  text: `DELETE FROM mailtrail_count_totals
    WHERE weekly = ANY ('{true,false}') AND dimension = ANY ($1::text[]) AND start < $2 AND ${isEmpty}`,
}

export const removeEmptyTotalsOf: Statement<never> = {
  text: `DELETE FROM mailtrail_count_totals WHERE value = ANY ($1::text[]) AND ${isEmpty}`,
}
