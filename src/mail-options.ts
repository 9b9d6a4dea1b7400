import { isPlain } from './deep-merge.js'
import { SendError } from './errors.js'
import { ownIdKey } from './matching.js'
import { type Fields, isFields, metadata, text } from './payload.js'
import type { RecipientDataByAddress } from './recipient-data.js'

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

/** The options of a message that a provider carries out itself. */
export interface ProviderTask {
  /** The template at the provider. */
  templateId?: string
  /** What a template, or the text, is filled with; the same for all recipients. */
  templateData: Fields
  /** When it is to be sent; at once where it is absent. */
  sendAt?: Date
  /** Absent where the account decides. */
  trackOpens?: boolean
  /** Absent where the account decides. */
  trackClicks?: boolean
  /** What differs from recipient to recipient; each then gets a message of its own. */
  recipientData?: RecipientDataByAddress
  /** What stands under the provider's own name. */
  own: Fields
}

/** @throws SendError for what would mean something else than it says, or nothing */
export function checkedTask(data: Fields, provider: string): ProviderTask {
  const { templateId, sendAt } = data
  const template = text(templateId)?.trim()
  if (isGiven(templateId) && template === undefined) {
    throw invalid('templateId must be a text that is not empty')
  }
  const time = isGiven(sendAt) ? timeOf(sendAt) : undefined
  const trackOpens = checkedFlag('trackOpens', data)
  const trackClicks = checkedFlag('trackClicks', data)
  return {
    ...(template !== undefined && { templateId: template }),
    templateData: checkedObject('templateData', data),
    ...(time && { sendAt: time }),
    ...(trackOpens !== undefined && { trackOpens }),
    ...(trackClicks !== undefined && { trackClicks }),
    own: checkedObject(provider, data),
  }
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/** A Date, or a text that one can be made of; a number might be seconds or milliseconds. */
function timeOf(value: unknown): Date {
  const time = value instanceof Date || typeof value === 'string' ? new Date(value) : undefined
  if (time && !Number.isNaN(time.getTime())) return time
  throw invalid('sendAt must be a Date, or a text in the form of ISO 8601')
}

function checkedFlag(name: string, data: Fields): boolean | undefined {
  const value = data[name]
  if (!isGiven(value)) return undefined
  if (typeof value === 'boolean') return value
  throw invalid(`${name} must be true or false`)
}

function checkedObject(name: string, data: Fields): Fields {
  const value = data[name]
  if (!isGiven(value)) return {}
  if (isPlain(value)) return value
  throw invalid(`${name} must be an object`)
}

/** The option `ignoreSuppressions`: whether it goes to those too who must not be mailed. */
export function ignoresSuppressions(data: Fields): boolean {
  return checkedFlag('ignoreSuppressions', data) ?? false
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
