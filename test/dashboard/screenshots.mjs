// node test/dashboard/screenshots.mjs: draws docs/dashboard-*.png from a week of mail, in a Chromium of this machine.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import nodemailer from 'nodemailer'
import { chromium } from 'playwright-core'
import { createCorrelator, keepFailed } from 'mailtrail'
import { dashboard } from 'mailtrail/dashboard'
import { mailgunTransport } from 'mailtrail/mailgun'
import { sendgridSimulator, sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'
import { startProvider } from 'mailtrail/testing'
import { playWeek } from './week.mjs'

const messages = Number(process.env.MESSAGES ?? 50_000)
const docs = join(import.meta.dirname, '../../docs')
const folder = mkdtempSync(join(tmpdir(), 'mailtrail-'))
const server = createServer()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
const url = `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`

const simulator = sendgridSimulator({ apiKey: 'SG.x' })
const store = sqliteStore(join(folder, 'week.db'))
const correlator = createCorrelator({
  store,
  webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
  alarms: { every: 200, failureRate: { minimum: 2 } },
})
const provider = await startProvider(simulator, {
  webhookUrl: `${url}/webhooks/sendgrid`,
  script: ({ recipients }) =>
    recipients.map(({ address: recipient }) => ({
      events: [
        { type: 'accepted', recipient },
        { type: 'deferred', recipient },
        recipient.startsWith('nobody')
          ? { type: 'bounced', recipient }
          : { type: 'delivered', recipient },
        ...(recipient.startsWith('nobody')
          ? []
          : [
              /** @type {const} */ ({ type: 'opened', recipient }),
              /** @type {const} */ ({
                type: 'clicked',
                recipient,
                url: 'https://shop.example/orders/4711',
              }),
            ]),
      ],
    })),
})
const transporter = nodemailer.createTransport(
  sendgridTransport({ apiKey: 'SG.x', baseUrl: provider.url, correlator }),
)
const broken = nodemailer.createTransport(
  mailgunTransport({
    apiKey: 'wrong',
    domain: 'shop.example',
    baseUrl: 'http://127.0.0.1:9',
    retries: 0,
    correlator,
  }),
)
const failed = keepFailed(broken)
const board = dashboard({ correlator, authorize: () => true, path: '/mailtrail', failed })
server.on('request', (request, response) =>
  request.url?.startsWith('/webhooks')
    ? correlator.nodeHandler(request, response)
    : board.nodeHandler(request, response),
)

console.log(`playing a week of ${messages} messages`)
await playWeek(correlator, { messages, end: new Date() })
/** @param {string} to */
const mail = (to) => ({
  from: 'The Shop <shop@shop.example>',
  to,
  subject: 'Your order is on its way (4711)',
  text: 'Hello',
  tags: ['order'],
  metadata: { order: '4711' },
})
await transporter.sendMail(mail('nobody@example.com'))
const sent = await transporter.sendMail(mail('ann@example.com'))
for (const to of ['ann@example.org', 'bob@example.org']) {
  await broken
    .sendMail({ ...mail(to), tags: ['password-reset'], subject: 'Set a new password' })
    .catch(() => {})
}
await fetch(`${url}/webhooks/sendgrid`, { method: 'POST', body: '[]' })
await provider.settled()

/** @type {[name: string, path: string, options?: { dark?: boolean, phone?: boolean, height?: number }][]} */
const views = [
  ['overview', '', { height: 1750 }],
  ['overview-dark', '?days=30', { dark: true, height: 1000 }],
  ['overview-phone', '', { phone: true, height: 1600 }],
  ['messages', 'messages?status=bounced', { height: 900 }],
  ['message', `messages/${sent.trackingId}`, { height: 1400 }],
  ['suppressions', 'suppressions', { height: 900 }],
  ['dead-letters', 'dead-letters', { height: 600 }],
  ['failed', 'failed', { height: 600 }],
]
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})

async function shoot() {
  for (const [name, path, { dark = false, phone = false, height = 900 } = {}] of views) {
    const page = await browser.newPage({
      viewport: { width: phone ? 390 : 1280, height },
      colorScheme: dark ? 'dark' : 'light',
    })
    page.on('console', (message) => console.log(name, message.type(), message.text()))
    page.on('pageerror', (error) => console.log(name, error.message))
    await page.goto(`${url}/mailtrail/${path}`)
    await page.getByText('Live', { exact: true }).waitFor()
    await page.screenshot({ path: join(process.env.SCREENSHOTS ?? docs, `dashboard-${name}.png`) })
    await page.close()
  }
}

// Ten attempts take eight minutes: what a listener did not take is written as if they were over.
const bounced = await correlator.find({ status: 'bounced' }, { limit: 8 })
for (const { trackingId } of bounced.messages) {
  const events = (await correlator.message(trackingId))?.events ?? []
  const error = 'connect ECONNREFUSED 10.0.0.7:443'
  const progress = { crm: { attempts: 10, error, ended: /** @type {const} */ ('given-up') } }
  const at = Date.now()
  await store.settle(
    events.flatMap(({ id: eventId, type }) =>
      type === 'bounced'
        ? [{ eventId, kind: /** @type {const} */ ('given-up'), progress, at }]
        : [],
    ),
  )
}
// The alarms look at the store once in a while.
await setTimeout(500)
await shoot()
await browser.close()
board.close()
await provider.close()
server.closeAllConnections()
server.close()
await correlator.close({ timeout: 100 })
rmSync(folder, { recursive: true, force: true })
