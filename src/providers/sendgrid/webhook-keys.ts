import type { KeyObject } from 'node:crypto'
import { ConfigurationError } from '../../errors.js'
import { keysAtHand, type KeySource, signingKeys } from '../../signing-keys.js'
import { parsePublicKey } from './signature.js'

const variable = 'SENDGRID_WEBHOOK_PUBLIC_KEY'

/**
 * The keys that batches may be signed by, or else that of `SENDGRID_WEBHOOK_PUBLIC_KEY`.
 *
 * @param option its name, for errors
 * @throws ConfigurationError when there is none, or what was given is none
 */
export function webhookKeys(
  option: string,
  given: KeySource | undefined,
): () => Promise<KeyObject[]> {
  return signingKeys(option, sourceOf(option, given), (text) => parsePublicKey(text, option))
}

/**
 * The same for who cannot wait for them.
 *
 * @throws ConfigurationError when there is none, what was given is none, or a function was given
 */
export function webhookKeysAtHand(
  option: string,
  given: string | readonly string[] | undefined,
): KeyObject[] {
  return keysAtHand(option, sourceOf(option, given), (text) => parsePublicKey(text, option))
}

function sourceOf(option: string, given: KeySource | undefined): KeySource {
  const source = given ?? process.env[variable]
  if (source !== undefined) return source
  throw new ConfigurationError(
    `${option} is missing: pass the verification key that SendGrid shows for the webhook, or set ${variable}`,
  )
}
