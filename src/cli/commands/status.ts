import type { Suppression } from '../../store.js'
import type { TrackedMessage } from '../../tracked-message.js'
import type { Configuration } from '../configuration.js'
import { dayAndTime, inWords } from '../event-words.js'
import { createPrinter, type ExitCode, type Io, type Printer } from '../io.js'
import { withCorrelator } from '../with-correlator.js'

export interface StatusOptions {
  /** How many messages to an address are told. */
  limit: number
  json?: boolean
}

/** Tells what became of a message, or of the latest ones to an address. */
export async function status(
  what: string,
  { limit, json }: StatusOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  return withCorrelator(configuration, async (correlator) => {
    if (!what.includes('@')) {
      const message = await correlator.message(what)
      if (!message) return nothing(printer, `There is no message ${what}.`)
      tellMessage(printer, message)
      return 0
    }
    const { messages } = await correlator.find({ recipient: what }, { limit })
    for (const [index, { trackingId }] of messages.entries()) {
      const message = await correlator.message(trackingId)
      if (index > 0) printer.line()
      if (message) tellMessage(printer, message)
    }
    const suppressions = await correlator.suppressions.get(what)
    for (const suppression of suppressions) tellSuppression(printer, suppression)
    return messages.length + suppressions.length > 0
      ? 0
      : nothing(printer, `Nothing is known of ${what}.`)
  })
}

function nothing(printer: Printer, words: string): ExitCode {
  printer.line(words)
  return 1
}

function tellMessage(printer: Printer, message: TrackedMessage): void {
  const { trackingId, subject = 'no subject', provider, sentAt, recipients, events } = message
  printer.record(message)
  printer.line(`${printer.bold(`“${subject}”`)}  ${message.status}`)
  printer.line(`  ${trackingId}, through ${provider}`)
  // What was refused, failed, or was cut off is not to be read as if it had gone out.
  printer.line(`  ${dayAndTime(sentAt)}  ${message.error ? 'tried' : 'sent'}`)
  if (message.error) printer.line(`  ${printer.red(message.error.message)}`)
  for (const event of events) printer.line(`  ${dayAndTime(event.occurredAt)}  ${inWords(event)}`)
  for (const recipient of recipients) {
    const done = Object.entries(recipient.engagement).map(([kind, engagement]) =>
      engagement.count === 1 ? kind : `${kind} ${engagement.count} times`,
    )
    printer.line(
      `  ${recipient.address} (${recipient.kind}): ${[recipient.status, ...done].join(', ')}`,
    )
  }
}

function tellSuppression(printer: Printer, suppression: Suppression): void {
  const { address, cause, since, scope } = suppression
  printer.record({ suppression })
  const of =
    scope.kind === 'all' ? 'It is not mailed' : `It is not mailed for ${scope.kind} ${scope.id}`
  printer.line(printer.yellow(`${address}: ${of}: ${cause}, since ${dayAndTime(since)}`))
}
