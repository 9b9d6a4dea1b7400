import { ConfigurationError } from '../../errors.js'
import { keysAtHand, type KeySource, signingKeys } from '../../signing-keys.js'

const variable = 'MAILGUN_WEBHOOK_SIGNING_KEY'

/**
 * The keys that webhooks may be signed by, or else that of `MAILGUN_WEBHOOK_SIGNING_KEY`.
 *
 * @param option its name, for errors
 * @throws ConfigurationError when there is none
 */
export function webhookKeys(option: string, given: KeySource | undefined): () => Promise<string[]> {
  return signingKeys(option, sourceOf(option, given), trimmed)
}

/**
 * The same for who cannot wait for them.
 *
 * @throws ConfigurationError when there is none, or a function was given
 */
export function webhookKeysAtHand(
  option: string,
  given: string | readonly string[] | undefined,
): string[] {
  return keysAtHand(option, sourceOf(option, given), trimmed)
}

const trimmed = (key: string): string => key.trim()

// Only where nothing was given: an empty key is a mistake, and not a wish for another one.
function sourceOf(option: string, given: KeySource | undefined): KeySource {
  if (given !== undefined) return given
  const key = process.env[variable]?.trim()
  if (key) return key
  throw new ConfigurationError(`${option} is missing: pass it, or set ${variable}`)
}

/**
 * Whether a key that fits nothing is an API key, which is asked for nowhere here. It is no proof by
 * itself: old accounts sign with their API key until one of the two is replaced (django-anymail#153).
 */
export function isApiKey(key: string): boolean {
  return (
    /^[\da-f]{32}-[\da-f]{8}-[\da-f]{8}$/i.test(key) ||
    key === process.env['MAILGUN_API_KEY']?.trim()
  )
}

/** What is to be done about it. */
export const apiKeyDetail =
  'the signature does not fit, and the signing key is an API key: pass the HTTP webhook signing key of the account, which Mailgun shows apart from its API keys'
