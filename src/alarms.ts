import {
  type AlarmOptions,
  checkedAlarmOptions,
  type Counts,
  type FailureCondition,
  type Failures,
  failuresIn,
  isFailing,
  isSilent,
  lastSpan,
  longestWindow,
  outOf,
  settledSpan,
  type SilenceCondition,
  type Span,
} from './alarm-conditions.js'
import { StoreError } from './errors.js'
import { harmlessly } from './harmlessly.js'
import type { SentMessage } from './message.js'
import type { Store } from './store.js'

/** When an alarm was raised, and whether it is over. */
interface AlarmState {
  state: 'raised' | 'over'
  /** When it was raised. */
  since: Date
  provider: string
  /** Within which was measured, in ms. */
  window: number
}

/** Too many messages failed to be sent. It is over when the rate has fallen to half of what is allowed. */
export interface FailureRateAlarm extends AlarmState, Failures {
  kind: 'failure-rate'
}

/** A message was not sent that must be. There is nothing that would end it. */
export interface CriticalMessageAlarm {
  kind: 'critical-message'
  state: 'raised'
  /** Those of its tags that make it one. */
  tags: string[]
  message: SentMessage
}

/**
 * A provider's events stay away. It is over with the first event of a message that raised it, or was sent since;
 * of the last week's.
 */
export interface SilenceAlarm extends AlarmState {
  kind: 'silence'
  /** How many messages went out without an event; when it is over, how many since then. */
  messages: number
}

/** What an `alarm` listener is told: a `switch` on `alarm` is exhaustive. */
export type Alarm = FailureRateAlarm | CriticalMessageAlarm | SilenceAlarm

export interface AlarmParts {
  store: Pick<Store, 'counts'>
  options?: AlarmOptions
  /** Called once when an alarm is raised, and once when it is over. What it throws is a process warning. */
  tell: (alarm: Alarm) => unknown
  /** Called when the store begins to fail. */
  report: (error: StoreError) => void
  /** In ms since 1970. */
  now?: () => number
}

/**
 * Watches what is counted of all processes' messages, and the messages of this one. What is raised is known in
 * this process alone: each process that watches tells it, and tells it again after a restart.
 */
export interface Alarms {
  /** Takes note of a message that was sent, or failed. */
  sent(message: SentMessage): void
  /** Asks the store now. Never rejects: while the store fails, nothing is raised and nothing ends. */
  check(): Promise<void>
  /** Nothing is told from now on. */
  close(): void
}

/** Measures, and then says what that raises and ends. */
type Watch = (now: number) => Promise<() => Alarm[]>

type Ask = (span: Span, provider?: string) => Promise<ReadonlyMap<string, Counts>>

/** A store that takes longer counts as failing, in ms; it is not asked again before it answers. */
const longestAnswer = 30_000

/** There are never so many. */
const mostProviders = 1000

/** @throws ConfigurationError when an option is wrong */
export function createAlarms({
  store,
  options = {},
  tell,
  report,
  now = Date.now,
}: AlarmParts): Alarms {
  const { failureRate, criticalTags, silence, every } = checkedAlarmOptions(options)
  const ask: Ask = async (span, provider) => {
    const by = { dimension: 'minute', by: 'provider', limit: mostProviders } as const
    const rows = await store.counts({ ...by, ...span, ...(provider !== undefined && { provider }) })
    return new Map(rows.map(({ key, counts }) => [key, counts]))
  }
  const watches: Watch[] = [
    ...(failureRate ? [watchFailures(ask, failureRate)] : []),
    ...(silence ? [watchSilence(ask, silence)] : []),
  ]
  let checking: Promise<void> | undefined
  let failing = false
  let closed = false

  function announce(alarm: Alarm): void {
    if (!closed) harmlessly('a listener of alarms', () => tell(alarm))
  }

  function failed(cause: unknown): void {
    if (!failing && !closed) {
      const error = new StoreError('looking for alarms', cause)
      harmlessly('a listener of errors', () => report(error))
    }
    failing = true
  }

  async function look(): Promise<void> {
    const late = (): void => failed(new Error('it did not answer in time'))
    const timer = setTimeout(late, longestAnswer).unref()
    try {
      const time = now()
      for (const watch of watches) {
        const decide = await watch(time)
        for (const alarm of decide()) announce(alarm)
      }
      failing = false
    } catch (cause) {
      failed(cause)
    } finally {
      clearTimeout(timer)
    }
  }

  async function check(): Promise<void> {
    if (closed) return
    checking ??= look().finally(() => (checking = undefined))
    await checking
  }

  const timer = setInterval(() => void check(), every).unref()

  return {
    sent(message) {
      const tags = criticalTags.filter((tag) => message.tags.includes(tag))
      if (!message.failFlag || tags.length === 0) return
      announce({ kind: 'critical-message', state: 'raised', tags, message })
    },
    check,
    close() {
      closed = true
      clearInterval(timer)
    },
  }
}

function watchFailures(ask: Ask, condition: FailureCondition): Watch {
  const { window } = condition
  /** When it was raised, by provider. */
  const raised = new Map<string, number>()
  return async (now) => {
    const counts = await ask(lastSpan(window, now))
    return () =>
      namesIn(counts, raised).flatMap((provider): Alarm[] => {
        const known = raised.get(provider)
        const failures = failuresIn(counts.get(provider) ?? {})
        const isRaised = isFailing(failures, condition, known !== undefined)
        if (isRaised === (known !== undefined)) return []
        if (isRaised) raised.set(provider, now)
        else raised.delete(provider)
        const state = isRaised ? 'raised' : 'over'
        const since = new Date(known ?? now)
        return [{ kind: 'failure-rate', state, provider, since, ...failures, window }]
      })
  }
}

function watchSilence(ask: Ask, condition: SilenceCondition): Watch {
  const { window } = condition
  /** When it was raised, and from when on the messages are of which nothing was heard, by provider. */
  const raised = new Map<string, { at: number; from: number }>()
  return async (now) => {
    const last = lastSpan(window, now)
    const settled = await ask(settledSpan(condition, now))
    const all = new Map(await ask(last))
    for (const [provider, { from }] of raised) {
      // Late events may come for messages that have left the window since.
      const longer = await ask({ ...last, from: Math.max(from, now - longestWindow) }, provider)
      all.set(provider, longer.get(provider) ?? {})
    }
    return () =>
      namesIn(all, raised).flatMap((provider): Alarm[] => {
        const known = raised.get(provider)
        const [old = {}, whole = {}] = [settled.get(provider), all.get(provider)]
        const isRaised = isSilent(old, whole, condition, known !== undefined)
        if (isRaised === (known !== undefined)) return []
        if (isRaised) raised.set(provider, { at: now, from: last.from })
        else raised.delete(provider)
        const state = isRaised ? 'raised' : 'over'
        const since = new Date(known?.at ?? now)
        const messages = outOf(isRaised ? old : whole)
        return [{ kind: 'silence', state, provider, since, messages, window }]
      })
  }
}

/** The providers that were measured, or have an alarm. */
function namesIn(
  counts: ReadonlyMap<string, Counts>,
  raised: ReadonlyMap<string, unknown>,
): string[] {
  return [...new Set([...counts.keys(), ...raised.keys()])]
}
