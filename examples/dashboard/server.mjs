// An Express app that sends invitations, with a dashboard of what became of them.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks            # prints what to export
//   DASHBOARD_PASSWORD=secret node examples/dashboard/server.mjs     # in a terminal with that
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
//   open http://localhost:3000/mailtrail                             # as team, with the password
import express from 'express'
import nodemailer from 'nodemailer'
import { basicAuth, createCorrelator } from 'mailtrail'
import { byGuards, dashboard } from 'mailtrail/dashboard'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const { PORT = '3000', MAILTRAIL_STORE = 'mailtrail.db', DASHBOARD_PASSWORD = '' } = process.env

const correlator = createCorrelator({
  store: sqliteStore(MAILTRAIL_STORE),
  webhooks: [sendgridWebhook()], // SENDGRID_WEBHOOK_PUBLIC_KEY
})
// Nobody listens here, and without this events would be kept until somebody does.
correlator.onAny(() => {})
const transporter = nodemailer.createTransport(sendgridTransport({ correlator })) // SENDGRID_API_KEY
const board = dashboard({
  correlator,
  authorize: byGuards(basicAuth('team', DASHBOARD_PASSWORD)),
})

const app = express()
app.use('/webhooks', correlator.nodeHandler)
app.use('/mailtrail', board.nodeHandler) // both ahead of what parses bodies
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

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}/mailtrail`))

process.once('SIGTERM', async () => {
  server.close()
  board.close()
  await correlator.close()
})
