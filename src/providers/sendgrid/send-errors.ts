import { SendError, type SendErrorCategory } from '../../errors.js'
import type { HttpAnswer } from '../../http-caller.js'
import { httpFailure, plainWords, waitBefore } from '../../http-failure.js'
import { fields, parseJson, text } from '../../payload.js'

/** A call that was made. */
interface MadeCall {
  apiKey: string
  /** There was no message in it, so that it may be made again. */
  notTaken?: boolean
}

/** An answer that says the message was not taken, as our error. */
export function toSendError(
  { status, statusText, headers, body }: HttpAnswer,
  { apiKey, notTaken = false }: MadeCall,
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

/** A success that is not in the form of the API. */
export function notTheApi(statusCode: number, outcome: SendError['outcome']): SendError {
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
