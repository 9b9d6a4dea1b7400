// Webhooks are taken here, in any number of processes, and told in workers: see worker.mjs.
//
//   export MAILTRAIL_STORE=postgres://localhost/shop REDIS_URL=redis://localhost:6379
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what else to export
//   node examples/bullmq-workers/web.mjs
//   node examples/bullmq-workers/worker.mjs                   # as often as you like
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
import { Queue } from 'bullmq'
import express from 'express'
import nodemailer from 'nodemailer'
import { createCorrelator } from 'mailtrail'
import { bullmqQueue } from 'mailtrail/bullmq'
import { postgresStore } from 'mailtrail/postgres'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'

const { PORT = '3000', MAILTRAIL_STORE = '', REDIS_URL = 'redis://localhost:6379' } = process.env

const queue = new Queue('mailtrail', { connection: { url: REDIS_URL } })
const correlator = createCorrelator({
  store: postgresStore(MAILTRAIL_STORE),
  webhooks: [sendgridWebhook()], // SENDGRID_WEBHOOK_PUBLIC_KEY
  queue: bullmqQueue(queue),
})
const transporter = nodemailer.createTransport(sendgridTransport({ correlator })) // SENDGRID_API_KEY
queue.on('error', ({ message }) => console.error(message))

const app = express()
app.use('/webhooks', correlator.nodeHandler)
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

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close()
  await correlator.close()
  await queue.close()
})
