import { messageOf, type RefusalReason } from '../errors.js'
import type { Payload, ProviderKit, ProviderSettings } from '../provider-kit.js'
import type { Webhook } from '../provider.js'

/** Whether a request is the provider's, as far as that can be said. */
export type Verification =
  | { verified: true }
  | { verified: false; reason: RefusalReason; detail: string }
  | { verified: 'unknown'; detail: string }

/** Verifies a request with the keys that are set. */
export async function verify(
  kit: ProviderKit,
  settings: ProviderSettings,
  { body, contentType }: Payload,
  headers: ReadonlyMap<string, string>,
  target: string,
  now: Date,
): Promise<Verification> {
  let webhook: Webhook
  try {
    webhook = kit.createWebhook(settings)
  } catch (error) {
    return { verified: 'unknown', detail: messageOf(error) }
  }
  const request = {
    method: 'POST',
    target,
    header: (name: string) =>
      headers.get(name) ?? (name === 'content-type' ? contentType : undefined),
    body,
  }
  const reading = webhook.refusedByHead?.(request) ?? (await webhook.read(request, now))
  if (reading.kind === 'events') return { verified: true }
  const { reason, detail } = reading
  if (reason === 'unsigned' && headers.size === 0) {
    return { verified: 'unknown', detail: `${detail} (give the request's headers with --header)` }
  }
  return { verified: false, reason, detail }
}
