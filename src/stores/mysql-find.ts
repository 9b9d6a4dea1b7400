import { digest, fromBytes, toBytes } from '../ids.js'
import { firstTrackingId } from '../matching.js'
import type { StoreQuery } from '../store.js'
import { mysqlLists } from './mysql-lists.js'
import type { MysqlValue, Query } from './mysql-transaction.js'
import type { Tables } from './sql-tables.js'

interface Condition {
  sql: string
  value: Buffer
}

/** What messages can be found by. */
export function mysqlFinding(query: Query): Pick<Tables, 'putLabels' | 'findMessages'> {
  const { insert } = mysqlLists(query)

  return {
    async putLabels(trackingId, labels) {
      const id = toBytes(trackingId)
      await query(
        `DELETE labels FROM mailtrail_labels AS labels FORCE INDEX (mailtrail_labels_by_message)
         WHERE tracking_id = ?`,
        [id],
      )
      await insert(
        'mailtrail_labels (label_digest, tracking_id)',
        labels.map((label) => [digest(label), id]),
        // Labels that differ only in what no text can have are one.
        'ON DUPLICATE KEY UPDATE tracking_id = VALUES(tracking_id)',
      )
    },

    async findMessages(asked, limit, before) {
      const { sql, values } = statementFor(asked, limit, before)
      const rows = await query<{ tracking_id: Buffer }>(sql, values)
      return rows.map(({ tracking_id: id }) => fromBytes(id))
    },
  }
}

/** The statement for messages that fit, the newest first: it walks an index from the cursor on. */
function statementFor(
  asked: StoreQuery,
  limit: number,
  before: string | undefined,
): { sql: string; values: MysqlValue[] } {
  const { provider, address, status, labels = [], from, to } = asked
  const lead = leadOf(asked)
  const conditions: Condition[] = []
  const where = (sql: string, value: Buffer): void => void conditions.push({ sql, value })

  if (address !== undefined) where('address_digest = ?', digest(address))
  if (status !== undefined) {
    where(
      lead.table === 'mailtrail_recipients'
        ? 'status = ?'
        : among('mailtrail_recipients', 'mailtrail_recipients_by_status', 'status = ?'),
      Buffer.from(status),
    )
  }
  for (const label of labels) {
    where(
      lead.label === label
        ? 'label_digest = ?'
        : among('mailtrail_labels', 'PRIMARY', 'label_digest = ?'),
      digest(label),
    )
  }
  if (provider !== undefined) {
    where(
      lead.table === 'mailtrail_messages'
        ? 'provider = ?'
        : among('mailtrail_messages', 'PRIMARY', 'provider = ?'),
      Buffer.from(provider),
    )
  }
  if (from !== undefined) where('m.tracking_id >= ?', toBytes(firstTrackingId(from)))
  if (to !== undefined) where('m.tracking_id < ?', toBytes(firstTrackingId(to)))
  if (before !== undefined) where('m.tracking_id < ?', toBytes(before))
  // The index is named, or a table that seems small may be sorted whole.
  const sql = `SELECT DISTINCT m.tracking_id FROM ${lead.table} AS m FORCE INDEX (${lead.index})
    ${conditions.length > 0 ? 'WHERE' : ''} ${conditions.map((one) => one.sql).join(' AND ')}
    ORDER BY m.tracking_id DESC LIMIT ?`
  return { sql, values: [...conditions.map(({ value }) => value), limit] }
}

/** The table whose rows are walked, and the index for it: of what is asked that which says most. */
function leadOf({ provider, address, status, labels = [] }: StoreQuery): {
  table: string
  index: string
  label?: string
} {
  if (address !== undefined) {
    return { table: 'mailtrail_recipients', index: 'mailtrail_recipients_by_address' }
  }
  // Metadata come after tags, and fewer messages have the same.
  const label = labels.at(-1)
  if (label !== undefined) return { table: 'mailtrail_labels', index: 'PRIMARY', label }
  if (status !== undefined) {
    return { table: 'mailtrail_recipients', index: 'mailtrail_recipients_by_status' }
  }
  return {
    table: 'mailtrail_messages',
    index: provider === undefined ? 'PRIMARY' : 'mailtrail_messages_by_provider',
  }
}

/**
 * That some row of this message fits. As a value and no join or EXISTS, which is turned into one:
 * all rows would be joined before the first one is given.
 */
function among(table: string, index: string, condition: string): string {
  return `(SELECT 1 FROM ${table} AS other FORCE INDEX (${index})
    WHERE other.tracking_id = m.tracking_id AND other.${condition} LIMIT 1) = 1`
}
