import { afterEach, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { mailgunKit } from '../src/providers/mailgun/kit.js'
import { mandrillKit } from '../src/providers/mandrill/kit.js'
import { sendgridKit } from '../src/providers/sendgrid/kit.js'
import { type RunningProvider, startProvider } from '../src/testing/index.js'

const environment = { ...process.env }
let provider: RunningProvider | undefined

afterEach(async () => {
  process.env = { ...environment }
  await provider?.close()
})

test.each([
  ['sendgrid', sendgridKit, 'SENDGRID_URL', '/v3/mail/send', '/v3/messages'],
  ['mailgun', mailgunKit, 'MAILGUN_URL', '/messages', '/v1/analytics/logs'],
  ['mandrill', mandrillKit, 'MANDRILL_URL', '/messages/send', '/messages/info'],
])('%s sends to, and asks, the address of its variable', async (_, kit, variable, send, ask) => {
  const settings = { ...kit.newSandbox(), url: 'https://example.com/' }
  const simulator = kit.createSimulator(settings)
  if (!simulator) throw new Error('it has its keys')
  provider = await startProvider(simulator)
  process.env[variable] = provider.url
  await nodemailer
    .createTransport(kit.createTransport(settings, {}))
    .sendMail({ from: 'a@sandbox.example.com', to: 'b@example.com', subject: 'x', text: 'x' })
  const span = { from: new Date(Date.now() - 60_000), to: new Date() }
  const sent = async (after?: string) =>
    after === undefined ? [{ trackingId: 'x', sentAt: span.from, providerMessageIds: ['x'] }] : []
  for await (const page of kit.createHistory(settings).read({ ...span, sent })) {
    if (page.events.length > 100) break
  }
  await kit.createAccount(settings).inspect()
  const paths = provider.requests.map(({ path }) => path)
  for (const part of [send, ask, 'webhooks']) {
    expect(paths).toContainEqual(expect.stringContaining(part))
  }
})
