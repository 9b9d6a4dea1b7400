import {
  mandrillWebhook,
  type MandrillWebhookOptions,
} from '../../../src/providers/mandrill/index.js'
import { webhookRequest } from '../../webhook-request.js'
import { sign } from '../../../src/providers/mandrill/signature.js'
import type { ParsedEvent } from '../../../src/event.js'
import type { WebhookReading, WebhookRequest } from '../../../src/provider.js'
import { key, url } from './vectors.js'

const formType = 'application/x-www-form-urlencoded'

export const receivedAt = new Date('2026-01-02T03:04:05.678Z')

export interface Signing {
  key?: string
  url?: string
}

/** The signature of a form, with or without a key and a URL of its own. */
export function signatureOf(body: string, signing: Signing = {}): string {
  return sign(signing.key ?? key, signing.url ?? url, new URLSearchParams(body))
}

/** The form with a batch: entries, or the JSON as it is. */
export function formOf(batch: unknown): string {
  const json = typeof batch === 'string' ? batch : JSON.stringify(batch)
  return new URLSearchParams({ mandrill_events: json }).toString()
}

/** A request with these headers in addition to, or in place of, Mandrill's. */
export function requestOf(
  body: string,
  headers: Record<string, string | undefined> = {},
): WebhookRequest {
  return webhookRequest({ 'content-type': formType, ...headers }, body)
}

export function signedRequest(body: string, signing?: Signing): WebhookRequest {
  return requestOf(body, { 'x-mandrill-signature': signatureOf(body, signing) })
}

/** What a webhook with the usual key and URL, or with others, makes of a request. */
export function read(
  request: WebhookRequest,
  options: Partial<MandrillWebhookOptions> = {},
): Promise<WebhookReading> {
  return mandrillWebhook({ key, url, ...options }).read(request, receivedAt)
}

/** The events of a batch that is signed as it should be. */
export async function readBatch(batch: unknown): Promise<ParsedEvent[]> {
  const reading = await read(signedRequest(formOf(batch)))
  if (reading.kind === 'refused') throw new Error(reading.detail)
  return reading.events
}

/** The event of one entry. */
export async function readEntry(given: unknown): Promise<ParsedEvent> {
  const [event, ...others] = await readBatch([given])
  if (event === undefined || others.length > 0) throw new Error('one entry is not one event')
  return event
}

export type Entry = Record<string, unknown>

/** The id of the message that `entry` speaks of. */
export const id = '4f1c0d9be2a84c7fb2d35c6a91e07b44'

/** An event of Mandrill's, with other fields in it and in its message. */
export function entry(changes: Entry = {}, message: Entry = {}): Entry {
  const msg = { _id: id, email: 'ann@example.org', ts: 1767225600, ...message }
  return { event: 'send', _id: id, ts: 1767225601, msg, ...changes }
}
