import { HistoryError } from '../../errors.js'
import { type HttpAnswer, httpCaller } from '../../http-caller.js'
import { connectionCause, httpFailure, waitBefore } from '../../http-failure.js'
import { fields, isFields, parseJson, text } from '../../payload.js'
import { version } from '../../version.js'

/** What is asked of the log. Times are in ms since 1970. */
export interface LogsQuery {
  start: number
  end: number
  /** The page that it leads to, of the same query. */
  token?: string
}

export type LogsAnswer =
  | {
      kind: 'page'
      items: unknown[]
      /** The token of the page behind it. */
      next?: string
    }
  /** The question was not understood, or its token was not. */
  | { kind: 'refused'; error: HistoryError }

/** Rejects with a `HistoryError` that is free of secrets. */
export type LogsCaller = (query: LogsQuery) => Promise<LogsAnswer>

interface LogsCallerOptions {
  apiKey: string
  domain: string
  baseUrl: string
  /** In ms. */
  timeout: number
}

/** Asks Mailgun's Logs API for one page at a time, the oldest events first. */
export function logsCaller({ apiKey, domain, baseUrl, timeout }: LogsCallerOptions): LogsCaller {
  const call = httpCaller(timeout)
  const credentials = Buffer.from(`api:${apiKey}`).toString('base64')
  const headers = {
    authorization: `Basic ${credentials}`,
    accept: 'application/json',
    'content-type': 'application/json',
    'user-agent': `mailtrail/${version}`,
  }
  return async (query) => {
    const answer = await call({
      method: 'POST',
      url: `${baseUrl}/v1/analytics/logs`,
      headers,
      body: JSON.stringify(bodyOf(query, domain)),
    }).catch((error: unknown) => {
      throw unreached(error)
    })
    if (answer.status >= 200 && answer.status < 300) return readPage(answer)
    const error = failure(answer, [apiKey, credentials])
    if (![400, 404, 410].includes(answer.status)) throw error
    return { kind: 'refused', error }
  }
}

// Those that a webhook tells, and `rejected`. What the log knows beside is of mail that came in and of lists.
const events = [
  'accepted',
  'rejected',
  'delivered',
  'failed',
  'opened',
  'clicked',
  'unsubscribed',
  'complained',
]

// The most that it gives (`100 max`, Mailgun's OpenAPI).
const pageLength = 100

function bodyOf({ start, end, token }: LogsQuery, domain: string): unknown {
  return {
    // In whole seconds, and nobody says whether the ends count: a little too much is asked for.
    start: inSeconds(Math.floor(start / 1000) - 1),
    end: inSeconds(Math.ceil(end / 1000)),
    events,
    filter: {
      AND: [{ attribute: 'domain', comparator: '=', values: [{ label: domain, value: domain }] }],
    },
    // The domain may be one of a subaccount.
    include_subaccounts: true,
    include_totals: false,
    pagination: {
      sort: 'timestamp:asc',
      limit: pageLength,
      ...(token !== undefined && { token }),
    },
  }
}

/** As RFC 2822 has it. */
function inSeconds(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace('GMT', '+0000')
}

function readPage({ body }: HttpAnswer): LogsAnswer {
  const answer = parseJson(body)
  const { items, pagination } = fields(answer)
  // A list without entries may be a null in JSON that Go writes.
  if (Array.isArray(items) || items === null) {
    const next = text(fields(pagination)['next'])
    return { kind: 'page', items: items ?? [], ...(next !== undefined && { next }) }
  }
  throw new HistoryError(
    /Magnificent API/i.test(body.slice(0, 1000))
      ? 'Mailgun knows no such path: baseUrl is its address alone, without /v3'
      : 'Mailgun answered otherwise than its Logs API does: is this the address of its API?',
    false,
  )
}

function unreached(error: unknown): HistoryError {
  const { code = 'an error' } = connectionCause(error)
  return new HistoryError(
    code === 'ETIMEDOUT'
      ? 'Mailgun did not answer in time'
      : `the connection to Mailgun failed with ${code}`,
    true,
  )
}

function failure(answer: HttpAnswer, secrets: readonly string[]): HistoryError {
  const { status, headers } = answer
  const { message, retryable, retryAfter } = httpFailure('Mailgun', {
    status,
    detail: wordsOf(answer),
    retryAfter: waitBefore((name) => headers[name] ?? null, Date.now()),
    notTaken: true,
    secrets,
  })
  const hint = hints.get(status)
  return new HistoryError(
    hint === undefined ? message : `${message} (${hint})`,
    retryable,
    retryAfter,
  )
}

/** JSON with a message, or a text, as JSON or not; a gateway's page says no more than the status. */
function wordsOf({ statusText, body }: HttpAnswer): string {
  const answer = parseJson(body)
  if (isFields(answer)) return text(answer['message']) ?? statusText
  const words = text(answer) ?? body.trim()
  return words === '' || /^[<[]/.test(words) ? statusText : words
}

const region = "each region has its own baseUrl, and the EU's is https://api.eu.mailgun.net"

/** What to look at where an answer does not say it. */
const hints = new Map([
  [400, 'Mailgun keeps events for 1 to 30 days, by plan, and may tell none of a longer span'],
  [401, `pass an API key of the account, for a sending key may only send; ${region}`],
  [403, 'pass an API key of the account that may read its logs: a sending key may only send'],
  [404, `baseUrl is the address of the API alone, without /v3; ${region}`],
])
