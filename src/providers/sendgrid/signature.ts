import {
  createPrivateKey,
  createPublicKey,
  createSign,
  createVerify,
  type KeyObject,
} from 'node:crypto'
import { ApiKeyError, ConfigurationError } from '../../errors.js'

export const signatureHeader = 'x-twilio-email-event-webhook-signature'
export const timestampHeader = 'x-twilio-email-event-webhook-timestamp'

/**
 * The verification key as SendGrid shows it (base64 of DER, without armor) or as PEM.
 *
 * @param option what it was given as, for errors
 * @throws ApiKeyError when it is an API key
 * @throws ConfigurationError when it is not a public key on the curve P-256
 */
export function parsePublicKey(text: string, option = 'sendgridWebhook: publicKey'): KeyObject {
  if (text.trim().startsWith('SG.')) {
    throw new ApiKeyError(
      `${option} is an API key (it begins with "SG."): the verification key is shown in SendGrid under Settings, Mail Settings, Event Webhook, Signature Verification`,
    )
  }
  const der = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  let key: KeyObject
  try {
    key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  } catch {
    const what =
      text.includes('PRIVATE KEY') || isPrivateKey(der) ? 'a private key' : 'not a public key'
    throw new ConfigurationError(
      `${option} is ${what}: expected what SendGrid shows as Verification Key, which begins with "MFkwEwYH"`,
    )
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new ConfigurationError(`${option} is not an ECDSA key on the curve P-256`)
  }
  return key
}

function isPrivateKey(der: Buffer): boolean {
  return (['pkcs8', 'sec1', 'pkcs1'] as const).some((type) => {
    try {
      createPrivateKey({ key: der, format: 'der', type })
      return true
    } catch {
      return false
    }
  })
}

/** Whether these can be a signature and its timestamp: one text in base64, one time in seconds. */
export function isWellFormed(timestamp: string, signature: string): boolean {
  // Nothing parts the two in what is signed, so `1600112502[` would fit a body without its `[`.
  if (!/^\d+$/.test(timestamp)) return false
  // The decoder stops at the first `=`: of a doubled header, which Node joins, it reads one half.
  return /^[A-Za-z\d+/]+={0,2}$/.test(signature)
}

/** Whether the signature is over this timestamp and exactly these bytes. It never throws. */
export function verifySignature(
  key: KeyObject,
  timestamp: string,
  body: Uint8Array,
  signature: string,
): boolean {
  if (!isWellFormed(timestamp, signature)) return false
  // Verified in two updates: joining them would copy the whole body.
  return createVerify('sha256')
    .update(timestamp)
    .update(body)
    .verify(key, Buffer.from(signature, 'base64'))
}

/** The signature that SendGrid would send, in base64 of DER. */
export function sign(privateKey: KeyObject, timestamp: string, body: Uint8Array): string {
  return createSign('sha256').update(timestamp).update(body).sign(privateKey, 'base64')
}
