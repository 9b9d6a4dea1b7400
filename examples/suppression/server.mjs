// An address that bounced is not mailed again. The customer is told so, and says when it works again.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what to export; b bounces
//   node examples/suppression/server.mjs                      # in a terminal with that
//   curl localhost:3000/orders --json '{"email":"ann@example.com"}'
//   curl localhost:3000/works-again --json '{"email":"ann@example.com"}'
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
// Nobody listens here, and without this events would be kept until somebody does.
correlator.onAny(() => {})
const transporter = nodemailer.createTransport(sendgridTransport({ correlator })) // SENDGRID_API_KEY

const words = {
  bounced: 'Mail to this address came back. Is it spelt right?',
  complained: 'You have called our mail spam, so we send none.',
  unsubscribed: 'You have unsubscribed from our mail.',
  listed: 'Mail to this address is blocked.',
  added: 'Mail to this address is stopped. Please call us.',
}

const app = express()
app.use('/webhooks', correlator.nodeHandler)
app.use(express.json())

app.post('/orders', async (request, response) => {
  const { email } = request.body
  // The order stands in any case: what the page says is whether the mail goes out.
  try {
    const { trackingId } = await transporter.sendMail({
      from: 'Shop <shop@example.com>',
      to: email,
      subject: 'Your order',
      text: 'Thanks',
    })
    response.status(201).json({ mail: trackingId })
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    const [suppression] =
      error.category === 'rejected' ? await correlator.suppressions.get(email) : []
    const notice = suppression ? words[suppression.cause] : 'We could not send you a mail.'
    response.status(201).json({ notice })
  }
})

// For the customer who is logged in with this address, or your support. What people have asked for
// stays: who complained or unsubscribed is not mailed because somebody else says so.
app.post('/works-again', async (request, response) => {
  await correlator.suppressions.remove(request.body.email, { cause: 'bounced' })
  response.sendStatus(204)
})

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close()
  await correlator.close()
})
