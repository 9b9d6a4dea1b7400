import { ConfigurationError, type SendError } from './errors.js'
import { createNodemailerTransport } from './nodemailer-transport.js'
import type { Sender } from './sender.js'
import type { ProviderTransport } from './transporter.js'

/** When the next provider is tried. */
export interface FailoverOptions {
  /**
   * What is done with a message that a provider may have taken, though nobody knows: `stop`, the default,
   * leaves it to the events that come; `next` tries the next provider, and may send it twice.
   */
  afterUnknown?: 'stop' | 'next'
}

/**
 * Tries each message with the first transport, and with the next one when it was not sent. It stays one
 * message: with one `trackingId`, one 'sent', and events of any of the providers told as its own. Each try
 * that failed stands in its `earlierAttempts`.
 *
 * It goes on after whatever left the message unsent, but for what another provider would not mend: content
 * that cannot be read, recipients that were rejected, an aborted `signal`.
 *
 * ```ts
 * const transport = failoverTransport([sendgridTransport({ correlator }), mailgunTransport({ correlator })])
 * ```
 *
 * @throws ConfigurationError for fewer than two transports, for others than mailtrail's, and when they
 *   have not all the same correlator, or none
 */
export function failoverTransport(
  transports: readonly ProviderTransport[],
  options: FailoverOptions = {},
): ProviderTransport {
  return overSeveral('failover', transports, options, (senders) => senders)
}

/**
 * Begins each message with another of the transports, in turn, and goes on from there as
 * `failoverTransport` does.
 *
 * @throws ConfigurationError as `failoverTransport`
 */
export function roundRobinTransport(
  transports: readonly ProviderTransport[],
  options: FailoverOptions = {},
): ProviderTransport {
  let turn = 0
  return overSeveral('round-robin', transports, options, (senders) => {
    const first = turn++ % senders.length
    return [...senders.slice(first), ...senders.slice(0, first)]
  })
}

function overSeveral(
  name: 'failover' | 'round-robin',
  transports: readonly ProviderTransport[],
  { afterUnknown = 'stop' }: FailoverOptions,
  order: (senders: readonly Sender[]) => readonly Sender[],
): ProviderTransport {
  const function_ = name === 'failover' ? 'failoverTransport' : 'roundRobinTransport'
  if (!['stop', 'next'].includes(afterUnknown)) {
    throw new ConfigurationError(
      `${function_}: afterUnknown must be 'stop' or 'next', and is ${JSON.stringify(afterUnknown)}`,
    )
  }
  const senders = sendersOf(function_, transports)
  if (new Set(senders.map(({ correlator }) => correlator)).size > 1) {
    throw new ConfigurationError(
      `${function_}: give each of the transports the same correlator, for a message is recorded once`,
    )
  }
  return createNodemailerTransport(name, senders, {
    inOrder: () => order(senders),
    goesOn: ({ outcome }: SendError) => outcome === 'not-sent' || afterUnknown === 'next',
  })
}

function sendersOf(caller: string, transports: readonly ProviderTransport[]): Sender[] {
  if (!Array.isArray(transports) || transports.length < 2) {
    throw new ConfigurationError(`${caller} takes a list of two transports at least`)
  }
  return transports.flatMap((transport, index) => {
    if (Array.isArray(transport?.senders)) return [...transport.senders]
    throw new ConfigurationError(
      `${caller}: transport ${index + 1} is none of mailtrail's, and would lose track of a message`,
    )
  })
}
