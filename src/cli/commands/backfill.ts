import type { Configuration } from '../configuration.js'
import { createPrinter, type ExitCode, type Io } from '../io.js'
import { startProgress } from '../progress.js'
import { kitNamed } from '../providers.js'
import { timeIn } from '../times.js'
import { withCorrelator } from '../with-correlator.js'

export interface BackfillCommandOptions {
  from: string
  to?: string
  json?: boolean
}

/** Fetches from a provider the events that no webhook has told. */
export async function backfill(
  provider: string,
  { from, to, json }: BackfillCommandOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const kit = kitNamed(provider)
  const span = {
    from: timeIn(from, io.now()),
    ...(to !== undefined && { to: timeIn(to, io.now()) }),
  }
  const history = kit.createHistory(configuration.settings(kit))
  return withCorrelator(configuration, async (correlator) => {
    const progress = await startProgress(io, `Asking ${kit.title}`, { json })
    const result = await correlator.backfill(history, {
      ...span,
      signal: io.signal,
      onProgress: ({ pages, events }) =>
        progress.reached(pages, `${events} events, ${pages} pages`),
    })
    const { events, missed, resumed } = result
    progress.end(
      `${kit.title} has told ${events} events${resumed ? ', going on from before' : ''}.`,
    )
    printer.record(result)
    printer.line(`${missed} of ${events} events were missed, and are stored now.`)
    return 0
  })
}
