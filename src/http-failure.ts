import { SendError, type SendErrorCategory } from './errors.js'
import { fields, text } from './payload.js'

export interface HttpFailure {
  status: number
  /** What the provider said of it. */
  detail?: string | undefined
  /** When it wants to be asked again, in ms from now. */
  retryAfter?: number | undefined
  /** Where the provider's own words say more than the status. */
  category?: SendErrorCategory | undefined
  /** Where they say that it took nothing, whatever the status. */
  notTaken?: boolean
}

/** An answer that says the message was not taken, or leaves it open. */
export function httpFailure(provider: string, failure: HttpFailure): SendError {
  const { status, detail, retryAfter, category = categoryOf(status), notTaken } = failure
  // A gateway may give up after the message was taken behind it; 503 is said before.
  const unknown = category === 'server' && status !== 503 && !notTaken
  return new SendError(
    `${provider} answered ${status}${detail ? `: ${withoutAddresses(detail)}` : ''}`,
    {
      category,
      retryable: category === 'rate-limit' || (category === 'server' && !unknown),
      outcome: unknown ? 'unknown' : 'not-sent',
      statusCode: status,
      ...(retryAfter !== undefined && { retryAfter }),
    },
  )
}

function categoryOf(status: number): SendErrorCategory {
  if (status === 401 || status === 403) return 'auth'
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
 * A connection that failed, by the code of the failure and the system call it failed in. Unless it
 * was never made, the provider may have taken the message.
 */
export function connectionFailure(provider: string, code: string, syscall?: string): SendError {
  const notSent = neverConnected.has(code) || syscall === 'connect' || syscall === 'getaddrinfo'
  const timeout = timeouts.has(code)
  const end = notSent ? 'the message was not sent' : 'it may have taken the message'
  return new SendError(
    timeout && !notSent
      ? `${provider} did not answer in time: ${end}`
      : `the connection to ${provider} failed with ${code}: ${end}`,
    {
      category: timeout ? 'timeout' : 'network',
      retryable: notSent,
      outcome: notSent ? 'not-sent' : 'unknown',
    },
  )
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
