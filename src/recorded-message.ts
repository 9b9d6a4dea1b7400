import { v7 as uuidv7 } from 'uuid'
import { bareMessageId, rfcMessageId } from './matching.js'
import type { Address, MessageRecord, RecipientKind } from './message.js'

/** A message that was sent by other means than our transports. */
export interface RecordedMessage {
  provider: string
  /** The provider's id as its answer gave it. */
  providerMessageId: string
  recipients: readonly (string | { address: string; kind: RecipientKind })[]
  messageId?: string
  subject?: string
  tags?: readonly string[]
  metadata?: Readonly<Record<string, string>>
  sentAt?: Date
}

/**
 * It as a store keeps it, under an id of ours.
 *
 * @throws TypeError when what events are matched by is missing
 */
export function toRecord(message: RecordedMessage): MessageRecord {
  checkMessage(message)
  const recipients = message.recipients.map((recipient) =>
    typeof recipient === 'string' ? { address: recipient, kind: 'to' as const } : recipient,
  )
  const addressed = (kind: RecipientKind): Address[] =>
    recipients
      .filter((recipient) => recipient.kind === kind)
      .map(({ address }) => ({ name: '', address }))
  const messageId = message.messageId === undefined ? undefined : rfcMessageId(message.messageId)
  const sentAt = message.sentAt ?? new Date()
  return {
    // As if it had been made when the message was sent: stores find messages of a time by it.
    trackingId: message.sentAt === undefined ? uuidv7() : uuidv7({ msecs: sentAt.getTime() }),
    provider: message.provider,
    envelope: { from: false, to: recipients.map(({ address }) => address) },
    to: addressed('to'),
    cc: addressed('cc'),
    bcc: addressed('bcc'),
    tags: [...(message.tags ?? [])],
    metadata: { ...message.metadata },
    sentAt,
    recipients: recipients.map(({ address, kind }) => ({
      address,
      kind,
      status: 'accepted' as const,
      providerStatus: '',
    })),
    outcome: 'sent',
    ...(message.subject !== undefined && { subject: message.subject }),
    ...(messageId !== undefined && { messageId }),
    providerMessageId: bareMessageId(message.providerMessageId) ?? message.providerMessageId,
  }
}

function checkMessage({ provider, providerMessageId, recipients, sentAt }: RecordedMessage): void {
  const wrong = [
    typeof provider !== 'string' && 'provider must be a string',
    typeof providerMessageId !== 'string' && 'providerMessageId must be a string',
    !Array.isArray(recipients) && 'recipients must be a list',
    sentAt !== undefined && !isTime(sentAt) && 'sentAt must be a Date of 1970 or later',
  ].find(Boolean)
  if (wrong) throw new TypeError(`record: ${wrong}`)
}

function isTime(value: unknown): boolean {
  return value instanceof Date && value.getTime() >= 0
}
