/** Totals are kept by week, in ms; weeks begin on Thursdays, as 1970 did. */
export const week = 7 * 24 * 3600_000

/** The beginning of the week that a time is in. */
export const weekOf = (start: number): number => Math.floor(start / week) * week

/** Where the whole weeks of a span begin and end; both at its beginning where it has none. */
export function wholeWeeks(from: number, to: number): [from: number, to: number] {
  const begin = Math.ceil(from / week) * week
  const end = Math.floor(to / week) * week
  return begin < end ? [begin, end] : [from, from]
}
