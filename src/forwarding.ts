import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError, ForwardingError, messageOf } from './errors.js'
import type { MailEvent } from './event.js'
import { harmlessly } from './harmlessly.js'
import { httpCaller } from './http-caller.js'
import { connectionCause } from './http-failure.js'
import { longestTimer } from './in-time.js'
import type { SentMessage } from './message.js'
import { version } from './version.js'

/** Called with why a message was not forwarded, and the message. */
export type ForwardingFailureListener = (error: ForwardingError, message: SentMessage) => unknown

/** How sent messages and events are posted to the target. */
export interface ForwardingOptions {
  /** How long the target may take to answer, in ms; default 5,000. */
  timeout?: number
  /**
   * Signs requests as Standard Webhooks says: 24 to 64 bytes in base64, with or without `whsec_` before them;
   * several while one replaces another. Without it requests are not signed.
   */
  secret?: string | readonly string[]
  /** Whether events are forwarded with what the provider sent, as `raw`; default false. */
  raw?: boolean
  /** How many sent messages are posted at a time; default 4. */
  concurrency?: number
  /** How many sent messages may wait for that; default 1,000. What comes beyond is not forwarded. */
  queue?: number
  /** How often the post of a sent message that came to nothing is tried again; default 3. */
  retries?: number
  /** How long to wait before the first further try, in ms; it doubles each time; default 1,000. */
  firstWait?: number
  /** Called with each sent message that is not forwarded. Without it the first is a process warning. */
  onFailure?: ForwardingFailureListener
}

/** Posts events and sent messages to a URL. Both functions may be handed on by themselves. */
export interface Forwarding {
  /**
   * For `correlator.onAny(forward.event, { name: 'analytics' })`: posts `{ type, event, message? }`. It rejects
   * with a `ForwardingError` unless the target took it, and is called again then: the target gets each event
   * at least once, each time with the event's id as `webhook-id`.
   */
  readonly event: (event: MailEvent, message: SentMessage | undefined) => Promise<void>
  /**
   * For `transporter.on('sent', forward.sent)`: posts that a message was sent, or failed, with the message's
   * `trackingId` as `webhook-id`. It returns at once. What waits is known in this process alone.
   */
  readonly sent: (message: SentMessage) => void
  /**
   * Ends the forwarding of sent messages. Those that wait are waited for, for up to `timeout` ms (default ten
   * seconds); of what is left then `onFailure` is told. Events go on.
   */
  close(options?: { timeout?: number }): Promise<void>
}

/** A sent message on its way. */
interface Post {
  message: SentMessage
  body: string
}

/** How long closing waits, in ms. */
const defaultCloseTimeout = 10_000

/** How often closing looks whether all is done, in ms. */
const closePoll = 5

/**
 * Posts events, and messages that were sent or failed, as JSON to a URL of yours.
 *
 * ```ts
 * const forward = forwardTo('https://example.com/mail-events', { secret: 'whsec_…' })
 * correlator.onAny(forward.event, { name: 'analytics' })
 * transporter.on('sent', forward.sent)
 * ```
 *
 * A target takes something with any 2xx answer; redirects are not followed.
 *
 * @throws ConfigurationError when the URL is not one of http or https, or an option is wrong
 */
export function forwardTo(url: string | URL, options: ForwardingOptions = {}): Forwarding {
  const target = checkedUrl(url)
  const { timeout, keys, raw, concurrency, queue, retries, firstWait, onFailure } =
    checkedForwardingOptions(options)
  const call = httpCaller(timeout)
  const waiting: Post[] = []
  const posting = new Set<Post>()
  const stop = new AbortController()
  let closed = false

  async function post(id: string, body: string): Promise<void> {
    const timestamp = Math.floor(Date.now() / 1000)
    const signed = keys.map((key) => signatureOf(key, `${id}.${timestamp}.${body}`))
    const headers = {
      'content-type': 'application/json',
      'user-agent': `mailtrail/${version}`,
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      ...(signed.length > 0 && { 'webhook-signature': signed.join(' ') }),
    }
    const { status } = await call({ method: 'POST', url: target, headers, body }).catch(
      (error: unknown) => {
        throw noAnswer(error)
      },
    )
    if (status < 200 || status > 299) {
      throw new ForwardingError(`the target answered ${status}`, status)
    }
  }

  async function postWithRetries({ message: { trackingId }, body }: Post): Promise<void> {
    for (let retry = 0; ; retry += 1) {
      try {
        return await post(trackingId, body)
      } catch (error) {
        if (retry >= retries) throw error
        await delay(waitBefore(retry, firstWait), undefined, { signal: stop.signal })
      }
    }
  }

  function startNext(): void {
    while (posting.size < concurrency) {
      const next = waiting.shift()
      if (!next) return
      posting.add(next)
      void deliver(next)
    }
  }

  async function deliver(one: Post): Promise<void> {
    try {
      await postWithRetries(one)
      posting.delete(one)
    } catch (error) {
      // Otherwise it was given up before, when the time for closing was over.
      if (posting.delete(one)) giveUp(one.message, error)
    }
    startNext()
  }

  function giveUp(message: SentMessage, cause: unknown): void {
    const error = cause instanceof ForwardingError ? cause : new ForwardingError(messageOf(cause))
    harmlessly('a listener of failures', () => onFailure(error, message))
  }

  return {
    async event(event, message) {
      const told = raw ? event : { ...event, raw: undefined }
      await post(event.id, JSON.stringify({ type: event.type, event: told, message }))
    },

    sent(message) {
      if (closed) return giveUp(message, 'it came after the end')
      if (waiting.length + posting.size >= concurrency + queue) {
        return giveUp(message, 'too many messages wait to be forwarded')
      }
      // As it is now: another listener may change it.
      waiting.push({ message, body: sentBody(message) })
      // In a turn of its own: whoever waits for the send comes first.
      setImmediate(startNext)
    },

    async close({ timeout: patience = defaultCloseTimeout } = {}) {
      closed = true
      const deadline = Date.now() + patience
      while (waiting.length + posting.size > 0 && Date.now() < deadline) await delay(closePoll)
      stop.abort()
      const left = [...posting, ...waiting.splice(0)]
      posting.clear()
      for (const { message } of left) giveUp(message, 'the time for closing was over')
    },
  }
}

