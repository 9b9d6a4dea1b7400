import type { RefusalReason } from './errors.js'
import { type HttpResponse, plain } from './http-handler.js'
import type { Refusal, WebhookAnswers } from './provider.js'

/** What is answered where a provider needs nothing else. */
export const usualAnswers: WebhookAnswers = {
  stored: 200,
  tried: 200,
  denied: 403,
  forged: 403,
  malformed: 400,
  unsupported: 415,
  tooLarge: 413,
  tooSlow: 408,
  limited: 429,
  unavailable: 503,
}

const outcomes: Record<RefusalReason, keyof WebhookAnswers> = {
  'wrong-secret': 'denied',
  'wrong-credentials': 'denied',
  'wrong-address': 'denied',
  'wrong-agent': 'denied',
  'rate-limited': 'limited',
  unsigned: 'forged',
  'bad-signature': 'forged',
  reserialised: 'forged',
  truncated: 'forged',
  'wrong-url': 'forged',
  stale: 'forged',
  clock: 'forged',
  replayed: 'forged',
  malformed: 'malformed',
  unsupported: 'unsupported',
  'too-large': 'tooLarge',
  'too-slow': 'tooSlow',
  incomplete: 'tooSlow',
  'api-key': 'unavailable',
  'no-keys': 'unavailable',
  consumed: 'unavailable',
  overloaded: 'unavailable',
  unexpected: 'unavailable',
}

/** Which of a provider's answers a refusal gets. */
export function outcomeOf(reason: RefusalReason): keyof WebhookAnswers {
  return outcomes[reason]
}

/** Whether somebody may be trying what is not theirs to do. */
export function isHostile(reason: RefusalReason): boolean {
  const outcome = outcomeOf(reason)
  return outcome === 'denied' || outcome === 'forged'
}

/** Whether it is no fault of the caller's: the request was as it should be. */
export function isOurFault(reason: RefusalReason): boolean {
  return outcomeOf(reason) === 'unavailable'
}

// When to come again after a failure of ours, in s. Providers mostly keep their own time.
const retryAfter = 30

const texts: Record<keyof WebhookAnswers, string> = {
  stored: 'OK',
  tried: 'OK',
  denied: 'Refused',
  forged: 'Refused',
  malformed: 'Bad Request',
  unsupported: 'Unsupported Media Type',
  tooLarge: 'Content Too Large',
  tooSlow: 'Request Timeout',
  limited: 'Too Many Requests',
  unavailable: 'Service Unavailable',
}

/** What a provider is answered whose request was refused. */
export function answerTo(
  answers: WebhookAnswers,
  { reason, retryAfter: wait }: Refusal,
): HttpResponse {
  const outcome = outcomeOf(reason)
  const status = answers[outcome]
  const headers: Record<string, string> = {}
  // The rest of the body is not read, so the connection cannot be used again.
  if (reason === 'too-large' || reason === 'too-slow' || reason === 'overloaded') {
    headers['connection'] = 'close'
  }
  if (outcome === 'limited' || outcome === 'unavailable') {
    Object.assign(headers, comeAgain(wait === undefined ? retryAfter : Math.ceil(wait / 1000)))
  }
  if (status === 401) headers['www-authenticate'] = 'Basic realm="webhook"'
  return plain(status, texts[outcome], headers)
}

/** When to come again, in s. */
const comeAgain = (seconds: number): Record<string, string> => ({ 'retry-after': String(seconds) })

/** A failure of ours: the request is to come again. */
export const unavailable = (answers: WebhookAnswers): HttpResponse =>
  plain(answers.unavailable, texts.unavailable, comeAgain(retryAfter))
