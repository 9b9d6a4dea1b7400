import { type Correlator, createCorrelator } from '../correlator.js'
import type { Configuration } from './configuration.js'
import type { ExitCode } from './io.js'

/** Works with the store of the configuration, and closes it whatever becomes of that. */
export async function withCorrelator(
  configuration: Configuration,
  work: (correlator: Correlator) => Promise<ExitCode>,
): Promise<ExitCode> {
  const correlator = createCorrelator({ store: configuration.store() })
  // The work rejects with what fails, so a warning would only say it again.
  correlator.onError(() => {})
  try {
    return await work(correlator)
  } finally {
    await correlator.close()
  }
}
