import type { ParsedEvent } from '../../../src/index.js'
import { webhookRequest } from '../../webhook-request.js'
import type { Webhook, WebhookReading } from '../../../src/index.js'
import { mailgunWebhook } from '../../../src/providers/mailgun/index.js'
import { sign } from '../../../src/providers/mailgun/signature.js'

/** The key that the samples are signed with. */
export const signingKey = 'key-test-4f1c2d9be07a45c8913e6d5ab2f0c7e1'

export const timestamp = '1760000000'
export const token = '580d6443d8d907d110b69885861df72efc4a69cb8766b7b332'

/** A signature block, as Mailgun puts it beside an event. */
export function signatureBy(key: string, changes: object = {}): Record<string, unknown> {
  return { timestamp, token, signature: sign(key, timestamp, token), ...changes }
}

/** The body of a webhook about this event. */
export function bodyOf(eventData: unknown, key = signingKey): string {
  return JSON.stringify({ signature: signatureBy(key), 'event-data': eventData })
}

/** What a webhook makes of a request. */
export function read(
  body: string | Buffer,
  {
    webhook = mailgunWebhook({ signingKey }),
    headers = { 'content-type': 'application/json' },
  }: { webhook?: Webhook; headers?: Record<string, string> } = {},
): Promise<WebhookReading> {
  return webhook.read(webhookRequest(headers, body), new Date('2025-10-09T09:00:00Z'))
}

/** The events in a request that must be readable. */
export async function readEvents(body: string | Buffer): Promise<ParsedEvent[]> {
  const reading = await read(body)
  if (reading.kind === 'refused') throw new Error(`it was refused: ${reading.detail}`)
  return reading.events
}

/** The one event in a webhook about this `event-data`. */
export async function readEvent(eventData: unknown): Promise<ParsedEvent> {
  const [event, ...others] = await readEvents(bodyOf(eventData))
  if (!event || others.length > 0) throw new Error('it is not one event')
  return event
}
