import { counted, noCounts } from '../counts.js'
import type { Counted } from '../store.js'

export const columns = counted.join(', ')

export const sums = counted.map((name) => `sum(${name}) AS ${name}`).join(', ')

/** Sums as a database writes them. */
export type Sums = Record<Counted, string | number>

/** For who adds to a row that there is. */
export const addToKnown = `DO UPDATE SET ${counted
  .map((name) => `${name} = known.${name} + excluded.${name}`)
  .join(', ')}`

/** Nothing is left of what was counted. */
export const isEmpty = counted.map((name) => `${name} = 0`).join(' AND ')

export function toCounts(row: Sums): Record<Counted, number> {
  const counts = { ...noCounts }
  for (const name of counted) counts[name] = Number(row[name])
  return counts
}
