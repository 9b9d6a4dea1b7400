import { SendError } from './errors.js'
import { ownIdKey } from './matching.js'
import { type Fields, isFields, metadata, text } from './payload.js'

/** Why a message cannot be sent as it is. */
export function invalid(message: string): SendError {
  return new SendError(message, { category: 'validation', retryable: false, outcome: 'not-sent' })
}

/** The option `tags`, which must be strings. */
export function checkedTags(data: Fields): string[] {
  const tags = data['tags'] ?? []
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags
  throw invalid('tags must be a list of strings')
}

/** The option `metadata`, which must be strings; numbers and flags are taken as such. */
export function checkedMetadata(data: Fields): Record<string, string> {
  const given = data['metadata'] ?? {}
  if (!isFields(given) || given instanceof Map) {
    throw invalid('metadata must be an object of strings')
  }
  for (const [key, value] of Object.entries(given)) {
    if (!['string', 'boolean'].includes(typeof value) && text(value) === undefined) {
      throw invalid(`metadata.${key} must be a string`)
    }
    if (key === ownIdKey || key === '__proto__') {
      throw invalid(`metadata.${key} cannot be used: the name has a meaning of its own`)
    }
  }
  return metadata(given, ownIdKey)
}

/** The option `signal`, which ends the sending of a message as long as nothing was sent. */
export function checkedSignal(data: Fields): AbortSignal | undefined {
  const { signal } = data
  if (signal === undefined || signal === null) return undefined
  if (isAbortSignal(signal)) return signal
  throw invalid('signal must be an AbortSignal')
}

/** By what it does, for there is a class of them in every realm. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false
  return (
    typeof Reflect.get(value, 'aborted') === 'boolean' &&
    typeof Reflect.get(value, 'addEventListener') === 'function'
  )
}
