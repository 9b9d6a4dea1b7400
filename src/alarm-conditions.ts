import { ConfigurationError } from './errors.js'
import { longestTimer } from './in-time.js'
import type { CountQuery, CountRow } from './store.js'

/** What a team wants to be woken for. */
export interface AlarmOptions {
  /**
   * Too many messages of one provider failed to be sent: more than the part `above` (default 0.1) of those that
   * were tried within the last `window` ms (default an hour), of which there must be `minimum` (default 20). A
   * message of which nobody knows whether it was taken counts as neither, and one that was taken and bounced as
   * sent. `false` for no such alarm.
   */
  failureRate?: Partial<FailureCondition> | false
  /**
   * A message with one of these tags that was not sent is an alarm at once, each by itself; default `critical`,
   * `transactional` and `password-reset`. So is one of which nobody knows whether it was taken: its
   * `error.outcome` is `unknown` then.
   */
  criticalTags?: readonly string[]
  /**
   * Mail goes out and no events come in: of `minimum` messages (default 10) that one provider took within the
   * last `window` ms (default an hour) and longer than `grace` ms ago (default 15 minutes) no event came, nor
   * of any later one. `false` for no such alarm.
   */
  silence?: Partial<SilenceCondition> | false
  /** How often the store is asked, in ms; default one minute. */
  every?: number
}

/** When too many messages fail to be sent. */
export interface FailureCondition {
  /** The part of the messages that may fail, from 0 to 1. */
  above: number
  /** In ms. */
  window: number
  /** Fewer messages than these say nothing. */
  minimum: number
}

/** When a provider's events stay away. */
export interface SilenceCondition {
  /** In ms. */
  window: number
  /** How long events may take to come, in ms. */
  grace: number
  /** Fewer messages than these say nothing. */
  minimum: number
}

/** The messages of a span whose end is known. */
export interface Failures {
  failed: number
  /** Those that failed and those that a provider took; of the others nobody knows yet. */
  messages: number
  /** From 0 to 1; 0 where there are no messages. */
  rate: number
}

/** From then on, and before then, in ms since 1970. */
export type Span = Pick<CountQuery, 'from' | 'to'>

/** Of what was not counted there is nothing. */
export type Counts = Partial<CountRow['counts']>

const minute = 60_000
const hour = 60 * minute

/** What is longer ago is not looked at, in ms. */
export const longestWindow = 7 * 24 * hour

/** It ends at this part of the rate that raised it, for one message more or less would raise it again. */
const calmPart = 1 / 2

const defaultTags = ['critical', 'transactional', 'password-reset']

/** What was given, with the defaults for the rest. */
export interface CheckedAlarmOptions {
  failureRate: FailureCondition | undefined
  criticalTags: readonly string[]
  silence: SilenceCondition | undefined
  every: number
}

/** @throws ConfigurationError for whatever would only fail later, or never be noticed */
export function checkedAlarmOptions(options: AlarmOptions = {}): CheckedAlarmOptions {
  const { failureRate = {}, criticalTags = defaultTags, silence = {}, every = minute } = options
  if (!Array.isArray(criticalTags) || criticalTags.some((tag) => typeof tag !== 'string')) {
    throw new ConfigurationError('alarms: criticalTags must be a list of tags')
  }
  checkNumber('every', every, 1, longestTimer)
  return {
    failureRate: failureRate === false ? undefined : checkedFailures(failureRate),
    criticalTags: [...criticalTags],
    silence: silence === false ? undefined : checkedSilence(silence),
    every,
  }
}

function checkedFailures(given: Partial<FailureCondition>): FailureCondition {
  checkObject('failureRate', given)
  const { above = 0.1, window = hour, minimum = 20 } = given
  checkNumber('failureRate.above', above, 0, 1)
  checkNumber('failureRate.window', window, minute, longestWindow)
  checkNumber('failureRate.minimum', minimum, 1, Infinity)
  return { above, window, minimum }
}

function checkedSilence(given: Partial<SilenceCondition>): SilenceCondition {
  checkObject('silence', given)
  const { window = hour, grace = 15 * minute, minimum = 10 } = given
  checkNumber('silence.window', window, minute, longestWindow)
  // What is counted is counted by the minute, so one must be between them.
  checkNumber('silence.grace', grace, 0, window - minute)
  checkNumber('silence.minimum', minimum, 1, Infinity)
  return { window, grace, minimum }
}

function checkObject(option: string, value: unknown): void {
  if (typeof value === 'object' && value !== null) return
  throw new ConfigurationError(`alarms: ${option} must be an object, or false for no such alarm`)
}

function checkNumber(option: string, value: unknown, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return
  throw new ConfigurationError(
    `alarms: ${option} must be a number from ${least} to ${most}, and is ${String(value)}`,
  )
}

/** The last so many ms: the minute in which they begin is counted as a whole. */
export function lastSpan(window: number, now: number): Span {
  return { from: minuteOf(now - window), to: now + 1 }
}

/** The minutes of a window whose messages are all older than the grace. */
export function settledSpan({ window, grace }: SilenceCondition, now: number): Span {
  return { from: minuteOf(now - window), to: minuteOf(now - grace) }
}

export function failuresIn({ sent = 0, unsent = 0 }: Counts): Failures {
  const messages = sent + unsent
  return { failed: unsent, messages, rate: messages === 0 ? 0 : unsent / messages }
}

/**
 * Whether so many failures are an alarm. One that is raised stays until the rate has fallen to half of what is
 * allowed, with however few messages.
 */
export function isFailing(
  { messages, rate }: Failures,
  { above, minimum }: FailureCondition,
  raised: boolean,
): boolean {
  return raised ? rate > above * calmPart : messages >= minimum && rate > above
}

/**
 * Whether a provider is silent. One that is stays so until an event comes: fewer messages are no sign of it.
 *
 * @param settled what is counted of messages that are old enough for events
 * @param all what is counted of these and of all later ones
 */
export function isSilent(
  settled: Counts,
  all: Counts,
  { minimum }: Pick<SilenceCondition, 'minimum'>,
  raised: boolean,
): boolean {
  return (raised || outOf(settled) >= minimum) && !isHeardOf(all)
}

/** How many messages went out: of one that failed no event comes. */
export function outOf({ sent = 0 }: Counts): number {
  return sent
}

/** Whether any event is among what is counted. */
function isHeardOf(counts: Counts): boolean {
  const { deferred = 0, delivered = 0, bounced = 0, accepted = 0, pending = 0 } = counts
  const { opened = 0, clicked = 0, complained = 0, unsubscribed = 0 } = counts
  const byEventsAlone =
    deferred + delivered + bounced + opened + clicked + complained + unsubscribed
  // A provider's answer may say accepted, rejected and failed too, but each message that went out has a
  // recipient that was accepted: where these are fewer, events have moved some of them on.
  return byEventsAlone > 0 || accepted + pending < outOf(counts)
}

function minuteOf(time: number): number {
  return time - (time % minute)
}
