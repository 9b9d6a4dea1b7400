// node examples/demo/timeline.mjs FILE
//
// Prints every message of a SQLite file and what became of it. The program that wrote the file may
// be running, or have been killed.
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { createCorrelator } from 'mailtrail'
import { sqliteStore } from 'mailtrail/sqlite'

/**
 * @param {string} file
 * @returns the messages, oldest first, and their events by tracking id
 */
export async function printMessages(file) {
  const correlator = createCorrelator({ store: sqliteStore(file) })
  const messages = []
  /** @type {Map<string, import('mailtrail').MailEvent[]>} */
  const timelines = new Map()
  /** @type {string | undefined} */
  let cursor
  do {
    const page = await correlator.find({}, cursor === undefined ? {} : { cursor })
    messages.unshift(...page.messages.toReversed())
    cursor = page.cursor
  } while (cursor !== undefined)
  for (const { provider, subject = '', trackingId, recipients } of messages) {
    const events = (await correlator.message(trackingId))?.events ?? []
    timelines.set(trackingId, events)
    for (const { address, status } of recipients) {
      const path = events.filter(({ recipient }) => recipient === address).map(({ type }) => type)
      console.log(
        [
          provider.padEnd(8),
          status.padEnd(9),
          address.padEnd(18),
          subject.padEnd(52),
          path.join(' → '),
        ].join('  '),
      )
    }
  }
  await correlator.close()
  return { messages, timelines }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , file = 'mailtrail-demo.db'] = process.argv
  if (!existsSync(file)) {
    console.error(`there is no ${file}: npm run demo makes one`)
    process.exit(1)
  }
  const { messages, timelines } = await printMessages(file)
  const events = [...timelines.values()].flat()
  console.log(`\n${messages.length} messages, ${events.length} events in ${file}`)
}
