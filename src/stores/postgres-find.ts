import type { StoreQuery } from '../store.js'
import type { Statement } from './postgres-transaction.js'
import { digestId, storable } from './postgres-values.js'

/** The statement for messages that fit, the newest first: it walks an index from the cursor on. */
export function findMessages(
  { provider, address, status }: StoreQuery,
  limit: number,
  before: string | undefined,
): { statement: Statement<{ tracking_id: string }>; values: unknown[] } {
  const values: unknown[] = []
  const parameter = (value: unknown): string => `$${values.push(value)}`
  const tables: string[] = []
  const conditions: string[] = []
  if (address !== undefined) conditions.push(`address_digest = ${parameter(digestId(address))}`)
  if (status !== undefined) conditions.push(`status = ${parameter(status)}`)
  if (conditions.length > 0) tables.push('mailtrail_recipients')
  if (provider !== undefined) conditions.push(`provider = ${parameter(storable(provider))}`)
  if (provider !== undefined || tables.length === 0) tables.push('mailtrail_messages')
  if (before !== undefined) {
    // On both tables: whichever PostgreSQL begins with can then be walked from there.
    const cursor = parameter(before)
    conditions.push(...tables.map((table) => `${table}.tracking_id < ${cursor}`))
  }
  const text = `SELECT DISTINCT tracking_id FROM ${tables.join(' JOIN ')}
    ${tables.length > 1 ? 'USING (tracking_id)' : ''}
    ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
    ORDER BY tracking_id DESC LIMIT ${parameter(limit)}`
  return { statement: { text }, values }
}
