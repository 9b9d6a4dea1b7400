import { createHmac, timingSafeEqual } from 'node:crypto'
import { fields, text } from '../../payload.js'

/** The signature block of a webhook. It covers the timestamp and the token, and not the content. */
export interface MailgunSignature {
  /** Unix time in whole seconds, as text. */
  timestamp: string
  token: string
  /** HMAC-SHA256 in lower-case hex, by the key of the account that owns the domain. */
  signature: string
  /** For a subaccount's event: the same by the key of the parent account. */
  parentSignature?: string
}

export function sign(signingKey: string, timestamp: string, token: string): string {
  return createHmac('sha256', signingKey)
    .update(timestamp + token)
    .digest('hex')
}

/** Whether one of the signatures is by this key. It never throws. */
export function verifySignature(signingKey: string, signed: MailgunSignature): boolean {
  // Anybody can sign with no key.
  if (signingKey === '') return false
  const expected = Buffer.from(sign(signingKey, signed.timestamp, signed.token))
  const matches = (signature: string): boolean => {
    const given = Buffer.from(signature)
    return given.length === expected.length && timingSafeEqual(given, expected)
  }
  return matches(signed.signature) || matches(signed.parentSignature ?? '')
}

/** The `signature` of a JSON body; undefined when it is not whole. */
export function signatureIn(value: unknown): MailgunSignature | undefined {
  const block = fields(value)
  return signatureOf(
    text(block['timestamp']),
    text(block['token']),
    text(block['signature']),
    text(block['parent-signature']),
  )
}

/**
 * What may be the signature of a form, the likeliest first. Whoever writes the variables or the headers
 * of a mail can put fields of the same names beside Mailgun's, and where those stand differs: behind
 * the variables of an event (django-anymail, bb68f3d) and the headers of a mail that is forwarded, but
 * before the headers of one that is stored. So the last and the first of each are tried.
 *
 * @param valuesOf the values of a field, in their order
 */
export function signaturesIn(valuesOf: (name: string) => readonly unknown[]): MailgunSignature[] {
  const ends = (name: string): string[] => {
    const values = valuesOf(name).flatMap((value) => text(value) ?? [])
    return [...new Set([...values.slice(-1), ...values.slice(0, 1)])]
  }
  const named = ends('parent-signature')
  const parents = named.length > 0 ? named : [undefined]
  return ends('timestamp').flatMap((timestamp) =>
    ends('token').flatMap((token) =>
      ends('signature').flatMap((signature) =>
        parents.flatMap((parent) => signatureOf(timestamp, token, signature, parent) ?? []),
      ),
    ),
  )
}

function signatureOf(
  timestamp: string | undefined,
  token: string | undefined,
  signature: string | undefined,
  parentSignature: string | undefined,
): MailgunSignature | undefined {
  if (timestamp === undefined || !/^\d+$/.test(timestamp)) return undefined
  if (token === undefined || signature === undefined) return undefined
  return { timestamp, token, signature, ...(parentSignature !== undefined && { parentSignature }) }
}
