import { ApiKeyError, ConfigurationError, KeySourceError } from './errors.js'

/**
 * The key that webhooks are verified with, or several while one replaces another, or a function
 * that gives those valid now; it is called for every request.
 */
export type KeySource =
  string | readonly string[] | (() => readonly string[] | Promise<readonly string[]>)

/**
 * Turns a key source into a function that gives the keys ready for use, or rejects with a
 * `KeySourceError`. `parse` throws a `ConfigurationError` for a key that cannot be one.
 *
 * @throws ConfigurationError when no key was given: without one anybody could tell us anything.
 */
export function signingKeys<Key>(
  option: string,
  source: KeySource,
  parse: (text: string) => Key,
): () => Promise<Key[]> {
  const parsed = new Map<string, Key>()
  const ready = (texts: readonly string[]): Key[] => {
    if (!Array.isArray(texts) || texts.length === 0) throw missing(option)
    // Keys that are no longer given are forgotten, so a rotating source does not grow the map.
    for (const text of parsed.keys()) if (!texts.includes(text)) parsed.delete(text)
    return texts.map((text) => {
      if (typeof text !== 'string' || text.trim() === '') throw missing(option)
      const key = parsed.get(text) ?? parse(text)
      parsed.set(text, key)
      return key
    })
  }
  if (typeof source === 'function') {
    return async () => {
      try {
        return ready(await source())
      } catch (error) {
        throw new KeySourceError(
          option,
          error,
          error instanceof ApiKeyError ? 'api-key' : 'no-keys',
        )
      }
    }
  }
  const keys = ready(typeof source === 'string' ? [source] : source)
  return async () => keys
}

function missing(option: string): ConfigurationError {
  return new ConfigurationError(
    `${option} is missing: without it anybody would be let in, so nothing starts`,
  )
}
