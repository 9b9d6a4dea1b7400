import nodemailer from 'nodemailer'
import type { MailOptions } from '../../../src/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  type SendgridTransportOptions,
} from '../../../src/providers/sendgrid/index.js'
import { type RunningProvider, startProvider } from '../../../src/testing/index.js'

export const apiKey = 'SG.key-of-the-first-account.0123456789abcdef'

export const mail: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: 'Ann <ann@example.com>',
  subject: 'Your order',
  text: 'Thanks',
}

/** A simulated SendGrid that knows one API key, and a transporter that sends through it. */
export async function startSendgrid(options: SendgridTransportOptions = {}) {
  const provider = await startProvider(sendgridSimulator({ apiKey: options.apiKey ?? apiKey }))
  const transport = sendgridTransport({ apiKey, baseUrl: provider.url, retries: 0, ...options })
  return { provider, transport, transporter: nodemailer.createTransport(transport) }
}

/** The bodies of the API calls that were read. */
export const sentBodies = ({ requests }: RunningProvider) =>
  requests.map(({ body }) => JSON.parse(body.toString('utf8')))
