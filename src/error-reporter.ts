import { type CorrelatorError, messageOf, type WebhookError } from './errors.js'
import { checkListener } from './listeners.js'

export interface ErrorReporter {
  report(error: CorrelatorError): void
  on(listener: (error: CorrelatorError) => unknown): () => void
  /** Refused webhooks alone. */
  onRefused(listener: (refusal: WebhookError) => unknown): () => void
  offRefused(listener: unknown): void
}

/** Tells errors to whoever listens, and warns the first time of each kind when nobody does. */
export function createErrorReporter(): ErrorReporter {
  const listeners = new Set<(error: CorrelatorError) => unknown>()
  const refusedListeners = new Set<(refusal: WebhookError) => unknown>()
  const warned = new Set<string>()
  return {
    report(error) {
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

function call<E>(listener: (error: E) => unknown, error: E): void {
  try {
    Promise.resolve(listener(error)).catch(warnOfListener)
  } catch (failure) {
    warnOfListener(failure)
  }
}

function warnOfListener(failure: unknown): void {
  process.emitWarning(`a listener of errors failed: ${messageOf(failure)}`, 'MailtrailWarning')
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
