import { fromBytes } from '../ids.js'
import type { MessageRow } from './sql-tables.js'

/** A message as it comes from the database. */
export interface MessageColumns {
  tracking_id: Buffer
  provider: Buffer
  record: Buffer
}

export const messageColumns = 'tracking_id, provider, record'

export function toMessage({ tracking_id: id, provider, record }: MessageColumns): MessageRow {
  return { trackingId: fromBytes(id), provider: provider.toString(), record: record.toString() }
}
