import { createHmac, timingSafeEqual } from 'node:crypto'

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
