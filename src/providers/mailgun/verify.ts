import { ConfigurationError } from '../../errors.js'
import { isForm } from '../../form.js'
import { type Fields, fields, isFields, parseJson } from '../../payload.js'
import { neverThrows, toWebhookRequest, type VerifiableRequest } from '../../verifiable-request.js'
import { type MailgunSignature, signatureIn, signaturesIn, verifySignature } from './signature.js'
import { apiKeyDetail, isApiKey, webhookKeysAtHand } from './webhook-keys.js'

/** What a request is verified with. */
export interface MailgunVerification {
  /** The account's HTTP webhook signing key, one or several; default `MAILGUN_WEBHOOK_SIGNING_KEY`. */
  signingKey?: string | readonly string[]
}

/**
 * Whether a request bears Mailgun's signature, for handlers of your own: of an event, of a form from
 * before 2018, or of a mail. The signature covers a timestamp and a token and nothing else, so a body
 * that was parsed before is as good as the raw one:
 *
 * ```ts
 * app.post('/mailgun', express.json(), (request, response) => {
 *   if (!verifyMailgunSignature(request, { signingKey })) return response.sendStatus(406)
 * ```
 *
 * So whoever has seen one signature can use it for anything. `guardWebhook(mailgunWebhook(…))` remembers
 * what each came with, which this function does not. It never throws; without a key nothing is verified,
 * and a process warning says so.
 */
export function verifyMailgunSignature(
  request: VerifiableRequest,
  verification: MailgunVerification = {},
): boolean {
  return neverThrows('verifyMailgunSignature', () => {
    const keys = webhookKeysAtHand('signingKey', verification.signingKey)
    const signatures = signaturesOf(request)
    const isProven = signatures.some((signature) =>
      keys.some((key) => verifySignature(key, signature)),
    )
    if (!isProven && signatures.length > 0 && keys.some(isApiKey)) {
      throw new ConfigurationError(apiKeyDetail)
    }
    return isProven
  })
}

function signaturesOf(request: VerifiableRequest): MailgunSignature[] {
  const raw = toWebhookRequest(request)
  if (!raw) {
    if (isFields(request.body)) return signaturesInParsed(request.body)
    throw new ConfigurationError(
      "the body is not there: take express.raw({ type: '*/*' }) for this route, or hand on what a parser has made of it as body",
    )
  }
  const contentType = raw.header('content-type') ?? ''
  if (!isForm(contentType)) return signaturesInParsed(fields(parseJson(raw.body.toString('utf8'))))
  return /multipart/i.test(contentType)
    ? signaturesInMultipart(raw.body)
    : signaturesInUrlEncoded(raw.body)
}

/** Of JSON it is an object, of a form it is fields, which a parser makes lists of where they repeat. */
function signaturesInParsed(body: Fields): MailgunSignature[] {
  const signature = signatureIn(body['signature'])
  return signature ? [signature] : signaturesIn((name) => [body[name]].flat())
}

function signaturesInUrlEncoded(body: Buffer): MailgunSignature[] {
  const form = new URLSearchParams(body.toString('latin1'))
  return signaturesIn((name) => form.getAll(name))
}

/**
 * Found by their looks wherever they stand, for a form is read asynchronously elsewhere. Whatever else
 * looks so decides nothing: one of those found has to be signed.
 */
function signaturesInMultipart(body: Buffer): MailgunSignature[] {
  const found = [...body.toString('latin1').matchAll(part)]
  return signaturesIn((wanted) =>
    found.flatMap(([, name, value]) => (name === wanted ? value : [])),
  )
}

const part =
  /\bname="?(timestamp|token|signature|parent-signature)"?(?:\r\n[^\r\n]{1,200}){0,5}\r\n\r\n([^\r\n]{1,200})\r\n--/g
