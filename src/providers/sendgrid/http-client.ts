import { SendError, type SendErrorCategory } from '../../errors.js'
import { type HttpAnswer, httpCaller } from '../../http-caller.js'
import { connectionFailure, httpFailure, plainWords, waitBefore } from '../../http-failure.js'
import { fields, parseJson, text, texts } from '../../payload.js'
import { version } from '../../version.js'
import { bodyOf } from './request.js'

/** What the SDK asks of the client that is given to its `setClient`, and what it has no word for. */
export interface SendgridHttpClient {
  request(call: { url: string; body: unknown }): Promise<[SendgridResponse, string]>
  /** What the API key may do. It sends nothing, and neither does a failure of it. */
  scopes(): Promise<string[]>
}

export interface SendgridResponse {
  statusCode: number
  body: string
  headers: Readonly<Record<string, string>>
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
  const call = httpCaller(timeout)
  const headers = {
    authorization: `Bearer ${apiKey}`,
    accept: 'application/json',
    'user-agent': `mailtrail/${version}`,
  }
  return {
    async request({ url, body }) {
      const answer = await call({
        method: 'POST',
        url: baseUrl + url,
        headers: { ...headers, 'content-type': 'application/json' },
        body: bodyOf(body),
      }).catch((error: unknown) => {
        throw connectionFailure('SendGrid', error)
      })
      if (!isSuccess(answer)) throw toHttpFailure(answer, { apiKey })
      if (!isAcceptance(answer)) throw notTheApi(answer.status, 'unknown')
      return [
        { statusCode: answer.status, body: answer.body, headers: answer.headers },
        answer.body,
      ]
    },
    async scopes() {
      const answer = await call({ method: 'GET', url: `${baseUrl}/v3/scopes`, headers }).catch(
        (error: unknown) => {
          throw connectionFailure('SendGrid', error, { notTaken: true })
        },
      )
      if (!isSuccess(answer)) throw toHttpFailure(answer, { apiKey, notTaken: true })
      const { scopes } = fields(parseJson(answer.body))
      if (!Array.isArray(scopes)) throw notTheApi(answer.status, 'not-sent')
      return texts(scopes)
    },
  }
}

const isSuccess = ({ status }: HttpAnswer): boolean => status >= 200 && status < 300

/** A call that was made. */
interface Call {
  apiKey: string
  /** There was no message in it, so that it may be made again. */
  notTaken?: boolean
}

function toHttpFailure(
  { status, statusText, headers, body }: HttpAnswer,
  { apiKey, notTaken = false }: Call,
): SendError {
  const errors = errorsOf(body)
  const words = errors.map(inWords).join('; ')
  const said = words || plainWords(headers['content-type'], body) || statusText
  const hint = hintFor(status, said)
  return httpFailure('SendGrid', {
    status,
    detail: hint === undefined ? said : `${said} (${hint})`,
    retryAfter: waitBefore((name) => headers[name] ?? null, Date.now()),
    category: categoryOf(status, errors),
    notTaken,
    secrets: [apiKey],
  })
}

interface ApiError {
  message: string
  field: string | undefined
}

const noCredits = /maximum credits exceeded/i

/** Where its words say more than the status. */
function categoryOf(status: number, errors: readonly ApiError[]): SendErrorCategory | undefined {
  // Told with the status of a bad key.
  if (errors.some(({ message }) => noCredits.test(message))) return 'rate-limit'
  // What the key may not do is told of no field; this is the sender, who was not verified.
  if (status === 403 && errors.some(({ field }) => field !== undefined)) return 'rejected'
  return undefined
}

/** What to do about a refusal that does not say it. */
function hintFor(status: number, said: string): string | undefined {
  if (status === 401 && /\bregion/i.test(said)) {
    return "each region has its own keys and its own baseUrl, and the EU's is https://api.eu.sendgrid.com"
  }
  if (status === 403 && /^access forbidden/i.test(said)) {
    return 'in SendGrid, under Settings, API Keys, tick Mail Send for the key'
  }
  return undefined
}

/**
 * The API takes a message with a 202, and with a 200 in sandbox mode, both without a word. Anything
 * else comes from something else that listens there.
 */
function isAcceptance({ status, headers, body }: HttpAnswer): boolean {
  if (headers['x-message-id'] !== undefined) return true
  return (status === 202 || status === 200) && body.trim() === ''
}

function notTheApi(statusCode: number, outcome: SendError['outcome']): SendError {
  return new SendError('SendGrid answered otherwise than its API does: is this its address?', {
    category: 'server',
    retryable: false,
    outcome,
    statusCode,
  })
}

/** The errors of an error body, which may be JSON, a page or nothing. */
function errorsOf(answer: string): ApiError[] {
  const { errors } = fields(parseJson(answer))
  return (Array.isArray(errors) ? errors : []).map(fields).flatMap((error) => {
    const message = text(error['message'])
    const field = text(error['field'])
    return message === undefined ? [] : [{ message, field: field === 'null' ? undefined : field }]
  })
}

function inWords({ message, field }: ApiError): string {
  return field === undefined ? message : `${message} (${field})`
}
