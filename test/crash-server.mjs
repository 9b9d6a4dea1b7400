// Run by crash.test.ts as a process of its own, which it kills.
import { createServer } from 'node:http'
import { createCorrelator } from 'mailtrail'
import { sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const [, , file = '', publicKey = ''] = process.argv
const correlator = createCorrelator({
  store: sqliteStore(file),
  webhooks: [sendgridWebhook({ publicKey })],
  foreignAfter: 0,
})
correlator.onAny(({ id }) => void process.stdout.write(`told ${id}\n`))
const server = createServer(correlator.nodeHandler)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.stdout.write(`port ${address?.port}\n`)
})
