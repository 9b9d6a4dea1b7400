import { ConfigurationError } from './errors.js'
import type { UnsupportedPolicy } from './mail-options.js'
import type { SendRecorder } from './provider.js'

/** What the transports of all providers take. */
export interface TransportOptions {
  /** Another server that speaks the provider's API, such as a simulated one. */
  baseUrl?: string
  /** How long the provider may take to answer, in ms; default 30,000. */
  timeout?: number
  /** What is done about fields that the provider cannot carry; default `throw`. */
  unsupported?: UnsupportedPolicy
  /** Records every message, so that webhooks can be matched to it. */
  correlator?: SendRecorder
}

/** How long a provider may take to answer unless the caller says otherwise, in ms. */
export const defaultTimeout = 30_000

// What Node's timers can wait for, with a margin; they fire at once for anything longer.
const longestTimeout = 2_000_000_000

/**
 * An option that can come from the environment too, without the white space around it.
 *
 * @throws ConfigurationError when it is missing
 */
export function requiredOption(
  transport: string,
  option: string,
  given: string | undefined,
  variable: string,
): string {
  const value = (given ?? process.env[variable])?.trim()
  if (value) return value
  throw new ConfigurationError(
    `${transport}: ${option} is missing: pass { ${option} }, or set ${variable}`,
  )
}

/**
 * A base URL without the slash at its end.
 *
 * @throws ConfigurationError when it is none
 */
export function checkedBaseUrl(transport: string, baseUrl: string): string {
  if (/^https?:\/\//i.test(baseUrl) && URL.canParse(baseUrl)) return baseUrl.replace(/\/+$/, '')
  throw new ConfigurationError(
    `${transport}: baseUrl is not an http or https URL: ${JSON.stringify(baseUrl)}`,
  )
}

/** @throws ConfigurationError when no timer can wait for it */
export function checkedTimeout(transport: string, timeout: number): number {
  if (timeout > 0 && timeout <= longestTimeout) return timeout
  throw new ConfigurationError(
    `${transport}: timeout must be a number of ms above 0, and is ${timeout}`,
  )
}
