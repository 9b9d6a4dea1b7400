import { ConfigurationError } from '../../errors.js'
import { type KeySource, signingKeys } from '../../signing-keys.js'

/**
 * The keys that batches may be signed by, or else that of `MANDRILL_WEBHOOK_KEY`.
 *
 * @param option its name, for errors
 * @throws ConfigurationError when there is none
 */
export function webhookKeys(option: string, key: KeySource | undefined): () => Promise<string[]> {
  const source = required(option, key, 'MANDRILL_WEBHOOK_KEY')
  return signingKeys(option, source, (text) => text.trim())
}

/**
 * The same for who cannot wait for them.
 *
 * @throws ConfigurationError when there is none, or a function was given
 */
export function keysAtHand(option: string, key: string | readonly string[] | undefined): string[] {
  const source = required(option, key, 'MANDRILL_WEBHOOK_KEY')
  if (typeof source === 'function') {
    throw new ConfigurationError(`${option} must be a text or a list of them, not a function`)
  }
  const keys: string[] = []
  // Texts are looked at when they are given, so they are all there at its end.
  signingKeys(option, source, (text) => keys.push(text.trim()))
  return keys
}

/**
 * The URLs that batches may be signed for, to the letter, or else that of `MANDRILL_WEBHOOK_URL`.
 *
 * @throws ConfigurationError when there is none, or one is no http or https URL
 */
export function webhookUrls(option: string, url: string | readonly string[] | undefined): string[] {
  const given = required(option, url, 'MANDRILL_WEBHOOK_URL')
  const urls: readonly unknown[] = typeof given === 'string' ? [given] : given
  const signed =
    'give the URL exactly as it was entered in Mandrill, for it is part of what is signed'
  if (!Array.isArray(urls) || urls.length === 0) {
    throw new ConfigurationError(`${option} is missing: ${signed}`)
  }
  return urls.map((one) => {
    if (typeof one === 'string' && /^https?:\/\/[^/]/i.test(one.trim())) return one.trim()
    throw new ConfigurationError(`${option} is no http or https URL: ${signed}`)
  })
}

function required<Given>(
  option: string,
  given: Given | undefined,
  variable: string,
): Given | string {
  const value = given ?? process.env[variable]
  if (value !== undefined && value !== '') return value
  throw new ConfigurationError(`${option} is missing: pass it, or set ${variable}`)
}
