// Support tickets by mail: an answer finds its ticket by the message that it answers.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what to export
//   node examples/reply-matching/server.mjs                   # in a terminal with that
//   curl localhost:3000/tickets --json '{"email":"ann@example.com","text":"It is broken"}'
//
// Answers come by a route in Mailgun: match_recipient("reply.*@in.example.com"), and
// forward("https://…/webhooks/mailgun/inbound"). It needs postal-mime, @fastify/busboy and iconv-lite.
import express from 'express'
import nodemailer from 'nodemailer'
import { createCorrelator } from 'mailtrail'
import { mailgunTransport, mailgunWebhook } from 'mailtrail/mailgun'
import { sqliteStore } from 'mailtrail/sqlite'

const { PORT = '3000', MAILTRAIL_STORE = 'mailtrail.db' } = process.env
const { REPLY_ADDRESS: replyAddress = 'reply@in.example.com' } = process.env

const correlator = createCorrelator({
  store: sqliteStore(MAILTRAIL_STORE),
  webhooks: [mailgunWebhook()], // MAILGUN_WEBHOOK_SIGNING_KEY
})
const transporter = nodemailer.createTransport(
  mailgunTransport({ correlator, replyAddress }), // MAILGUN_API_KEY, MAILGUN_DOMAIN
)

// In place of a database, where a note has the id of its event: a listener may be told twice.
/** @type {{ customer: string, notes: { from: string, text: string }[] }[]} */
const tickets = []

/**
 * @param {string} customer
 * @param {string} text
 */
async function openTicket(customer, text) {
  const number = tickets.push({ customer, notes: [{ from: customer, text }] })
  await transporter.sendMail({
    from: 'Support <support@example.com>',
    to: customer,
    subject: `Ticket ${number}`,
    text: 'We have it, and write to you soon. Answer this mail to add to it.',
    metadata: { ticket: `${number}` },
  })
  return number
}

/** @param {import('mailtrail').MailHeader} header */
const isOfMachine = ({ name, value }) => /^auto-submitted$/i.test(name) && value !== 'no'

correlator.on('inbound', async ({ mail, recipient }, message) => {
  const from = mail.from?.address ?? mail.envelope.from
  const text = mail.stripped?.text ?? mail.text ?? ''
  const number = Number(message?.metadata.ticket)
  const ticket = tickets[number - 1]
  // Anybody can write any From, so this is as good as the address that answers go to is secret.
  if (ticket && from === ticket.customer) ticket.notes.push({ from, text })
  else if (ticket) console.log(`somebody else answered ticket ${number}`)
  // Two machines that answer each other do not end.
  else if (!from || mail.headers.some(isOfMachine)) console.log(`a machine wrote to ${recipient}`)
  else await openTicket(from, text)
})

const app = express()
app.use('/webhooks', correlator.nodeHandler)
app.use(express.json())

app.post('/tickets', async ({ body }, response) => {
  response.status(201).json({ ticket: await openTicket(body.email, body.text) })
})

app.get('/tickets/:number', (request, response) => {
  const ticket = tickets[Number(request.params.number) - 1]
  if (ticket) response.json(ticket)
  else response.sendStatus(404)
})

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close()
  await correlator.close()
})
