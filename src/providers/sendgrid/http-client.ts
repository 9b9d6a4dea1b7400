import { SendError } from '../../errors.js'
import { connectionCause, connectionFailure, httpFailure, waitBefore } from '../../http-failure.js'
import { fields, text, texts } from '../../payload.js'
import { version } from '../../version.js'

/** What the SDK asks of the client that is given to its `setClient`, and what it has no word for. */
export interface SendgridHttpClient {
  request(call: { url: string; body: unknown }): Promise<[SendgridResponse, string]>
  /** What the API key may do. It sends nothing, and neither does a failure of it. */
  scopes(): Promise<string[]>
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
  /** Rejects with what fetch does, and gives every answer, of whatever status. */
  async function call(
    url: string,
    { headers, ...content }: { headers?: Record<string, string>; method?: 'POST'; body?: string },
  ): Promise<{ response: Response; answer: string }> {
    const response = await fetch(baseUrl + url, {
      ...content,
      headers: {
        ...headers,
        authorization: `Bearer ${apiKey}`,
        accept: 'application/json',
        'user-agent': `mailtrail/${version}`,
      },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout),
    })
    return { response, answer: await response.text() }
  }

  return {
    async request({ url, body }) {
      const { response, answer } = await call(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).catch((error: unknown) => {
        throw toConnectionFailure(error)
      })
      if (!response.ok) throw toHttpFailure(response, answer)
      if (!isAcceptance(response, answer)) throw notTheApi(response.status, 'unknown')
      const headers = Object.fromEntries(response.headers)
      return [{ statusCode: response.status, body: answer, headers }, answer]
    },
    async scopes() {
      const { response, answer } = await call('/v3/scopes', {}).catch((error: unknown) => {
        throw toCheckFailure(error)
      })
      if (!response.ok) throw toHttpFailure(response, answer, { notTaken: true })
      const { scopes } = fields(parsed(answer))
      if (!Array.isArray(scopes)) throw notTheApi(response.status, 'not-sent')
      return texts(scopes)
    },
  }
}

function toConnectionFailure(error: unknown): SendError {
  const { code, syscall } = causeOf(error)
  return connectionFailure('SendGrid', code, syscall)
}

/** Of a call that had no message in it: whatever became of that, it may be made again. */
function toCheckFailure(error: unknown): SendError {
  const { code, syscall } = causeOf(error)
  const { category } = connectionFailure('SendGrid', code, syscall)
  const met =
    category === 'timeout'
      ? 'SendGrid did not answer in time'
      : `the connection to SendGrid failed with ${code}`
  return new SendError(`${met}: the API key could not be checked`, {
    category,
    retryable: true,
    outcome: 'not-sent',
  })
}

/** fetch says `fetch failed`, and its cause says why. */
function causeOf(error: unknown): { code: string; syscall?: string } {
  const { name, cause } = fields(error)
  return { code: text(name) ?? 'an error', ...connectionCause(cause) }
}

function toHttpFailure(
  response: Response,
  answer: string,
  { notTaken = false }: { notTaken?: boolean } = {},
): SendError {
  const detail = errorTexts(answer).join('; ') || response.statusText
  return httpFailure('SendGrid', {
    status: response.status,
    detail,
    retryAfter: waitBefore((name) => response.headers.get(name), Date.now()),
    // Told with the status of a bad key.
    category: /maximum credits exceeded/i.test(detail) ? 'rate-limit' : undefined,
    notTaken,
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

function notTheApi(statusCode: number, outcome: SendError['outcome']): SendError {
  return new SendError('SendGrid answered otherwise than its API does: is this its address?', {
    category: 'server',
    retryable: false,
    outcome,
    statusCode,
  })
}

/** The messages of an error body, which may be JSON, a page or nothing. */
function errorTexts(answer: string): string[] {
  const { errors } = fields(parsed(answer))
  return (Array.isArray(errors) ? errors : []).map(fields).flatMap(({ message, field }) => {
    const said = text(message)
    if (said === undefined) return []
    const where = text(field)
    return where === undefined || where === 'null' ? [said] : [`${said} (${where})`]
  })
}

function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer)
  } catch {
    return undefined
  }
}
