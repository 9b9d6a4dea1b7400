// An Express app that sends invitations, and hears what becomes of each.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what to export
//   node examples/express/server.mjs                          # in a terminal with that
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
import express from 'express'
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

const app = express()
app.use('/webhooks', correlator.nodeHandler) // ahead of what parses bodies
app.use(express.json())

app.post('/invitations', async (request, response) => {
  const { trackingId } = await transporter.sendMail({
    from: 'Shop <shop@example.com>',
    to: request.body.email,
    subject: 'You are invited',
    text: 'https://shop.example.com/join',
  })
  response.status(202).json({ trackingId })
})

app.get('/invitations/:trackingId', async (request, response) => {
  const message = await correlator.message(request.params.trackingId)
  if (message) response.json({ status: message.status })
  else response.sendStatus(404)
})

/** @type {import('express').ErrorRequestHandler} */
const tellFailure = (error, _request, response, next) => {
  if (error instanceof SendError) response.status(502).json({ error: error.category })
  else next(error)
}
app.use(tellFailure)

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close()
  await correlator.close()
})
