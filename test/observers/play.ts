import nodemailer from 'nodemailer'
import { setTimeout as delay } from 'node:timers/promises'
import {
  createCorrelator,
  type CorrelatorOptions,
  memoryStore,
  type Store,
} from '../../src/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../src/providers/sendgrid/index.js'
import { startProvider } from '../../src/testing/index.js'
import { startEndpoint } from '../endpoint.js'

/** What stands in the play and must stand in nothing that is observed. */
export const secrets = {
  apiKey: 'SG.play-0123456789abcdef',
  recipient: 'ann.secret@example.org',
  sender: 'shop.secret@example.com',
  subject: 'Order 42 of Ann',
  tag: 'tag-for-ann',
  // No key of a transport, for none of its errors may show one of those.
  signingKey: 'signing-key-0123456789abcdef',
  thrown: 'ann.secret@example.org cannot be told of it with signing-key-0123456789abcdef',
}

export const mail = {
  from: secrets.sender,
  to: secrets.recipient,
  subject: secrets.subject,
  text: 'Thanks',
  tags: [secrets.tag],
}

type Told = Pick<CorrelatorOptions, 'observers' | 'logger'>

/**
 * Sends three messages: one at once, one at the second try, and one that fails. Of the first two each event comes,
 * some twice. Then come a forged request, a GET, and a request while the store is away. A listener fails once.
 */
export async function play(told: Told): Promise<{ trackingIds: string[] }> {
  const simulator = sendgridSimulator({ apiKey: secrets.apiKey })
  const store = failingStore()
  const correlator = createCorrelator({
    store,
    webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
    ...told,
  })
  const failures: unknown[] = []
  correlator.onError((error) => failures.push(error))
  let calls = 0
  correlator.on(
    'delivered',
    () => {
      calls += 1
      if (calls === 1) throw Object.assign(new Error(secrets.thrown), { code: 'ECONNREFUSED' })
    },
    { name: 'orders' },
  )
  const endpoint = await startEndpoint(correlator.nodeHandler)
  const webhookUrl = `${endpoint.url}/sendgrid`
  const provider = await startProvider(simulator, {
    webhookUrl,
    script: ({ recipients: [recipient] }) => {
      const of = (type: 'accepted' | 'delivered' | 'opened') => ({
        type,
        recipient: recipient?.address ?? '',
      })
      return [
        { events: [of('accepted')] },
        { events: [of('delivered')], times: 2 },
        { events: [of('opened')] },
      ]
    },
  })
  const transporter = nodemailer.createTransport(
    sendgridTransport({ apiKey: secrets.apiKey, baseUrl: provider.url, correlator }),
  )
  try {
    const first = await transporter.sendMail(mail)
    provider.failNext({ kind: 'answer', status: 503, headers: { 'retry-after': '0' } })
    const second = await transporter.sendMail(mail)
    provider.failNext({ kind: 'answer', status: 401, body: secrets.thrown })
    await transporter.sendMail(mail).catch(() => {})
    await provider.settled()
    const [message] = provider.messages
    if (!message) throw new Error('there is one')
    const event = { type: 'opened', recipient: secrets.recipient } as const
    const [forged] = await provider.post(message, { events: [event], forged: true })
    const tried = await fetch(webhookUrl)
    store.fail()
    const at = new Date(Date.now() - 60_000)
    const [away] = await provider.post(message, { events: [{ ...event, at }] })
    const statuses = [forged?.status, tried.status, away?.status]
    if (statuses.join() !== '401,200,503' && statuses.join() !== '403,200,503') {
      throw new Error(`the play went otherwise: ${statuses.join()}`)
    }
    await correlator.drain()
    while (calls < 3) await delay(20)
    return { trackingIds: [first.trackingId, second.trackingId] }
  } finally {
    await provider.close()
    await correlator.close()
    await endpoint.close()
  }
}

function failingStore(): Store & { fail(): void } {
  const store = memoryStore()
  let failing = false
  return {
    ...store,
    fail: () => (failing = true),
    async ingest(batch, schedule) {
      if (!failing) return store.ingest(batch, schedule)
      failing = false
      throw Object.assign(new Error(secrets.thrown), { code: '57P01' })
    },
  }
}

/** Numbers by name and labels, as Prometheus writes them; of histograms how often they were observed. */
export const counts = {
  'mailtrail_messages_total{outcome="failed",provider="sendgrid",category="auth"}': 1,
  'mailtrail_messages_total{outcome="sent",provider="sendgrid"}': 2,
  'mailtrail_send_duration_seconds_count{outcome="failed",provider="sendgrid"}': 1,
  'mailtrail_send_duration_seconds_count{outcome="sent",provider="sendgrid"}': 2,
  'mailtrail_delivery_time_seconds_count{provider="sendgrid"}': 2,
  'mailtrail_events_total{provider="sendgrid",type="accepted"}': 2,
  'mailtrail_events_total{provider="sendgrid",type="delivered"}': 2,
  'mailtrail_events_total{provider="sendgrid",type="opened"}': 2,
  'mailtrail_events_duplicate_total{provider="sendgrid"}': 2,
  'mailtrail_ingest_duration_seconds_count{outcome="stored",provider="sendgrid"}': 8,
  'mailtrail_ingest_duration_seconds_count{outcome="failed",provider="sendgrid"}': 1,
  'mailtrail_webhook_requests_total{outcome="stored",provider="sendgrid",webhook="sendgrid"}': 8,
  'mailtrail_webhook_requests_total{outcome="tried",provider="sendgrid",webhook="sendgrid"}': 1,
  'mailtrail_webhook_requests_total{outcome="unavailable",provider="sendgrid",webhook="sendgrid"}': 1,
  'mailtrail_webhook_requests_total{outcome="refused",provider="sendgrid",webhook="sendgrid",reason="bad-signature"}': 1,
  'mailtrail_webhook_duration_seconds_count{outcome="stored",provider="sendgrid",webhook="sendgrid"}': 8,
  'mailtrail_webhook_duration_seconds_count{outcome="tried",provider="sendgrid",webhook="sendgrid"}': 1,
  'mailtrail_webhook_duration_seconds_count{outcome="unavailable",provider="sendgrid",webhook="sendgrid"}': 1,
  'mailtrail_webhook_duration_seconds_count{outcome="refused",provider="sendgrid",webhook="sendgrid"}': 1,
  'mailtrail_listener_duration_seconds_count{outcome="failed",type="delivered"}': 1,
  'mailtrail_listener_duration_seconds_count{outcome="taken",type="delivered"}': 2,
  'mailtrail_failures_total{of="store"}': 1,
  mailtrail_dead_letters_total: 0,
  mailtrail_events_untold: 0,
}

/** A name and labels in one way of writing them, whatever order they have. */
export function seriesOf(name: string, labels: Record<string, unknown> = {}): string {
  const pairs = Object.entries(labels)
    .filter(([, value]) => value !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}="${String(value)}"`)
  return pairs.length === 0 ? name : `${name}{${pairs.join()}}`
}

/** As `counts`, with labels in the order of `seriesOf`. */
export const expectedCounts: Record<string, number> = Object.fromEntries(
  Object.entries(counts).map(([series, count]) => {
    const [name = '', written = ''] = series.replace('}', '').split('{')
    const labels = written === '' ? [] : written.split(',').map((pair) => pair.split('='))
    const values = labels.map(([label = '', value = '']) => [label, JSON.parse(value)])
    return [seriesOf(name, Object.fromEntries(values)), count]
  }),
)
