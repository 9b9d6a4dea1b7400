import { messageOf } from './errors.js'
import type { ParsedEvent } from './event.js'
import type { Refusal } from './provider.js'

/** A JSON object whose fields nobody has looked at yet. */
export type Fields = Record<string, unknown>

/** The value as an object with fields; empty for anything else, as PHP writes `{}` as `[]`. */
export function fields(value: unknown): Fields {
  return isFields(value) ? value : {}
}

/** The objects in a list, and nothing for what is no list. */
export function listOfFields(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : []
}

/** Whether it is an object whose fields can be asked for, and no list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A non-empty string, or a number written as one; undefined for anything else. */
export function text(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

/** A whole number, also when it came as a string of digits. */
export function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined
}

/** A flag as providers write it: `true`, 1, "1" or "true"; undefined when it is neither yes nor no. */
export function flag(value: unknown): boolean | undefined {
  const word = String(value).toLowerCase()
  if (word === 'true' || word === '1') return true
  return word === 'false' || word === '0' ? false : undefined
}

/** The strings of a list, or the one string where a provider leaves the list away. */
export function texts(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).flatMap((entry) => text(entry) ?? [])
}

// 1e11 s is the year 5138, and 1e11 ms is 1973: what is larger was meant as milliseconds.
const largestSeconds = 1e11

/** The end of the year 9999, in ms since 1970: later times are no times, and do not fit into an id. */
export const latestTime = 253_402_300_799_999

/** A Unix time in seconds, with or without fraction, as a string or not; milliseconds are noticed. */
export function time(value: unknown): Date | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !(number > 0)) return undefined
  const milliseconds = Math.round(number > largestSeconds ? number : number * 1000)
  return milliseconds > latestTime ? undefined : new Date(milliseconds)
}

/** Metadata as strings, for a provider may echo numbers and objects; our own key is left out. */
export function metadata(value: unknown, ownKey: string): Record<string, string> {
  const entries = Object.entries(fields(value)).flatMap(([key, entry]): [string, string][] => {
    if (key === ownKey || key === '__proto__' || entry === null || entry === undefined) return []
    return [[key, typeof entry === 'string' ? entry : JSON.stringify(entry)]]
  })
  return Object.fromEntries(entries)
}

// A date alone would be read in the time zone of this machine, and other texts as whatever V8 makes of them.
const isoDate = /^\d{4}-\d\d-\d\d[T ]/

/** A time as ISO 8601 writes it, to any fraction of a second; UTC where it names no zone. */
export function isoTime(value: unknown): Date | undefined {
  const words = text(value)?.trim() ?? ''
  if (!isoDate.test(words)) return undefined
  const zoned = /(?:z|[+-]\d\d:?\d\d)$/i.test(words) ? words : `${words}Z`
  return time(Date.parse(zoned.replace(' ', 'T')))
}

/** The SMTP reply code and the enhanced code in a server's answer, such as `550 5.1.1 No such user`. */
export function smtpCodes(answer: string | undefined): {
  smtpCode?: number
  enhancedCode?: string
} {
  // Where both stand together it is no number of the text around them.
  const found =
    /(?:^|[^\d.])([245]\d\d)[ -][245]\.\d/.exec(answer ?? '') ??
    /(?:^|[^\d.])([245]\d\d)(?:[ -]|$)/.exec(answer ?? '')
  const enhanced = /(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])/.exec(answer ?? '')
  return {
    ...(found?.[1] !== undefined && { smtpCode: Number(found[1]) }),
    ...(enhanced?.[1] !== undefined && { enhancedCode: enhanced[1] }),
  }
}

/** What a JSON text says; undefined where it is none. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

// Mandrill posts 1,000 at most, and SendGrid 768 KB of them.
const mostEntries = 10_000

/** The entries of a batch, which is a JSON array. */
export function readEntries(
  name: string,
  json: string,
): { kind: 'entries'; entries: unknown[] } | Refusal {
  const entries = parseJson(json)
  if (entries === undefined) return malformed(`${name} is not JSON`)
  if (!Array.isArray(entries)) return malformed(`${name} is not a JSON array`)
  if (entries.length > mostEntries) {
    return malformed(`${name} has ${entries.length} entries, and ${mostEntries} are read at most`)
  }
  return { kind: 'entries', entries }
}

function malformed(detail: string): Refusal {
  return { kind: 'refused', reason: 'malformed', detail }
}

// No provider nests deeper than six; what does cannot be written back as JSON without care.
const deepestNesting = 64

// Nor does any write a hundredth of these into one event; what does would cost seconds on its way.
const mostValues = 30_000
const mostKeys = 2000

// Each key that is not in every object costs; objects of so many are no event's, and few of them are read.
const wideObject = 200
const mostWideKeys = 10_000

/**
 * Reads the entries of a batch one by one: what cannot be read becomes an `unknown` event with the
 * reason, and the rest goes on. `read` gives events, or what else there is to be made of an entry.
 */
export function readEach<Read = ParsedEvent>(
  entries: readonly unknown[],
  read: (entry: Fields) => Read,
): (Read | ParsedEvent)[] {
  let wideKeys = 0
  return entries.map((entry) => {
    const { excess, wide } = measured(entry)
    wideKeys += wide
    if (wide > 0 && wideKeys > mostWideKeys) {
      return unreadable(asText(entry), 'it is one of too many that hold objects of many fields')
    }
    if (excess !== undefined) return unreadable(asText(entry), excess)
    if (!isFields(entry)) return unreadable(entry, 'it is not an object')
    try {
      return read(entry)
    } catch (error) {
      return unreadable(entry, messageOf(error))
    }
  })
}

function unreadable(raw: unknown, error: string): ParsedEvent {
  return { type: 'unknown', error, providerEvent: '', tags: [], metadata: {}, raw }
}

/** What is nested without end is kept as text, as far as it can be written at all. */
function asText(value: unknown): string | null {
  try {
    return JSON.stringify(value)
  } catch {
    return null
  }
}

/**
 * Why an entry is more than can be worked with, which is undefined for all that providers send; and how
 * many keys there are in wide objects of it.
 */
function measured(entry: unknown): { excess?: string; wide: number } {
  let values = 0
  let widest = 0
  let wide = 0
  const nestsDeeper = (value: unknown, levels: number): boolean => {
    if (typeof value !== 'object' || value === null) return false
    if (levels === 0) return true
    const inner: unknown[] = Object.values(value)
    values += inner.length
    if (!Array.isArray(value)) widest = Math.max(widest, inner.length)
    if (!Array.isArray(value) && inner.length > wideObject) wide += inner.length
    return (
      values <= mostValues &&
      widest <= mostKeys &&
      inner.some((one) => nestsDeeper(one, levels - 1))
    )
  }
  if (nestsDeeper(entry, deepestNesting)) return { excess: 'it is nested too deeply', wide }
  if (widest > mostKeys) {
    return { excess: `it holds an object of more than ${mostKeys} fields`, wide }
  }
  return values > mostValues
    ? { excess: `it holds more than ${mostValues} values`, wide }
    : { wide }
}
