import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from './errors.js'
import type { Observing } from './observing.js'
import type { Settlement, Store } from './store.js'

/** Endings are written together: as many as come within this many ms. */
const settleAfter = 10

/** How long to wait before endings are written again that the store did not take, in ms. */
const settleRetry = 1000

export interface Settling {
  add(settlement: Settlement): void
  /** Resolves when everything so far is written. */
  written(): Promise<void>
  /** Gives up what the store does not take from now on: unwritten, an event is only told again. */
  hurry(): void
}

/** Writes how telling went, many at a time. */
export function createSettling(
  store: Store,
  written: (settlements: readonly Settlement[]) => void,
  report: (error: StoreError) => void,
  observing: Observing,
): Settling {
  const settlements: Settlement[] = []
  let writing: Promise<void> | undefined
  let hurried = false

  async function write(): Promise<void> {
    await delay(settleAfter)
    while (settlements.length > 0) {
      const batch = settlements.splice(0)
      try {
        await store.settle(batch)
        written(batch)
        for (const { kind, eventId } of batch) {
          if (kind === 'given-up') observing.notice({ kind: 'dead-letter', eventId })
        }
      } catch (error) {
        report(new StoreError('writing what listeners were told', error))
        if (hurried) break
        settlements.unshift(...batch)
        await delay(settleRetry)
      }
    }
    // In the same turn as the last look, or an ending that comes between would never be written.
    writing = undefined
  }

  return {
    add(settlement) {
      settlements.push(settlement)
      writing ??= write()
    },
    async written() {
      await writing
    },
    hurry() {
      hurried = true
    },
  }
}
