import { EventEmitter } from 'node:events'
import { v7 as uuidv7 } from 'uuid'
import { messageOf, SendError, StoreError } from './errors.js'
import {
  checkedMetadata,
  checkedSignal,
  checkedTags,
  checkedTask,
  invalid,
  type ProviderTask,
} from './mail-options.js'
import {
  type MessageRecord,
  type SendResult,
  type SentMessage,
  toSentMessage,
  withResult,
} from './message.js'
import { fields } from './payload.js'
import {
  emptyHead,
  mailHead,
  type MailHead,
  type NodemailerMail,
  type ResolvedMail,
  resolveMail,
} from './resolved-mail.js'
import { withRetries } from './retries.js'
import {
  answered,
  failed,
  type ProviderInfo,
  type SendAnswer,
  type SendEnding,
  toSendError,
} from './send-result.js'
import { checkedTransportOptions, type TransportOptions } from './transport-options.js'
import type { ProviderTransport, TransportEvents } from './transporter.js'
import { refuseLoss, uncarriedFields } from './unsupported-fields.js'
import { version } from './version.js'

/** A message on its way to a provider: resolved, and with the portable options. */
export interface OutgoingMail extends ResolvedMail, ProviderTask {
  tags: string[]
  metadata: Record<string, string>
}

/** One provider's way of sending. */
export interface ProviderClient<Request> {
  /** The fields of a message, by their names, that it carries beyond those that each one does. */
  readonly carries?: ReadonlySet<string>
  /**
   * Pure: what goes to the provider, our id planted in it, and the fields that it cannot carry.
   * Throws a `SendError` for a message that the provider would refuse.
   *
   * @param now in ms since 1970, for what is to be sent later
   */
  buildRequest(
    mail: OutgoingMail,
    trackingId: string,
    now: number,
  ): { request: Request; lost: string[] }
  /** Calls the provider. Rejects with a `SendError` that is free of secrets. */
  send(request: Request): Promise<SendAnswer>
  /** Checks the credentials with a call that sends nothing. Rejects with a `SendError` where they are none. */
  verify?(): Promise<void>
}

// The SDK's own timeout comes first, for it ends the connection; this is for SDKs that hang.
const timeoutMargin = 1000

