import { createHmac, timingSafeEqual } from 'node:crypto'

export const signatureHeader = 'x-mandrill-signature'

/** The key that signs the empty post by which Mandrill tries a new URL; it is public knowledge. */
export const testKey = 'test-webhook'

/**
 * HMAC-SHA1 in base64 over the URL as it was entered in Mandrill and every decoded parameter, name
 * and value, sorted by name.
 */
export function sign(key: string, url: string, parameters: Iterable<[string, string]>): string {
  const sorted = [...parameters].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHmac('sha1', key)
    .update(url + sorted.flat().join(''))
    .digest('base64')
}

/** Whether the signature is by this key. It never throws. */
export function verifySignature(
  key: string,
  url: string,
  parameters: Iterable<[string, string]>,
  signature: string,
): boolean {
  const expected = Buffer.from(sign(key, url, parameters))
  const given = Buffer.from(signature)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
