import type { BeforeSend } from './before-send.js'
import { ConfigurationError } from './errors.js'
import { longestTimer } from './in-time.js'
import type { Observer } from './observer.js'
import { checkedObservers } from './observing.js'
import type { SendRecorder } from './provider.js'
import type { UnsupportedPolicy } from './unsupported-fields.js'

/** What the transports of all providers take. */
export interface TransportOptions {
  /** Another server that speaks the provider's API, such as a simulated one. */
  baseUrl?: string
  /** How long the provider may take to answer, in ms; default 30,000. */
  timeout?: number
  /**
   * How often a send that came to nothing is tried again, with growing waits; default 2, and 0 is never.
   * What may have been sent is not: it would go out twice.
   */
  retries?: number
  /** What is done about fields that the provider cannot carry; default `throw`. */
  unsupported?: UnsupportedPolicy
  /** Records every message, so that webhooks can be matched to it. */
  correlator?: SendRecorder
  /**
   * Told of what is sent, for metrics, traces and logs. A transport with a correlator needs none of its own: those
   * of the correlator are told.
   */
  observers?: readonly Observer[]
  /**
   * Where answers are received, such as `reply@in.example.com`: a message that names no `replyTo` of its
   * own then asks for answers to `reply+<trackingId>@in.example.com`, by which inbound mail finds its
   * message whatever providers and mail programs do to Message-IDs.
   */
  replyAddress?: string
  /**
   * Asked before a message is sent, with who and what it is about: it may change the message, refuse
   * some of its recipients, or cancel it by throwing. It has `timeout` to answer.
   */
  beforeSend?: BeforeSend
}

/** How long a provider may take to answer unless the caller says otherwise, in ms. */
export const defaultTimeout = 30_000

const defaultRetries = 2
const mostRetries = 20

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
  const value: unknown = given ?? process.env[variable]
  if (typeof value === 'string' && value.trim() !== '') return value.trim()
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

type CheckedOptions = Required<
  Pick<TransportOptions, 'timeout' | 'retries' | 'unsupported' | 'observers'>
> &
  Pick<TransportOptions, 'correlator' | 'replyAddress' | 'beforeSend'>

/**
 * The options that every transport has, with their defaults.
 *
 * @throws ConfigurationError for what no timer can wait for, and for values that mean nothing
 */
export function checkedTransportOptions(
  transport: string,
  options: TransportOptions,
): CheckedOptions {
  const {
    timeout = defaultTimeout,
    retries = defaultRetries,
    unsupported = 'throw',
    correlator,
    observers = [],
    replyAddress,
    beforeSend,
  } = options
  if (typeof timeout !== 'number' || !(timeout > 0 && timeout <= longestTimer)) {
    throw new ConfigurationError(
      `${transport}: timeout must be a number of ms above 0, and is ${String(timeout)}`,
    )
  }
  if (!Number.isInteger(retries) || retries < 0 || retries > mostRetries) {
    throw new ConfigurationError(
      `${transport}: retries must be a whole number from 0 to ${mostRetries}, and is ${String(retries)}`,
    )
  }
  if (!['throw', 'warn', 'ignore'].includes(unsupported)) {
    throw new ConfigurationError(
      `${transport}: unsupported must be 'throw', 'warn' or 'ignore', and is ${JSON.stringify(unsupported)}`,
    )
  }
  if (correlator !== undefined && typeof correlator?.recordSending !== 'function') {
    throw new ConfigurationError(`${transport}: correlator must be what createCorrelator() gave`)
  }
  if (beforeSend !== undefined && typeof beforeSend !== 'function') {
    throw new ConfigurationError(`${transport}: beforeSend must be a function`)
  }
  // A local part has room for 64 characters, of which an id with its plus takes 37.
  if (replyAddress !== undefined && !/^[^\s<>@+]{1,27}@[^\s<>@]+$/.test(replyAddress)) {
    throw new ConfigurationError(
      `${transport}: replyAddress must be a bare address with at most 27 characters before the @ and no +, and is ${JSON.stringify(replyAddress)}`,
    )
  }
  return {
    timeout,
    retries,
    unsupported,
    observers: checkedObservers(transport, observers),
    ...(correlator && { correlator }),
    ...(replyAddress !== undefined && { replyAddress }),
    ...(beforeSend && { beforeSend }),
  }
}
