import { type Fields, isFields } from './payload.js'

/**
 * An object with another merged into it: objects field by field, everything else replaced. Neither of
 * them changes; without anything to merge it is the object itself. What is undefined in the other changes
 * nothing, as if it were not there.
 */
export function mergedDeep(base: Fields, other: Fields): Fields {
  const others = Object.entries(other)
  if (others.length === 0) return base
  const merged = new Map(Object.entries(base))
  for (const [name, value] of others) {
    // Assigned to some object it would change what that is.
    if (name === '__proto__' || value === undefined) continue
    const known = merged.get(name)
    merged.set(name, isPlain(known) && isPlain(value) ? mergedDeep(known, value) : value)
  }
  return Object.fromEntries(merged)
}

/** Not a Date, a Buffer or another thing with a life of its own. */
export function isPlain(value: unknown): value is Fields {
  if (!isFields(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === null ||
    prototype === Object.prototype ||
    Object.getPrototypeOf(prototype) === null
  )
}
