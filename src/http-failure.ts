import { SendError, type SendErrorCategory } from './errors.js'
import { fields, text } from './payload.js'

/** What is known of a provider's answer that is no success. */
export interface HttpFailure {
  status: number
  /** What the provider said of it. */
  detail?: string | undefined
  /** When it wants to be asked again, in ms from now. */
  retryAfter?: number | undefined
  /** Where the provider's own words say more than the status. */
  category?: SendErrorCategory | undefined
  /** Where they say that it took nothing, whatever the status, or there was nothing to take. */
  notTaken?: boolean
  /** What its words are told without, should they quote it. */
  secrets?: readonly string[]
}

/** An answer that says the message was not taken, or leaves it open: as a `SendError` without addresses. */
export function httpFailure(provider: string, failure: HttpFailure): SendError {
  const { status, detail, retryAfter, category = categoryOf(status), notTaken } = failure
  const said = detail && withoutAddresses(withoutSecrets(detail, failure.secrets ?? []))
  // A gateway may give up after the message was taken behind it; 503 is said before.
  const unknown = category === 'server' && status !== 503 && !notTaken
  return new SendError(`${provider} answered ${status}${said ? `: ${said}` : ''}`, {
    category,
    retryable: category === 'rate-limit' || (category === 'server' && !unknown),
    outcome: unknown ? 'unknown' : 'not-sent',
    statusCode: status,
    ...(retryAfter !== undefined && { retryAfter }),
  })
}

function categoryOf(status: number): SendErrorCategory {
  if (status === 401 || status === 403) return 'auth'
  // Nothing is wrong with the message: the account may not send it.
  if (status === 402) return 'rejected'
  if (status === 408 || status === 425 || status === 429) return 'rate-limit'
  if (status >= 300 && status < 400) return 'configuration'
  if (status === 404 || status === 405) return 'configuration'
  if (status >= 400 && status < 500) return 'validation'
  return 'server'
}

// The connection was never made, so nothing can have been taken.
const neverConnected = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'EPROTO',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

const timeouts = new Set(['ECONNABORTED', 'ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'TimeoutError'])

/**
 * The code of a failed connection and the system call it failed in, from the error or what it wraps;
 * of several addresses that were tried, the first one's.
 */
export function connectionCause(error: unknown): { code?: string; syscall?: string } {
  const { code, syscall, cause, errors } = fields(error)
  const [first] = Array.isArray(errors) ? errors : [cause]
  const inner = first === undefined ? {} : connectionCause(first)
  const named = { code: text(code) ?? inner.code, syscall: text(syscall) ?? inner.syscall }
  return {
    ...(named.code !== undefined && { code: named.code }),
    ...(named.syscall !== undefined && { syscall: named.syscall }),
  }
}

/**
 * A connection that failed, by the code of the error and the system call it failed in. Unless it was
 * never made, the provider may have taken the message. The error itself may hold the API key, and is
 * not passed on.
 *
 * @param notTaken the call checked the API key: there was no message to take
 */
export function connectionFailure(
  provider: string,
  error: unknown,
  { notTaken = false }: { notTaken?: boolean } = {},
): SendError {
  const { code = 'an error', syscall } = connectionCause(error)
  const neverMade = neverConnected.has(code) || syscall === 'connect' || syscall === 'getaddrinfo'
  const timeout = timeouts.has(code)
  const met =
    timeout && !neverMade
      ? `${provider} did not answer in time`
      : `the connection to ${provider} failed with ${code}`
  const end = neverMade ? 'the message was not sent' : 'it may have taken the message'
  return new SendError(`${met}: ${notTaken ? 'the API key could not be checked' : end}`, {
    category: timeout ? 'timeout' : 'network',
    retryable: neverMade || notTaken,
    outcome: neverMade || notTaken ? 'not-sent' : 'unknown',
  })
}

/** What a gateway says in plain words; a page says no more than the status. */
export function plainWords(contentType: string | undefined, body: string): string | undefined {
  const words = body.trim()
  return /^text\/plain\b/i.test(contentType ?? '') && !words.startsWith('<') ? words : undefined
}

// One that is shorter might be a part of any word.
const shortestSecret = 12

function withoutSecrets(detail: string, secrets: readonly string[]): string {
  return secrets
    .filter(({ length }) => length >= shortestSecret)
    .reduce((kept, secret) => kept.replaceAll(secret, '<secret>'), detail)
}

// Long enough to understand, and no more: a gateway's page may be of any size.
const longestDetail = 500

/** A provider's text without the addresses in it: errors go to logs, and addresses must not. */
function withoutAddresses(detail: string): string {
  // What the end was cut from might be the first half of an address.
  const start =
    detail.length > longestDetail ? detail.slice(0, longestDetail).replace(/\S*$/, '…') : detail
  return start.replace(/(?:"[^"@]*"|[^\s<>"()[\],;:]+)@[^\s<>"()[\],;:]+/g, '<address>')
}

/** How long to wait before asking again, in ms: `Retry-After` in seconds or as a date, or `X-RateLimit-Reset`. */
export function waitBefore(
  header: (name: string) => string | null,
  now: number,
): number | undefined {
  const after = header('retry-after')
  if (after !== null) {
    const milliseconds = /^\d+(?:\.\d+)?$/.test(after)
      ? Number(after) * 1000
      : Date.parse(after) - now
    return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds)
  }
  const reset = Number(header('x-ratelimit-reset') || NaN)
  return Number.isNaN(reset) ? undefined : Math.max(0, reset * 1000 - now)
}
