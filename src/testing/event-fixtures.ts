import { v7 as uuidv7 } from 'uuid'
import { createCorrelator } from '../correlator.js'
import type { EventFact, EventOf, EventType, MailEvent } from '../event.js'
import { ownIdKey } from '../matching.js'
import type { MessageRecord, SentMessage } from '../message.js'
import type { Webhook } from '../provider.js'
import type {
  OtherEventType,
  OtherRequests,
  ProviderSimulator,
  SimulatedEventType,
  SimulatedMessage,
} from '../simulator.js'
import { memoryStore } from '../stores/memory.js'
import { type MessageSample, signedRequests, simulatedMessage } from './signed-requests.js'

/** An event, as a correlator tells it, and how the provider told it. */
export interface EventFixture<T extends EventType = EventType> {
  event: EventOf<T>
  /** The message that it is of; undefined where it is of none, as a listener would get it. */
  message: SentMessage | undefined
  /** Truly signed; absent where this provider has no such event. `inbound`: it goes to `…/inbound`. */
  request?: TellingRequest
}

type TellingRequest = NonNullable<OtherRequests[OtherEventType]>

/**
 * An event of this type: what a listener is told of it, and the signed request with which the provider tells
 * it. The event is what a correlator has made of that request. Where the provider has no such event, it is as
 * if the provider had, and there is no request.
 *
 * @param sample the message that it is of; give it the `trackingId` of one of your own to have it matched
 * @example
 * ```ts
 * const simulator = sendgridSimulator({ apiKey: 'SG.test' })
 * const webhook = sendgridWebhook({ publicKey: simulator.publicKey })
 * const { event, message } = await eventFixture('bounced', simulator, webhook)
 * await onBounced(event, message)
 * ```
 */
export async function eventFixture<T extends EventType>(
  type: T,
  simulator: ProviderSimulator,
  webhook: Webhook,
  { trackingId = uuidv7(), ...sample }: MessageSample = {},
): Promise<EventFixture<T>> {
  const now = new Date(Math.floor(Date.now() / 1000) * 1000)
  const sent = simulatedMessage({ ...sample, trackingId })
  const origin = originOf(type, simulator, webhook, sent, now)
  const request = 'request' in origin ? origin.request : undefined
  const posted = request ?? onlyRequest(simulator, sent, 'delivered', now)
  const reading = 'fact' in origin ? telling(webhook, origin.fact) : webhook
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [reading],
    foreignAfter: 0,
  })
  const refusals: string[] = []
  correlator.onError(({ message }) => void refusals.push(message))
  try {
    await correlator.recordSending(recordOf(webhook.provider, trackingId, sent, now))
    const told = new Promise<{ event: MailEvent; message: SentMessage | undefined }>((resolve) => {
      correlator.onAny((event, message) => resolve({ event, message }))
    })
    const path = request?.inbound ? `${webhook.name}/inbound` : webhook.name
    const url = `http://127.0.0.1/${path}`
    const init = { method: 'POST', headers: posted.headers, body: posted.body }
    const { status } = await correlator.handler(new Request(url, init))
    if (status >= 300) {
      throw new Error(`the ${type} event was answered ${status}: ${refusals.join('; ')}`)
    }
    const { event, message } = await told
    if (!isOf(type, event)) throw new Error(`the ${type} event was read as ${event.type}`)
    return { event, message, ...(request && { request }) }
  } finally {
    await correlator.close()
  }
}

function isOf<T extends EventType>(type: T, event: MailEvent): event is EventOf<T> {
  return event.type === type
}

/** The request that tells of it, or what it would be where none does. */
function originOf(
  type: EventType,
  simulator: ProviderSimulator,
  { inbound }: Webhook,
  message: SimulatedMessage,
  now: Date,
): { request: TellingRequest } | { fact: EventFact } {
  if (type === 'failed') return { fact: factOf(type, message) }
  if (!isOther(type)) return { request: onlyRequest(simulator, message, type, now) }
  const request = simulator.others?.(message, now)[type]
  return request && (inbound || !request.inbound) ? { request } : { fact: factOf(type, message) }
}

const others: Record<OtherEventType, true> = {
  subscribed: true,
  suppression: true,
  inbound: true,
  unknown: true,
}

function isOther(type: SimulatedEventType | OtherEventType): type is OtherEventType {
  return Object.hasOwn(others, type)
}

function onlyRequest(
  simulator: ProviderSimulator,
  message: SimulatedMessage,
  type: SimulatedEventType,
  now: Date,
): TellingRequest {
  const recipient = message.recipients[0]?.address ?? ''
  const [request] = signedRequests(simulator, message, [{ type, recipient, at: now }], now)
  if (!request) throw new Error(`${simulator.provider} makes no request of the event ${type}`)
  return request
}

/** The webhook as it would be if the provider told this. */
function telling(webhook: Webhook, fact: EventFact): Webhook {
  return {
    ...webhook,
    async read(request, receivedAt) {
      const read = await webhook.read(request, receivedAt)
      if (read.kind === 'refused') return read
      return { kind: 'events', events: read.events.map((event) => ({ ...event, ...fact })) }
    },
  }
}

function factOf(
  type: OtherEventType | 'failed',
  { recipients, subject }: SimulatedMessage,
): EventFact {
  const address = recipients[0]?.address ?? ''
  switch (type) {
    case 'subscribed':
      return { type, scope: { kind: 'all' } }
    case 'suppression':
      return { type, list: 'reject', action: 'added', address, reason: 'hard-bounce' }
    case 'inbound':
      return {
        type,
        mail: {
          envelope: { from: address, to: ['reply@in.example.com'] },
          from: { name: '', address },
          to: [{ name: '', address: 'reply@in.example.com' }],
          cc: [],
          replyTo: [],
          subject: `Re: ${subject}`,
          references: [],
          text: 'Thanks',
          attachments: [],
          inline: {},
          headers: [],
          problems: [],
        },
      }
    case 'unknown':
      return { type }
    case 'failed':
      return { type, detail: 'it could not be rendered' }
  }
}

function recordOf(
  provider: string,
  trackingId: string,
  { id, recipients, subject, tags, messageId, metadata }: SimulatedMessage,
  sentAt: Date,
): MessageRecord {
  const addresses = recipients.map(({ address }) => ({ name: '', address }))
  const { [ownIdKey]: _, ...given } = metadata
  return {
    trackingId,
    provider,
    providerMessageId: id,
    messageId: `<${messageId}>`,
    envelope: { from: 'shop@example.com', to: addresses.map(({ address }) => address) },
    from: { name: 'Shop', address: 'shop@example.com' },
    to: addresses,
    cc: [],
    bcc: [],
    subject,
    tags,
    metadata: given,
    sentAt,
    recipients: addresses.map(({ address }) => ({
      address,
      kind: 'to',
      status: 'accepted',
      providerStatus: 'queued',
    })),
    outcome: 'sent',
  }
}
