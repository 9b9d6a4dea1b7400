import { messageOf, SendError, StoreError } from './errors.js'
import type {
  MessageRecord,
  SendOutcome,
  SendResult,
  SendStatus,
  SentError,
  SentRecipient,
} from './message.js'
import type { SentInfo } from './transporter.js'

/** What `sendMail` resolves with, for one provider. */
export interface ProviderInfo<Provider extends string> extends SentInfo {
  provider: Provider
}

/** How a provider took one recipient. */
export type RecipientAnswer = Omit<SentRecipient, 'address' | 'kind'>

/** What a provider answered to a send call. */
export interface SendAnswer {
  /** The answer in a line, such as `202 Accepted`. */
  response: string
  providerMessageId?: string
  /** The RFC 5322 Message-ID, where the answer says it; otherwise it is the one that was sent. */
  messageId?: string
  /** How it took a recipient. */
  recipient(address: string): RecipientAnswer
}

/** How a send ended: `result` is for the store, the others are for the caller. */
export interface SendEnding<Provider extends string> {
  result: SendResult
  info?: ProviderInfo<Provider>
  error?: SendError
}

/** The ending of a send that the provider has answered. */
export function answered<Provider extends string>(
  provider: Provider,
  record: MessageRecord,
  answer: SendAnswer,
): SendEnding<Provider> {
  const recipients = record.recipients.map((recipient): SentRecipient => {
    if (recipient.status !== 'unknown') return recipient
    const { address, kind } = recipient
    return { address, kind, ...answer.recipient(address) }
  })
  const having = (...wanted: SendStatus[]): SentRecipient[] =>
    recipients.filter(({ status }) => wanted.includes(status))
  const providerMessageId = answer.providerMessageId ?? having('accepted')[0]?.providerMessageId
  const messageId = answer.messageId ?? record.messageId
  const ids = { ...(providerMessageId !== undefined && { providerMessageId }) }
  if (having('accepted').length === 0) {
    const error = nobodyAccepted(recipients)
    const outcome = error.outcome === 'unknown' ? 'unknown' : 'failed'
    return { error, result: { outcome, recipients, ...ids, error: toSentError(error) } }
  }
  return {
    result: { outcome: 'sent', recipients, ...ids, ...(messageId !== undefined && { messageId }) },
    // With nothing in it that listeners have too: what they change must not change what it says.
    info: {
      envelope: { from: record.envelope.from, to: [...record.envelope.to] },
      messageId: messageId ?? '',
      accepted: having('accepted').map(({ address }) => address),
      rejected: having('rejected', 'failed').map(({ address }) => address),
      pending: having('unknown').map(({ address }) => address),
      response: answer.response,
      trackingId: record.trackingId,
      provider,
      ...ids,
      recipients: recipients.map((recipient) => ({ ...recipient })),
    },
  }
}

/** The ending of a send that is left with nobody to send to. */
export function nobodyLeft<Provider extends string>(record: MessageRecord): SendEnding<Provider> {
  const { recipients } = record
  const error = nobodyAccepted(recipients)
  return { error, result: { outcome: 'failed', recipients, error: toSentError(error) } }
}

function nobodyAccepted(recipients: SentRecipient[]): SendError {
  if (recipients.some(({ status }) => status === 'unknown')) {
    return new SendError('the answer of the provider speaks of no recipient', {
      category: 'unknown',
      retryable: false,
      outcome: 'unknown',
    })
  }
  const reasons = new Set(recipients.map(({ reason = 'without a reason' }) => reason))
  return new SendError(`every recipient was rejected: ${[...reasons].join(', ')}`, {
    category: 'rejected',
    retryable: false,
    outcome: 'not-sent',
  })
}

/** The ending of a send that came to nothing, or to nobody knows what. */
export function failed<Provider extends string>(
  record: MessageRecord,
  error: SendError,
): SendEnding<Provider> {
  const status: SendStatus & SendOutcome = error.outcome === 'unknown' ? 'unknown' : 'failed'
  const reason = error.message
  const recipients = record.recipients.map((recipient) =>
    recipient.status === 'unknown' ? { ...recipient, status, reason } : recipient,
  )
  return { error, result: { outcome: status, recipients, error: toSentError(error) } }
}

export function toSentError({
  code,
  category,
  message,
  retryable,
  outcome,
  statusCode,
}: SendError): SentError {
  const status = { ...(statusCode !== undefined && { statusCode }) }
  return { code, category, message, retryable, outcome, ...status }
}

/** Whatever was thrown as a `SendError`; `called` when the provider may have been reached. */
export function toSendError(thrown: unknown, called: boolean): SendError {
  if (thrown instanceof SendError) return thrown
  const cause = thrown instanceof Error ? { cause: thrown } : {}
  if (thrown instanceof StoreError) {
    return new SendError(`not sent, for it could not be recorded: ${thrown.message}`, {
      category: 'unknown',
      retryable: true,
      outcome: 'not-sent',
      ...cause,
    })
  }
  return called
    ? new SendError(`the send call failed in an unknown way: ${messageOf(thrown)}`, {
        category: 'unknown',
        retryable: false,
        outcome: 'unknown',
      })
    : new SendError(`not sent: ${messageOf(thrown)}`, {
        category: 'validation',
        retryable: false,
        outcome: 'not-sent',
        ...cause,
      })
}
