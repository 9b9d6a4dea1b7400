import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  sign,
  signatureHeader,
  timestampHeader,
} from '../../../src/providers/sendgrid/signature.js'

/** A key pair as a SendGrid account has it: the public half as its settings show it. */
export function newKeys(): { publicKey: string; privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return { publicKey: der.toString('base64'), privateKey }
}

/** The headers of a signed webhook, by lower-case name. */
export function signedHeaders(
  privateKey: KeyObject,
  body: Buffer,
  timestamp = '1755427700',
): Record<string, string> {
  return {
    'content-type': 'application/json;charset=utf-8',
    [signatureHeader]: sign(privateKey, timestamp, body),
    [timestampHeader]: timestamp,
  }
}
