import { isNativeError } from 'node:util/types'
import type { SendError, SendErrorCategory } from '../../errors.js'
import { connectionFailure, httpFailure, plainWords, waitBefore } from '../../http-failure.js'
import { fields, text, texts } from '../../payload.js'

/** A call that was made. */
interface MadeCall {
  apiKey: string
  /** There was no message in it, so that it may be made again. */
  notTaken: boolean
}

/**
 * What the SDK resolved with in place of the answer: an error of axios, which has the API key in it
 * and is not passed on, an error body, or a page.
 */
export function toSendError(answer: unknown, call: MadeCall): SendError {
  if (!isNativeError(answer)) return refusal({ status: 200, data: answer }, call)
  const response = fields(fields(answer)['response'])
  const { status } = response
  // Without a status no answer came; with one of success it broke off.
  if (typeof status !== 'number' || status < 300) {
    return connectionFailure('Mandrill', answer, { notTaken: call.notTaken })
  }
  return refusal({ ...response, status }, call)
}

function refusal(
  response: { status: number; statusText?: unknown; data?: unknown; headers?: unknown },
  { apiKey, notTaken }: MadeCall,
): SendError {
  const { status, statusText, data } = response
  const { name, message } = fields(data)
  const headers = fields(response.headers)
  const words =
    texts([name, message]).join(': ') || plainWords(text(headers['content-type']), text(data) ?? '')
  const phrase = text(statusText)
  return httpFailure('Mandrill', {
    status,
    detail: words || `${phrase ? `${phrase}, ` : ''}not in the words of its API`,
    category: categoryOf(text(name)),
    // For years it came with status 500, as everything did.
    notTaken: notTaken || name === 'ServiceUnavailable',
    retryAfter: waitBefore((header) => text(headers[header]) ?? null, Date.now()),
    secrets: [apiKey],
  })
}

// By the error's name: its number means different things at different ages of the API, and for
// years every error came with status 500.
const categories = new Map<string, SendErrorCategory>([
  ['Invalid_Key', 'auth'],
  ['ValidationError', 'validation'],
  ['PaymentRequired', 'rejected'],
  ['RequestLimitExceeded', 'rate-limit'],
  ['ServiceUnavailable', 'server'],
])

function categoryOf(name: string | undefined): SendErrorCategory | undefined {
  if (name === undefined) return undefined
  // The rest name what does not exist or cannot be: Unknown_Subaccount, Invalid_Tag_Name.
  return categories.get(name) ?? (/^(?:Unknown|Invalid)_/.test(name) ? 'validation' : undefined)
}
