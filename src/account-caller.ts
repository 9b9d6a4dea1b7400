import { AccountError } from './errors.js'
import { type HttpAnswer, type HttpCall, httpCaller } from './http-caller.js'
import { connectionCause, httpFailure, plainWords } from './http-failure.js'
import { isFields, parseJson, text, texts } from './payload.js'
import type { Finding, Inspection } from './provider-kit.js'
import { version } from './version.js'

export interface AccountAnswer {
  body: unknown
  /** What time the provider's clock showed. */
  answeredAt?: Date
}

/** Calls a provider's API for what it says of an account. Rejects with an `AccountError` free of secrets. */
export type AccountCaller = (call: HttpCall) => Promise<AccountAnswer>

/** How long an answer may take, in ms. */
const timeout = 20_000

/**
 * @param title the provider, as people write it
 * @param secrets what its words are told without, should they quote it
 */
export function accountCaller(title: string, secrets: readonly string[]): AccountCaller {
  return async (call) => {
    let answer: HttpAnswer
    try {
      // A caller keeps every URL that it was given, and here each call has one of its own.
      answer = await httpCaller(timeout)({
        ...call,
        headers: {
          accept: 'application/json',
          'user-agent': `mailtrail/${version}`,
          ...call.headers,
        },
      })
    } catch (error) {
      const { code = 'an error' } = connectionCause(error)
      throw new AccountError(`the connection to ${title} failed with ${code}`)
    }
    const { status, statusText, headers } = answer
    const answeredAt = dateOf(headers['date'])
    const body = parseJson(answer.body)
    if (status < 200 || status > 299) {
      const words = wordsOf(body) || plainWords(headers['content-type'], answer.body) || statusText
      const { message } = httpFailure(title, { status, detail: words, notTaken: true, secrets })
      throw new AccountError(message, status, answeredAt)
    }
    if (body === undefined) throw otherAnswer(title, answeredAt)
    return { body, ...(answeredAt && { answeredAt }) }
  }
}

/** The error of an answer that has not the shape of the API's. */
export function otherAnswer(title: string, answeredAt: Date | undefined): AccountError {
  const message = `${title} answered otherwise than its API does, as another server at its address would`
  return new AccountError(message, undefined, answeredAt)
}

/** What an inspection comes to that an error has ended; `explain` finds what the status means. */
export function endedInspection(
  error: unknown,
  explain: (status: number, message: string) => Finding | undefined,
): Inspection {
  if (!(error instanceof AccountError)) throw error
  const { statusCode, message, answeredAt } = error
  const finding = (statusCode !== undefined && explain(statusCode, message)) || {
    code: 'provider-unreachable',
    severity: 'fault',
    what: `The account could not be asked: ${message}.`,
    todo: 'See that this machine may reach the API, and that its base URL is right.',
  }
  return { findings: [finding], ...(answeredAt && { answeredAt }) }
}

function dateOf(header: string | undefined): Date | undefined {
  const date = new Date(header ?? NaN)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** The words of an error body, by whichever of the fields that providers have for them. */
function wordsOf(body: unknown): string {
  if (!isFields(body)) return text(body) ?? ''
  const errors = Array.isArray(body['errors']) ? body['errors'] : [body]
  return errors
    .filter(isFields)
    .flatMap(({ name, message, Description }) => texts([name, message, Description]).join(': '))
    .join('; ')
}
