import { createPublicKey, createSign, createVerify, type KeyObject } from 'node:crypto'
import { ConfigurationError } from '../../errors.js'

export const signatureHeader = 'x-twilio-email-event-webhook-signature'
export const timestampHeader = 'x-twilio-email-event-webhook-timestamp'

/**
 * The verification key as SendGrid shows it (base64 of DER, without armor) or as PEM.
 *
 * @throws ConfigurationError when it is not a public key on the curve P-256.
 */
export function parsePublicKey(text: string): KeyObject {
  if (text.startsWith('SG.')) {
    throw new ConfigurationError(
      'sendgridWebhook: publicKey is an API key (it begins with "SG."): the verification key is shown in SendGrid under Settings, Mail Settings, Event Webhook, Signature Verification',
    )
  }
  let key: KeyObject
  try {
    const der = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  } catch {
    throw new ConfigurationError(
      'sendgridWebhook: publicKey is not a public key: expected what SendGrid shows as Verification Key, which begins with "MFkwEwYH"',
    )
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new ConfigurationError(
      'sendgridWebhook: publicKey is not an ECDSA key on the curve P-256',
    )
  }
  return key
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
