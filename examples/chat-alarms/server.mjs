// Alarms to a chat: too many messages fail, a password reset fails, or no events come any more. The
// chat is anything that takes {"text": "…"}, as incoming webhooks of Slack, Mattermost and others do.
//
//   export CHAT_WEBHOOK_URL=https://hooks.slack.com/services/…
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what else to export
//   node examples/chat-alarms/server.mjs                      # in a terminal with that
//   curl localhost:3000/password-resets --json '{"email":"ann@example.com"}'
//
// With SENDGRID_URL=http://localhost:1 a password reset fails.
import express from 'express'
import nodemailer from 'nodemailer'
import { createCorrelator, SendError } from 'mailtrail'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const { PORT = '3000', MAILTRAIL_STORE = 'mailtrail.db', CHAT_WEBHOOK_URL = '' } = process.env

const correlator = createCorrelator({
  store: sqliteStore(MAILTRAIL_STORE),
  webhooks: [sendgridWebhook()], // SENDGRID_WEBHOOK_PUBLIC_KEY
  alarms: { failureRate: { above: 0.05 }, silence: { minimum: 5, grace: 15 * 60_000 } },
})
// Nobody listens to events here, and without this they would be kept until somebody does.
correlator.onAny(() => {})
const transporter = nodemailer.createTransport(
  sendgridTransport({ correlator, retries: 0 }), // SENDGRID_API_KEY
)

/**
 * What the chat is told: no address, for many people read there.
 *
 * @param {import('mailtrail').Alarm} alarm
 */
function wordsOf(alarm) {
  if (alarm.kind === 'critical-message') {
    const { subject, trackingId, error } = alarm.message
    return `“${subject}” was not sent (${error?.category}): npx mailtrail status ${trackingId}`
  }
  const { provider, messages, since } = alarm
  const time = since.toISOString()
  if (alarm.kind === 'silence') {
    return alarm.state === 'raised'
      ? `${messages} messages went to ${provider}, and no event comes: npx mailtrail doctor ${provider}`
      : `Events of ${provider} come again, which did not since ${time}`
  }
  return alarm.state === 'raised'
    ? `${alarm.failed} of ${messages} messages to ${provider} failed`
    : `Messages to ${provider} get through again, which did not since ${time}`
}

// Nothing waits for it: neither a send nor a webhook.
correlator.on('alarm', async (alarm) => {
  try {
    const response = await fetch(CHAT_WEBHOOK_URL, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: wordsOf(alarm) }),
      signal: AbortSignal.timeout(3000),
    })
    if (!response.ok) throw new Error(`it answered ${response.status}`)
  } catch (error) {
    console.error(`the chat did not take this: ${wordsOf(alarm)}`, error)
  }
})

const app = express()
app.use('/webhooks', correlator.nodeHandler)
app.use(express.json())

app.post('/password-resets', async (request, response) => {
  try {
    const { trackingId } = await transporter.sendMail({
      from: 'Shop <shop@example.com>',
      to: request.body.email,
      subject: 'Reset your password',
      text: 'https://shop.example.com/reset/…',
      tags: ['password-reset'], // it is critical that it goes out
    })
    response.status(202).json({ trackingId })
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    response.sendStatus(503)
  }
})

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close()
  await correlator.close()
})
