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
  if (typeof source !== 'function') {
    const keys = keysAtHand(option, source, parse)
    return async () => keys
  }
  let parsed: ReadonlyMap<string, Key> = new Map()
  return async () => {
    try {
      const texts = checkedTexts(option, await source())
      // Those that are no longer given are forgotten, so a rotating source does not grow the map.
      parsed = new Map(texts.map((text) => [text, parsed.get(text) ?? parse(text)]))
      return [...parsed.values()]
    } catch (error) {
      throw new KeySourceError(option, error, error instanceof ApiKeyError ? 'api-key' : 'no-keys')
    }
  }
}

/**
 * The keys of a source that need not be waited for, ready for use.
 *
 * @throws ConfigurationError when no key was given, when a function was, and what `parse` throws
 */
export function keysAtHand<Key>(
  option: string,
  source: KeySource,
  parse: (text: string) => Key,
): Key[] {
  if (typeof source === 'function') {
    throw new ConfigurationError(`${option} must be a text or a list of them, and not a function`)
  }
  return checkedTexts(option, typeof source === 'string' ? [source] : source).map(parse)
}

function checkedTexts(option: string, texts: readonly string[]): readonly string[] {
  const isKey = (text: unknown): boolean => typeof text === 'string' && text.trim() !== ''
  if (Array.isArray(texts) && texts.length > 0 && texts.every(isKey)) return texts
  throw new ConfigurationError(`${option} is missing: without it anybody would be let in`)
}
