// Run by disk-full.services.ts in a file system of a few MB, which it fills and frees when told to.
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createCorrelator } from 'mailtrail'
import { sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const [, , folder = '', publicKey = ''] = process.argv
const filler = join(folder, 'filler')
const correlator = createCorrelator({
  store: sqliteStore(join(folder, 'store.db')),
  webhooks: [sendgridWebhook({ publicKey })],
  foreignAfter: 0,
})
correlator.onError(({ message }) => void process.stdout.write(`error ${message}\n`))
correlator.onAny(({ recipient }) => void process.stdout.write(`told ${recipient}\n`))

/** Leaves no room for a single page. */
function fill() {
  const file = openSync(filler, 'w')
  try {
    for (const size of [65_536, 512, 1]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size))
      } catch {
        // The smaller ones may still fit.
      }
    }
  } finally {
    closeSync(file)
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'fill') fill()
  else rmSync(filler)
  process.stdout.write(`${line} done\n`)
})

const server = createServer(correlator.nodeHandler)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.stdout.write(`port ${address?.port}\n`)
})
