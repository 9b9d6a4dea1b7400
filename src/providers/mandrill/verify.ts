import { ConfigurationError } from '../../errors.js'
import { fields } from '../../payload.js'
import type { WebhookRequest } from '../../provider.js'
import { neverThrows, toWebhookRequest, type VerifiableRequest } from '../../verifiable-request.js'
import { formAgain, readForm } from './posted-form.js'
import { signatureHeader } from './signature.js'
import { isSigned, isTrial } from './signed-form.js'
import { webhookKeysAtHand, webhookUrls } from './webhook-keys.js'

/** What a request is verified with; by default `MANDRILL_WEBHOOK_KEY` and `MANDRILL_WEBHOOK_URL`. */
export interface MandrillVerification {
  /** The webhook's key, one or several. */
  key?: string | readonly string[]
  /** The URL exactly as it was entered in Mandrill, one or several. */
  url?: string | readonly string[]
}

/**
 * Whether a request is signed by Mandrill, for handlers of your own. A body that a parser of forms has
 * taken apart is as good as the raw one, since the signature is over decoded values:
 *
 * ```ts
 * app.post('/mandrill', express.urlencoded({ limit: '64mb' }), (request, response) => {
 *   if (!verifyMandrillSignature(request, { key, url })) return response.sendStatus(403)
 * ```
 *
 * The empty post by which Mandrill tries a new URL counts as signed. It never throws; without a key or
 * a URL nothing is verified, and a process warning says so.
 */
export function verifyMandrillSignature(
  request: VerifiableRequest,
  { key, url }: MandrillVerification = {},
): boolean {
  return neverThrows('verifyMandrillSignature', () => {
    const keys = webhookKeysAtHand('key', key)
    const urls = webhookUrls('url', url)
    const read = toWebhookRequest(request) ?? fromParsed(request)
    const signature = read?.header(signatureHeader)
    if (!read || signature === undefined) return false
    const form = readForm(read.body)
    return (
      form.kind === 'form' &&
      (isTrial(form, signature, urls) || isSigned(form, signature, keys, urls))
    )
  })
}

function fromParsed({ headers, body }: VerifiableRequest): WebhookRequest | undefined {
  const parsed = fields(body)
  if (!('mandrill_events' in parsed)) {
    throw new ConfigurationError(
      'the form is not there: hand over its bytes, as express.raw() leaves them, or what express.urlencoded() makes of them',
    )
  }
  const rawBody = formAgain(parsed)
  return rawBody && toWebhookRequest({ headers, rawBody })
}
