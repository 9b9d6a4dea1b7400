// A server of plain node:http that sends invitations, and hears what becomes of each.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what to export
//   node examples/node-http/server.mjs                        # in a terminal with that
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import nodemailer from 'nodemailer'
import { createCorrelator, SendError } from 'mailtrail'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const { PORT = '3000', MAILTRAIL_STORE = 'mailtrail.db' } = process.env

const correlator = createCorrelator({
  store: sqliteStore(MAILTRAIL_STORE),
  webhooks: [sendgridWebhook()], // SENDGRID_WEBHOOK_PUBLIC_KEY
})
const transporter = nodemailer.createTransport(sendgridTransport({ correlator })) // SENDGRID_API_KEY

correlator.on('delivered', ({ recipient }) => console.log(`${recipient} has it`))
correlator.on('bounced', ({ recipient, bounce }, message) => {
  console.log(`${recipient} bounced (${bounce.kind}): ${message?.subject}`)
})

/** @typedef {[status: number, body: object]} Answer */

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<Answer>}
 */
async function answer(request) {
  const [, folder, trackingId = ''] = (request.url ?? '').split('/')
  if (folder !== 'invitations') return [404, {}]
  if (request.method === 'POST') {
    const { email } = /** @type {{ email: string }} */ (await json(request))
    const info = await transporter.sendMail({
      from: 'Shop <shop@example.com>',
      to: email,
      subject: 'You are invited',
      text: 'https://shop.example.com/join',
    })
    return [202, { trackingId: info.trackingId }]
  }
  const message = await correlator.message(trackingId)
  return message ? [200, { status: message.status }] : [404, {}]
}

/**
 * @param {unknown} error
 * @returns {Answer}
 */
const failure = (error) =>
  error instanceof SendError ? [502, { error: error.category }] : [400, {}]

const server = createServer((request, response) => {
  correlator.nodeHandler(request, response, async () => {
    const [status, body] = await answer(request).catch(failure)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
})
server.listen(Number(PORT), () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close()
  await correlator.close()
})
