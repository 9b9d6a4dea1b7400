import { counted } from '../counts.js'
import { addToKnown, columns, isEmpty, sums, type Sums } from './count-columns.js'
import { week } from './count-weeks.js'
import type { Statement } from './postgres-transaction.js'

// A thousand domains of three providers are a hundred thousand counts a month, and PostgreSQL takes half a
// microsecond for each that it adds up. So parts are put together by day and by week, and both also for all
// providers, whose name is empty here: a month is read from some of these. Counts of one provider and day are what
// was counted, and the others follow them in the same statement.

const weekOf = `start - (start % ${week} + ${week}) % ${week}`

/**
 * The end of a statement that changes totals: by rows that are put together, or by totals of providers and days
 * that it removes.
 */
export function changeTotals(rows: string, change: 'add' | 'remove'): string {
  const by = counted.map((name) => (change === 'add' ? `sum(${name})` : `-sum(${name})`)).join(', ')
  const itself = change === 'add' ? '(false, provider, start), ' : ''
  return `INSERT INTO mailtrail_count_totals AS known
      (weekly, dimension, provider, start, value, ${columns})
    SELECT of_week, dimension, whose, beginning, value, ${by}
    FROM ${rows} CROSS JOIN LATERAL (
      VALUES ${itself}(false, '', start), (true, provider, ${weekOf}), (true, '', ${weekOf})
    ) AS total (of_week, whose, beginning)
    GROUP BY of_week, dimension, whose, beginning, value
    ORDER BY of_week, dimension, whose, beginning, value
    ON CONFLICT (weekly, dimension, provider, start, value)
    ${addToKnown}`
}

const part = `SELECT value, ${columns} FROM`
const total = `${part} mailtrail_count_totals WHERE provider = $5 AND dimension = $1`

/** Of one provider, or of all: from totals where there are some, and from what is not put together yet. */
export const readValues: Statement<Sums & { key: string }> = {
  text: `SELECT value AS key, ${sums} FROM (
      ${total} AND weekly AND start >= $6 AND start < $7
      UNION ALL ${total} AND NOT weekly AND start >= $2 AND start < $6
      UNION ALL ${total} AND NOT weekly AND start >= $7 AND start < $3
      UNION ALL ${part} mailtrail_counts
      WHERE dimension = $1 AND start >= $2 AND start < $3 AND $5 IN ('', provider)
    ) AS counts
    GROUP BY value ORDER BY sum(recipients) + sum(events) DESC, value LIMIT $4`,
}

/** So many rows are removed at once, or a year of them might take longer than a statement may. */
export const mostRemoved = 10_000

export const removeTotals: Statement<{ removed: string }> = {
  text: `WITH gone AS (
      DELETE FROM mailtrail_count_totals WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM mailtrail_count_totals
        WHERE start < $2 AND dimension = ANY ($1::text[]) AND NOT weekly AND provider <> ''
        ORDER BY start LIMIT ${mostRemoved}))
      RETURNING *
    ), changed AS (
      ${changeTotals('gone', 'remove')}
    )
    SELECT count(*) AS removed FROM gone`,
}

export const removeEmptyTotals: Statement<never> = {
  text: `DELETE FROM mailtrail_count_totals
    WHERE start < $2 AND dimension = ANY ($1::text[]) AND ${isEmpty}`,
}

export const removeEmptyTotalsOf: Statement<never> = {
  text: `DELETE FROM mailtrail_count_totals WHERE value = ANY ($1::text[]) AND ${isEmpty}`,
}
