import type { Correlator } from '../correlator.js'
import { messageOf, SendError, WaitError } from '../errors.js'
import type { ProviderKit, ProviderSettings } from '../provider-kit.js'
import type { SentInfo } from '../transporter.js'
import type { Configuration } from './configuration.js'
import { inWords } from './event-words.js'
import { createPrinter, type ExitCode, type Io, type Printer } from './io.js'

export interface RoundTripOptions {
  to?: string
  from?: string
  event: 'accepted' | 'delivered' | 'bounced'
  /** In seconds. */
  timeout: number
  json?: boolean
}

/** Sends a message, and waits for what its events make of it in the store of a correlator. */
export async function roundTrip(
  kit: ProviderKit,
  settings: ProviderSettings,
  correlator: Correlator,
  { from = 'shop@example.com', to = 'ann@example.com', event, timeout, json }: RoundTripOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const refusals: string[] = []
  correlator.onError((error) => void refusals.push(error.message))
  printer.line(printer.bold(kit.title))
  const started = Date.now()
  let info: SentInfo
  try {
    const { default: nodemailer } = await import('nodemailer')
    const transporter = nodemailer.createTransport(kit.createTransport(settings, { correlator }))
    info = await transporter.sendMail({
      from,
      to,
      subject: 'A test by mailtrail verify',
      text: 'This message shows that mail goes out and that its events come in.',
      tags: ['mailtrail-verify'],
      ignoreSuppressions: true,
      [kit.provider]: configuration.mail(kit),
    })
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    return failed(printer, kit, 'not-sent', error.message)
  }
  printer.line(`  sent after ${since(started)}: ${info.response}, ${info.trackingId}`)
  const [fault] = [...kit.findAnswerFaults(info), ...kit.findMailFaults(configuration.mail(kit))]
  if (fault) {
    return failed(printer, kit, fault.code, fault.what, fault.todo)
  }
  try {
    const found = await correlator.waitFor(info.trackingId, event, {
      timeout: timeout * 1000,
      signal: io.signal,
    })
    const { trackingId } = info
    printer.record({ provider: kit.provider, ok: true, trackingId, event: found })
    printer.line(`  ${printer.green(event)} after ${since(started)}: ${inWords(found)}`)
    return 0
  } catch (error) {
    if (!(error instanceof WaitError)) throw error
    const refused = refusals.map((words) => `; a webhook came, and was refused: ${words}`).at(-1)
    const what =
      error.code === 'ETIMEDOUT'
        ? `no ${event} event came within ${timeout} s${refused ?? ''}`
        : messageOf(error)
    const code = error.code === 'ETIMEDOUT' ? 'no-event' : 'ruled-out'
    return failed(printer, kit, code, what, `mailtrail doctor ${kit.provider} looks for the reason`)
  }
}

const since = (started: number): string => `${((Date.now() - started) / 1000).toFixed(1)} s`

function failed(
  printer: Printer,
  { provider }: ProviderKit,
  code: string,
  what: string,
  todo?: string,
): ExitCode {
  printer.record({ provider, ok: false, code, what })
  printer.line(`  ${printer.red(code)}: ${what}`)
  if (todo !== undefined) printer.line(`  ${todo}`)
  return 1
}
