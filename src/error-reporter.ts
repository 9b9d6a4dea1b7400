import { type CorrelatorError, messageOf } from './errors.js'
import { checkListener } from './listeners.js'

export interface ErrorReporter {
  report(error: CorrelatorError): void
  on(listener: (error: CorrelatorError) => unknown): () => void
}

/** Tells errors to whoever listens, and warns the first time of each kind when nobody does. */
export function createErrorReporter(): ErrorReporter {
  const listeners = new Set<(error: CorrelatorError) => unknown>()
  const warned = new Set<string>()
  return {
    report(error) {
      if (listeners.size === 0) warnOnce(error, warned)
      for (const listener of listeners) {
        try {
          Promise.resolve(listener(error)).catch(warnOfListener)
        } catch (failure) {
          warnOfListener(failure)
        }
      }
    },
    on(listener) {
      checkListener(listener)
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

function warnOfListener(failure: unknown): void {
  process.emitWarning(`an onError listener failed: ${messageOf(failure)}`, 'MailtrailWarning')
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
