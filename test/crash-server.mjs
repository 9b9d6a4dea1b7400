// Run by crash tests as a process of its own, which they kill.
import { createServer } from 'node:http'
import { createCorrelator } from 'mailtrail'
import { sendgridWebhook } from 'mailtrail/sendgrid'

const [, , entry = '', factory = '', connection = '', publicKey = ''] = process.argv
const stores = await import(entry)
const correlator = createCorrelator({
  store: stores[factory](connection),
  webhooks: [sendgridWebhook({ publicKey })],
})
correlator.onAny(({ recipient }) => void process.stdout.write(`told ${recipient}\n`))
correlator.onError(({ message }) => void process.stderr.write(`${message}\n`))
const server = createServer(correlator.nodeHandler)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.stdout.write(`port ${address?.port}\n`)
})
