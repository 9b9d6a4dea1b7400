import { ConfigurationError } from '../../errors.js'
import { neverThrows, toWebhookRequest, type VerifiableRequest } from '../../verifiable-request.js'
import { parsePublicKey, signatureHeader, timestampHeader, verifySignature } from './signature.js'

/** Where the verification key is looked for when it is not passed. */
export const publicKeyVariable = 'SENDGRID_WEBHOOK_PUBLIC_KEY'

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
    const keys = [options?.publicKey ?? process.env[publicKeyVariable] ?? ''].flat()
    if (keys.length === 0 || keys.some((key) => typeof key !== 'string' || key.trim() === '')) {
      throw new ConfigurationError(
        `publicKey is missing: pass the verification key that SendGrid shows for the webhook, or set ${publicKeyVariable}`,
      )
    }
    const { header, body } = requestOf(request)
    const signature = header(signatureHeader) ?? ''
    const timestamp = header(timestampHeader) ?? ''
    return keys
      .map((key) => parsePublicKey(key, 'publicKey'))
      .some((key) => verifySignature(key, timestamp, body, signature))
  })
}

function requestOf(request: VerifiableRequest) {
  const raw = toWebhookRequest(request)
  if (raw) return raw
  throw new ConfigurationError(
    "the raw body is not there: take express.raw({ type: '*/*' }) in place of express.json() for this route, or give its bytes as rawBody",
  )
}