/** A Nodemailer transport over a provider's client. */
export function createProviderTransport<Request, Provider extends string>(
  provider: Provider,
  client: ProviderClient<Request>,
  options: TransportOptions,
): ProviderTransport<ProviderInfo<Provider>> {
  const { timeout, retries, unsupported, correlator, replyAddress } = checkedTransportOptions(
    `${provider} transport`,
    options,
  )
  async function prepare(mail: NodemailerMail, draft: Draft, trackingId: string) {
    const { head, tags, metadata, task, flaw } = draft
    if (flaw !== undefined) throw flaw
    refuseLoss(
      provider,
      uncarriedFields(fields(mail.data), head, provider, client.carries),
      unsupported,
    )
    const resolved = await resolveMail(mail, withReplyAddress(head, replyAddress, trackingId))
    const { request, lost } = client.buildRequest(
      { ...resolved, ...task, tags, metadata },
      trackingId,
      Date.now(),
    )
    refuseLoss(provider, lost, unsupported)
    return request
  }

  /** Never rejects: a failure is in what it resolves with. */
  async function deliver(
    mail: NodemailerMail,
  ): Promise<SendEnding<Provider> & { message: SentMessage }> {
    const draft = readDraft(mail, provider)
    const record = newRecord(provider, draft)
    let recording: Promise<void> | undefined
    let called = false
    let ending: SendEnding<Provider>
    try {
      const request = await inTime(timeout, contentTooSlow, () =>
        prepare(mail, draft, record.trackingId),
      )
      recording = correlator?.recordSending(record)
      await inTime(timeout, storeTooSlow, async () => recording)
      const { signal } = draft
      const answer = await withRetries(
        () => {
          if (signal?.aborted) throw aborted()
          called = true
          return inTime(timeout + timeoutMargin, noAnswer, () => client.send(request))
        },
        { retries, signal },
      )
      ending = answered(provider, record, answer)
    } catch (thrown) {
      ending = failed(record, toSendError(thrown, called))
    }
    await recordEnding(record, ending.result, recording)
    return { ...ending, message: toSentMessage(withResult(record, ending.result)) }
  }

  /** Never rejects: the send is over, and no failure here may change what the caller is told of it. */
  async function recordEnding(
    record: MessageRecord,
    result: SendResult,
    recording: Promise<void> | undefined,
  ): Promise<void> {
    const final = withResult(record, result)
    try {
      // After the first writing, though that be late: it would undo this one.
      await inTime(timeout, storeTooSlow, async () =>
        recording === undefined
          ? correlator?.recordSending(final)
          : recording.then(
              () => correlator?.recordResult(record, result),
              () => correlator?.recordSending(final),
            ),
      )
    } catch (cause) {
      const error = cause instanceof StoreError ? cause : new StoreError('recording a send', cause)
      try {
        correlator?.reportError(error)
      } catch {
        process.emitWarning(error.message, 'MailtrailWarning')
      }
    }
  }

  const sending = new Set<Promise<unknown>>()

  /** Nodemailer's `verify()`: with a callback, or with a promise. */
  async function verify(): Promise<true> {
    const check = client.verify
    if (!check) {
      throw new SendError(`the ${provider} transport cannot check its credentials`, {
        category: 'configuration',
        retryable: false,
        outcome: 'not-sent',
      })
    }
    await inTime(timeout + timeoutMargin, verifyTooSlow, () => check())
    return true
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
      const delivering = deliver(mail)
      sending.add(delivering)
      void delivering.then(({ message, info, error }) => {
        sending.delete(delivering)
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
    verify(callback?: (error: Error | null, success?: true) => void): Promise<true> {
      const verified = verify()
      if (callback) verified.then((success) => callback(null, success), callback)
      return verified
    },
    async close(): Promise<void> {
      while (sending.size > 0) await Promise.all(sending)
    },
  })
}

/** Asks for answers to an address of this message alone, where it names none itself. */
function withReplyAddress(
  head: MailHead,
  replyAddress: string | undefined,
  trackingId: string,
): MailHead {
  if (replyAddress === undefined || head.replyTo.length > 0) return head
  const name = head.from[0]?.name ?? ''
  const address = replyAddress.replace('@', `+${trackingId}@`)
  return { ...head, replyTo: [{ name, address }] }
}

/** What is known of a message before its content is read. */
interface Draft {
  head: MailHead
  tags: string[]
  metadata: Record<string, string>
  task: ProviderTask
  /** Ends what has not been sent yet. */
  signal?: AbortSignal
  /** Why it cannot be sent, whatever its content. */
  flaw?: unknown
}

/** Never throws: listeners are told of a message that cannot be read, too. */
function readDraft(mail: NodemailerMail, provider: string): Draft {
  const draft: Draft = {
    head: emptyHead,
    tags: [],
    metadata: {},
    task: { templateData: {}, own: {} },
  }
  try {
    draft.head = mailHead(mail)
    if (draft.head.messageId === '') {
      throw invalid('messageId must be one word, with < and > around it or not')
    }
    draft.tags = checkedTags(fields(mail.data))
    draft.metadata = checkedMetadata(fields(mail.data))
    draft.task = checkedTask(fields(mail.data), provider)
    const signal = checkedSignal(fields(mail.data))
    if (signal) draft.signal = signal
  } catch (flaw) {
    draft.flaw = flaw ?? 'the message cannot be read'
  }
  return draft
}

/** A message as it is known before the provider is called. */
function newRecord(provider: string, { head, tags, metadata, task }: Draft): MessageRecord {
  const { envelope, messageId, from, to, cc, bcc, subject } = head
  const [sender] = from
  const unanswered = { status: 'unknown', providerStatus: '' } as const
  return {
    trackingId: uuidv7(),
    provider,
    ...(messageId && { messageId }),
    envelope,
    ...(sender && { from: sender }),
    to,
    cc,
    bcc,
    ...(subject !== undefined && { subject }),
    tags,
    metadata,
    ...(task.templateId !== undefined && { templateId: task.templateId }),
    sentAt: new Date(),
    recipients: [
      ...to.map(({ address }) => ({ address, kind: 'to' as const, ...unanswered })),
      ...cc.map(({ address }) => ({ address, kind: 'cc' as const, ...unanswered })),
      ...bcc.map(({ address }) => ({ address, kind: 'bcc' as const, ...unanswered })),
    ],
    outcome: 'sending',
  }
}

const aborted = (): SendError =>
  new SendError('not sent: its signal was aborted', {
    category: 'unknown',
    retryable: true,
    outcome: 'not-sent',
  })

const contentTooSlow = (): SendError =>
  new SendError('not sent: the content of the message could not be read in time', {
    category: 'timeout',
    retryable: true,
    outcome: 'not-sent',
  })

const storeTooSlow = (): StoreError =>
  new StoreError('recording a send', new Error('it did not answer in time'))

const verifyTooSlow = (): SendError =>
  new SendError('the provider did not answer in time', {
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

async function inTime<T>(limit: number, late: () => Error, work: () => Promise<T>): Promise<T> {
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
