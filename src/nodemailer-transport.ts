import { EventEmitter } from 'node:events'
import { v7 as uuidv7 } from 'uuid'
import { type SendError, StoreError } from './errors.js'
import { harmlessly } from './harmlessly.js'
import { inTime } from './in-time.js'
import { storeTooSlow } from './late-errors.js'
import { mailSource } from './mail-source.js'
import { type SendAttempt, type SentMessage, toSentMessage, withResult } from './message.js'
import type { NodemailerMail } from './nodemailer-mail.js'
import type { SendFact, SendFailure } from './observer.js'
import { createObserving } from './observing.js'
import { preparingMessages } from './prepared-message.js'
import { type ProviderInfo, type SendEnding, toSentError } from './send-result.js'
import type { Attempt, Sender, SendStart } from './sender.js'
import type { ProviderTransport, TransportEvents } from './transporter.js'
import { version } from './version.js'

/** Which providers a message is tried with. */
export interface Course<Provider extends string> {
  /** Those to try for the next message, in this order; one at least. */
  inOrder(): readonly Sender<Provider>[]
  /** Whether a message that failed so goes to the next. */
  goesOn(error: SendError): boolean
}

type Delivered<Provider extends string> = SendEnding<Provider> & { message: SentMessage }

/** What Nodemailer's `createTransport()` takes: it sends a message, records it and tells of it, once. */
export function createNodemailerTransport<Provider extends string>(
  name: Provider,
  senders: readonly Sender<Provider>[],
  { inOrder, goesOn }: Course<Provider>,
): ProviderTransport<ProviderInfo<Provider>> {
  // Each once: transports that share a correlator share its observers.
  const observing = createObserving([...new Set(senders.flatMap(({ observers }) => observers))])

  /** Never rejects: a failure is in what it resolves with. */
  async function deliver(mail: NodemailerMail): Promise<Delivered<Provider>> {
    const [first, ...others] = inOrder()
    if (!first) throw new TypeError('a message needs a provider')
    const trackingId = uuidv7()
    const observed = observing.begin({ kind: 'send', provider: first.provider, trackingId })
    if (!observed) return tryInTurn(mail, { trackingId, sentAt: new Date() }, first, others)
    const { traceparent } = observed
    const start = { trackingId, sentAt: new Date(), ...(traceparent && { traceparent }) }
    const delivered = await observed.run(() => tryInTurn(mail, start, first, others))
    observed.end(toFact(delivered))
    return delivered
  }

  async function tryInTurn(
    mail: NodemailerMail,
    start: SendStart,
    first: Sender<Provider>,
    others: readonly Sender<Provider>[],
  ): Promise<Delivered<Provider>> {
    const source = mailSource(mail, senders.length > 1)
    const earlierAttempts: SendAttempt[] = []
    let sender = first
    const tryNext = (): Promise<Attempt<Provider>> =>
      sender.attempt(source, {
        ...start,
        ...(earlierAttempts.length > 0 && { earlierAttempts: [...earlierAttempts] }),
      })
    let attempt = await tryNext()
    for (const other of others) {
      const { error } = attempt.ending
      if (!error || attempt.final || !goesOn(error)) break
      earlierAttempts.push({
        provider: sender.provider,
        endedAt: new Date(),
        error: toSentError(error),
      })
      sender = other
      attempt = await tryNext()
    }
    await recordEnding(sender, attempt)
    const { record, ending } = attempt
    if (ending.error) ending.error.trackingId = start.trackingId
    return { ...ending, message: toSentMessage(withResult(record, ending.result)) }
  }

  const sending = new Set<Promise<unknown>>()
  const emitter = new EventEmitter<TransportEvents>()
  preparingMessages(emitter)
  return Object.assign(emitter, {
    name: `mailtrail/${name}`,
    version,
    provider: name,
    senders,
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
    /** Nodemailer's `verify()`: with a callback, or with a promise. */
    verify(callback?: (error: Error | null, success?: true) => void): Promise<true> {
      const verified = Promise.all(senders.map((sender) => sender.verify())).then(
        () => true as const,
      )
      if (callback) verified.then((success) => callback(null, success), callback)
      return verified
    },
    async close(): Promise<void> {
      while (sending.size > 0) await Promise.all(sending)
    },
  })
}

function toFact({
  result: { outcome },
  error,
  message: { trackingId, provider, earlierAttempts = [] },
}: Delivered<string>): Omit<SendFact, 'duration'> {
  return {
    kind: 'send',
    trackingId,
    provider,
    outcome,
    ...(error && { failure: toFailure(error) }),
    passedOn: earlierAttempts.map((attempt) => ({
      provider: attempt.provider,
      category: attempt.error.category,
    })),
  }
}

function toFailure({ category, code, retryable, statusCode }: SendError): SendFailure {
  return { category, code, retryable, ...(statusCode !== undefined && { statusCode }) }
}

/** Never rejects: the send is over, and no failure here may change what the caller is told of it. */
async function recordEnding(
  { correlator, timeout }: Sender,
  { record, ending: { result }, recording }: Attempt,
): Promise<void> {
  if (!correlator) return
  const final = withResult(record, result)
  try {
    // After the first writing, though that be late: it would undo this one.
    await inTime(timeout, storeTooSlow, async () =>
      recording === undefined
        ? correlator.recordSending(final)
        : recording.then(
            () => correlator.recordResult(record, result),
            () => correlator.recordSending(final),
          ),
    )
  } catch (cause) {
    const error = cause instanceof StoreError ? cause : new StoreError('recording a send', cause)
    try {
      correlator.reportError(error)
    } catch {
      process.emitWarning(error.message, 'MailtrailWarning')
    }
  }
}

/** Calls listeners one by one, so that none of them can harm another or what comes after. */
function tellListeners(emitter: EventEmitter, name: string, message: SentMessage): void {
  for (const listener of emitter.rawListeners(name)) {
    harmlessly(`a listener of '${name}'`, (): unknown =>
      Reflect.apply(listener, emitter, [message, message.failFlag]),
    )
  }
}
