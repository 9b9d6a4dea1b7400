import { claimingChecks } from './store-contract-claiming.js'
import { concurrencyChecks } from './store-contract-concurrency.js'
import { countChecks } from './store-contract-counts.js'
import { earlyChecks } from './store-contract-early.js'
import { eventChecks } from './store-contract-events.js'
import { foldingChecks } from './store-contract-folding.js'
import { matchingChecks } from './store-contract-matching.js'
import { messageChecks } from './store-contract-messages.js'
import { forgettingChecks } from './store-contract-forgetting.js'
import { pruningChecks } from './store-contract-pruning.js'
import { recipientChecks } from './store-contract-recipients.js'
import { suppressionChecks } from './store-contract-suppressions.js'
import { tellingChecks } from './store-contract-telling.js'
import type { OpenedStore } from './store-steps.js'

/** One case of what every store must do. */
export interface StoreCase {
  name: string
  /** Rejects with what is wrong. */
  run: () => Promise<void>
}

/**
 * Everything that a store must do, as cases for any test runner. Each opens a database of its own, so
 * they may run in any order, and closes its handles.
 *
 * @param open gives two handles on one new and empty database; the same object twice, where there is
 * nothing to share
 * @example
 * ```ts
 * import { test } from 'node:test'
 *
 * const open = async () => {
 *   const store = memoryStore()
 *   return { store, other: store }
 * }
 * for (const { name, run } of storeContract(open)) test(name, run)
 * ```
 */
export function storeContract(open: () => Promise<OpenedStore>): StoreCase[] {
  const checks = {
    ...messageChecks,
    ...eventChecks,
    ...matchingChecks,
    ...earlyChecks,
    ...recipientChecks,
    ...foldingChecks,
    ...countChecks,
    ...suppressionChecks,
    ...pruningChecks,
    ...forgettingChecks,
    ...tellingChecks,
    ...claimingChecks,
    ...concurrencyChecks,
  }
  return Object.entries(checks).map(([name, check]) => ({
    name,
    async run() {
      const opened = await open()
      try {
        await opened.store.open()
        await opened.other.open()
        await check(opened)
      } finally {
        await opened.store.close()
        await opened.other.close()
      }
    },
  }))
}
