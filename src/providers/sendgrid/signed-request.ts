import type { KeyObject } from 'node:crypto'
import type { RefusalReason } from '../../errors.js'
import type { Refusal, WebhookRequest, WebhookRequestHead } from '../../provider.js'
import { refusedByAge } from '../../webhook-options.js'
import { diagnose, type Mismatch } from './diagnosis.js'
import { isWellFormed, signatureHeader, timestampHeader, verifySignature } from './signature.js'

/** What a request has to be signed with. */
export interface Signing {
  keys: readonly KeyObject[]
  /** In ms. */
  maxAge: number | undefined
  /** How SendGrid is made to sign, for who reads why an unsigned request was refused. */
  remedy: string
}

/** What is wrong with the head of a request that has to be signed. */
export function refusedByHead(request: WebhookRequestHead, remedy: string): Refusal | undefined {
  const signature = request.header(signatureHeader)
  const timestamp = request.header(timestampHeader)
  if (signature === undefined || timestamp === undefined) {
    const missing = signature === undefined ? signatureHeader : timestampHeader
    return refuse('unsigned', `the header ${missing} is missing: ${remedy}`)
  }
  if (isWellFormed(timestamp, signature)) return undefined
  return refuse(
    'unsigned',
    `the headers ${signatureHeader} and ${timestampHeader} are not one signature in base64 and one time in seconds`,
  )
}

/** What is wrong with the signature of a request; undefined when it is SendGrid's. */
export function refusedBySignature(
  request: WebhookRequest,
  { keys, maxAge, remedy }: Signing,
  receivedAt: Date,
): Refusal | undefined {
  const refused = refusedByHead(request, remedy)
  if (refused) return refused
  const signature = request.header(signatureHeader) ?? ''
  const timestamp = request.header(timestampHeader) ?? ''
  const fitsOneOf = (some: readonly KeyObject[], body: Buffer): boolean =>
    some.some((key) => verifySignature(key, timestamp, body, signature))
  if (fitsOneOf(keys, request.body)) return refusedByAge(timestamp, maxAge, receivedAt)
  const tried = keys.slice(0, mostKeys)
  const mismatch = diagnose(request.body, (body) => fitsOneOf(tried, body))
  return refuse(mismatch, mismatches[mismatch])
}

// Each costs five verifications more, of what anybody may have posted.
const mostKeys = 4

const mismatches: Readonly<Record<Mismatch, string>> = {
  // Of one event alone, parsing and writing it again leaves the same bytes.
  truncated:
    'the signature fits the body with the line break (CR LF) at its end that it has lost: something before the handler trims it, reads it by lines, or parses it and writes it again; hand on the bytes as they come',
  reserialised:
    'the signature fits the body as it was before it was parsed and written again: hand on the bytes as they come, with express.raw() in place of express.json(), or let no middleware read the body before the handler',
  'bad-signature':
    'the signature fits none of the public keys: either the key belongs to another webhook, or the body was changed on its way, its last line break included',
}

function refuse(reason: RefusalReason, detail: string): Refusal {
  return { kind: 'refused', reason, detail }
}
