import { createHmac } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import nodemailer from 'nodemailer'
import {
  createCorrelator,
  memoryStore,
  type SendError,
  type Webhook,
  type WebhookError,
} from '../../src/index.js'
import {
  mailgunSimulator,
  mailgunTransport,
  mailgunWebhook,
} from '../../src/providers/mailgun/index.js'
import { mailgunKit } from '../../src/providers/mailgun/kit.js'
import {
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
} from '../../src/providers/mandrill/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../src/providers/sendgrid/index.js'
import type { SignedRequest } from '../../src/simulator.js'
import { simulatedMessage, startProvider } from '../../src/testing/index.js'
import { startEndpoint } from '../endpoint.js'
import { readPage, section, spans, table } from './page.js'

/** What the three mistakes of a page are told as. */
function toldAs(provider: string): string[] {
  const page = readPage(`getting-started-${provider}.md`)
  const rows = table(section(page, 'Three mistakes'), 'mistake')
  expect(rows).toHaveLength(3)
  return rows.flatMap(([, told = '']) => spans(told))
}

/** The reasons for which a handler refuses these requests, and what it answers. */
async function refusals(
  webhook: Webhook,
  requests: readonly SignedRequest[],
  ahead: readonly RequestHandler[] = [],
): Promise<{ reasons: string[]; statuses: number[] }> {
  const reasons: string[] = []
  const correlator = createCorrelator({ store: memoryStore(), webhooks: [webhook] })
  correlator.on('refused', ({ reason }: WebhookError) => void reasons.push(reason))
  const app = express()
  for (const middleware of ahead) app.use(middleware)
  const endpoint = await startEndpoint(app.use(correlator.nodeHandler))
  const statuses: number[] = []
  for (const { headers, body } of requests) {
    const { status } = await fetch(`${endpoint.url}/${webhook.name}`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
    statuses.push(status)
  }
  await endpoint.close()
  await correlator.close()
  return { reasons, statuses }
}

const writeAnew: RequestHandler = (request, _response, next) => {
  Object.assign(request, { rawBody: JSON.stringify(request.body) })
  next()
}

const from = 'shop@example.com'
const to = 'ann@example.com'
const mail = { from, to, subject: 'Hello', text: 'Hello' }
const delivered = { type: 'delivered', recipient: to } as const

/** The mistakes are made, and told as the page says. */
describe('the three mistakes', () => {
  test('of SendGrid', async () => {
    const simulator = sendgridSimulator({ apiKey: 'SG.key' })
    const webhook = sendgridWebhook({ publicKey: simulator.publicKey })
    const now = new Date()
    const entry = simulator.entry(simulatedMessage({ to: [to] }), delivered, now)
    const signed = simulator.webhooks([entry, entry], now)
    const unsigned = signed.map(({ body }) => ({
      headers: { 'content-type': 'application/json' },
      body,
    }))

    const provider = await startProvider(simulator)
    const transport = sendgridTransport({ apiKey: 'SG.key', baseUrl: provider.url })
    const message = 'The from address does not match a verified Sender Identity.'
    const body = JSON.stringify({ errors: [{ message, field: 'from', help: null }] })
    provider.failNext({
      kind: 'answer',
      status: 403,
      headers: { 'content-type': 'application/json' },
      body,
    })
    const error: SendError = await nodemailer
      .createTransport(transport)
      .sendMail(mail)
      .catch((thrown) => thrown)
    await provider.close()

    const { reasons: parsed } = await refusals(webhook, signed, [express.json()])
    const { reasons: written } = await refusals(webhook, signed, [express.json(), writeAnew])
    const { reasons: unproven, statuses } = await refusals(webhook, unsigned)
    expect([...parsed, ...written, ...unproven, error.category]).toEqual(toldAs('sendgrid'))
    expect(statuses).toEqual([403])
  })

  test('of Mailgun', async () => {
    const options = { apiKey: 'key-0123456789abcdef0123456789abcdef', domain: 'mg.example.com' }
    const simulator = mailgunSimulator(options)
    const now = new Date()
    const entry = simulator.entry(simulatedMessage({ to: [to] }), delivered, now)
    const webhook = mailgunWebhook({
      signingKey: '0123456789abcdef0123456789abcdef-01234567-89abcdef',
    })
    const { reasons, statuses } = await refusals(webhook, simulator.webhooks([entry], now))

    const provider = await startProvider(simulator)
    const transport = mailgunTransport({
      ...options,
      domain: 'eu.example.com',
      baseUrl: provider.url,
    })
    const error: SendError = await nodemailer
      .createTransport(transport)
      .sendMail(mail)
      .catch((thrown) => thrown)
    await provider.close()

    const [reason, words = '', code] = toldAs('mailgun')
    expect(reasons).toEqual([reason])
    expect(statuses).toEqual([503])
    expect(error.message).toContain(words)
    expect(error.message).toContain('https://api.eu.mailgun.net')
    expect(
      mailgunKit.findMailFaults({ 'o:testmode': 'yes' }).map((finding) => finding.code),
    ).toEqual([code])
  })

  test('of Mandrill', async () => {
    const webhookUrl = 'https://example.com/webhooks/mandrill'
    const simulator = mandrillSimulator({ apiKey: 'md-key', webhookUrl })
    const now = new Date()
    const entry = simulator.entry(simulatedMessage({ to: [to] }), delivered, now)
    const signed = simulator.webhooks([entry], now)
    const elsewhere = mandrillWebhook({ key: simulator.webhookKey, url: `${webhookUrl}/` })
    const untaken = mandrillWebhook({ key: 'test-webhook', url: webhookUrl })
    const { reasons: urls } = await refusals(elsewhere, signed)
    const { reasons: keys } = await refusals(untaken, signed)

    const provider = await startProvider(simulator)
    const body = JSON.stringify([
      { email: to, status: 'rejected', _id: '1', reject_reason: 'unsigned' },
    ])
    provider.failNext({
      kind: 'answer',
      status: 200,
      headers: { 'content-type': 'application/json' },
      body,
    })
    const transport = mandrillTransport({ apiKey: 'md-key', baseUrl: provider.url })
    const error: SendError = await nodemailer
      .createTransport(transport)
      .sendMail(mail)
      .catch((thrown) => thrown)
    await provider.close()
    expect([...urls, ...keys, error.category]).toEqual(toldAs('mandrill'))
  })

  test("but Mandrill's trial of a URL is let through by the key that everybody knows", async () => {
    const url = 'https://example.com/webhooks/mandrill'
    const body = Buffer.from('mandrill_events=%5B%5D')
    const signature = createHmac('sha1', 'test-webhook')
      .update(`${url}mandrill_events[]`)
      .digest('base64')
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'x-mandrill-signature': signature,
    }
    const webhook = mandrillWebhook({ key: 'test-webhook', url })
    expect(await refusals(webhook, [{ headers, body }])).toEqual({ reasons: [], statuses: [200] })
  })
})
