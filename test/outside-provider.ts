import { ownId, ownIdKey } from '../src/matching.js'
import { fields, metadata, readEach, text, time } from '../src/payload.js'
import type { Webhook, WebhookReading, WebhookRequest } from '../src/provider.js'

/** What an entry of the webhook below may say. */
export interface OutsideEntry {
  type?: 'accepted' | 'deferred' | 'delivered' | 'opened' | 'complained'
  id?: string
  at?: number
  to?: string
  message?: string
  metadata?: Record<string, string>
  token?: string
}

/**
 * A provider that this package does not know: a JSON list of entries, and a secret in a header.
 * What holds for every webhook is tested with it.
 */
export function outsideWebhook(overrides: Partial<Webhook> = {}): Webhook {
  return {
    provider: 'outside',
    name: 'outside',
    maxBodyBytes: 10_000,
    answers: { stored: 202, forged: 418, malformed: 422 },
    read: async (request) => read(request),
    ...overrides,
  }
}

export const secret = { 'x-secret': 'open sesame' }

function read(request: WebhookRequest): WebhookReading {
  if (request.header('x-secret') !== secret['x-secret']) {
    return { kind: 'refused', reason: 'bad-signature', detail: 'the secret is wrong' }
  }
  const entries: unknown = JSON.parse(request.body.toString())
  if (!Array.isArray(entries)) {
    return { kind: 'refused', reason: 'malformed', detail: 'it is no list' }
  }
  const token = text(fields(entries[0])['token'])
  return {
    kind: 'events',
    events: readEach(entries, (entry) => {
      const type = entry['type']
      if (
        type !== 'accepted' &&
        type !== 'deferred' &&
        type !== 'delivered' &&
        type !== 'opened' &&
        type !== 'complained'
      ) {
        throw new Error(`no event is called ${String(type)}`)
      }
      const occurredAt = time(entry['at'])
      const recipient = text(entry['to'])
      const providerMessageId = text(entry['message'])
      const providerEventId = text(entry['id'])
      const own = ownId(fields(entry['metadata'])[ownIdKey])
      return {
        type,
        providerEvent: type,
        tags: [],
        metadata: metadata(entry['metadata'], ownIdKey),
        raw: entry,
        ...(occurredAt && { occurredAt }),
        ...(recipient !== undefined && { recipient }),
        ...(providerMessageId !== undefined && { providerMessageId }),
        ...(providerEventId !== undefined && { providerEventId }),
        ...(own !== undefined && { ownId: own }),
      }
    }),
    ...(token !== undefined && { nonce: { token, content: request.body.toString() } }),
  }
}

/** Posts entries to the webhook at an address. */
export function postEntries(
  url: string,
  entries: readonly OutsideEntry[] | unknown,
  headers: Record<string, string> = secret,
): Promise<Response> {
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(entries) })
}
