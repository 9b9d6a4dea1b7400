import type { Readable } from 'node:stream'
import { SendError } from './errors.js'
import { hasMethods } from './has-methods.js'
import { type Fields, fields, isFields } from './payload.js'
import { contentFields, contentLists } from './resolved-mail.js'
import type { MailOptions, ProviderTransporter, SentInfo } from './transporter.js'

/** How much is kept of what could not be sent. */
export interface FailedMessagesOptions {
  /** How many messages are kept; the oldest makes room. Default 100. */
  limit?: number
  /** Told of a message that is not kept: it made room, or has a stream, which can be read only once. */
  onDropped?: (error: SendError) => void
}

/** A message that was not sent, and why. */
export interface FailedMessage {
  /** The id under which it is recorded as failed; sent again it gets another one. */
  trackingId: string
  message: MailOptions
  error: SendError
  failedAt: Date
}

/** Messages that were not sent, until they are sent again or the process ends. */
export interface FailedMessages<Info extends SentInfo> {
  /** The oldest first. */
  list(): FailedMessage[]
  /**
   * Sends one again. When that fails it is kept again, under its new id.
   *
   * @throws TypeError when there is none of this id, and what `sendMail` rejects with
   */
  retry(trackingId: string): Promise<Info>
  /** Keeps nothing any more, and forgets what was kept. */
  stop(): void
}

const defaultLimit = 100

/**
 * Keeps what a transporter could not send, so that it can be sent again. It is kept in this process alone, for
 * what a message says is stored nowhere. What may have been sent is not kept: it would go out twice.
 *
 * ```ts
 * const failed = keepFailed(transporter)
 * for (const { trackingId, error } of failed.list()) {
 *   if (error.retryable) await failed.retry(trackingId).catch(() => {}) // it is kept again
 * }
 * ```
 *
 * @throws TypeError for a limit that is no whole number from 1
 */
export function keepFailed<Info extends SentInfo>(
  transporter: ProviderTransporter<Info>,
  { limit = defaultLimit, onDropped }: FailedMessagesOptions = {},
): FailedMessages<Info> {
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new TypeError(`keepFailed: limit must be a whole number from 1, and is ${limit}`)
  }
  const kept = new Map<string, FailedMessage>()
  // Nodemailer's own needs no `this`: our transports have put theirs before it.
  const original = { sendMail: transporter.sendMail }

  function keep(message: MailOptions, error: unknown): void {
    if (!(error instanceof SendError) || error.outcome !== 'not-sent') return
    const { trackingId } = error
    if (trackingId === undefined) return
    if (hasStream(fields(message))) {
      onDropped?.(error)
      return
    }
    kept.set(trackingId, { trackingId, message, error, failedAt: new Date() })
    const [oldest] = kept.values()
    if (kept.size > limit && oldest) {
      kept.delete(oldest.trackingId)
      onDropped?.(oldest.error)
    }
  }

  function sendMail(message: MailOptions): Promise<Info>
  function sendMail(message: MailOptions, callback: (error: Error | null, info: Info) => void): void
  function sendMail(
    message: MailOptions,
    callback?: (error: Error | null, info: Info) => void,
  ): Promise<Info> | void {
    if (callback) {
      return original.sendMail(message, (error, info) => {
        keep(message, error)
        callback(error, info)
      })
    }
    return original.sendMail(message).catch((error: unknown) => {
      keep(message, error)
      throw error
    })
  }
  transporter.sendMail = sendMail

  return {
    list: () => [...kept.values()],
    async retry(trackingId) {
      const failed = kept.get(trackingId)
      if (!failed) throw new TypeError(`no message ${trackingId} is kept to be sent again`)
      kept.delete(trackingId)
      return sendMail(failed.message)
    },
    stop() {
      kept.clear()
      if (transporter.sendMail === sendMail) transporter.sendMail = original.sendMail
    },
  }
}

/** Whether a part of a message can be read only once. */
function hasStream(message: Fields): boolean {
  return [...contentFields, 'raw', ...contentLists]
    .flatMap((name) => message[name])
    .some(
      (part) => isStream(part) || (isFields(part) && [part['content'], part['raw']].some(isStream)),
    )
}

function isStream(value: unknown): value is Readable {
  return hasMethods(value, 'pipe')
}
