// Truly signed webhooks with new events about known messages, made before the clock runs.
import { v7 as uuidv7 } from 'uuid'
import { mailgunSimulator } from '../dist/esm/providers/mailgun/index.js'
import { mandrillSimulator } from '../dist/esm/providers/mandrill/index.js'
import { sendgridSimulator } from '../dist/esm/providers/sendgrid/index.js'

/** @typedef {import('../dist/esm/index.js').MessageRecord} MessageRecord */
/** @typedef {import('../dist/esm/simulator.js').SignedRequest} SignedRequest */

/** Where Mandrill's webhook is entered: its signature covers that. */
export const mandrillUrl = 'https://shop.example/webhooks/mandrill'

/**
 * A provider that signs, and the key that its webhooks are verified with.
 *
 * @param {string} provider
 */
export function startSigning(provider) {
  switch (provider) {
    case 'sendgrid': {
      const simulator = sendgridSimulator({ apiKey: 'SG.key' })
      return { simulator, key: simulator.publicKey }
    }
    case 'mailgun': {
      const simulator = mailgunSimulator({ apiKey: 'key', domain: 'mg.example.com' })
      return { simulator, key: simulator.signingKey }
    }
    case 'mandrill': {
      const simulator = mandrillSimulator({ apiKey: 'key', webhookUrl: mandrillUrl })
      return { simulator, key: simulator.webhookKey }
    }
    default:
      throw new Error(`there is no provider ${provider}`)
  }
}

/**
 * Messages as a transport records them, with the provider's answer.
 *
 * @param {string} provider
 * @param {number} count
 */
export function newMessages(provider, count) {
  return Array.from({ length: count }, (_, index) => {
    const address = `customer-${index}@domain-${index % 50}.example`
    /** @type {MessageRecord} */
    const record = {
      trackingId: uuidv7(),
      provider,
      messageId: `<${crypto.randomUUID()}@example.com>`,
      providerMessageId: crypto.randomUUID().replaceAll('-', ''),
      envelope: { from: 'shop@example.com', to: [address] },
      from: { name: 'Shop', address: 'shop@example.com' },
      to: [{ name: `Customer ${index}`, address }],
      cc: [],
      bcc: [],
      subject: `Your order ${index}`,
      tags: ['order'],
      metadata: { order: String(index) },
      sentAt: new Date(),
      recipients: [{ address, kind: 'to', status: 'accepted', providerStatus: '' }],
      outcome: 'sent',
    }
    return record
  })
}

/** Among so many messages of the time events are about any. */
const spread = 2000

// Half of the events are deliveries, and most others are of readers.
/** @type {import('../dist/esm/simulator.js').SimulatedEventType[]} */
const types = [
  ...Array(47).fill('delivered'),
  ...Array(38).fill('opened'),
  ...Array(10).fill('clicked'),
  ...Array(3).fill('deferred'),
  ...Array(2).fill('bounced'),
]

/**
 * Makes requests with so many events about these messages, each a new fact: one request, but
 * for Mailgun, which makes one of each event.
 *
 * @param {import('../dist/esm/simulator.js').ProviderSimulator} simulator
 * @param {Pick<MessageRecord, 'trackingId' | 'messageId' | 'providerMessageId' | 'recipients'>[]} records
 * @returns {(size: number) => SignedRequest[]}
 */
export function batchMaker(simulator, records) {
  let sequence = 0
  const begin = Date.now() - 30 * 24 * 3600_000
  const messages = records.map(({ trackingId, messageId, providerMessageId, recipients }) => {
    const id = providerMessageId ?? ''
    return {
      id,
      recipients: recipients.map(({ address }) => ({ address, id })),
      subject: 'Your order',
      metadata: { order: '42', mailtrail_id: trackingId },
      tags: ['order'],
      messageId: (messageId ?? '').replace(/^<|>$/g, ''),
      request: {},
    }
  })

  function entry() {
    sequence += 1
    // Of messages in about the order in which they were sent: what is told of most comes soon.
    const place = sequence + Math.floor(Math.random() * spread)
    const message = messages[place % messages.length]
    if (!message) throw new Error('there are no messages')
    const event = {
      type: types[Math.floor(Math.random() * types.length)] ?? 'delivered',
      recipient: message.recipients[0]?.address ?? '',
      at: new Date(begin + sequence * 1000),
      url: `https://shop.example/p/${sequence % 50}`,
    }
    return simulator.entry(message, event, new Date())
  }

  return (size) => simulator.webhooks(Array.from({ length: size }, entry), new Date())
}
