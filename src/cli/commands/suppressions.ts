import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { messageOf, UsageError } from '../../errors.js'
import type { SuppressionCause } from '../../store.js'
import { suppressionCauses } from '../../suppression.js'
import type { ImportResult, SuppressionEntry } from '../../suppressions.js'
import { addressNamed } from '../addresses.js'
import type { Configuration } from '../configuration.js'
import { createPrinter, type ExitCode, type Io, type Printer } from '../io.js'
import { type Progress, startProgress } from '../progress.js'
import { kitNamed, kits } from '../providers.js'
import { withCorrelator } from '../with-correlator.js'

export interface SuppressionsOptions {
  json?: boolean
}

export interface RemoveOptions extends SuppressionsOptions {
  cause?: string
}

export interface ImportOptions extends SuppressionsOptions {
  cause?: string
  provider?: string
}

/** Writes all suppressions as CSV, to a file or the standard output. */
export async function exportSuppressions(
  file: string | undefined,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  return withCorrelator(configuration, async ({ suppressions }) => {
    const source = Readable.from(suppressions.exportCsv())
    if (file === undefined) await pipeline(source, io.stdout, { end: false })
    else await pipeline(source, createWriteStream(resolve(io.cwd, file)))
    return 0
  })
}

/** Adds what stands in a CSV: an export, or a provider's own list. */
export async function importSuppressions(
  file: string,
  { cause, provider, json }: ImportOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const path = resolve(io.cwd, file)
  const defaults = {
    ...(cause !== undefined && { cause: causeNamed(cause) }),
    ...(provider !== undefined && { provider: kitNamed(provider).provider }),
  }
  const size = sizeOf(path, file)
  return withCorrelator(configuration, async ({ suppressions }) => {
    const progress = await startProgress(io, `Reading ${file}`, { total: size, json })
    const source = watched(createReadStream(path), progress)
    const result = await suppressions.importCsv(source, defaults)
    progress.end(`${file} was read.`)
    return tell(printer, result)
  })
}

/** Takes an address off, so that it is mailed again. */
export async function removeSuppressions(
  address: string,
  { cause, json }: RemoveOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const filter = { ...(cause !== undefined && { cause: causeNamed(cause) }) }
  return withCorrelator(configuration, async ({ suppressions }) => {
    const removed = await suppressions.remove(addressNamed(address), filter)
    printer.record({ removed })
    printer.line(
      removed === 0
        ? 'Nothing kept it from being mailed.'
        : `${removed} ${removed === 1 ? 'entry was' : 'entries were'} removed. A list of the provider stays as it is: what is on that is refused there.`,
    )
    return 0
  })
}

/** Adds what stands on the providers' own lists, asked through their APIs. */
export async function syncSuppressions(
  provider: string | undefined,
  { json }: SuppressionsOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const asked =
    provider === undefined
      ? kits.filter((kit) => configuration.settings(kit)['apiKey'] !== undefined)
      : [kitNamed(provider)]
  if (asked.length === 0) {
    const keys = kits.flatMap(({ settings }) => settings.filter(({ name }) => name === 'apiKey'))
    const variables = keys.map(({ variable }) => variable).join(', ')
    throw new UsageError(`no API key is set for any provider: set one of ${variables}`)
  }
  return withCorrelator(configuration, async ({ suppressions }) => {
    let code: ExitCode = 0
    for (const kit of asked) {
      const account = kit.createAccount(configuration.settings(kit))
      const progress = await startProgress(io, `Asking ${kit.title}`, { json })
      const result = await suppressions.importEntries(counted(account.suppressions(), progress))
      progress.end(`The lists of ${kit.title} were read.`)
      if (tell(printer, result, kit.provider) !== 0) code = 1
    }
    return code
  })
}

function causeNamed(name: string): SuppressionCause {
  const cause = suppressionCauses.find((known) => known === name)
  if (cause) return cause
  throw new UsageError(`there is no cause ${name}: there are ${suppressionCauses.join(', ')}`)
}

function sizeOf(path: string, file: string): number {
  try {
    return statSync(path).size
  } catch (error) {
    throw new UsageError(`${file} could not be read: ${messageOf(error)}`)
  }
}

async function* watched(source: AsyncIterable<Buffer>, progress: Progress): AsyncGenerator<Buffer> {
  let read = 0
  for await (const piece of source) {
    yield piece
    read += piece.length
    progress.reached(read, `${read} bytes`)
  }
}

async function* counted(
  entries: AsyncIterable<SuppressionEntry>,
  progress: Progress,
): AsyncGenerator<SuppressionEntry> {
  let count = 0
  for await (const entry of entries) {
    yield entry
    count += 1
    progress.reached(count, `${count} entries`)
  }
}

function tell(
  printer: Printer,
  { added, refused, flaws }: ImportResult,
  provider?: string,
): ExitCode {
  printer.record({ ...(provider !== undefined && { provider }), added, refused, flaws })
  const of = provider === undefined ? '' : `${provider}: `
  printer.line(`${of}${added} entries were added, ${refused} could not be taken.`)
  for (const { line, flaw } of flaws) printer.line(`  line ${line}: ${flaw}`)
  return refused === 0 ? 0 : 1
}
