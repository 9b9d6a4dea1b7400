import { ConfigurationError } from '../../errors.js'
import { keysAtHand, type KeySource, signingKeys } from '../../signing-keys.js'

/**
 * The keys that batches may be signed by, or else that of `MANDRILL_WEBHOOK_KEY`.
 *
 * @param option its name, for errors
 * @throws ConfigurationError when there is none
 */
export function webhookKeys(option: string, key: KeySource | undefined): () => Promise<string[]> {
  return signingKeys(option, required(option, key, 'MANDRILL_WEBHOOK_KEY'), trimmed)
}

/**
 * The same for who cannot wait for them.
 *
 * @throws ConfigurationError when there is none, or a function was given
 */
export function webhookKeysAtHand(
  option: string,
  key: string | readonly string[] | undefined,
): string[] {
  return keysAtHand(option, required(option, key, 'MANDRILL_WEBHOOK_KEY'), trimmed)
}

const trimmed = (key: string): string => key.trim()

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
