import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import {
  type BackfillProgress,
  type Correlator,
  createCorrelator,
  type EventHistory,
  memoryStore,
  type Store,
  type Webhook,
} from '../src/index.js'
import {
  mailgunHistory,
  mailgunSimulator,
  mailgunTransport,
  mailgunWebhook,
} from '../src/providers/mailgun/index.js'
import {
  mandrillHistory,
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
} from '../src/providers/mandrill/index.js'
import {
  sendgridHistory,
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../src/providers/sendgrid/index.js'
import type { SimulatedEvent } from '../src/simulator.js'
import { type RunningProvider, startProvider } from '../src/testing/index.js'
import { type Endpoint, startEndpoint } from './endpoint.js'

interface Started {
  running: RunningProvider
  webhook: Webhook
  history: () => EventHistory
  send: (correlator: Correlator, to: string) => Promise<{ trackingId: string }>
}

const domain = 'example.com'
const mail = { from: 'Shop <shop@example.com>', subject: 'Your order', text: 'Thanks' }
const script = () => []

const providers: Record<string, (webhookUrl: string) => Promise<Started>> = {
  async sendgrid(webhookUrl) {
    const scopes = ['mail.send', 'email_activity.read', 'messages.read']
    const simulator = sendgridSimulator({ apiKey: 'SG.key', scopes })
    const running = await startProvider(simulator, { webhookUrl, script })
    const options = { apiKey: 'SG.key', baseUrl: running.url }
    return {
      running,
      webhook: sendgridWebhook({ publicKey: simulator.publicKey }),
      history: () => sendgridHistory(options),
      send: (correlator, to) =>
        nodemailer
          .createTransport(sendgridTransport({ ...options, correlator }))
          .sendMail({ ...mail, to }),
    }
  },
  async mailgun(webhookUrl) {
    const simulator = mailgunSimulator({ apiKey: 'key', domain })
    const running = await startProvider(simulator, { webhookUrl, script })
    const options = { apiKey: 'key', domain, baseUrl: running.url }
    return {
      running,
      webhook: mailgunWebhook({ signingKey: simulator.signingKey }),
      history: () => mailgunHistory(options),
      send: (correlator, to) =>
        nodemailer
          .createTransport(mailgunTransport({ ...options, correlator }))
          .sendMail({ ...mail, to }),
    }
  },
  async mandrill(webhookUrl) {
    const simulator = mandrillSimulator({ apiKey: 'md-key', webhookUrl })
    const running = await startProvider(simulator, { webhookUrl, script })
    const options = { apiKey: 'md-key', baseUrl: running.url }
    return {
      running,
      webhook: mandrillWebhook({ key: simulator.webhookKey, url: webhookUrl }),
      history: () => mandrillHistory(options),
      send: (correlator, to) =>
        nodemailer
          .createTransport(mandrillTransport({ ...options, correlator }))
          .sendMail({ ...mail, to }),
    }
  },
}

describe.each(Object.entries(providers))('%s', (name, start) => {
  let endpoint: Endpoint
  let isUp: boolean
  let store: Store
  let correlator: Correlator
  let started: Started

  beforeEach(async () => {
    isUp = true
    endpoint = await startEndpoint((request, response) => {
      if (isUp) void correlator.nodeHandler(request, response)
      else response.writeHead(503).end()
    })
    started = await start(`${endpoint.url}/${name}`)
    store = memoryStore()
    correlator = createCorrelator({ store, webhooks: [started.webhook] })
  })
  afterEach(async () => {
    await started.running.close()
    await correlator.close()
    await endpoint.close()
  })

  /** What happens to the message that was sent last, a second after the other. */
  let seconds = 0
  async function happen(...types: SimulatedEvent['type'][]): Promise<void> {
    const { running } = started
    const message = running.messages.at(-1)
    if (!message) throw new Error('nothing was sent')
    for (const type of types) {
      seconds += 1
      const at = new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000 + seconds * 1000)
      const events = message.recipients.map(({ address }) => ({ type, recipient: address, at }))
      await running.post(message, { events })
    }
  }

  async function typesOf(trackingId: string): Promise<string[]> {
    return (await correlator.message(trackingId))?.events.map(({ type }) => type) ?? []
  }

  test('what happened while the endpoint was down is fetched, and nothing comes twice', async () => {
    seconds = 0
    const from = new Date(Date.now() - 120_000)
    const told: string[] = []
    correlator.onAny(({ id, type }) => void told.push(`${type} ${id}`))
    const first = await started.send(correlator, 'ann@example.org')
    await happen('accepted')
    isUp = false
    await happen('deferred', 'delivered')
    const second = await started.send(correlator, 'bob@example.org')
    await happen('bounced')
    isUp = true
    const steps: BackfillProgress[] = []
    const to = new Date(Date.now() + 60_000)
    const onProgress = (progress: BackfillProgress): void => void steps.push(progress)
    const done = await correlator.backfill(started.history(), { from, to, onProgress })
    expect(await typesOf(first.trackingId)).toEqual(['accepted', 'deferred', 'delivered'])
    expect(await typesOf(second.trackingId)).toEqual(['bounced'])
    expect(done).toMatchObject({ provider: name, events: 4, missed: 3 })
    expect(steps.at(-1)).toEqual(done)
    const again = await correlator.backfill(started.history(), { from, to })
    expect(again).toMatchObject({ events: 4, missed: 0 })
    await correlator.drain()
    expect(new Set(told).size).toBe(told.length)
    expect(told.map((line) => line.split(' ')[0]).toSorted()).toEqual([
      'accepted',
      'bounced',
      'deferred',
      'delivered',
    ])
  })

  test('a run that was killed is taken up by another process', async () => {
    seconds = 0
    const from = new Date(Date.now() - 120_000)
    const to = new Date(Date.now() + 60_000)
    isUp = false
    const sent: string[] = []
    for (let index = 0; index < 4; index += 1) {
      const { trackingId } = await started.send(correlator, `r${index}@example.org`)
      sent.push(trackingId)
      await happen('accepted', 'delivered')
    }
    isUp = true
    const killed = new AbortController()
    const onProgress = ({ events }: BackfillProgress): void => {
      if (events > 0) killed.abort()
    }
    const options = { from, to, signal: killed.signal, onProgress }
    const cut = await correlator.backfill(started.history(), options).then(
      () => 'ended',
      () => 'killed',
    )
    // Where it all fits one page it has ended before it could be killed.
    const another = createCorrelator({ store, webhooks: [started.webhook] })
    const rest = await another.backfill(started.history(), { from, to })
    expect(rest.resumed).toBe(cut === 'killed')
    for (const trackingId of sent)
      expect(await typesOf(trackingId)).toEqual(['accepted', 'delivered'])
    await another.close()
  })
})
