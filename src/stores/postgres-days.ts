import { firstTrackingId } from '../matching.js'
import { lockClass, daysLock } from './postgres-locks.js'
import { timedTables } from './postgres-migrations.js'
import type { Query, Statement } from './postgres-transaction.js'

// Tables whose ids begin with time are cut at midnights, UTC. From the first partition to the last one all of
// time is covered, so that there is a place for every event, whatever its time. What is to come goes to the last
// partition until that is cut, which is cheap as long as it is done ahead.

const day = 24 * 3600_000

/** So many days are cut ahead: as long as somebody opens or prunes within them, each gets its own partition. */
const daysAhead = 7

/** What lies between two cuts: each of the tables has a partition for it, named after the table and this. */
export interface Span {
  suffix: string
  /** Ids, of which the last one is not included; absent at both ends of time. */
  from?: string | undefined
  to?: string | undefined
}

/** All spans in the order of time. */
export async function spansOf(query: Query): Promise<Span[]> {
  const spans = (await query(partitions)).map(({ name, bound }): Span => {
    const [, from, to] = /FROM \((.*)\) TO \((.*)\)/.exec(bound) ?? []
    const suffix = name.slice('mailtrail_events_'.length)
    return { suffix, from: idIn(from), to: idIn(to) }
  })
  return spans.toSorted((a, b) => ((a.from ?? '') < (b.from ?? '') ? -1 : 1))
}

/** The id in a bound; undefined where that is no id, but an end of time. */
function idIn(bound = ''): string | undefined {
  return /'(.+)'/.exec(bound)?.[1]
}

/** When what has this id happened, in ms since 1970. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** Where the last span is to be cut, so that the coming days have one each. */
export function missingCuts(spans: readonly Span[], now: number): number[] {
  const tomorrow = now - (now % day) + day
  const last = spans.at(-1)?.from
  const first = last === undefined ? tomorrow : Math.max(timeOfId(last) + day, tomorrow)
  const cuts: number[] = []
  for (let cut = first; cut <= tomorrow + daysAhead * day; cut += day) cuts.push(cut)
  return cuts
}

/**
 * Cuts the last span. Nobody reads or writes meanwhile, which takes milliseconds: only where much lies in it,
 * because nothing was ever cut or not for long, it is read through once.
 */
export async function cutDays(query: Query, now: number): Promise<void> {
  await query(lockDays)
  const spans = await spansOf(query)
  const ids = missingCuts(spans, now).map(firstTrackingId)
  const last = spans.at(-1)
  const [first] = ids
  if (!last || first === undefined) return
  await query(lockTables)
  for (const { name, id, settings } of timedTables) {
    const cut = `${name}_${last.suffix}`
    await query({ text: `ALTER TABLE ${name} DETACH PARTITION ${cut}` })
    for (const [index, from] of ids.entries()) {
      const span = { suffix: suffixOf('from', from), from, to: ids[index + 1] }
      await query({
        text: `CREATE TABLE ${name}_${span.suffix} PARTITION OF ${name} ${valuesOf(span)} ${settings}`,
      })
    }
    await query({
      text: `WITH later AS (DELETE FROM ${cut} WHERE ${id} >= '${first}' RETURNING *)
        INSERT INTO ${name} OVERRIDING SYSTEM VALUE SELECT * FROM later`,
    })
    await attach(query, name, { ...last, to: first })
  }
}

export async function attach(query: Query, table: string, span: Span): Promise<void> {
  await query({
    text: `ALTER TABLE ${table} ATTACH PARTITION ${table}_${span.suffix} ${valuesOf(span)}`,
  })
}

/** Ids are made of digits and dashes, so they may stand in a statement that takes no parameters. */
function valuesOf({ from, to }: Pick<Span, 'from' | 'to'>) {
  const [least, most] = [from ? `'${from}'` : 'MINVALUE', to ? `'${to}'` : 'MAXVALUE']
  return `FOR VALUES FROM (${least}) TO (${most})`
}

export function suffixOf(end: 'from' | 'before', id: string): string {
  return `${end}_${new Date(timeOfId(id)).toISOString().slice(0, 10).replaceAll('-', '')}`
}

const partitions: Statement<{ name: string; bound: string }> = {
  text: `SELECT relname AS name, pg_get_expr(relpartbound, pg_class.oid) AS bound
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'mailtrail_events'::regclass`,
}

/** One alone cuts or drops; others find it done. */
export const lockDays: Statement<never> = {
  text: `SELECT pg_advisory_xact_lock(${lockClass}, ${daysLock})`,
}

/** Partitions are reached by their table alone, so nobody is at one when it is locked. */
export const lockTables: Statement<never> = {
  text: `LOCK TABLE ${timedTables.map(({ name }) => `ONLY ${name}`).join(', ')} IN ACCESS EXCLUSIVE MODE`,
}
