import { setTimeout as delay } from 'node:timers/promises'
import { firstTrackingId } from '../matching.js'
import type { PruneLimits } from '../store.js'
import { cutDays, missingCuts, type Span, spansOf, timeOfId } from './postgres-days.js'
import { codeOf } from './driver-errors.js'
import type { PgPool } from './postgres-driver.js'
import {
  countIn,
  dropDay,
  droppable,
  droppedUntil,
  keptBefore,
  removeLeft,
} from './postgres-dropping.js'
import { pruningTables } from './postgres-pruning.js'
import {
  altering,
  inTransaction,
  migrating,
  reading,
  type Statement,
  writing,
} from './postgres-transaction.js'
import type { DaysPruned } from './sql-tables.js'

/**
 * Sees to it that coming days have partitions of their own, where days have them.
 *
 * @param asked days have them from now on
 * @returns whether days have them
 */
export async function makeDays(pool: PgPool, asked: boolean): Promise<boolean> {
  const { spans, now } = await inTransaction(pool, reading, async (query) => {
    const [row] = await query(clock)
    return { spans: await spansOf(query), now: Number(row?.now) }
  })
  if (!asked && !haveDays(spans)) return false
  if (missingCuts(spans, now).length === 0) return true
  try {
    await whenFree(() => inTransaction(pool, altering, (query) => cutDays(query, now)))
  } catch (error) {
    // It can wait until the next time: the last partition takes what comes meanwhile.
    if (!haveDays(spans) || !canBeLeft(error)) throw error
  }
  return true
}

/** How long a day is removed row by row that could not be dropped, in ms, before that is tried again. */
const pause = 60_000

/** Drops days that are over, where days have partitions, and says what is left to be removed row by row. */
export function createDayPruning(): (
  pool: PgPool,
  limits: PruneLimits,
  most: number,
) => Promise<DaysPruned> {
  let pausedAt = -Infinity
  return async (pool, limits, most) => {
    await makeDays(pool, true)
    const { messages, events } = limits
    if (messages === undefined || events === undefined) return { removed: 0, limits }
    const spans = await inTransaction(pool, reading, spansOf)
    if (performance.now() - pausedAt > pause) {
      const dropped = await dropDays(pool, firstTrackingId(Math.min(messages, events)))
      if (dropped === 'not now') pausedAt = performance.now()
      else if (dropped > 0) return { removed: dropped, limits }
    }
    while ((await removeLeftRows(pool, most)) > 0);
    return { removed: 0, limits: messages > events ? limits : wholeDays(spans, limits, messages) }
  }
}

function haveDays(spans: readonly Span[]): boolean {
  return spans.length > 1
}

/** What there is of a day that is not over is left: the whole of it is dropped for less than its rows are removed. */
function wholeDays(spans: readonly Span[], limits: PruneLimits, messages: number): PruneLimits {
  const until = firstTrackingId(messages)
  const { from, to } = spans.findLast(({ from: first = '' }) => first <= until) ?? {}
  // What lies in the first and the last one is not dropped with a day.
  if (from === undefined || to === undefined) return limits
  return { ...limits, messages: timeOfId(from) }
}

/**
 * Drops days until one of them was not empty.
 *
 * @returns how much was in it, as it was counted before; 0 when there is none, or that one could not be dropped
 */
async function dropDays(pool: PgPool, until: string): Promise<number | 'not now'> {
  for (;;) {
    const day = droppable(await inTransaction(pool, reading, spansOf), until)
    if (!day) return 0
    try {
      // Before others have to wait, it is looked at whether that is quickly done.
      const kept = await inTransaction(pool, writing, (query) => keptBefore(query, day.to))
      if (!kept) return 'not now'
      const count = await inTransaction(pool, migrating, (query) => countIn(query, day))
      const keptOfIt = await whenFree(() =>
        inTransaction(pool, altering, (query) => dropDay(query, day)),
      )
      if (keptOfIt !== undefined && count > keptOfIt) return count - keptOfIt
    } catch (error) {
      // Its rows are removed one by one.
      if (canBeLeft(error)) return 'not now'
      if (codeOf(error) !== gone) throw error
    }
  }
}

/** What dropped days have left elsewhere: they were counted with these. */
async function removeLeftRows(pool: PgPool, most: number): Promise<number> {
  return inTransaction(pool, writing, async (query) => {
    const until = droppedUntil(await spansOf(query))
    if (until === undefined) return 0
    return removeLeft(query, pruningTables(query).removeEvents, until, most)
  })
}

const clock: Statement<{ now: string }> = {
  text: 'SELECT floor(extract(epoch FROM now()) * 1000) AS now',
}

/** What another one has dropped since it was looked for. */
const gone = '42P01'

// A lock that was not to be had at once, a statement that took too long, and tables that are another one's.
const leavable = new Set(['55P03', '57014', '42501'])

function canBeLeft(error: unknown): boolean {
  return leavable.has(codeOf(error) ?? '')
}

const mostAttempts = 10

/** Whoever is at a table is not waited for long, for all who come after would wait too: it is tried again. */
async function whenFree<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (codeOf(error) !== '55P03' || attempt === mostAttempts) throw error
      await delay(Math.random() * 20 * attempt)
    }
  }
}
