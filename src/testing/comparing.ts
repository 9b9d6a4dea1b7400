import { deepEqual } from 'node:assert/strict'

/** Equal in all that counts. A test runner may have several classes of one name, as of Date. */
export function same(actual: unknown, expected: unknown, message?: string): void {
  deepEqual(plain(actual), plain(expected), message)
}

/** Equal as far as the pattern goes. */
export function like(actual: unknown, pattern: unknown, message?: string): void {
  deepEqual(picked(actual, pattern), plain(pattern), message)
}

/** Equal, in whatever order. */
export function sameSet(actual: Iterable<string>, expected: Iterable<string>): void {
  same([...actual].toSorted(), [...expected].toSorted())
}

function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]'
}

function isMap(value: unknown): value is Map<unknown, unknown> {
  return Object.prototype.toString.call(value) === '[object Map]'
}

/** The value made anew, without what is undefined. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Array.from(value, plain)
  if (isDate(value)) return new Date(value.getTime())
  if (isMap(value)) return new Map(Array.from(value, ([key, entry]) => [key, plain(entry)]))
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, entry]) =>
      entry === undefined ? [] : [[key, plain(entry)]],
    ),
  )
}

/** What the pattern speaks of. */
function picked(value: unknown, pattern: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(pattern)) {
    return Array.from(value, (entry, index) => picked(entry, pattern[index]))
  }
  if (!isFields(value) || !isFields(pattern)) return plain(value)
  return plain(
    Object.fromEntries(Object.keys(pattern).map((key) => [key, picked(value[key], pattern[key])])),
  )
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isDate(value)
}
