import type { Counting } from '../counting.js'
import type { MessageRecord } from '../message.js'
import { recipientStatus } from '../status.js'
import type { RecipientState } from '../store.js'
import { stateFromJson } from './serialization.js'
import type { Tables } from './sql-tables.js'

/** What happens to the state of one recipient of a message. */
export interface StateChange {
  record: MessageRecord
  address: string
  change: (state: RecipientState) => RecipientState
}

/**
 * Changes states of recipients in the order given, and counts that.
 *
 * @param missing what those are changed from that are not there: undefined where they are passed over, as events
 * are that come for addresses which the message was not sent to
 */
export async function changeStates(
  tables: Tables,
  changes: readonly StateChange[],
  missing: RecipientState | undefined,
  counting: Counting,
): Promise<void> {
  const keys = changes.map(({ record: { trackingId }, address }) => ({ trackingId, address }))
  const before = new Map<string, RecipientState>()
  for (const { trackingId, address, state } of await tables.states(keys)) {
    before.set(`${trackingId} ${address}`, stateFromJson(state))
  }
  const states = new Map(before)
  const changed = new Map<string, StateChange>()
  for (const change of changes) {
    const recipient = `${change.record.trackingId} ${change.address}`
    const state = states.get(recipient) ?? missing
    if (!state) continue
    states.set(recipient, change.change(state))
    changed.set(recipient, change)
  }
  const rows = [...changed].flatMap(([recipient, { record, address }]) => {
    const state = states.get(recipient)
    if (!state) return []
    const known = before.get(recipient)
    counting.recipient(record, address, state, known)
    return [
      {
        trackingId: record.trackingId,
        address,
        status: recipientStatus(state),
        statusBefore: known && recipientStatus(known),
        state: JSON.stringify(state),
      },
    ]
  })
  await tables.putStates(rows)
}
