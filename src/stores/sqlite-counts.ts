import type { CountQuery, CountRow } from '../store.js'
import { counted, noCounts } from '../counts.js'
import type { SqliteDatabase } from './sqlite-driver.js'

/** Adds up what was counted. */
export function readCounts(
  database: SqliteDatabase,
  { dimension, from, to, provider, by, limit }: CountQuery,
): CountRow[] {
  const fits = `dimension = ?1 AND start >= ?2 AND start < ?3
    ${provider === undefined ? '' : 'AND provider = ?5'}`
  const size = 'sum(recipients) + sum(events) DESC'
  // To add up all columns of all values takes three times as long as to find those that are asked for first.
  const largest = `AND value IN (
    SELECT value FROM mailtrail_counts WHERE ${fits} GROUP BY value ORDER BY ${size}, value LIMIT ?4)`
  const sums = counted.map((name) => `sum(${name}) AS ${name}`).join(', ')
  const sql = `SELECT ${by} AS key, ${sums} FROM mailtrail_counts
    WHERE ${fits} ${by === 'value' ? largest : ''}
    GROUP BY ${by} ORDER BY ${by === 'start' ? '' : `${size}, `}${by} LIMIT ?4`
  const values = [dimension, from, to, limit, ...(provider === undefined ? [] : [provider])]
  return database
    .prepare(sql)
    .all(...values)
    .map((row) => toCountRow(Object(row)))
}

function toCountRow(row: object): CountRow {
  const counts = { ...noCounts }
  for (const name of counted) counts[name] = Number(Reflect.get(row, name))
  return { key: String(Reflect.get(row, 'key')), counts }
}
