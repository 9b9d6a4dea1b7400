import type { MailEvent } from './event.js'
import { canonicalAddress } from './matching.js'
import {
  type Engagement,
  type EngagementKind,
  type MessageStatus,
  type RecipientKind,
  type RecipientStatus,
  type SentMessage,
  toSentMessage,
} from './message.js'
import { initialState, messageStatus, recipientEngagement, recipientStatus } from './status.js'
import type { StoredMessage } from './store.js'

/** One recipient and what became of the message there. */
export interface TrackedRecipient {
  address: string
  kind: RecipientKind
  status: RecipientStatus
  engagement: { [K in EngagementKind]?: Engagement }
  providerMessageId?: string
}

/** A message and what became of it. */
export interface FoundMessage extends Omit<SentMessage, 'recipients'> {
  /** The worst status of its recipients; `unknown` when the send call was cut off. */
  status: MessageStatus
  recipients: TrackedRecipient[]
}

/** A message, what became of it, and every event of it. */
export interface TrackedMessage extends FoundMessage {
  /** Each fact once, by the time it happened. */
  events: MailEvent[]
}

/** What is stored of a message in the words that callers get. */
export function toFoundMessage({ record, states }: StoredMessage): FoundMessage {
  const { recipients, error, failFlag, ...message } = toSentMessage(record)
  const tracked = recipients.map(({ address, kind, providerMessageId }): TrackedRecipient => {
    const state = states.get(canonicalAddress(address)) ?? initialState
    return {
      address,
      kind,
      status: recipientStatus(state),
      engagement: recipientEngagement(state),
      ...(providerMessageId !== undefined && { providerMessageId }),
    }
  })
  const statuses = tracked.map(({ status }) => status)
  // A send call that was cut off, and the events say that the provider had taken the message.
  const settled = record.outcome === 'unknown' && statuses.some((status) => status !== 'pending')
  return {
    ...message,
    failFlag: failFlag && !settled,
    ...(error && !settled && { error }),
    status: messageStatus(record.outcome, statuses),
    recipients: tracked,
  }
}
