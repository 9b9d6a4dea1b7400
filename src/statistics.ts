import { checkedTime } from './checked-time.js'
import { counted, noCounts } from './counts.js'
import { inStore } from './in-store.js'
import { misspeltOption } from './misspelt-option.js'
import type { Counted, CountDimension, CountQuery, CountRow, Store } from './store.js'

/** Which messages are counted: those that were sent in a span of days, by their day in UTC. */
export interface StatisticsQuery {
  /** The first day; 30 days before the end by default. */
  from?: Date
  /** The day after the last; tomorrow by default, so that today counts. */
  to?: Date
  provider?: string
  /** How many templates, tags, domains, reasons and links, those with the most; default 100. */
  limit?: number
}

/** How many messages and recipients, what became of them, and what that is of all. */
export interface Tallies extends Record<Exclude<Counted, 'events'>, number> {
  rates: Rates
}

/** From 0 to 1; absent where there is nothing that it could be a share of. */
export interface Rates {
  /** Messages that no provider took, of all. */
  failure?: number
  /** Recipients that it was delivered to, of all that a provider took it for. */
  delivery?: number
  /** Of the same: those it bounced for. */
  bounce?: number
  /** Recipients that opened it, of those it was delivered to. Image proxies open by themselves, and many never. */
  open?: number
  /** Of the same: those that clicked. */
  click?: number
  /** Of the same: those that complained of spam. */
  complaint?: number
}

export interface DayTallies extends Tallies {
  /** Its beginning, in UTC. */
  day: Date
}

export interface NamedTallies extends Tallies {
  name: string
}

/** What became of messages, all of it by the day on which they were sent. */
export interface Statistics {
  /** The first day, and the day after the last, in UTC. */
  from: Date
  to: Date
  total: Tallies
  byDay: DayTallies[]
  byProvider: NamedTallies[]
  byTemplate: NamedTallies[]
  byTag: NamedTallies[]
  /** By the domains of recipients; of messages as a whole nothing is counted here. */
  byDomain: NamedTallies[]
  /** Why mail did not arrive, or was not welcome, such as `bounced: hard 5.1.1` or `unsent: auth`. */
  reasons: { reason: string; count: number }[]
  /** The links that were clicked most, without what follows their path. */
  links: { url: string; clicks: number }[]
}

const dayLength = 24 * 3600_000
const defaultDays = 30

/** @throws TypeError for a span that is none, or an option that is none */
export async function readStatistics(
  store: Pick<Store, 'counts'>,
  { from, to, provider, limit = 100, ...unknown }: StatisticsQuery = {},
): Promise<Statistics> {
  const misspelt = misspeltOption('stats', unknown)
  if (misspelt !== undefined) throw new TypeError(misspelt)
  const end = to ? dayOf(to, 'to') : dayOf(new Date(), 'to') + dayLength
  const start = from ? dayOf(from, 'from') : end - defaultDays * dayLength
  if (start > end) throw new TypeError('stats: from must not be after to')
  const read = (
    dimension: CountDimension,
    by: CountQuery['by'],
    most = limit,
  ): Promise<CountRow[]> =>
    inStore('counting messages', () =>
      store.counts({
        dimension,
        from: start,
        to: end,
        by,
        limit: most,
        ...(provider !== undefined && { provider }),
      }),
    )
  const [days, providers, templates, tags, domains, reasons, links] = await Promise.all([
    read('all', 'start', Math.ceil((end - start) / dayLength)),
    read('all', 'provider'),
    read('template', 'value'),
    read('tag', 'value'),
    read('domain', 'value'),
    read('reason', 'value'),
    read('link', 'value'),
  ])
  return {
    from: new Date(start),
    to: new Date(end),
    total: toTallies(sumOf(days)),
    byDay: days.map(({ key, counts }) => ({ day: new Date(Number(key)), ...toTallies(counts) })),
    byProvider: toNamed(providers),
    byTemplate: toNamed(templates),
    byTag: toNamed(tags),
    byDomain: toNamed(domains),
    reasons: reasons
      .filter(isCounted)
      .map(({ key, counts }) => ({ reason: key, count: counts.events })),
    links: links.filter(isCounted).map(({ key, counts }) => ({ url: key, clicks: counts.events })),
  }
}

function dayOf(time: unknown, name: string): number {
  const at = checkedTime(time, `stats: ${name}`)
  return at - (((at % dayLength) + dayLength) % dayLength)
}

/** What was counted and taken back leaves rows of nothing. */
function isCounted({ counts }: CountRow): boolean {
  return Object.values(counts).some((count) => count !== 0)
}

function toNamed(rows: readonly CountRow[]): NamedTallies[] {
  return rows.filter(isCounted).map(({ key, counts }) => ({ name: key, ...toTallies(counts) }))
}

function sumOf(rows: readonly CountRow[]): Record<Counted, number> {
  const sum = { ...noCounts }
  for (const { counts } of rows) {
    for (const name of counted) sum[name] += counts[name]
  }
  return sum
}

function toTallies({ events: _events, ...counts }: Record<Counted, number>): Tallies {
  const taken = counts.recipients - counts.failed - counts.rejected
  return {
    ...counts,
    rates: {
      ...rate('failure', counts.unsent, counts.messages),
      ...rate('delivery', counts.delivered, taken),
      ...rate('bounce', counts.bounced, taken),
      ...rate('open', counts.opened, counts.delivered),
      ...rate('click', counts.clicked, counts.delivered),
      ...rate('complaint', counts.complained, counts.delivered),
    },
  }
}

function rate(name: keyof Rates, part: number, of: number): Rates {
  return of > 0 ? { [name]: part / of } : {}
}
