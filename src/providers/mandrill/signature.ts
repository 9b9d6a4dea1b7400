import { createHmac, timingSafeEqual } from 'node:crypto'

export const signatureHeader = 'x-mandrill-signature'

/** The key that signs the empty post by which Mandrill tries a new URL; it is public knowledge. */
export const testKey = 'test-webhook'

/** A decoded parameter of a form. */
export type Parameter = readonly [name: string, value: string | Uint8Array]

/** Whether it can be a signature at all: 20 bytes in base64. Two that were joined are none. */
export function isWellFormed(signature: string): boolean {
  return /^[A-Za-z\d+/]{27}=$/.test(signature)
}

/**
 * HMAC-SHA1 in base64 over the URL as it was entered in Mandrill and every decoded parameter, name
 * and value, sorted by name.
 */
export function sign(key: string, url: string, parameters: Iterable<Parameter>): string {
  const hmac = createHmac('sha1', key).update(url)
  for (const [name, value] of [...parameters].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hmac.update(name).update(value)
  }
  return hmac.digest('base64')
}

/** Whether the signature is by this key. It never throws. */
export function verifySignature(
  key: string,
  url: string,
  parameters: Iterable<Parameter>,
  signature: string,
): boolean {
  const expected = Buffer.from(sign(key, url, parameters))
  const given = Buffer.from(signature)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
