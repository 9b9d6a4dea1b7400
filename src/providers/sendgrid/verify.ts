import { ConfigurationError } from '../../errors.js'
import type { WebhookRequest } from '../../provider.js'
import { neverThrows, toWebhookRequest, type VerifiableRequest } from '../../verifiable-request.js'
import { signatureHeader, timestampHeader, verifySignature } from './signature.js'
import { webhookKeysAtHand } from './webhook-keys.js'

/**
 * Whether a request bears SendGrid's signature, for webhooks that are handled without a correlator. It
 * never throws: without a key that can be used, or with a body that was parsed before, it says no, and
 * a process warning says what to do.
 *
 * @param options `publicKey` is the verification key, or several while one replaces another; default
 * `SENDGRID_WEBHOOK_PUBLIC_KEY` of the environment
 */
export function verifySendgridSignature(
  request: VerifiableRequest,
  options?: { publicKey?: string | readonly string[] },
): boolean {
  return neverThrows('verifySendgridSignature', () => {
    const keys = webhookKeysAtHand('publicKey', options?.publicKey)
    const { header, body } = requestOf(request)
    const signature = header(signatureHeader) ?? ''
    const timestamp = header(timestampHeader) ?? ''
    return keys.some((key) => verifySignature(key, timestamp, body, signature))
  })
}

function requestOf(request: VerifiableRequest): WebhookRequest {
  const raw = toWebhookRequest(request)
  if (raw) return raw
  throw new ConfigurationError(
    "the raw body is not there: take express.raw({ type: '*/*' }) in place of express.json() for this route, or give its bytes as rawBody",
  )
}
