import { UsageError } from '../../errors.js'
import type { Configuration } from '../configuration.js'
import { createPrinter, type ExitCode, type Io } from '../io.js'
import { startProgress } from '../progress.js'
import { timeIn } from '../times.js'
import { withCorrelator } from '../with-correlator.js'

export interface PruneOptions {
  messages?: string
  events?: string
  counts?: string
  json?: boolean
}

/** Removes what is older than it is to be kept. */
export async function prune(
  { messages, events, counts, json }: PruneOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const now = io.now()
  const retention = Object.fromEntries(
    Object.entries({ messages, events, counts }).flatMap(([name, written]): [string, Date][] =>
      written === undefined ? [] : [[name, pastTime(written, now)]],
    ),
  )
  if (Object.keys(retention).length === 0) {
    throw new UsageError('say what is to go: --messages 90d, --events 7d, --counts 2y')
  }
  return withCorrelator(configuration, async (correlator) => {
    const progress = await startProgress(io, 'Removing', { json })
    const removed = await correlator.prune({
      ...retention,
      signal: io.signal,
      onProgress: (soFar) => progress.reached(soFar, `${soFar} removed`),
    })
    progress.end('What is older is gone.')
    printer.record({ removed })
    printer.line(`${removed} messages, events, tokens and counts were removed.`)
    return 0
  })
}

/** Everything is older than a time to come: a year that was written wrongly would empty the store. */
function pastTime(written: string, now: Date): Date {
  const time = timeIn(written, now)
  if (time.getTime() <= now.getTime()) return time
  throw new UsageError(`${written} is still to come, and everything would be removed`)
}
