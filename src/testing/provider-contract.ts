import { eventChecks } from './provider-contract-events.js'
import { failureChecks } from './provider-contract-failures.js'
import { fieldChecks } from './provider-contract-fields.js'
import { repetitionChecks } from './provider-contract-repetition.js'
import { requestChecks } from './provider-contract-requests.js'
import { sendingChecks } from './provider-contract-sending.js'
import { openProvider, type ProviderUnderTest } from './provider-steps.js'

/** One case of what every provider must do. */
export interface ProviderCase {
  name: string
  /** Rejects with what is wrong. */
  run: () => Promise<void>
}

/**
 * Everything that a provider must do, as cases for any test runner. Each starts a simulator and a
 * correlator of its own on free ports of this machine, so they may run in any order.
 *
 * @example
 * ```ts
 * import { test } from 'node:test'
 *
 * const cases = providerContract({
 *   provider: 'mandrill',
 *   open(webhookUrl) {
 *     const simulator = mandrillSimulator({ apiKey, webhookUrl })
 *     const key = simulator.webhookKey
 *     return {
 *       simulator,
 *       webhook: (options) => mandrillWebhook({ key, url: webhookUrl, ...options }),
 *       transport: (options) => mandrillTransport({ apiKey, ...options }),
 *       secrets: { sending: [apiKey], receiving: [key] },
 *     }
 *   },
 *   withoutKeys: [() => mandrillWebhook(), () => mandrillTransport()],
 *   unsupported: { dsn: { dsn: { id: '1', return: 'headers', notify: 'failure' } } },
 * })
 * for (const { name, run } of cases) test(name, run)
 * ```
 */
export function providerContract(subject: ProviderUnderTest): ProviderCase[] {
  const checks = {
    ...requestChecks(subject),
    ...eventChecks(subject),
    ...repetitionChecks,
    ...sendingChecks,
    ...failureChecks,
    ...fieldChecks(subject),
  }
  return Object.entries(checks).map(([name, check]) => ({
    name,
    async run() {
      const opened = await openProvider(subject)
      try {
        await check(opened)
      } finally {
        await opened.close()
      }
    },
  }))
}
