import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { InboundMail, ParsedEvent } from '../../../src/index.js'
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

export type Field = readonly [name: string, value: string]

export interface File {
  name: string
  filename: string
  contentType?: string
  content: string | Uint8Array
}

/** The same as fields of a form. */
export function signatureFields(key = signingKey, time = timestamp, once = token): Field[] {
  return [
    ['timestamp', time],
    ['token', once],
    ['signature', sign(key, time, once)],
  ]
}

/** A body and its content type. */
export interface Post {
  type: string
  body: Buffer
}

export function jsonPost(eventData: unknown, key = signingKey): Post {
  return { type: 'application/json', body: Buffer.from(bodyOf(eventData, key)) }
}

export function urlEncoded(fields: readonly Field[]): Post {
  const form = new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value]))
  return { type: 'application/x-www-form-urlencoded', body: Buffer.from(form.toString()) }
}

export function multipart(
  fields: readonly Field[],
  files: readonly File[] = [],
  boundary = 'f723ccea-a5e9-497a-806e-7088c837e9e0',
): Post {
  const part = (head: string, content: string | Uint8Array): Buffer[] => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
    Buffer.from(content),
    Buffer.from('\r\n'),
  ]
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([
      ...fields.flatMap(([name, value]) => part(`name="${name}"`, value)),
      ...files.flatMap(({ name, filename, contentType = 'application/octet-stream', content }) =>
        part(`name="${name}"; filename="${filename}"\r\nContent-Type: ${contentType}`, content),
      ),
      Buffer.from(`--${boundary}--\r\n`),
    ]),
  }
}

/** The post in a file: bare events are signed, and forms have their boundary in their first line. */
export function sample(file: string): Post {
  const body = readFileSync(join(__dirname, 'fixtures', file))
  if (file.endsWith('.form')) return { type: 'application/x-www-form-urlencoded', body }
  if (file.endsWith('.multipart')) {
    const boundary = body.subarray(2, body.indexOf('\r\n')).toString()
    return { type: `multipart/form-data; boundary=${boundary}`, body }
  }
  const sent = JSON.parse(body.toString())
  return 'event-data' in sent ? { type: 'application/json', body } : jsonPost(sent)
}

/** What a webhook makes of a request. */
export function read(
  body: string | Buffer,
  {
    webhook = mailgunWebhook({ signingKey }),
    headers = { 'content-type': 'application/json' },
    receivedAt = new Date('2025-10-09T09:00:00Z'),
  }: { webhook?: Webhook; headers?: Record<string, string>; receivedAt?: Date } = {},
): Promise<WebhookReading> {
  return webhook.read(webhookRequest(headers, body), receivedAt)
}

export function readPost({ type, body }: Post, webhook?: Webhook): Promise<WebhookReading> {
  return read(body, { headers: { 'content-type': type }, ...(webhook && { webhook }) })
}

/** The events in a reading that must not be refused. */
export function eventsIn(reading: WebhookReading): ParsedEvent[] {
  if (reading.kind === 'refused') throw new Error(`it was refused: ${reading.detail}`)
  return reading.events
}

/** The one event in a post. */
export async function readOne(post: Post, webhook?: Webhook): Promise<ParsedEvent> {
  const [event, ...others] = eventsIn(await readPost(post, webhook))
  if (!event || others.length > 0) throw new Error('it is not one event')
  return event
}

/** The one event in a webhook about this `event-data`. */
export function readEvent(eventData: unknown): Promise<ParsedEvent> {
  return readOne(jsonPost(eventData))
}

/** The mail in a post. */
export async function readMail(
  post: Post,
  webhook?: Webhook,
): Promise<{ event: ParsedEvent; mail: InboundMail }> {
  const event = await readOne(post, webhook)
  if (event.type !== 'inbound') throw new Error(`it is ${event.type}`)
  return { event, mail: event.mail }
}

/** Events as they would stand in a file: without the payload, and dates as text. */
export function written(events: ParsedEvent[]): unknown {
  return JSON.parse(JSON.stringify(events.map(({ raw: _raw, ...event }) => event)))
}
