import { inStore } from './in-store.js'
import { canonicalAddress } from './matching.js'
import type { Store } from './store.js'

/** A message and its events as they are stored. Rejects with a `StoreError`. */
export function readMessage(
  store: Pick<Store, 'message'>,
  trackingId: string,
): ReturnType<Store['message']> {
  return inStore('reading a message', () => store.message(trackingId))
}

/** How an address stands in what is stored. */
export function storedAddress(store: Pick<Store, 'storedAddress'>, address: string): string {
  const canonical = canonicalAddress(address)
  return store.storedAddress?.(canonical) ?? canonical
}
