// A Fastify app that sends invitations, and hears what becomes of each.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what to export
//   node examples/fastify/server.mjs                          # in a terminal with that
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
import fastify from 'fastify'
import nodemailer from 'nodemailer'
import { createCorrelator, SendError } from 'mailtrail'
import { fastifyPlugin } from 'mailtrail/fastify'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const { PORT = '3000', MAILTRAIL_STORE = 'mailtrail.db' } = process.env

const app = fastify({ logger: true })
const correlator = createCorrelator({
  store: sqliteStore(MAILTRAIL_STORE),
  webhooks: [sendgridWebhook()], // SENDGRID_WEBHOOK_PUBLIC_KEY
})
const transporter = nodemailer.createTransport(sendgridTransport({ correlator })) // SENDGRID_API_KEY

correlator.on('delivered', ({ recipient }) => app.log.info(`${recipient} has it`))
correlator.on('bounced', ({ recipient, bounce }, message) => {
  app.log.warn(`${recipient} bounced (${bounce.kind}): ${message?.subject}`)
})

app.register(fastifyPlugin(correlator), { prefix: '/webhooks' })

const email = { type: 'string', format: 'email' }
const body = { type: 'object', required: ['email'], properties: { email } }

app.post('/invitations', { schema: { body } }, async (request, reply) => {
  const { trackingId } = await transporter.sendMail({
    from: 'Shop <shop@example.com>',
    to: /** @type {{ email: string }} */ (request.body).email,
    subject: 'You are invited',
    text: 'https://shop.example.com/join',
  })
  return reply.code(202).send({ trackingId })
})

app.get('/invitations/:trackingId', async (request, reply) => {
  const { trackingId } = /** @type {{ trackingId: string }} */ (request.params)
  const message = await correlator.message(trackingId)
  return message ? { status: message.status } : reply.callNotFound()
})

app.setErrorHandler((error, _request, reply) => {
  if (!(error instanceof SendError)) throw error
  return reply.code(502).send({ error: error.category })
})

app.addHook('onClose', () => correlator.close())
process.once('SIGTERM', () => void app.close())

await app.listen({ port: Number(PORT) })
