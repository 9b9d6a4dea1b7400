import type { HttpResponse } from '../http-handler.js'
import { browserFiles } from './browser-files.js'

/** What browsers load, by its name. */
export function fileAnswer(name: string, versioned: boolean): HttpResponse {
  const file = Object.hasOwn(browserFiles, name) ? browserFiles[name] : undefined
  if (!file) return plain(404, 'Not Found')
  // With the version in its URL it never changes; modules that others import have none.
  const kept = versioned ? 'private, max-age=31536000, immutable' : 'private, no-cache'
  return answer(200, file.type, file.text, { 'cache-control': kept })
}

/** What every answer says: it is nobody's to keep or to frame, and runs nothing that is not ours. */
const headers: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // Under `no-referrer` browsers would not say the origin of our own forms either.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

export function answer(
  status: number,
  type: string,
  body: HttpResponse['body'],
  others: Readonly<Record<string, string>> = {},
): HttpResponse {
  return { status, headers: { ...headers, 'content-type': type, ...others }, body }
}

export function plain(
  status: number,
  body: string,
  others?: Readonly<Record<string, string>>,
): HttpResponse {
  return answer(status, 'text/plain; charset=utf-8', body, others)
}

export function redirect(status: 303 | 308, location: string): HttpResponse {
  return plain(status, '', { location })
}

export function refusal(status: 401 | 403): HttpResponse {
  return status === 401
    ? plain(401, 'Unauthorized', { 'www-authenticate': 'Basic realm="mailtrail", charset="UTF-8"' })
    : plain(403, 'Forbidden')
}
