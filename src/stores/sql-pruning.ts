import { firstTrackingId, labelsOf, messageKeys } from '../matching.js'
import { countedByDay } from '../counts.js'
import type { PruneLimits } from '../store.js'
import { recordFromJson } from './serialization.js'
import type { Tables } from './sql-tables.js'

/** Removes what is too old, up to so much of each kind. */
export async function prune(
  tables: Tables,
  { messages, events, nonces, days, minutes }: PruneLimits,
  most: number,
): Promise<number> {
  let removed = 0
  if (messages !== undefined) {
    const rows = await tables.oldMessages(firstTrackingId(messages), most)
    await tables.removeMessages(
      rows.map(({ trackingId, record: json }) => {
        const record = recordFromJson(json)
        const keys = messageKeys(record).map(({ key }) => key)
        return { trackingId, keys, labels: labelsOf(record) }
      }),
    )
    removed += rows.length
  }
  if (events !== undefined) {
    // Ids of events begin with their time as those of messages do.
    const ids = await tables.oldEvents(firstTrackingId(events), most)
    await tables.removeEvents(ids)
    removed += ids.length
  }
  if (nonces !== undefined) removed += await tables.removeNonces(nonces, most)
  if (days !== undefined) removed += await tables.removeCounts(countedByDay, days)
  if (minutes !== undefined) removed += await tables.removeCounts(['minute'], minutes)
  return removed
}
