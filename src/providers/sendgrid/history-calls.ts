import { HistoryError } from '../../errors.js'
import { type HttpAnswer, httpCaller } from '../../http-caller.js'
import { connectionCause, httpFailure, plainWords, waitBefore } from '../../http-failure.js'
import { type Fields, fields, isFields, parseJson, text } from '../../payload.js'
import { version } from '../../version.js'

/** More messages than these are not told at once, and there are no further pages. */
export const mostMessages = 1000

/** Calls are counted by the minute, in ms (Email Activity, Rate limits). */
const limitPeriod = 60_000

/** What a history asks of the API. */
export interface HistoryCalls {
  /** Messages whose last event is in these seconds since 1970, both included; `mostMessages` at most. */
  messages(first: number, last: number): Promise<unknown[]>
  /** What Email Logs knows of a message; undefined when it knows none of this id. */
  log(id: string): Promise<Fields | undefined>
  /** What Email Activity knows of a message; undefined when it knows none of this id. */
  activity(id: string): Promise<Fields | undefined>
}

interface HistoryCallOptions {
  apiKey: string
  baseUrl: string
  /** In ms. */
  timeout: number
  /** No call is made after it. */
  signal?: AbortSignal | undefined
}

/** Calls Email Activity and Email Logs. What they refuse is a `HistoryError`. */
export function historyCalls({
  apiKey,
  baseUrl,
  timeout,
  signal,
}: HistoryCallOptions): HistoryCalls {
  const headers = {
    authorization: `Bearer ${apiKey}`,
    accept: 'application/json',
    'user-agent': `mailtrail/${version}`,
  }

  async function answerTo(path: string): Promise<HttpAnswer> {
    signal?.throwIfAborted()
    try {
      // A caller keeps every URL that it was given, and here each message has one of its own.
      return await httpCaller(timeout)({ method: 'GET', url: baseUrl + path, headers })
    } catch (error) {
      const { code = 'an error' } = connectionCause(error)
      throw new HistoryError(`the connection to SendGrid failed with ${code}`, true)
    }
  }

  async function detail(path: string, id: string): Promise<Fields | undefined> {
    const answer = await answerTo(`${path}/${encodeURIComponent(id)}`)
    if (answer.status === 404) return undefined
    const message = bodyOf(answer, apiKey)
    // Written by a server that has null for an empty list.
    if (!Array.isArray(message['events'] ?? [])) throw notTheApi()
    return message
  }

  return {
    async messages(first, last) {
      const query = `last_event_time BETWEEN TIMESTAMP "${timestamp(first, 0)}" AND TIMESTAMP "${timestamp(last, 999)}"`
      const answer = await answerTo(
        `/v3/messages?limit=${mostMessages}&query=${encodeURIComponent(query)}`,
      )
      const { messages } = bodyOf(answer, apiKey)
      if (messages === null) return []
      if (!Array.isArray(messages)) throw notTheApi()
      return messages
    },
    log: (id) => detail('/v3/logs', id),
    activity: (id) => detail('/v3/messages', id),
  }
}

function timestamp(seconds: number, milliseconds: number): string {
  return new Date(seconds * 1000 + milliseconds).toISOString()
}

/** The JSON object of an answer that is no refusal. */
function bodyOf(answer: HttpAnswer, apiKey: string): Fields {
  if (answer.status < 200 || answer.status > 299) throw toHistoryError(answer, apiKey)
  const body = parseJson(answer.body)
  if (!isFields(body)) throw notTheApi()
  return body
}

function toHistoryError({ status, statusText, headers, body }: HttpAnswer, apiKey: string) {
  const said = wordsOf(body) || plainWords(headers['content-type'], body) || statusText
  const { message, retryable, retryAfter } = httpFailure('SendGrid', {
    status,
    detail: said,
    // Its clock may be behind ours, or it says nothing.
    retryAfter:
      waitBefore((name) => headers[name] ?? null, Date.now()) ||
      (status === 429 ? limitPeriod : undefined),
    // Nothing is sent here, so that any call may be made again.
    notTaken: true,
    secrets: [apiKey],
  })
  const hint = hintFor(status, said)
  return new HistoryError(hint ? `${message} (${hint})` : message, retryable, retryAfter)
}

// An account without the add-on was answered 400 and these words (sendgrid-csharp#689, nodejs#1003).
const noAccess = /authorization required|access forbidden/i

/** What to do about a refusal that does not say it. */
function hintFor(status: number, said: string): string | undefined {
  if (status === 401 && /\bregion/i.test(said)) {
    return "each region has its own keys and its own baseUrl, and the EU's is https://api.eu.sendgrid.com"
  }
  if (status === 403 || (status < 500 && noAccess.test(said))) {
    // Which scope Email Logs asks for is not documented.
    return 'in SendGrid, under Settings, API Keys, let the key read Email Activity and Email Logs (the scopes email_activity.read and messages.read), or give it full access; the account needs the add-on for additional email activity history'
  }
  return status === 401 ? 'in SendGrid, under Settings, API Keys, make another key' : undefined
}

function notTheApi(): HistoryError {
  return new HistoryError(
    'SendGrid answered otherwise than its API does: is this its address?',
    false,
  )
}

/** The messages of an error body, which may be JSON, a page or nothing. */
function wordsOf(body: string): string {
  const { errors } = fields(parseJson(body))
  return (Array.isArray(errors) ? errors : [])
    .flatMap((error) => text(fields(error)['message']) ?? [])
    .join('; ')
}
