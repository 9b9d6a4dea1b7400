import type { Configuration } from '../configuration.js'
import { dayAndTime, inWords } from '../event-words.js'
import { createPrinter, type ExitCode, type Io } from '../io.js'
import { withCorrelator } from '../with-correlator.js'

export interface ReplayOptions {
  /** Lists them in place of having them told again. */
  list?: boolean
  json?: boolean
}

/** How many dead letters are read at once. */
const atOnce = 100

/** Has dead letters told again, some by the ids of their events or all, by the application that listens. */
export async function replay(
  eventIds: readonly string[],
  { list, json }: ReplayOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  return withCorrelator(configuration, async (correlator) => {
    if (!list) {
      const replayed = await correlator.deadLetters.replay(
        eventIds.length === 0 ? undefined : eventIds,
      )
      printer.record({ replayed })
      printer.line(`${replayed} dead letters are told again, by the application.`)
      return replayed < eventIds.length ? 1 : 0
    }
    let cursor: string | undefined
    let listed = 0
    do {
      const page = await correlator.deadLetters.list({
        limit: atOnce,
        ...(cursor !== undefined && { cursor }),
      })
      for (const { event, failures, givenUpAt } of page.deadLetters) {
        printer.record({ event, failures, givenUpAt })
        printer.line(`${event.id}  ${event.type}, given up ${dayAndTime(givenUpAt)}`)
        printer.line(`  ${inWords(event)}`)
        for (const { listener = 'a listener', attempts, error } of failures) {
          printer.line(`  ${listener} failed ${attempts} times: ${error}`)
        }
      }
      listed += page.deadLetters.length
      cursor = page.cursor
    } while (cursor !== undefined)
    if (listed === 0) printer.line('There are no dead letters.')
    return 0
  })
}
