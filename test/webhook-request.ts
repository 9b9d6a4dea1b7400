import type { WebhookRequest } from '../src/provider.js'

/** A request as the handler gives it to a webhook. */
export function webhookRequest(
  headers: Record<string, string | undefined>,
  body: string | Uint8Array,
  head: Partial<WebhookRequest> = {},
): WebhookRequest {
  const byName = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  return {
    method: 'POST',
    target: '/hooks',
    header: (name) => byName.get(name),
    body: Buffer.from(body),
    ...head,
  }
}
