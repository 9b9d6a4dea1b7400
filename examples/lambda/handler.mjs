// A function of AWS Lambda, behind a function URL or an HTTP API, that sends invitations and hears
// what becomes of each. Its store is PostgreSQL, for the files of a function are its own.
//
// Deploy it with MAILTRAIL_STORE=postgres://…, SENDGRID_API_KEY and SENDGRID_WEBHOOK_PUBLIC_KEY, and
// let SendGrid post to https://…/webhooks/sendgrid. On this machine:
//
//   export MAILTRAIL_STORE=postgres://localhost/shop
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what else to export
//   node examples/lambda/local.mjs                            # in a terminal with that
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
import nodemailer from 'nodemailer'
import { createCorrelator, SendError } from 'mailtrail'
import { lambdaHandler } from 'mailtrail/lambda'
import { postgresStore } from 'mailtrail/postgres'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'

// Made once for each instance of the function, and kept between its calls.
const correlator = createCorrelator({
  store: postgresStore(process.env.MAILTRAIL_STORE ?? ''),
  webhooks: [sendgridWebhook()],
})
const transporter = nodemailer.createTransport(sendgridTransport({ correlator }))
const webhooks = lambdaHandler(correlator)

correlator.on('delivered', ({ recipient }) => console.log(`${recipient} has it`))
correlator.on('bounced', ({ recipient, bounce }, message) => {
  console.log(`${recipient} bounced (${bounce.kind}): ${message?.subject}`)
})

/** @param {import('mailtrail/lambda').LambdaEvent} event */
export async function handler(event) {
  const [, folder, trackingId = ''] = event.rawPath?.split('/') ?? []
  if (folder === 'webhooks') return webhooks(event)
  if (folder !== 'invitations') return json(404, {})
  if (event.requestContext?.http?.method === 'POST') {
    const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
    return invite(JSON.parse(bytes.toString()).email)
  }
  const message = await correlator.message(trackingId)
  return message ? json(200, { status: message.status }) : json(404, {})
}

/** @param {string} email */
async function invite(email) {
  try {
    const { trackingId } = await transporter.sendMail({
      from: 'Shop <shop@example.com>',
      to: email,
      subject: 'You are invited',
      text: 'https://shop.example.com/join',
    })
    return json(202, { trackingId })
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    return json(502, { error: error.category })
  }
}

/**
 * @param {number} statusCode
 * @param {object} content
 */
function json(statusCode, content) {
  const headers = { 'content-type': 'application/json' }
  return { statusCode, headers, body: JSON.stringify(content) }
}
