import type { Gauges } from '../observer.js'

/** The gauges of all correlators that have one observer. */
export interface WatchedGauges {
  watch(gauges: Gauges): () => void
  /** How many events they hold together. */
  untold(): number
  /** The longest that an event of any of them is waiting, in s. Undefined while no store tells it. */
  overdue(): Promise<number | undefined>
}

export function watchedGauges(): WatchedGauges {
  const watched = new Set<Gauges>()
  let asking: Promise<number | undefined> | undefined

  async function ask(): Promise<number | undefined> {
    const asked = await Promise.allSettled([...watched].map((gauges) => gauges.overdue()))
    const told = asked.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    return told.length === 0 ? undefined : Math.max(...told) / 1000
  }

  return {
    watch(gauges) {
      watched.add(gauges)
      return () => void watched.delete(gauges)
    },
    untold: () => [...watched].reduce((sum, gauges) => sum + gauges.untold(), 0),
    // However many ask at once, each store is asked once.
    overdue: () => (asking ??= ask().finally(() => (asking = undefined))),
  }
}
