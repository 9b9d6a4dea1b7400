import { describe, expect, test } from '@jest/globals'
import { createCorrelator, memoryStore, type Webhook } from '../../src/index.js'
import { mailgunSimulator, mailgunWebhook } from '../../src/providers/mailgun/index.js'
import { mandrillSimulator, mandrillWebhook } from '../../src/providers/mandrill/index.js'
import { sendgridSimulator, sendgridWebhook } from '../../src/providers/sendgrid/index.js'
import type { ProviderSimulator, SignedRequest } from '../../src/simulator.js'
import { simulatedMessage } from '../../src/testing/index.js'
import { readPage, section, spans, table } from './page.js'

const page = section(readPage('webhooks.md'), 'What a signature proves')
const rows = new Map(table(page, '').map(([name = '', ...cells]) => [name, cells] as const))

const url = 'https://example.com/webhooks/mandrill'
const sendgrid = sendgridSimulator({ apiKey: 'SG.key' })
const mailgun = mailgunSimulator({ apiKey: 'key', domain: 'mg.example.com' })
const mandrill = mandrillSimulator({ apiKey: 'md', webhookUrl: url })
const providers: { simulator: ProviderSimulator; webhook: Webhook }[] = [
  { simulator: sendgrid, webhook: sendgridWebhook({ publicKey: sendgrid.publicKey }) },
  { simulator: mailgun, webhook: mailgunWebhook({ signingKey: mailgun.signingKey }) },
  { simulator: mandrill, webhook: mandrillWebhook({ key: mandrill.webhookKey, url }) },
]

/** Posts requests one after the other, and says what came of them. */
async function post(webhook: Webhook, requests: readonly SignedRequest[]) {
  const correlator = createCorrelator({
    store: memoryStore(),
    foreignAfter: 0,
    webhooks: [webhook],
  })
  const told: string[] = []
  const refused: string[] = []
  correlator.onAny(({ recipient = '' }) => void told.push(recipient))
  correlator.on('refused', ({ reason }) => void refused.push(reason))
  const answers: string[] = []
  for (const { headers, body } of requests) {
    const response = await correlator.handler(
      new Request(`https://proxied.internal/hooks/${webhook.name}`, {
        method: 'POST',
        headers,
        body: new Uint8Array(body),
      }),
    )
    answers.push(`${response.status} ${await response.text()}`)
  }
  await correlator.drain()
  await correlator.close()
  return { told, refused, answers }
}

describe.each(providers.map((provider, column) => ({ ...provider, column })))(
  'a signature of $simulator.provider',
  ({ simulator, webhook, column }) => {
    const now = new Date()
    const message = simulatedMessage({ to: ['ann@example.org'] })
    const entry = simulator.entry(message, { type: 'delivered', recipient: 'ann@example.org' }, now)
    const signed = simulator.webhooks([entry], now)
    const changed = signed.map(({ headers, body }) => ({
      headers,
      body: Buffer.from(body.toString().replaceAll('ann', 'eve')),
    }))

    test('lets the same request through again, which changes nothing', async () => {
      const { told, answers } = await post(webhook, [...signed, ...signed])
      expect(answers).toEqual(['200 OK', '200 OK'])
      expect(rows.get('the same request again')?.[column]).toBe('is taken, and changes nothing')
      expect(told).toEqual(['ann@example.org'])
    })

    test('over something else is refused as the page says, once it has been seen', async () => {
      const { told, refused } = await post(webhook, [...signed, ...changed])
      expect(refused).toEqual(spans(rows.get('its signature over something else')?.[column] ?? ''))
      expect(told).toEqual(['ann@example.org'])
    })

    test('that is wrong gets the same answer as one that is missing', async () => {
      const forged = simulator.webhooks([entry], now, true)
      const unsigned = forged.map(({ headers, body }) => ({
        headers: { 'content-type': headers['content-type'] ?? '' },
        body: Buffer.from(body.toString().replace('"signature":{', '"unsigned":{')),
      }))
      const { answers, refused, told } = await post(webhook, [...forged, ...unsigned])
      expect(refused).toEqual(['bad-signature', 'unsigned'])
      expect(answers[1]).toBe(answers[0])
      expect(told).toEqual([])
    })
  },
)

test('keys of a function may change while the process runs', async () => {
  const now = new Date()
  const other = sendgridSimulator({ apiKey: 'SG.key' })
  let keys = [sendgrid.publicKey, other.publicKey]
  const webhook = sendgridWebhook({ publicKey: () => keys })
  const signed = (simulator: ProviderSimulator, to: string): SignedRequest[] =>
    simulator.webhooks(
      [simulator.entry(simulatedMessage({ to: [to] }), { type: 'delivered', recipient: to }, now)],
      now,
    )
  const both = [...signed(sendgrid, 'ann@example.org'), ...signed(other, 'bob@example.org')]
  expect((await post(webhook, both)).told).toEqual(['ann@example.org', 'bob@example.org'])
  keys = [other.publicKey]
  const { told, refused } = await post(webhook, both)
  expect({ told, refused }).toEqual({ told: ['bob@example.org'], refused: ['bad-signature'] })
})
