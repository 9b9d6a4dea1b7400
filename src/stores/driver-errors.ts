import { ConfigurationError, messageOf } from '../errors.js'
import { fields } from '../payload.js'

/**
 * What an error of a driver says, and its code. PostgreSQL quotes rows in `detail`, and settings with a password
 * may be anywhere in what a driver throws.
 */
export function plainError(error: unknown): Error {
  const code = codeOf(error)
  const { errors } = fields(error)
  // A host with several addresses fails with one error for each, and says nothing itself.
  const [first] = Array.isArray(errors) ? errors : []
  const message = messageOf(error) || messageOf(first ?? code)
  return Object.assign(new Error(message), code !== undefined && { code })
}

export function codeOf(error: unknown): string | undefined {
  const { code } = fields(error)
  return typeof code === 'string' ? code : undefined
}

/**
 * Why there is no connection; a `ConfigurationError` where trying again does not help.
 *
 * @param refusals the codes of a wrong name or password, and of a database that there is not
 */
export function connectionError(store: string, error: unknown, refusals: RegExp): Error {
  const plain = plainError(error)
  const message = `${store} cannot connect: ${plain.message}`
  if (refusals.test(codeOf(plain) ?? '')) return new ConfigurationError(message)
  plain.message = message
  return plain
}
