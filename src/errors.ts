/** What kind of trouble a send met; decide by this rather than by the text. */
export type SendErrorCategory =
  | 'auth'
  | 'rate-limit'
  | 'network'
  | 'timeout'
  | 'validation'
  | 'rejected'
  | 'server'
  | 'configuration'
  | 'unknown'

// Nodemailer's codes where it has one (its errors.js), so that code written for SMTP still works.
const sendErrorCodes = {
  auth: 'EAUTH',
  'rate-limit': 'ERATELIMIT',
  network: 'ECONNECTION',
  timeout: 'ETIMEDOUT',
  validation: 'EMESSAGE',
  rejected: 'EENVELOPE',
  server: 'ESERVER',
  configuration: 'ECONFIG',
  unknown: 'EUNKNOWN',
} as const satisfies Record<SendErrorCategory, string>

/** The category in Nodemailer's words, where it has one, so that code written for SMTP still works. */
export type SendErrorCode = (typeof sendErrorCodes)[SendErrorCategory]

/** What a `SendError` is made of, in a provider of your own. */
export interface SendErrorDetails {
  /** What kind of trouble it was. */
  category: SendErrorCategory
  /** Whether the same message may be sent again, and may succeed then. */
  retryable: boolean
  /** `unknown`: the provider may have taken the message, so it would go out twice. */
  outcome: 'not-sent' | 'unknown'
  /** How long to wait before the next try, in ms, where the provider says so. */
  retryAfter?: number
  /** The HTTP status of the provider's answer. */
  statusCode?: number
  /** The failure underneath. It must be free of secrets: SDK errors carry the API key. */
  cause?: Error
}

/** Why `sendMail` rejected. Neither it nor its `cause` holds a secret, in any rendering. */
export class SendError extends Error {
  override readonly name = 'SendError'
  /** The category as a code, such as `EAUTH`. */
  readonly code: SendErrorCode
  /** What kind of trouble it was. */
  readonly category: SendErrorCategory
  /** Whether the same message may be sent again, and may succeed then. */
  readonly retryable: boolean
  /** `unknown`: the provider may have taken the message, so it would go out twice. */
  readonly outcome: 'not-sent' | 'unknown'
  // Declared alone, so that they are absent rather than undefined.
  /** How long to wait before the next try, in ms; absent where the provider does not say. */
  declare readonly retryAfter?: number
  /** The HTTP status of the provider's answer; absent where there was none. */
  declare readonly statusCode?: number
  /** The id under which the message is recorded as failed. */
  declare trackingId?: string

  constructor(message: string, details: SendErrorDetails) {
    super(message, details.cause && { cause: details.cause })
    this.code = sendErrorCodes[details.category]
    this.category = details.category
    this.retryable = details.retryable
    this.outcome = details.outcome
    if (details.retryAfter !== undefined) this.retryAfter = details.retryAfter
    if (details.statusCode !== undefined) this.statusCode = details.statusCode
  }

  /** The error as plain values, without its stack and cause. */
  toJSON(): Record<string, unknown> {
    const { name, message, code, category, retryable, outcome } = this
    const { retryAfter, statusCode, trackingId } = this
    return {
      name,
      message,
      code,
      category,
      retryable,
      outcome,
      retryAfter,
      statusCode,
      trackingId,
    }
  }
}

/** An option is missing or wrong: thrown where it was given, or where a file of that name is opened. */
export class ConfigurationError extends Error {
  override readonly name: string = 'ConfigurationError'
  readonly code = 'ECONFIG'
}

/** An API key was given where the key to verify with is asked for. */
export class ApiKeyError extends ConfigurationError {
  override readonly name = 'ApiKeyError'
}

/**
 * Something of ours that is needed is not there: a package, or the place for an attachment. That is no
 * fault of what was to be read, which is to come again.
 */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
}

/** The function that was given for keys failed, or gave none that can be used. */
export class KeySourceError extends Error {
  override readonly name = 'KeySourceError'

