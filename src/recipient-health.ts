import { initialState, recipientStatus } from './status.js'
import type { StoredMessage, Suppression } from './store.js'

/** How mail to an address has fared lately, over all messages that went to it. */
export interface RecipientHealth {
  /** In its canonical form. */
  address: string
  /** How many messages were looked at: the latest, a hundred at most. */
  messages: number
  /** How many of them failed one after the other, since one was delivered last. */
  failures: number
  /** When the latest of those was sent. */
  lastFailure?: Date
  /** When the latest that was delivered was sent. */
  lastDelivery?: Date
  /** Why it must not be mailed; empty while it may be. */
  suppressions: Suppression[]
}

/** How many messages are looked at. */
export const messagesLookedAt = 100

const failed = new Set(['bounced', 'rejected', 'failed'])

/** @param stored the latest messages to the address, the newest first */
export function recipientHealth(
  address: string,
  stored: readonly StoredMessage[],
  suppressions: Suppression[],
): RecipientHealth {
  const outcomes = stored.map(({ record, states }) => ({
    sentAt: record.sentAt,
    status: recipientStatus(states.get(address) ?? initialState),
  }))
  const delivered = outcomes.findIndex(({ status }) => status === 'delivered')
  // What has not come to an end yet says nothing.
  const failures = outcomes
    .slice(0, delivered < 0 ? undefined : delivered)
    .filter(({ status }) => failed.has(status))
  const [lastFailure] = failures
  const lastDelivery = outcomes[delivered]
  return {
    address,
    messages: stored.length,
    failures: failures.length,
    ...(lastFailure && { lastFailure: lastFailure.sentAt }),
    ...(lastDelivery && { lastDelivery: lastDelivery.sentAt }),
    suppressions,
  }
}
