import type { ApiFailure } from './provider-server.js'

/**
 * The API takes no more for so many seconds: 429 with `Retry-After`, and the same in words, for there are
 * SDKs that keep no header.
 */
export function rateLimited(seconds: number): ApiFailure {
  const message = `request limit exceeded, try again after ${seconds} seconds`
  return {
    kind: 'answer',
    status: 429,
    headers: { 'content-type': 'application/json', 'retry-after': String(seconds) },
    body: JSON.stringify({ message }),
  }
}
