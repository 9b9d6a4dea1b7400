import type { CorrelatorError, WebhookError } from './errors.js'
import { harmlessly } from './harmlessly.js'
import { checkListener } from './listeners.js'
import type { FailureFact } from './observer.js'
import { kindOf, unobserved } from './observing.js'

export interface ErrorReporter {
  report(error: CorrelatorError): void
  on(listener: (error: CorrelatorError) => unknown): () => void
  /** Refused webhooks alone. */
  onRefused(listener: (refusal: WebhookError) => unknown): () => void
  offRefused(listener: unknown): void
}

/** Tells errors to whoever listens, and warns the first time of each kind when nobody does. */
export function createErrorReporter(observing = unobserved): ErrorReporter {
  const listeners = new Set<(error: CorrelatorError) => unknown>()
  const refusedListeners = new Set<(refusal: WebhookError) => unknown>()
  const warned = new Set<string>()
  return {
    report(error) {
      const failure = toFailure(error)
      if (failure) observing.notice(failure)
      const refusal = error.code === 'EWEBHOOK' ? error : undefined
      if (listeners.size + (refusal ? refusedListeners.size : 0) === 0) warnOnce(error, warned)
      for (const listener of listeners) call(listener, error)
      if (refusal) for (const listener of refusedListeners) call(listener, refusal)
    },
    on(listener) {
      checkListener(listener)
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    onRefused(listener) {
      checkListener(listener)
      refusedListeners.add(listener)
      return () => void refusedListeners.delete(listener)
    },
    offRefused(listener) {
      for (const known of refusedListeners) if (known === listener) refusedListeners.delete(known)
    },
  }
}

/** What is not told where it happened: observers follow requests and listeners themselves. */
function toFailure(error: CorrelatorError): FailureFact | undefined {
  if (error.code !== 'ESTORE' && error.code !== 'EQUEUE') return undefined
  const cause = kindOf(error.cause)
  const of = error.code === 'ESTORE' ? 'store' : 'queue'
  return { kind: 'failure', of, doing: error.doing, ...(cause !== undefined && { cause }) }
}

function call<E>(listener: (error: E) => unknown, error: E): void {
  harmlessly('a listener of errors', () => listener(error))
}

function warnOnce(error: CorrelatorError, warned: Set<string>): void {
  const kind = error.code === 'EWEBHOOK' ? `${error.webhook} ${error.reason}` : error.code
  if (warned.has(kind)) return
  warned.add(kind)
  process.emitWarning(
    `${error.message} (only the first of its kind is shown: listen with correlator.onError)`,
    'MailtrailWarning',
  )
}
