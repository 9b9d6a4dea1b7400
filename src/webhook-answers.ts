import type { RefusalReason } from './errors.js'
import type { WebhookAnswers } from './provider.js'

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
