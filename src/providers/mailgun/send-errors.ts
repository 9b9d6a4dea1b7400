import { messageOf, SendError } from '../../errors.js'
import { connectionFailure, httpFailure } from '../../http-failure.js'
import { invalid } from '../../mail-options.js'
import { fields, text } from '../../payload.js'

/** A call that was made. */
interface MadeCall {
  key: string
  /** There was no message in it, so that it may be made again. */
  notTaken: boolean
}

/** An error of the SDK as ours. */
export function toSendError(error: unknown, { key, notTaken }: MadeCall): SendError {
  const { status, type, details } = fields(error)
  const reason = messageOf(error)
  const body = text(details)
  // Whatever else it throws it throws before the call.
  if (type !== 'MailgunAPIError' || typeof status !== 'number') {
    return invalid(`mailgun.js: ${reason}`)
  }
  if (unknownPath.test(body ?? '')) return noSuchPath()
  const broken = (cause: string): SendError =>
    connectionFailure('Mailgun', { code: cause }, { notTaken })
  if (status < 300) return broken('an answer that broke off')
  const code = connectionCode(status, reason)
  if (code === 'ERR_FR_MAX_BODY_LENGTH_EXCEEDED') {
    return invalid('the message is over the 52 MB that Mailgun takes')
  }
  if (code !== undefined) return broken(code)
  const said = body === undefined || wordless.test(body) ? reason : body
  const hint = hintFor(status, said)
  return httpFailure('Mailgun', {
    status,
    detail: hint === undefined ? said : `${said} (${hint})`,
    category: isRefusal(status, said) ? 'rejected' : undefined,
    retryAfter: tryAgainAfter(body ?? '', Date.now()),
    notTaken,
    secrets: [key, btoa(`api:${key}`)],
  })
}

/** Whether the domain may not send, or not so: told with the statuses of a wrong mail and a wrong key. */
function isRefusal(status: number, said: string): boolean {
  return (
    (status === 400 || status === 403) && /^(?:Domain \S+ is not allowed|Rejected:)/i.test(said)
  )
}

const regionHint = "each region has its own baseUrl, and the EU's is https://api.eu.mailgun.net"

/** What to look at where an answer does not say it. */
function hintFor(status: number, said: string): string | undefined {
  if (said.startsWith('Domain not found')) return regionHint
  return status === 401
    ? `the key is wrong, or of another domain or region; ${regionHint}`
    : undefined
}

// A gateway's page, or what stands in the place of an empty body, says no more than the status.
const wordless = /^(?:\s*<|Request failed with status code)/

/**
 * Why there was no answer: the SDK tells it as a status 400, with the code of the failure where an
 * answer has its reason phrase. For an answer without one it is ERR_BAD_REQUEST.
 */
function connectionCode(status: number, reason: string): string | undefined {
  if (status !== 400 || /^(?:ERR_)?BAD_REQUEST$/.test(reason)) return undefined
  return /^[A-Z][A-Z\d_]*$/.test(reason) ? reason : reason === '' ? 'an error' : undefined
}

/** `try again after 120 seconds`, or after a date: the SDK drops the headers that say it better. */
function tryAgainAfter(detail: string, now: number): number | undefined {
  const when = /try again after (.+)$/i.exec(detail)?.[1]
  if (when === undefined) return undefined
  const seconds = /^(\d+) seconds?/i.exec(when)?.[1]
  const milliseconds = seconds === undefined ? Date.parse(when) - now : Number(seconds) * 1000
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds)
}

// What Mailgun answers, with a 200, where it knows no such path.
const unknownPath = /Magnificent API/i

/** A success that bears no id: it is not the Messages API that answered. */
export function withoutId(answer = '', statusCode = 200): SendError {
  return unknownPath.test(answer) ? noSuchPath() : notTheApi('without an id', statusCode, 'unknown')
}

export function notTheApi(
  how: string,
  statusCode: number,
  outcome: SendError['outcome'],
): SendError {
  return new SendError(`Mailgun answered ${how}: is this the address of its API?`, {
    category: 'server',
    retryable: false,
    outcome,
    statusCode,
  })
}

function noSuchPath(): SendError {
  return new SendError('Mailgun knows no such path: baseUrl is its address alone, without /v3', {
    category: 'configuration',
    retryable: false,
    outcome: 'not-sent',
    statusCode: 200,
  })
}
