import { HistoryError, type SendErrorCategory } from '../../errors.js'
import { type HttpAnswer, httpCaller } from '../../http-caller.js'
import {
  connectionCause,
  connectionFailure,
  httpFailure,
  plainWords,
  waitBefore,
} from '../../http-failure.js'
import { fields, parseJson, text, texts } from '../../payload.js'

/**
 * The answer about the message of an id; undefined when it is not known any more, or not yet. Rejects with
 * a `HistoryError` that is free of secrets.
 */
export type InfoCaller = (id: string) => Promise<unknown>

interface InfoCallerOptions {
  apiKey: string
  basePath: string
  /** In ms. */
  timeout: number
}

/** Asks `messages/info` for one message at a time. */
export function infoCaller({ apiKey, basePath, timeout }: InfoCallerOptions): InfoCaller {
  const call = httpCaller(timeout)
  return async (id) => {
    const answer = await call({
      method: 'POST',
      url: `${basePath}/messages/info.json`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key: apiKey, id }),
    }).catch((error: unknown) => {
      throw notReached(error)
    })
    const body = parseJson(answer.body)
    if (isUnknown(body)) return undefined
    if (answer.status !== 200 || body === undefined || fields(body)['status'] === 'error') {
      throw refused(answer, body, apiKey)
    }
    return body
  }
}

/** Mandrill has no such message: not any more, or not yet, or what it was asked for is no id of its own. */
function isUnknown(body: unknown): boolean {
  const { name, message } = fields(body)
  // Unverified: how it words the refusal of an id; other calls have the field and what is wrong in JSON.
  return (
    name === 'Unknown_Message' || (name === 'ValidationError' && /"id"/.test(text(message) ?? ''))
  )
}

function notReached(error: unknown): HistoryError {
  const { code = 'an error' } = connectionCause(error)
  const { category } = connectionFailure('Mandrill', error, { notTaken: true })
  return new HistoryError(
    category === 'timeout'
      ? 'Mandrill did not answer in time'
      : `the connection to Mandrill failed with ${code}`,
    true,
  )
}

// By the error's name, for every one came with status 500 for years; the others may be made again.
const categories = new Map<string, SendErrorCategory>([
  ['Invalid_Key', 'auth'],
  ['ValidationError', 'validation'],
  ['PaymentRequired', 'rejected'],
])

const advice = new Map<SendErrorCategory, string>([
  [
    'auth',
    'Give an API key of the account that sent the messages, which may make the call messages/info (Mandrill shows it under Settings, SMTP & API Info)',
  ],
  ['rejected', 'The account of this API key may not make the call messages/info: see its plan'],
  ['configuration', 'The baseUrl must be the root of an API, as https://mandrillapp.com is'],
])

function refused(answer: HttpAnswer, body: unknown, apiKey: string): HistoryError {
  const { status, statusText, headers } = answer
  const { name, message } = fields(body)
  const words =
    texts([name, message]).join(': ') || plainWords(headers['content-type'], answer.body)
  const failure = httpFailure('Mandrill', {
    status,
    detail: words || `${statusText ? `${statusText}, ` : ''}not in the words of its API`,
    category: categories.get(text(name) ?? ''),
    notTaken: true,
    retryAfter: waitBefore((header) => headers[header] ?? null, Date.now()),
    secrets: [apiKey],
  })
  const hint = advice.get(failure.category)
  return new HistoryError(
    hint === undefined ? failure.message : `${failure.message.replace(/\.$/, '')}. ${hint}`,
    failure.retryable,
    failure.retryAfter,
  )
}
