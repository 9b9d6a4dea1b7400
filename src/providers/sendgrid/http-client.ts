import { SendError } from '../../errors.js'
import { connectionCause, connectionFailure, httpFailure, waitBefore } from '../../http-failure.js'
import { fields, text } from '../../payload.js'
import { version } from '../../version.js'

/** What the SDK asks of the client that is given to its `setClient`. */
export interface SendgridHttpClient {
  request(call: { url: string; body: unknown }): Promise<[SendgridResponse, string]>
}

export interface SendgridResponse {
  statusCode: number
  body: string
  headers: Record<string, string>
}

/**
 * Calls the API in place of the SDK's own client. That one hangs on an error answer in working
 * directories with a bracket in their name, sends mail headers as HTTP headers too, has the API key
 * in its errors, and follows redirects with a GET.
 */
export function createHttpClient(
  apiKey: string,
  baseUrl: string,
  timeout: number,
): SendgridHttpClient {
  return {
    async request({ url, body }) {
      let response: Response
      let answer: string
      try {
        response = await fetch(baseUrl + url, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${apiKey}`,
            'content-type': 'application/json',
            accept: 'application/json',
            'user-agent': `mailtrail/${version}`,
          },
          body: JSON.stringify(body),
          redirect: 'manual',
          signal: AbortSignal.timeout(timeout),
        })
        answer = await response.text()
      } catch (error) {
        throw toConnectionFailure(error)
      }
      if (!response.ok) throw toHttpFailure(response, answer)
      if (!isAcceptance(response, answer)) throw notTheApi(response.status)
      const headers = Object.fromEntries(response.headers)
      return [{ statusCode: response.status, body: answer, headers }, answer]
    },
  }
}

/** fetch says `fetch failed`, and its cause says why. */
function toConnectionFailure(error: unknown): SendError {
  const { name, cause } = fields(error)
  const { code = text(name) ?? 'an error', syscall } = connectionCause(cause)
  return connectionFailure('SendGrid', code, syscall)
}

function toHttpFailure(response: Response, answer: string): SendError {
  const detail = errorTexts(answer).join('; ') || response.statusText
  return httpFailure('SendGrid', {
    status: response.status,
    detail,
    retryAfter: waitBefore((name) => response.headers.get(name), Date.now()),
    // Told with the status of a bad key.
    category: /maximum credits exceeded/i.test(detail) ? 'rate-limit' : undefined,
  })
}

/**
 * The API takes a message with a 202, and with a 200 in sandbox mode, both without a word. Anything
 * else comes from something else that listens there.
 */
function isAcceptance({ status, headers }: Response, answer: string): boolean {
  if (headers.has('x-message-id')) return true
  return (status === 202 || status === 200) && answer.trim() === ''
}

function notTheApi(statusCode: number): SendError {
  return new SendError('SendGrid answered otherwise than its API does: is this its address?', {
    category: 'server',
    retryable: false,
    outcome: 'unknown',
    statusCode,
  })
}

/** The messages of an error body, which may be JSON, a page or nothing. */
function errorTexts(answer: string): string[] {
  try {
    const { errors } = fields(JSON.parse(answer))
    return (Array.isArray(errors) ? errors : []).map(fields).flatMap(({ message, field }) => {
      const said = text(message)
      if (said === undefined) return []
      const where = text(field)
      return where === undefined || where === 'null' ? [said] : [`${said} (${where})`]
    })
  } catch {
    return []
  }
}
