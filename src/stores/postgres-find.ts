import { firstTrackingId } from '../matching.js'
import type { StoreQuery } from '../store.js'
import { prepared, type Statement } from './postgres-transaction.js'
import { digestId, storable } from './postgres-values.js'

// What goes and what comes are other rows: one statement must not do both to one.
export const putLabels = prepared(
  'put_labels',
  `WITH gone AS (
     DELETE FROM mailtrail_labels WHERE tracking_id = $1 AND label <> ALL ($2::uuid[])
   )
   INSERT INTO mailtrail_labels (label, tracking_id)
   SELECT label, $1::uuid FROM unnest($2::uuid[]) AS label ON CONFLICT DO NOTHING`,
)

/** The statement for messages that fit, the newest first: it walks an index from the cursor on. */
export function findMessages(
  { provider, address, status, labels = [], from, to }: StoreQuery,
  limit: number,
  before: string | undefined,
): { statement: Statement<{ tracking_id: string }>; values: unknown[] } {
  const values: unknown[] = []
  const parameter = (value: unknown): string => `$${values.push(value)}`
  // By the names that they have in the statement.
  const tables = new Map<string, string>()
  const conditions: string[] = []
  if (address !== undefined) conditions.push(`address_digest = ${parameter(digestId(address))}`)
  if (status !== undefined) conditions.push(`status = ${parameter(status)}`)
  if (conditions.length > 0) tables.set('recipient', 'mailtrail_recipients')
  for (const [index, label] of labels.entries()) {
    tables.set(`label_${index}`, 'mailtrail_labels')
    conditions.push(`label_${index}.label = ${parameter(digestId(label))}`)
  }
  if (provider !== undefined) conditions.push(`provider = ${parameter(storable(provider))}`)
  if (provider !== undefined || tables.size === 0) tables.set('message', 'mailtrail_messages')
  const bound = (operator: string, id: string | undefined): void => {
    if (id === undefined) return
    // On every table: whichever PostgreSQL begins with can then be walked from there.
    const value = parameter(id)
    for (const name of tables.keys()) conditions.push(`${name}.tracking_id ${operator} ${value}`)
  }
  bound('>=', from === undefined ? undefined : firstTrackingId(from))
  bound('<', to === undefined ? undefined : firstTrackingId(to))
  bound('<', before)
  const [first, ...others] = [...tables].map(([name, table]) => `${table} AS ${name}`)
  const text = `SELECT DISTINCT tracking_id FROM ${first}
    ${others.map((table) => `JOIN ${table} USING (tracking_id)`).join(' ')}
    ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
    ORDER BY tracking_id DESC LIMIT ${parameter(limit)}`
  return { statement: { text }, values }
}
