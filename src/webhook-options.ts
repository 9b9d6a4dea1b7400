import { ConfigurationError } from './errors.js'
import type { Guard, Refusal, WebhookAnswers } from './provider.js'
import { usualAnswers } from './webhook-answers.js'

/** What every provider's webhook may be given. */
export interface WebhookOptions {
  /** The end of the path, for a second account; default the provider's name. */
  name?: string
  /** Asked one after the other, before the body is read: `querySecret`, `basicAuth` and others. */
  guards?: readonly Guard[]
  /** HTTP statuses in place of those that the provider needs. */
  answers?: Partial<WebhookAnswers>
  /** The largest body that is read, in bytes. */
  maxBodyBytes?: number
}

/** The options with their defaults in. */
export type CheckedWebhookOptions = Required<WebhookOptions> & { answers: WebhookAnswers }

/**
 * What was given, with a provider's defaults for the rest.
 *
 * @param webhook the name of the function, for errors
 * @throws ConfigurationError for whatever would only show with the first request
 */
export function checkedWebhookOptions(
  webhook: string,
  { name, guards, answers, maxBodyBytes }: WebhookOptions,
  defaults: { name: string; answers?: Partial<WebhookAnswers>; maxBodyBytes: number },
): CheckedWebhookOptions {
  return {
    name: name ?? defaults.name,
    guards: checkedGuards(webhook, guards),
    answers: checkedAnswers(webhook, { ...usualAnswers, ...defaults.answers, ...answers }),
    maxBodyBytes: checkedBytes(webhook, maxBodyBytes ?? defaults.maxBodyBytes),
  }
}

/** @throws ConfigurationError when one of them is no guard, and would let everybody in */
export function checkedGuards(webhook: string, guards: readonly Guard[] = []): readonly Guard[] {
  if (Array.isArray(guards) && guards.every((guard) => typeof guard?.check === 'function')) {
    return guards
  }
  throw new ConfigurationError(
    `${webhook}: guards must be a list of what querySecret(), basicAuth() and the like return`,
  )
}

/** @throws ConfigurationError when it is no number of bytes */
export function checkedBytes(webhook: string, maxBodyBytes: number): number {
  if (Number.isSafeInteger(maxBodyBytes) && maxBodyBytes > 0) return maxBodyBytes
  throw new ConfigurationError(`${webhook}: maxBodyBytes must be a whole number above 0`)
}

function checkedAnswers(webhook: string, answers: WebhookAnswers): WebhookAnswers {
  for (const [outcome, status] of Object.entries(answers)) {
    if (!Object.hasOwn(usualAnswers, outcome)) {
      const known = Object.keys(usualAnswers).join(', ')
      throw new ConfigurationError(
        `${webhook}: no answer is named ${JSON.stringify(outcome)}: there are ${known}`,
      )
    }
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new ConfigurationError(
        `${webhook}: the answer ${outcome} must be an HTTP status, and is ${String(status)}`,
      )
    }
  }
  return answers
}

// How far ahead of ours a provider's clock may be, in ms.
const clockSkew = 5 * 60_000

/** @throws ConfigurationError when it is no time */
export function checkedMaxAge(webhook: string, maxAge: number | undefined): number | undefined {
  if (maxAge === undefined || (Number.isFinite(maxAge) && maxAge > 0)) return maxAge
  throw new ConfigurationError(`${webhook}: maxAge must be a number of ms above 0`)
}

/**
 * Whether a signature is of another time than it may be; never where no age was asked for, since a
 * provider that comes again hours later may come with the first signature.
 *
 * @param timestamp of the signature, in s since 1970
 * @param maxAge in ms
 */
export function refusedByAge(
  timestamp: string,
  maxAge: number | undefined,
  receivedAt: Date,
): Refusal | undefined {
  if (maxAge === undefined) return undefined
  const age = receivedAt.getTime() - Number(timestamp) * 1000
  if (age >= -clockSkew && age <= maxAge) return undefined
  const seconds = Math.abs(Math.round(age / 1000))
  return age < 0
    ? {
        kind: 'refused',
        reason: 'clock',
        detail: `the signature is ${seconds} s from now: set the clock of this machine`,
      }
    : { kind: 'refused', reason: 'stale', detail: `the signature is ${seconds} s old` }
}
