import { describe, expect, test } from '@jest/globals'
import { createCorrelator, type EventType, memoryStore, type Webhook } from '../../src/index.js'
import { eventTypes } from '../../src/listeners.js'
import { mailgunSimulator, mailgunWebhook } from '../../src/providers/mailgun/index.js'
import { mandrillSimulator, mandrillWebhook } from '../../src/providers/mandrill/index.js'
import { sendgridSimulator, sendgridWebhook } from '../../src/providers/sendgrid/index.js'
import type { ProviderSimulator } from '../../src/simulator.js'
import { eventFixture, signedRequests, simulatedMessage } from '../../src/testing/index.js'

const types = Object.keys(eventTypes).filter((type): type is EventType => type in eventTypes)

interface Provider {
  provider: string
  simulator: ProviderSimulator
  webhook: Webhook
  /** What it never tells. */
  lacks: EventType[]
}

const sendgrid = sendgridSimulator({ apiKey: 'SG.x' })
const { publicKey } = sendgrid
const mailgun = mailgunSimulator({ apiKey: 'x', domain: 'mg.example.com' })
const url = 'https://example.com/mandrill'
const mandrill = mandrillSimulator({ apiKey: 'x', webhookUrl: url })

const providers: Provider[] = [
  {
    provider: 'sendgrid',
    simulator: sendgrid,
    webhook: sendgridWebhook({ publicKey, inbound: { publicKey } }),
    lacks: ['failed', 'suppression'],
  },
  {
    provider: 'mailgun',
    simulator: mailgun,
    webhook: mailgunWebhook({ signingKey: mailgun.signingKey }),
    lacks: ['failed', 'subscribed', 'suppression'],
  },
  {
    provider: 'mandrill',
    simulator: mandrill,
    webhook: mandrillWebhook({ key: mandrill.webhookKey, url }),
    lacks: ['failed', 'subscribed'],
  },
]

describe.each(providers)('$provider', ({ provider, simulator, webhook, lacks }) => {
  test.each(types)('has a fixture of the event %s', async (type) => {
    const { event, message, request } = await eventFixture(type, simulator, webhook, {
      to: ['ann@example.com'],
      subject: 'Confirm',
    })
    expect(event).toMatchObject({ type, provider, id: expect.any(String) })
    expect(request === undefined).toBe(lacks.includes(type))
    if (type !== 'suppression') {
      expect(event.trackingId).toBe(message?.trackingId)
      expect(message?.subject).toBe('Confirm')
    }
  })

  test.each(types.filter((type) => !lacks.includes(type)))(
    'signs a request of the event %s, for a message of one’s own',
    async (type) => {
      const store = memoryStore()
      const correlator = createCorrelator({ store, webhooks: [webhook], foreignAfter: 0 })
      const trackingId = await correlator.record({
        provider,
        providerMessageId: 'one',
        recipients: ['ann@example.com'],
      })
      const told = new Promise<unknown[]>((resolve) => {
        correlator.onAny((event, message) => resolve([event.type, message?.trackingId]))
      })
      const { request } = await eventFixture(type, simulator, webhook, { trackingId })
      const path = request?.inbound ? `${provider}/inbound` : provider
      const { inbound: _, ...init } = { method: 'POST', ...request }
      const answer = await correlator.handler(new Request(`https://app.test/${path}`, init))
      expect(answer.status).toBe(200)
      const [toldType, toldOf] = await told
      expect(toldType).toBe(type)
      if (type !== 'inbound' && type !== 'suppression') expect(toldOf).toBe(trackingId)
      await correlator.close()
    },
  )

  test('signs what nobody else can', async () => {
    const correlator = createCorrelator({ store: memoryStore(), webhooks: [webhook] })
    correlator.on('refused', () => {})
    const [request] = signedRequests(simulator, simulatedMessage(), [
      { type: 'delivered', recipient: 'ann@example.com' },
    ])
    const body = Buffer.from(request?.body.toString().replaceAll('a', 'b') ?? '')
    const init = { method: 'POST', headers: request?.headers ?? {}, body }
    const { status } = await correlator.handler(new Request(`https://app.test/${provider}`, init))
    expect(status).toBeGreaterThanOrEqual(400)
    await correlator.close()
  })
})

test('without a webhook for inbound mail there is no request of it', async () => {
  const { event, request } = await eventFixture('inbound', sendgrid, sendgridWebhook({ publicKey }))
  expect([event.mail.text, request]).toEqual(['Thanks', undefined])
})

test('what happened is said in the words of the provider', async () => {
  const { webhook, simulator } = providers[0] as Provider
  const { event } = await eventFixture('clicked', simulator, webhook)
  expect([event.url, event.providerEvent]).toEqual(['https://example.com/', 'click'])
})

test('a request that its webhook refuses is an error that says why', async () => {
  const other = sendgridWebhook({ publicKey: sendgridSimulator({ apiKey: 'x' }).publicKey })
  await expect(eventFixture('opened', sendgrid, other)).rejects.toThrow(
    /the opened event was answered 403: .*signature/,
  )
})
