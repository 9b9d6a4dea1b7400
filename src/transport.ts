import { EventEmitter } from 'node:events'
import { v7 as uuidv7 } from 'uuid'
import { messageOf, SendError, StoreError } from './errors.js'
import { ownIdKey } from './matching.js'
import {
  type MessageRecord,
  type SendResult,
  type SendStatus,
  type SentError,
  type SentMessage,
  type SentRecipient,
  toSentMessage,
  withResult,
} from './message.js'
import { type Fields, fields, isFields, metadata, text, texts } from './payload.js'
import type { SendRecorder } from './provider.js'
import {
  mailHead,
  type MailHead,
  type NodemailerMail,
  type ResolvedMail,
  resolveMail,
  uncarriedFields,
} from './resolved-mail.js'
import type { ProviderTransport, SentInfo, TransportEvents } from './transporter.js'
import { version } from './version.js'

/** What the transports of all providers take. */
export interface TransportOptions {
  /** Another server that speaks the provider's API, such as a simulated one. */
  baseUrl?: string
  /** How long the provider may take to answer, in ms; default 30,000. */
  timeout?: number
  /** What is done about fields that the provider cannot carry; default `throw`. */
  unsupported?: 'throw' | 'warn' | 'ignore'
  /** Records every message, so that webhooks can be matched to it. */
  correlator?: SendRecorder
}

/** A message on its way to a provider: resolved, and with the portable options. */
export interface OutgoingMail extends ResolvedMail {
  tags: string[]
  metadata: Record<string, string>
}

/** How a provider took one recipient. */
export type RecipientAnswer = Omit<SentRecipient, 'address' | 'kind'>

/** What a provider answered to a send call. */
export interface SendAnswer {
  /** The answer in a line, such as `202 Accepted`. */
  response: string
  providerMessageId?: string
  /** How it took a recipient. */
  recipient(address: string): RecipientAnswer
}

/** One provider's way of sending. */
export interface ProviderClient<Request> {
  /**
   * Pure: what goes to the provider, our id planted in it, and the fields that it cannot carry.
   * Throws a `SendError` for a message that the provider would refuse.
   */
  buildRequest(mail: OutgoingMail, trackingId: string): { request: Request; lost: string[] }
  /** Calls the provider. Rejects with a `SendError` that is free of secrets. */
  send(request: Request): Promise<SendAnswer>
}

/** How long a provider may take to answer unless the caller says otherwise, in ms. */
export const defaultTimeout = 30_000

// The SDK's own timeout comes first, for it ends the connection; this is for SDKs that hang.
const timeoutMargin = 1000

/** What `sendMail` resolves with, for one provider. */
export interface ProviderInfo<Provider extends string> extends SentInfo {
  provider: Provider
}

/** A Nodemailer transport over a provider's client. */
export function createProviderTransport<Request, Provider extends string>(
  provider: Provider,
  client: ProviderClient<Request>,
  { timeout = defaultTimeout, unsupported = 'throw', correlator }: TransportOptions,
): ProviderTransport<ProviderInfo<Provider>> {
  async function send(mail: NodemailerMail): Promise<Ending<Provider>> {
    const head = mailHead(mail)
    const data = fields(mail.data)
    const record = newRecord(provider, head, data)
    let recorded = false
    let ending: { result: SendResult; info?: ProviderInfo<Provider>; error?: SendError }
    try {
      const request = await inTime(timeout, contentTooSlow, async () => {
        const options = { tags: checkedTags(data), metadata: checkedMetadata(data) }
        const uncarried = uncarriedFields(data, head)
        refuseLoss(provider, uncarried, unsupported)
        const resolved = await resolveMail(mail, head)
        const built = client.buildRequest({ ...resolved, ...options }, record.trackingId)
        refuseLoss(provider, built.lost, unsupported)
        return built.request
      })
      await correlator?.recordSending(record)
      recorded = true
      const answer = await inTime(timeout + timeoutMargin, noAnswer, () => client.send(request))
      ending = toEnding(provider, record, answer)
    } catch (thrown) {
      const error = toSendError(thrown, recorded)
      ending = { error, result: failure(record, error) }
    }
    const { result, ...outcome } = ending
    const final = withResult(record, result)
    try {
      await (recorded ? correlator?.recordResult(record, result) : correlator?.recordSending(final))
    } catch (cause) {
      // The provider has answered, and no failure of ours may change what the caller is told.
      correlator?.reportError(new StoreError('recording the result of a send', cause))
    }
    return { ...outcome, message: toSentMessage(final) }
  }

  const emitter = new EventEmitter<TransportEvents>()
  return Object.assign(emitter, {
    name: `mailtrail/${provider}`,
    version,
    provider,
    send(
      mail: NodemailerMail,
      callback: (error: Error | null, info?: ProviderInfo<Provider>) => void,
    ): void {
      void send(mail).then(({ message, info, error }) => {
        // Outside the promise chain, each by itself: neither a listener nor the callback can keep
        // the other from running, or be taken for a failed send when it throws.
        setImmediate(() => {
          tellListeners(mail.mailer, 'sent', message)
          tellListeners(mail.mailer, 'emailSent', message)
          tellListeners(emitter, 'emailSent', message)
        })
        setImmediate(() => (info ? callback(null, info) : callback(error ?? null)))
      })
    },
  })
}

interface Ending<Provider extends string> {
  message: SentMessage
  info?: ProviderInfo<Provider>
  error?: SendError
}

