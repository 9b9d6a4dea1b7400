import type { MailEvent } from './event.js'
import { canonicalAddress } from './matching.js'
import {
  type Engagement,
  type EngagementKind,
  type MessageRecord,
  type MessageStatus,
  type RecipientKind,
  type RecipientStatus,
  type SendOutcome,
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
  /** When the receiving server accepted it, the last time; absent while it has not. */
  deliveredAt?: Date
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

/** No send call takes as long as this, in ms: without an answer its process has died meanwhile. */
const longestSend = 15 * 60_000

/**
 * What is stored of a message in the words that callers get.
 *
 * @param now in ms since 1970
 */
export function toFoundMessage({ record, states }: StoredMessage, now: number): FoundMessage {
  const { recipients, error, failFlag, ...message } = toSentMessage(record)
  const tracked = recipients.map(({ address, kind, providerMessageId }): TrackedRecipient => {
    const state = states.get(canonicalAddress(address)) ?? initialState
    return {
      address,
      kind,
      status: recipientStatus(state),
      engagement: recipientEngagement(state),
      ...(state.deliveredAt !== undefined && { deliveredAt: new Date(state.deliveredAt) }),
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
    status: messageStatus(outcomeAt(record, now), statuses),
    recipients: tracked,
  }
}

/** The provider may have taken what it was asked to send by a process that heard no answer. */
function outcomeAt({ outcome, sentAt }: MessageRecord, now: number): SendOutcome {
  return outcome === 'sending' && now - sentAt.getTime() > longestSend ? 'unknown' : outcome
}
