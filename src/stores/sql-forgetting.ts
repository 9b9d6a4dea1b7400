import { createCounting } from '../counting.js'
import { createForgetting, type Forgetting } from '../forgetting.js'
import { labelsOf, messageKeys } from '../matching.js'
import { eventFromJson, recordFromJson, stateFromJson } from './serialization.js'
import type { SqlDatabase, StoredEventRow, Tables } from './sql-tables.js'

/** How many rows are looked through at once. */
const chunk = 500

/** How many events are written in one transaction, for each takes some statements. */
const eventsAtOnce = 50

/**
 * Takes an address out of every table, chunk by chunk: an address may stand in any text, so all are looked
 * through.
 */
export async function forget(
  database: Pick<SqlDatabase, 'transaction' | 'read'>,
  address: string,
  written: readonly string[],
  pseudonym: string,
): Promise<number> {
  const forgetting = createForgetting([address, ...written], pseudonym)
  let changed = 0
  let id: string | undefined
  for (;;) {
    const rows = await database.read((tables) => tables.messagesAfter(id, chunk))
    const found = rows.filter(({ record }) => forgetting.isIn(record))
    if (found.length > 0) {
      const ids = found.map(({ trackingId }) => trackingId)
      await database.transaction(async (tables) => {
        await forgetInMessages(tables, ids, address, pseudonym, forgetting)
      })
      changed += found.length
    }
    id = rows.at(-1)?.trackingId
    if (rows.length < chunk) break
  }
  let position = 0
  for (;;) {
    const rows = await database.read((tables) => tables.eventsAfter(position, chunk))
    const found = rows.filter((row) => isInEvent(row, forgetting))
    for (let start = 0; start < found.length; start += eventsAtOnce) {
      const positions = found.slice(start, start + eventsAtOnce).map((row) => row.position)
      changed += await database.transaction((tables) =>
        forgetInEvents(tables, positions, forgetting),
      )
    }
    position = rows.at(-1)?.position ?? position
    if (rows.length < chunk) break
  }
  await database.transaction(async (tables) => {
    await tables.removeSuppressions(address)
    const counts = await tables.takeCountsWith(forgetting.forms)
    await tables.addCounts(counts.map((row) => ({ ...row, value: forgetting.text(row.value) })))
  })
  return changed
}

function isInEvent({ event, progress = '' }: StoredEventRow, { isIn }: Forgetting): boolean {
  return isIn(event) || isIn(progress)
}

/** What was read without a lock may be otherwise by now: joined, told, or forgotten by somebody else. */
async function forgetInEvents(
  tables: Tables,
  positions: readonly number[],
  forgetting: Forgetting,
): Promise<number> {
  const rows = await tables.lockEvents(positions)
  const found = rows.filter((row) => isInEvent(row, forgetting))
  for (const row of found) {
    const event = forgetting.event(eventFromJson(row.event))
    const progress = row.progress === undefined ? undefined : forgetting.text(row.progress)
    await tables.renameEvent(row.id, event.id, JSON.stringify(event), progress)
  }
  return found.length
}

async function forgetInMessages(
  tables: Tables,
  trackingIds: readonly string[],
  address: string,
  pseudonym: string,
  forgetting: Forgetting,
): Promise<void> {
  const counting = createCounting()
  const rows = await tables.lockMessages(trackingIds)
  const states = await tables.statesOf(trackingIds)
  for (const row of rows) {
    const { trackingId, provider } = row
    const before = recordFromJson(row.record)
    const record = forgetting.record(before)
    await tables.putMessage({ trackingId, provider, record: JSON.stringify(record) })
    await tables.putLabels(trackingId, labelsOf(record), labelsOf(before))
    await tables.putKeys(trackingId, messageKeys(record))
    const mine = states.find(
      (state) => state.trackingId === trackingId && state.address === address,
    )
    if (!mine) continue
    await tables.renameRecipient(trackingId, address, pseudonym)
    counting.renamed(before, address, pseudonym, stateFromJson(mine.state))
  }
  await tables.addCounts(counting.changes())
}
