import type { PostedForm } from './posted-form.js'
import { testKey, verifySignature } from './signature.js'

/** Whether a form is signed by one of the keys, for one of the URLs. */
export function isSigned(
  { parameters }: PostedForm,
  signature: string,
  keys: readonly string[],
  urls: readonly string[],
): boolean {
  // Everybody knows the test key: it proves nothing.
  const secret = keys.filter((key) => key !== testKey)
  return urls.some((url) => secret.some((key) => verifySignature(key, url, parameters, signature)))
}

/** Whether it is the empty post by which Mandrill tries a new URL; its key is good for nothing else. */
export function isTrial(
  { parameters, batch }: PostedForm,
  signature: string,
  urls: readonly string[],
): boolean {
  return (
    batch.equals(Buffer.from('[]')) &&
    urls.some((url) => verifySignature(testKey, url, parameters, signature))
  )
}