/** What is told of a message that was sent, or failed. */
function sentBody(message: SentMessage): string {
  const { sentAt, subject, recipients, templateId, tags, metadata } = message
  const { trackingId, provider, providerMessageId, failFlag, error } = message
  return JSON.stringify({
    type: failFlag ? 'email_send_failed' : 'email_send_success',
    at: sentAt,
    subject,
    recipients: recipients.length,
    templateId,
    tags,
    metadata,
    trackingId,
    provider,
    providerMessageId,
    error,
  })
}

/** See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function signatureOf(key: Buffer, content: string): string {
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`
}

/** Node's own error names the target. */
function noAnswer(error: unknown): ForwardingError {
  const { code = 'an unknown error', syscall } = connectionCause(error)
  return new ForwardingError(
    code === 'ETIMEDOUT' && syscall === undefined
      ? 'the target did not answer in time'
      : `the connection to the target failed with ${code}`,
  )
}

/** Not the same for all: what failed together must not come again together. */
function waitBefore(retry: number, firstWait: number): number {
  const most = firstWait * 2 ** retry
  return most / 2 + (Math.random() * most) / 2
}

/** What is done about failures where nobody listens to them. */
function warnOnce(): ForwardingFailureListener {
  let warned = false
  return ({ message }) => {
    if (warned) return
    warned = true
    process.emitWarning(
      `a sent message was ${message} (only the first is shown: give forwardTo an onFailure)`,
      'MailtrailWarning',
    )
  }
}

/** Its text is in no error: it may hold a secret. */
function checkedUrl(url: unknown): string {
  const text = String(url)
  const checked = URL.canParse(text) ? new URL(text) : undefined
  if (checked && /^https?:$/.test(checked.protocol)) return checked.href
  throw new ConfigurationError('forwardTo: the URL must be a whole one, of http or https')
}

type CheckedOptions = Required<Omit<ForwardingOptions, 'secret'>> & { keys: Buffer[] }

function checkedForwardingOptions(options: ForwardingOptions): CheckedOptions {
  const { timeout = 5000, raw = false, concurrency = 4 } = options
  const { queue = 1000, retries = 3, firstWait = 1000, onFailure = warnOnce() } = options
  checkNumber('timeout', timeout, 1, longestTimer)
  checkNumber('concurrency', concurrency, 1, 1000)
  checkNumber('queue', queue, 0, 1_000_000)
  checkNumber('retries', retries, 0, 10)
  checkNumber('firstWait', firstWait, 0, 60_000)
  if (typeof onFailure !== 'function') {
    throw new ConfigurationError('forwardTo: onFailure must be a function')
  }
  // One that was forgotten in the environment must not leave requests unsigned.
  const keys = 'secret' in options ? checkedKeys(options.secret) : []
  return { timeout, keys, raw, concurrency, queue, retries, firstWait, onFailure }
}

/** A secret that cannot be one is told, and not quietly taken for another: Node skips what is no base64. */
function checkedKeys(secret: unknown): Buffer[] {
  const keys = [secret].flat().map((one) => {
    const base64 = typeof one === 'string' ? one.trim().replace(/^whsec_/, '') : ''
    return /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : Buffer.alloc(0)
  })
  if (keys.length > 0 && keys.every(({ length }) => length >= 24 && length <= 64)) return keys
  throw new ConfigurationError(
    'forwardTo: secret must be 24 to 64 bytes in base64, such as `openssl rand -base64 32` gives',
  )
}

function checkNumber(option: string, value: unknown, least: number, most: number): void {
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return
  throw new ConfigurationError(
    `forwardTo: ${option} must be a whole number from ${least} to ${most}, and is ${String(value)}`,
  )
}
