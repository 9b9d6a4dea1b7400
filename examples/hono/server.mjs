// A Hono app that sends invitations, and hears what becomes of each.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what to export
//   node examples/hono/server.mjs                             # in a terminal with that
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
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

const app = new Hono()
app.all('/webhooks/*', (c) => correlator.handler(c.req.raw))

app.post('/invitations', async (c) => {
  const { email } = await c.req.json()
  const { trackingId } = await transporter.sendMail({
    from: 'Shop <shop@example.com>',
    to: email,
    subject: 'You are invited',
    text: 'https://shop.example.com/join',
  })
  return c.json({ trackingId }, 202)
})

app.get('/invitations/:trackingId', async (c) => {
  const message = await correlator.message(c.req.param('trackingId'))
  return message ? c.json({ status: message.status }) : c.notFound()
})

app.onError((error, c) => {
  if (!(error instanceof SendError)) throw error
  return c.json({ error: error.category }, 502)
})

const server = serve({ fetch: app.fetch, port: Number(PORT) }, () =>
  console.log(`http://localhost:${PORT}`),
)

process.once('SIGTERM', async () => {
  server.close()
  await correlator.close()
})
