// An app of Next's app router that sends invitations, and hears what becomes of each.
//
//   npx mailtrail dev --to http://localhost:3000/webhooks     # prints what to export
//   npx next dev examples/next                                # in a terminal with that
//   curl localhost:3000/invitations --json '{"email":"ann@example.com"}'
import nodemailer from 'nodemailer'
import { createCorrelator } from 'mailtrail'
import { sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'

const { MAILTRAIL_STORE = 'mailtrail.db' } = process.env

export const correlator = createCorrelator({
  store: sqliteStore(MAILTRAIL_STORE),
  webhooks: [sendgridWebhook()], // SENDGRID_WEBHOOK_PUBLIC_KEY
})
export const transporter = nodemailer.createTransport(sendgridTransport({ correlator })) // SENDGRID_API_KEY

correlator.on('delivered', ({ recipient }) => console.log(`${recipient} has it`))
correlator.on('bounced', ({ recipient, bounce }, message) => {
  console.log(`${recipient} bounced (${bounce.kind}): ${message?.subject}`)
})
