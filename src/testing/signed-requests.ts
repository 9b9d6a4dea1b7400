import { ownIdKey } from '../matching.js'
import type {
  ProviderSimulator,
  SignedRequest,
  SimulatedEvent,
  SimulatedMessage,
} from '../simulator.js'

/** What is to be known of a message that no provider was sent. */
export interface MessageSample {
  /** Our id of it: what `sendMail` or `correlator.record()` gave; without it, it was sent otherwise. */
  trackingId?: string
  /** The provider's id. */
  id?: string
  /** The addresses that it went to. */
  to?: readonly string[]
  subject?: string
  tags?: readonly string[]
  metadata?: Readonly<Record<string, string>>
}

/** A message as a simulated provider has it, which nobody had to send. */
export function simulatedMessage({
  trackingId,
  id = 'message-1',
  to = ['ann@example.com'],
  subject = 'Your order',
  tags = [],
  metadata = {},
}: MessageSample = {}): SimulatedMessage {
  return {
    id,
    recipients: to.map((address) => ({ address, id })),
    subject,
    metadata: { ...metadata, ...(trackingId !== undefined && { [ownIdKey]: trackingId }) },
    tags: [...tags],
    messageId: `${id}@example.com`,
    request: null,
  }
}

/**
 * The requests with which a provider tells of these events, truly signed: to be posted to a handler without
 * a server in between. The simulator has the key that verifies them. A request is all that `fetch` takes
 * beside the method, and the path is that of the webhook.
 *
 * @param now when they are signed; events without a time of their own happen then
 * @example
 * ```ts
 * const simulator = sendgridSimulator({ apiKey: 'SG.test' })
 * const webhooks = [sendgridWebhook({ publicKey: simulator.publicKey })]
 * const correlator = createCorrelator({ store: memoryStore(), webhooks })
 *
 * const message = simulatedMessage({ to: ['ann@example.com'] })
 * const events = [{ type: 'bounced', recipient: 'ann@example.com' }] as const
 * for (const request of signedRequests(simulator, message, events)) {
 *   await correlator.handler(new Request('https://app.test/sendgrid', { method: 'POST', ...request }))
 * }
 * ```
 */
export function signedRequests(
  simulator: ProviderSimulator,
  message: SimulatedMessage,
  events: readonly SimulatedEvent[],
  now = new Date(),
): SignedRequest[] {
  return simulator.webhooks(entriesFor(simulator, message, events, now), now)
}

/** These events as the provider writes them. */
export function entriesFor(
  simulator: ProviderSimulator,
  message: SimulatedMessage,
  events: readonly SimulatedEvent[],
  now = new Date(),
): unknown[] {
  return events.map((event) => {
    const entry = simulator.entry(message, event, now)
    return event.change ? event.change(entry) : entry
  })
}
