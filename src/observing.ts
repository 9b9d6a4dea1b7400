import { ConfigurationError, messageOf } from './errors.js'
import type { Activity, Fact, Following, Gauges, Observer } from './observer.js'

/** Tells several observers; none of them can harm another, or what is observed. */
export interface Observing {
  notice(fact: Fact): void
  /** Undefined where nobody observes, so that nothing is made for them. */
  begin(activity: Activity): Observed | undefined
  watch(gauges: Gauges): () => void
}

/** Something that all observers follow. */
export interface Observed {
  /** Does the work, with whatever of theirs is to be in force meanwhile. */
  run<Result>(work: () => Result): Result
  /** Ends it; how long it took is added. */
  end(fact: Untimed<Extract<Fact, { duration: number }>>): void
  traceparent?: string
}

/** A fact without its duration. */
type Untimed<Timed> = Timed extends unknown ? Omit<Timed, 'duration'> : never

/** @param now the time in ms, from whenever on */
export function createObserving(
  observers: readonly Observer[],
  now: () => number = () => performance.now(),
): Observing {
  let warned = false

  function harmlessly<Result>(call: () => Result): Result | undefined {
    try {
      return call()
    } catch (error) {
      warn(error)
      return undefined
    }
  }

  function warn(error: unknown): void {
    if (warned) return
    warned = true
    const text = `an observer failed: ${messageOf(error)} (only the first time is shown)`
    process.emitWarning(text, 'MailtrailWarning')
  }

  function notice(fact: Fact): void {
    for (const observer of observers) harmlessly(() => observer.notice?.(fact))
  }

  function within<Result>(following: Following, work: () => Result): () => Result {
    if (!following.run) return work
    return () => {
      let begun = false
      try {
        return following.run?.(() => ((begun = true), work())) as Result
      } catch (error) {
        if (begun) throw error
        warn(error)
        return work()
      }
    }
  }

  return {
    notice,

    begin(activity) {
      if (observers.length === 0) return undefined
      const followings = observers.flatMap(
        (observer) => harmlessly(() => observer.begin?.(activity)) ?? [],
      )
      const traceparent = followings.find((following) => following.traceparent)?.traceparent
      const begunAt = now()
      return {
        run(work) {
          let whole = work
          for (const following of followings) whole = within(following, whole)
          return whole()
        },
        end(untimed) {
          const fact: Fact = { ...untimed, duration: now() - begunAt }
          for (const following of followings) harmlessly(() => following.end?.(fact))
          notice(fact)
        },
        ...(traceparent !== undefined && { traceparent }),
      }
    },

    watch(gauges) {
      const stops = observers.flatMap(
        (observer) => harmlessly(() => observer.watch?.(gauges)) ?? [],
      )
      return () => stops.forEach((stop) => harmlessly(stop))
    },
  }
}

/** Where nobody observes. */
export const unobserved: Observing = createObserving([])

/**
 * Checks an option for observers.
 *
 * @throws ConfigurationError when it is no list of them
 */
export function checkedObservers(caller: string, observers: unknown): readonly Observer[] {
  if (Array.isArray(observers) && observers.every(isObserver)) return observers
  throw new ConfigurationError(
    `${caller}: observers must be a list of what openTelemetry(), prometheus() and logTo() return, or of your own`,
  )
}

function isObserver(value: unknown): value is Observer {
  if (typeof value !== 'object' || value === null) return false
  return ['notice', 'begin', 'watch'].some((name) => typeof Reflect.get(value, name) === 'function')
}

/** The kind of an error where that is a name from code, in which no text from outside can be. */
export function kindOf(error: unknown): string | undefined {
  try {
    const { code, name } = Object(error) as Record<string, unknown>
    if (isName(code, /^(?:[A-Z][A-Z_]{1,40}|[0-9][0-9A-Z]{4})$/)) return code
    return isName(name, /^[A-Za-z]{0,50}Error$/) ? name : undefined
  } catch {
    return undefined
  }
}

function isName(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}
