import { addressNamed } from '../addresses.js'
import type { Configuration } from '../configuration.js'
import { createPrinter, type ExitCode, type Io } from '../io.js'
import { withCorrelator } from '../with-correlator.js'

export interface ForgetOptions {
  json?: boolean
}

/** Takes an address out of everything that is stored, as its owner may ask for. */
export async function forget(
  written: string,
  { json }: ForgetOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const address = addressNamed(written)
  return withCorrelator(configuration, async (correlator) => {
    const changed = await correlator.forget(address)
    printer.record({ changed })
    printer.line(`The address was taken out of ${changed} messages and events.`)
    printer.line('So were its suppressions: nothing here keeps it from being mailed again.')
    return 0
  })
}
