import { setTimeout as delay } from 'node:timers/promises'
import { SendError } from './errors.js'

/** When a send that came to nothing is tried again. */
export interface Retries {
  /** How often, after the first time. */
  retries: number
  /** Ends the waiting. */
  signal?: AbortSignal | undefined
  /** From 0 to 1; so that many that failed together do not come again together. */
  random?: () => number
  /** Resolves after so many ms, and rejects when the signal comes first. */
  pause?: (wait: number, signal: AbortSignal | undefined) => Promise<void>
}

const firstWait = 500

/** What a provider asks for beyond this is left to the caller, in ms. */
const longestWait = 30_000

/**
 * Tries again what may succeed then, where nothing can have been sent before; an unknown outcome never is.
 * The provider's own wish for a later time goes before the back-off.
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { retries, signal, random = Math.random, pause = sleep }: Retries,
): Promise<T> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await attempt()
    } catch (error) {
      const wait = retry < retries ? waitAfter(error, retry, random) : undefined
      if (wait === undefined) throw error
      try {
        await pause(wait, signal)
      } catch {
        // Aborted: the failure that it was waiting after says more.
        throw error
      }
    }
  }
}

const sleep = (wait: number, signal: AbortSignal | undefined): Promise<void> =>
  delay(wait, undefined, signal && { signal })

function waitAfter(error: unknown, retry: number, random: () => number): number | undefined {
  if (!(error instanceof SendError) || !error.retryable || error.outcome !== 'not-sent') {
    return undefined
  }
  const { retryAfter } = error
  if (retryAfter !== undefined) return retryAfter <= longestWait ? retryAfter : undefined
  const most = Math.min(firstWait * 2 ** retry, longestWait)
  return most / 2 + (random() * most) / 2
}