  constructor(
    option: string,
    cause: unknown,
    readonly reason: 'no-keys' | 'api-key' = 'no-keys',
  ) {
    super(`${option} could not be had: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Why a webhook request was refused, for the log and never for the caller.
 *
 * By a guard: `wrong-secret`, `wrong-credentials`, `wrong-address`, `wrong-agent`, `rate-limited`.
 *
 * Not proven to be the provider's: `unsigned`: a signature is missing or has no proper form.
 * `bad-signature`: it fits none of the keys. `reserialised`: it fits the body as it was before somebody
 * parsed and wrote it again. `truncated`: it fits the body with the line break that is missing at its
 * end. `wrong-url`: it fits another URL than the configured one. `stale`: it is too old. `clock`: it
 * is from the future. `replayed`: it was used before with other content.
 *
 * Not readable: `malformed`: not what the provider sends. `unsupported`: a content type or an encoding
 * that is not read. `too-large`: over `maxBodyBytes`. `too-slow`: the body did not come in time.
 * `incomplete`: the connection broke before the body was whole.
 *
 * Our own fault, so that it may come again: `api-key`: an API key was configured as the key to verify
 * with. `no-keys`: the keys could not be had. `consumed`: the host had read the body before.
 * `overloaded`: too many bodies are being read at once. `unexpected`: reading it failed.
 */
export type RefusalReason =
  | 'wrong-secret'
  | 'wrong-credentials'
  | 'wrong-address'
  | 'wrong-agent'
  | 'rate-limited'
  | 'unsigned'
  | 'bad-signature'
  | 'reserialised'
  | 'truncated'
  | 'wrong-url'
  | 'stale'
  | 'clock'
  | 'replayed'
  | 'malformed'
  | 'unsupported'
  | 'too-large'
  | 'too-slow'
  | 'incomplete'
  | 'api-key'
  | 'no-keys'
  | 'consumed'
  | 'overloaded'
  | 'unexpected'

/** A webhook request was refused. The caller is not told why; `refused` listeners are. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError'
  readonly code = 'EWEBHOOK'

  constructor(
    /** The name of the webhook, as in its path. */
    readonly webhook: string,
    readonly reason: RefusalReason,
    detail: string,
  ) {
    super(`${webhook}: webhook refused: ${detail}`)
  }
}

/** A listener threw or rejected. It is called again later, with the same event. */
export class ListenerError extends Error {
  override readonly name = 'ListenerError'
  readonly code = 'ELISTENER'

  constructor(
    readonly eventId: string,
    /** How often telling this event has failed so far. */
    readonly attempts: number,
    /** It is not tried again: the event is kept with the error. */
    readonly final: boolean,
    cause: unknown,
    /** The name of the listener, where it has one. */
    readonly listener?: string,
  ) {
    const who = listener === undefined ? 'a listener' : `the listener ${JSON.stringify(listener)}`
    const what = final ? 'and is not tried again' : 'and is tried again'
    super(`${who} failed for event ${eventId}, ${what}: ${messageOf(cause)}`, { cause })
  }
}

/** The store could not read or commit. Webhooks are answered 503 meanwhile, and come again. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code = 'ESTORE'

  constructor(
    readonly doing: string,
    cause: unknown,
  ) {
    super(`the store failed while ${doing}: ${messageOf(cause)}`, { cause })
  }
}

/** A queue could not be reached. What it was to have is stored, and handed on when it is back. */
export class QueueError extends Error {
  override readonly name = 'QueueError'
  readonly code = 'EQUEUE'

  constructor(
    readonly doing: string,
    cause: unknown,
  ) {
    super(`the queue failed while ${doing}: ${messageOf(cause)}`, { cause })
  }
}

/** A provider could not be asked for what it knows of events, or did not answer as its API does. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError'
  readonly code = 'EHISTORY'

  constructor(
    message: string,
    /** Whether the same question may be answered later. */
    readonly retryable: boolean,
    /** How long to wait before, in ms, where the provider says so. */
    readonly retryAfter?: number,
  ) {
    super(message)
  }
}

/** A provider's account could not be asked for how it is set up, or for its lists. */
export class AccountError extends Error {
  override readonly name = 'AccountError'
  readonly code = 'EACCOUNT'

  constructor(
    message: string,
    /** The HTTP status of the answer; undefined where there was none. */
    readonly statusCode?: number,
    /** What time the provider's clock showed. */
    readonly answeredAt?: Date,
  ) {
    super(message)
  }
}

/** The command line was used wrongly. What was given may be named in it, for it goes to who gave it. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'EUSAGE'
}

/** Something was not forwarded. Neither the target's URL nor what was to be forwarded is in it. */
export class ForwardingError extends Error {
  override readonly name = 'ForwardingError'
  readonly code = 'EFORWARDING'
  // Declared alone, so that it is absent rather than undefined.
  /** The HTTP status of the target's answer. */
  declare readonly statusCode?: number

  constructor(detail: string, statusCode?: number) {
    super(`not forwarded: ${detail}`)
    if (statusCode !== undefined) this.statusCode = statusCode
  }
}

/** Why `waitFor` gave up. */
export class WaitError extends Error {
  override readonly name = 'WaitError'

  constructor(
    /** `ERULEDOUT`: it cannot happen any more. `ENOMESSAGE`: there is no such message. */
    readonly code: 'ETIMEDOUT' | 'ERULEDOUT' | 'ENOMESSAGE',
    message: string,
  ) {
    super(message)
  }
}

/** What `onError` listeners are told of. */
export type CorrelatorError = WebhookError | ListenerError | StoreError | QueueError

/** What an error says, whatever was thrown. It never throws itself. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error)
  } catch {
    return 'something was thrown that cannot be written'
  }
}
