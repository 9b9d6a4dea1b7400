import type { KeyObject } from 'node:crypto'
import { readEach, readEntries } from '../../payload.js'
import type { Webhook, WebhookReading, WebhookRequest } from '../../provider.js'
import type { KeySource } from '../../signing-keys.js'
import { checkedMaxAge, checkedWebhookOptions, type WebhookOptions } from '../../webhook-options.js'
import { readEvent } from './entries.js'
import { inboundEndpoint, type SendgridInboundOptions } from './inbound.js'
import { refusedByHead, refusedBySignature } from './signed-request.js'
import { webhookKeys } from './webhook-keys.js'

export interface SendgridWebhookOptions extends WebhookOptions {
  /**
   * The verification key that SendGrid shows for the signed event webhook, one or several; default
   * `SENDGRID_WEBHOOK_PUBLIC_KEY` of the environment.
   */
  publicKey?: KeySource
  /**
   * How old a signature may be, in ms, of events and of inbound mail; any age by default. SendGrid comes
   * again for a day, and whether it signs anew then is not documented.
   */
  maxAge?: number
  /** Inbound mail (Inbound Parse), served at `…/<name>/inbound`; not at all by default. */
  inbound?: SendgridInboundOptions
}

/**
 * SendGrid's signed event webhook, and its Inbound Parse where `inbound` was given.
 *
 * ```ts
 * createCorrelator({ store, webhooks: [sendgridWebhook({ publicKey: 'MFkwEwYHKoZIzj0C…' })] })
 * ```
 *
 * @throws ConfigurationError when the key is missing or is not one, when inbound mail has neither a
 * key nor a guard, or another option is wrong
 */
export function sendgridWebhook({
  publicKey,
  maxAge,
  inbound,
  ...given
}: SendgridWebhookOptions = {}): Webhook {
  const options = checkedWebhookOptions('sendgridWebhook', given, {
    name: 'sendgrid',
    // A batch is sent at 768 KB; one event more may come on top of it.
    maxBodyBytes: 5 * 1024 * 1024,
  })
  const signedWithin = checkedMaxAge('sendgridWebhook', maxAge)
  const keys = webhookKeys('sendgridWebhook: publicKey', publicKey)
  return {
    provider: 'sendgrid',
    ...options,
    refusedByHead: (request) => refusedByHead(request, remedy),
    read: async (request, receivedAt) => readBatch(request, await keys(), signedWithin, receivedAt),
    ...(inbound && { inbound: inboundEndpoint(inbound, options.guards, signedWithin) }),
  }
}

const remedy = 'turn on Signature Verification for this webhook in SendGrid'

function readBatch(
  request: WebhookRequest,
  keys: readonly KeyObject[],
  maxAge: number | undefined,
  receivedAt: Date,
): WebhookReading {
  const refused = refusedBySignature(request, { keys, maxAge, remedy }, receivedAt)
  if (refused) return refused
  // Whatever the content type says: what is signed is SendGrid's.
  const batch = readEntries('the body', request.body.toString('utf8'))
  return batch.kind === 'refused'
    ? batch
    : { kind: 'events', events: readEach(batch.entries, readEvent) }
}
