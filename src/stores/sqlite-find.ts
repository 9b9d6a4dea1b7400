import { digest, toBytes } from '../ids.js'
import { firstTrackingId } from '../matching.js'
import type { StoreQuery } from '../store.js'

/** The statement for messages that fit, the newest first: it walks an index from the cursor on. */
export function findMessages(
  { provider, address, status, labels = [], from, to }: StoreQuery,
  limit: number,
  before: string | undefined,
): { sql: string; values: (string | number | Uint8Array)[] } {
  const values: (string | number | Uint8Array)[] = []
  const conditions: string[] = []
  const where = (condition: string, value: string | Uint8Array): void => {
    conditions.push(condition)
    values.push(value)
  }
  const [label, ...otherLabels] = labels
  const byRecipient = address !== undefined || status !== undefined
  const tables = [
    ...(byRecipient ? ['mailtrail_recipients'] : []),
    ...(label === undefined ? [] : ['mailtrail_labels']),
  ]
  if (provider !== undefined || tables.length === 0) tables.push('mailtrail_messages')
  const [first = ''] = tables
  if (address !== undefined) where('address_digest = ?', digest(address))
  if (status !== undefined) where('status = ?', status)
  if (label !== undefined) where('label = ?', digest(label))
  if (provider !== undefined) where('provider = ?', provider)
  // Bounds are on the table that leads, so that its index can be walked from there.
  const id = `${first}.tracking_id`
  for (const other of otherLabels) {
    where(`${id} IN (SELECT tracking_id FROM mailtrail_labels WHERE label = ?)`, digest(other))
  }
  if (from !== undefined) where(`${id} >= ?`, toBytes(firstTrackingId(from)))
  if (to !== undefined) where(`${id} < ?`, toBytes(firstTrackingId(to)))
  if (before !== undefined) where(`${id} < ?`, toBytes(before))
  const sql = `SELECT DISTINCT ${id} FROM ${tables.join(' CROSS JOIN ')}
    ${
      tables.length > 1
        ? `ON ${tables
            .slice(1)
            .map((table) => `${table}.tracking_id = ${id}`)
            .join(' AND ')}`
        : ''
    }
    ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
    ORDER BY ${id} DESC LIMIT ?`
  return { sql, values: [...values, limit] }
}
