import type { CountQuery, CountRow } from '../store.js'
import { counted, noCounts } from './counts.js'
import type { SqliteDatabase } from './sqlite-driver.js'

/** Adds up what was counted. */
export function readCounts(
  database: SqliteDatabase,
  { dimension, from, to, provider, by, limit }: CountQuery,
): CountRow[] {
  const order = by === 'start' ? 'key' : 'sum(recipients) + sum(events) DESC, key'
  const sql = `SELECT ${by} AS key, ${counted.map((name) => `sum(${name}) AS ${name}`).join(', ')}
    FROM mailtrail_counts
    WHERE dimension = ? AND start >= ? AND start < ? ${provider === undefined ? '' : 'AND provider = ?'}
    GROUP BY ${by} ORDER BY ${order} LIMIT ?`
  const values = [dimension, from, to, ...(provider === undefined ? [] : [provider]), limit]
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
