// Password resets that go out while a provider is down: SendGrid first, then Mailgun. It stays one
// message, whoever takes it.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what to export
//   node examples/password-reset/server.mjs                   # in a terminal with that
//   curl localhost:3000/password-resets --json '{"email":"ann@example.com"}'
//
// With SENDGRID_URL=http://localhost:1 nobody answers for SendGrid.
import { randomBytes } from 'node:crypto'
import express from 'express'
import nodemailer from 'nodemailer'
import { createCorrelator, failoverTransport, SendError } from 'mailtrail'
import { mailgunTransport, mailgunWebhook } from 'mailtrail/mailgun'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const { PORT = '3000', MAILTRAIL_STORE = 'mailtrail.db' } = process.env

const correlator = createCorrelator({
  store: sqliteStore(MAILTRAIL_STORE),
  webhooks: [sendgridWebhook(), mailgunWebhook()],
})
const transporter = nodemailer.createTransport(
  failoverTransport([
    // Somebody waits for this mail: the other provider is tried at once, and not this one again.
    sendgridTransport({ correlator, retries: 0, timeout: 5000 }),
    mailgunTransport({ correlator }),
  ]),
)

transporter.on('sent', ({ provider, earlierAttempts = [] }, failFlag) => {
  const passedOn = earlierAttempts.map(
    (attempt) => `${attempt.provider} (${attempt.error.category})`,
  )
  console.log([...passedOn, failFlag ? 'nobody' : provider].join(', then '))
})
correlator.on('delivered', ({ provider }, message) => {
  console.log(`${message?.subject} was delivered by ${provider}`)
})

const app = express()
app.use('/webhooks', correlator.nodeHandler)
app.use(express.json())

app.post('/password-resets', async (request, response) => {
  const token = randomBytes(32).toString('base64url') // of which a hash is to be stored, for an hour
  try {
    const { trackingId } = await transporter.sendMail({
      from: 'Shop <shop@example.com>',
      to: request.body.email,
      subject: 'Reset your password',
      text: `https://shop.example.com/reset/${token}`,
      tags: ['password-reset'],
      ignoreSuppressions: true, // it was asked for
    })
    response.status(202).json({ trackingId })
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    // When it may have been sent after all, asking again would send another.
    response.status(503).json({ tryAgain: error.outcome === 'not-sent' })
  }
})

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close()
  await correlator.close()
})