/** A message as it is known before the provider is called. */
function newRecord(provider: string, head: MailHead, data: Fields): MessageRecord {
  const { envelope, messageId, from, to, cc, bcc, subject } = head
  const [sender] = from
  const unanswered = { status: 'unknown', providerStatus: '' } as const
  return {
    trackingId: uuidv7(),
    provider,
    messageId,
    envelope,
    ...(sender && { from: sender }),
    to,
    cc,
    bcc,
    ...(subject !== undefined && { subject }),
    tags: texts(data['tags']),
    metadata: metadata(data['metadata'], ''),
    sentAt: new Date(),
    recipients: [
      ...to.map(({ address }) => ({ address, kind: 'to' as const, ...unanswered })),
      ...cc.map(({ address }) => ({ address, kind: 'cc' as const, ...unanswered })),
      ...bcc.map(({ address }) => ({ address, kind: 'bcc' as const, ...unanswered })),
    ],
    outcome: 'sending',
  }
}

function refuseLoss(
  provider: string,
  lost: string[],
  unsupported: NonNullable<TransportOptions['unsupported']>,
): void {
  if (lost.length === 0 || unsupported === 'ignore') return
  const message = `the ${provider} transport cannot carry ${lost.join(', ')}`
  if (unsupported === 'warn') {
    process.emitWarning(`${message}: the message goes without`, 'MailtrailWarning')
    return
  }
  throw new SendError(
    `${message}: leave it out, or send without it with unsupported: 'warn' or 'ignore'`,
    { category: 'validation', retryable: false, outcome: 'not-sent' },
  )
}

function checkedTags(data: Fields): string[] {
  const tags = data['tags'] ?? []
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags
  throw invalid('tags must be a list of strings')
}

function checkedMetadata(data: Fields): Record<string, string> {
  const given = data['metadata'] ?? {}
  if (!isFields(given)) throw invalid('metadata must be an object of strings')
  for (const [key, value] of Object.entries(given)) {
    if (text(value) === undefined && value !== '' && typeof value !== 'boolean') {
      throw invalid(`metadata.${key} must be a string`)
    }
    if (key === ownIdKey)
      throw invalid(`metadata.${key} is the name under which our own id travels`)
  }
  return metadata(given, ownIdKey)
}

/** Why a message cannot be sent as it is. */
export function invalid(message: string): SendError {
  return new SendError(message, { category: 'validation', retryable: false, outcome: 'not-sent' })
}

const contentTooSlow = (): SendError =>
  new SendError('not sent: the content of the message could not be read in time', {
    category: 'timeout',
    retryable: true,
    outcome: 'not-sent',
  })

const noAnswer = (): SendError =>
  new SendError('the provider did not answer in time: it may have taken the message', {
    category: 'timeout',
    retryable: false,
    outcome: 'unknown',
  })

async function inTime<T>(limit: number, late: () => SendError, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), limit)
  })
  try {
    return await Promise.race([work(), expiry])
  } finally {
    clearTimeout(timer)
  }
}

function toEnding<Provider extends string>(
  provider: Provider,
  record: MessageRecord,
  answer: SendAnswer,
): { result: SendResult; info?: ProviderInfo<Provider>; error?: SendError } {
  const recipients = record.recipients.map(({ address, kind }) => ({
    address,
    kind,
    ...answer.recipient(address),
  }))
  const having = (wanted: SendStatus): SentRecipient[] =>
    recipients.filter(({ status }) => status === wanted)
  const providerMessageId = answer.providerMessageId ?? having('accepted')[0]?.providerMessageId
  const ids = { ...(providerMessageId !== undefined && { providerMessageId }) }
  if (having('accepted').length === 0) {
    const error = nobodyAccepted(recipients)
    const outcome = error.outcome === 'unknown' ? 'unknown' : 'failed'
    return { error, result: { outcome, recipients, ...ids, error: toSentError(error) } }
  }
  return {
    result: { outcome: 'sent', recipients, ...ids },
    info: {
      envelope: record.envelope,
      messageId: record.messageId ?? '',
      accepted: having('accepted').map(({ address }) => address),
      rejected: having('rejected').map(({ address }) => address),
      pending: [],
      response: answer.response,
      trackingId: record.trackingId,
      provider,
      ...ids,
      recipients,
    },
  }
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

/** The result of a send that came to nothing, or to nobody knows what. */
function failure(record: MessageRecord, error: SendError): SendResult {
  const status = error.outcome === 'unknown' ? 'unknown' : 'failed'
  return {
    outcome: status,
    recipients: record.recipients.map((recipient) => ({
      ...recipient,
      status,
      reason: error.message,
    })),
    error: toSentError(error),
  }
}

function toSentError({
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

function toSendError(thrown: unknown, called: boolean): SendError {
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

/** Calls listeners one by one, so that none of them can harm another or what comes after. */
function tellListeners(emitter: EventEmitter, name: string, message: SentMessage): void {
  const warn = (error: unknown): void =>
    process.emitWarning(`a listener of '${name}' failed: ${messageOf(error)}`, 'MailtrailWarning')
  for (const listener of emitter.rawListeners(name)) {
    try {
      const returned: unknown = Reflect.apply(listener, emitter, [message, message.failFlag])
      Promise.resolve(returned).catch(warn)
    } catch (error) {
      warn(error)
    }
  }
}
