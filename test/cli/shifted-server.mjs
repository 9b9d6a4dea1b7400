// An application on a machine whose clock is off, which asks for fresh signatures.
import { createServer } from 'node:http'
import { createCorrelator, memoryStore } from 'mailtrail'
import { sendgridWebhook } from 'mailtrail/sendgrid'

const { PUBLIC_KEY = '' } = process.env
const correlator = createCorrelator({
  store: memoryStore(),
  webhooks: [sendgridWebhook({ publicKey: PUBLIC_KEY, maxAge: 600_000 })],
})
correlator.on('refused', ({ reason }) => process.stdout.write(`refused ${reason}\n`))

const server = createServer((request, response) => {
  // Node's own header does not know that the clock was changed.
  response.setHeader('date', new Date().toUTCString())
  void correlator.nodeHandler(request, response)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') {
    process.stdout.write(`http://127.0.0.1:${address.port}\n`)
  }
})
process.stdin.resume().once('end', () => process.exit())
