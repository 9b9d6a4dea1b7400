import { initialState, recipientStatus } from '../status.js'
import type { RecipientState } from '../store.js'
import { stateFromJson } from './serialization.js'
import type { Tables } from './sql-tables.js'

/** What happens to the state of one recipient. */
export interface StateChange {
  trackingId: string
  address: string
  change: (state: RecipientState) => RecipientState
}

/**
 * Changes states of recipients in the order given. Those that are not there are made where the
 * message is written, and passed over where events come for addresses that it was not sent to.
 */
export async function changeStates(
  tables: Tables,
  changes: readonly StateChange[],
  missing: 'make' | 'pass over',
): Promise<void> {
  if (changes.length === 0) return
  const states = new Map<string, RecipientState>()
  for (const { trackingId, address, state } of await tables.states(changes)) {
    states.set(`${trackingId} ${address}`, stateFromJson(state))
  }
  const changed = new Map<string, StateChange>()
  for (const change of changes) {
    const recipient = `${change.trackingId} ${change.address}`
    const state = states.get(recipient) ?? (missing === 'make' ? initialState : undefined)
    if (!state) continue
    states.set(recipient, change.change(state))
    changed.set(recipient, change)
  }
  const rows = [...changed].flatMap(([recipient, { trackingId, address }]) => {
    const state = states.get(recipient)
    if (!state) return []
    return [{ trackingId, address, status: recipientStatus(state), state: JSON.stringify(state) }]
  })
  await tables.putStates(rows)
}
