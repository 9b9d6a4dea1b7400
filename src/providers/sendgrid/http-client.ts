import { type HttpAnswer, httpCaller } from '../../http-caller.js'
import { connectionFailure } from '../../http-failure.js'
import { fields, parseJson, texts } from '../../payload.js'
import { version } from '../../version.js'
import { bodyOf } from './request.js'
import { notTheApi, toSendError } from './send-errors.js'

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
      if (!isSuccess(answer)) throw toSendError(answer, { apiKey })
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
      if (!isSuccess(answer)) throw toSendError(answer, { apiKey, notTaken: true })
      const { scopes } = fields(parseJson(answer.body))
      if (!Array.isArray(scopes)) throw notTheApi(answer.status, 'not-sent')
      return texts(scopes)
    },
  }
}

const isSuccess = ({ status }: HttpAnswer): boolean => status >= 200 && status < 300

/**
 * The API takes a message with a 202, and with a 200 in sandbox mode, both without a word. Anything
 * else comes from something else that listens there.
 */
function isAcceptance({ status, headers, body }: HttpAnswer): boolean {
  if (headers['x-message-id'] !== undefined) return true
  return (status === 202 || status === 200) && body.trim() === ''
}
