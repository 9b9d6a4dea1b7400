import { expect } from '@jest/globals'
import type { CountChange, CountQuery, Store } from '../../src/store.js'

export const day = 24 * 3600_000
// A Friday, in the midst of one of the weeks that totals are kept for, which begin on Thursdays.
export const begin = Date.UTC(2026, 0, 2)
export const days = 40
export const providers = ['postmark', 'ses', 'smtp']

export const changeOf = (index: number, value: string, events = 1): CountChange => ({
  start: begin + (index % days) * day,
  provider: providers[index % providers.length] ?? '',
  dimension: 'tag',
  value,
  counts: { events },
})

/** So much of every value on every day of every provider. */
export const everything = (values: readonly string[]): CountChange[] =>
  values.flatMap((value) =>
    Array.from({ length: days * providers.length }, (_, index) => changeOf(index, value)),
  )

export const inSpan = (from: number, to: number): Omit<CountQuery, 'provider'> => ({
  dimension: 'tag',
  from: begin + from * day,
  to: begin + to * day,
  by: 'value',
  limit: 1000,
})

async function eventsIn(
  store: Pick<Store, 'counts'>,
  from: number,
  to: number,
  more: Partial<CountQuery> = {},
): Promise<[key: string, events: number][]> {
  const rows = await store.counts({ ...inSpan(from, to), ...more })
  return rows.flatMap(({ key, counts }) => (counts.events === 0 ? [] : [[key, counts.events]]))
}

/** What was added, added up here. */
function sumOf(
  added: readonly CountChange[],
  keyOf: (change: CountChange) => string,
  fits: (change: CountChange) => boolean,
): [key: string, events: number][] {
  const sums = new Map<string, number>()
  for (const change of added.filter(fits)) {
    const key = keyOf(change)
    sums.set(key, (sums.get(key) ?? 0) + (change.counts.events ?? 0))
  }
  return [...sums].toSorted(([a, more], [b, less]) => less - more || (a < b ? -1 : 1))
}

/** Of all spans, all providers and each, by whatever it is added up. */
export async function expectToHave(
  store: Pick<Store, 'counts'>,
  added: readonly CountChange[],
  first = -1,
): Promise<void> {
  for (let from = first; from <= days; from += 3) {
    for (let to = from; to <= days + 1; to += 2) {
      const provider = [undefined, ...providers][(from + to + 2) % 4]
      const fits = (change: CountChange): boolean =>
        change.start >= begin + from * day &&
        change.start < begin + to * day &&
        (provider === undefined || change.provider === provider)
      const more = provider === undefined ? {} : { provider }
      expect(await eventsIn(store, from, to, more)).toEqual(
        sumOf(added, ({ value }) => value, fits),
      )
      expect(await eventsIn(store, from, to, { ...more, by: 'provider' })).toEqual(
        sumOf(added, (change) => change.provider, fits),
      )
      const byStart = sumOf(added, ({ start }) => String(start), fits)
      expect(await eventsIn(store, from, to, { ...more, by: 'start' })).toEqual(
        byStart.toSorted(([a], [b]) => Number(a) - Number(b)),
      )
    }
  }
}
