import type { EndpointHealth, WebhookHealth } from '../endpoint-health.js'
import type { DayTallies, NamedTallies, Statistics, Tallies } from '../statistics.js'
import { adviceOnReason } from './advice.js'
import { bar } from './charts.js'
import { count, day, duration, moment, share } from './formats.js'
import { html, type Html } from './html.js'
import { linkTo, outsideLink, type Place } from './links.js'
import { type Column, type Table, table } from './table.js'

/** The tables of the overview, in the groups that they stand in. */
export function overviewTables(
  { byDay, byProvider, byDomain, byTemplate, byTag, reasons, links }: Statistics,
  health: EndpointHealth,
  place: Place,
): { charted: Table[]; side: Table[]; last: Table[] } {
  const none = 'Nothing was sent in this span.'
  const named = (
    name: string,
    caption: string,
    title: string,
    rows: readonly NamedTallies[],
    link?: (row: string) => string,
  ): Table =>
    table({ name, caption, empty: none, rows, columns: [nameColumn(title, link), ...tallies] })
  const byTagLink = (tag: string): string => linkTo(place, 'messages', { tag })
  const byProviderLink = (provider: string): string => linkTo(place, 'messages', { provider })
  return {
    charted: [
      webhooksTable(health),
      named('providers', 'Providers', 'Provider', byProvider, byProviderLink),
      named('domains', "Recipients' domains", 'Domain', byDomain),
    ],
    side: [reasonsTable(reasons), linksTable(links)],
    last: [
      table({
        name: 'days',
        caption: 'Days',
        empty: none,
        rows: byDay.toReversed(),
        columns: [
          { key: 'day', title: 'Sent on', value: (row: DayTallies) => day(row.day) },
          ...tallies,
        ],
      }),
      named('tags', 'Tags', 'Tag', byTag, byTagLink),
      named('templates', 'Templates', 'Template', byTemplate),
    ],
  }
}

const nameColumn = (title: string, link?: (name: string) => string): Column<NamedTallies> => ({
  key: 'name',
  title,
  value: ({ name }) => name,
  ...(link && { show: ({ name }) => html`<a href="${link(name)}">${name}</a>` }),
})

const number = (title: string, key: Exclude<keyof Tallies, 'rates'>): Column<Tallies> => ({
  key,
  title,
  numeric: true,
  value: (row) => row[key],
  show: (row) => count(row[key]),
})

const tallies: readonly Column<Tallies>[] = [
  number('Recipients', 'recipients'),
  number('Delivered', 'delivered'),
  {
    key: 'delivery_rate',
    title: 'Delivery',
    numeric: true,
    value: ({ rates }) => rates.delivery,
    show: ({ rates }) => rateCell(rates.delivery),
  },
  number('Deferred', 'deferred'),
  number('Bounced', 'bounced'),
  {
    key: 'bounce_rate',
    title: 'Bounces',
    numeric: true,
    value: ({ rates }) => rates.bounce,
    show: ({ rates }) => share(rates.bounce),
  },
  number('Rejected', 'rejected'),
  number('Failed', 'failed'),
  number('Opened', 'opened'),
  number('Clicked', 'clicked'),
  number('Complained', 'complained'),
]

function rateCell(rate: number | undefined): Html {
  if (rate === undefined) return html`–`
  return html`<span class="rate">${share(rate)} ${bar(rate, 'delivered')}</span>`
}

function reasonsTable(reasons: Statistics['reasons']): Table {
  return table({
    name: 'reasons',
    caption: 'Reasons, and what to do',
    empty: 'Nothing was refused in this span.',
    rows: reasons,
    columns: [
      { key: 'reason', title: 'Reason', value: ({ reason }) => reason },
      {
        key: 'count',
        title: 'Events',
        numeric: true,
        value: (row) => row.count,
        show: (row) => count(row.count),
      },
      { key: 'meaning', title: 'In plain words', value: ({ reason }) => adviceOnReason(reason) },
    ],
  })
}

function linksTable(links: Statistics['links']): Table {
  return table({
    name: 'links',
    caption: 'Links that were clicked',
    empty: 'Nothing was clicked in this span.',
    rows: links,
    columns: [
      { key: 'url', title: 'Link', value: ({ url }) => url, show: ({ url }) => outsideLink(url) },
      {
        key: 'clicks',
        title: 'Clicks',
        numeric: true,
        value: ({ clicks }) => clicks,
        show: ({ clicks }) => count(clicks),
      },
    ],
  })
}

function webhooksTable({ since, webhooks }: EndpointHealth): Table {
  const usual = new Set(['stored', 'tried'])
  const refused = ({ requests }: WebhookHealth): [string, number][] =>
    Object.entries(requests).filter(([outcome]) => !usual.has(outcome))
  return table({
    name: 'webhooks',
    caption: 'Webhooks of this process',
    empty: 'This process takes no webhooks.',
    rows: webhooks,
    columns: [
      { key: 'webhook', title: 'Webhook', value: ({ webhook }) => webhook },
      {
        key: 'last_stored_at',
        title: 'Last stored',
        value: ({ lastStoredAt }) => lastStoredAt?.toISOString(),
        show: ({ lastStoredAt }) =>
          lastStoredAt ? moment(lastStoredAt) : html`<em>none since ${moment(since)}</em>`,
      },
      {
        key: 'lag_ms',
        title: 'Lag: last, mean',
        value: ({ lag }) => lag?.last,
        show: ({ lag }) => (lag ? `${duration(lag.last)}, ${duration(lag.mean)}` : '–'),
      },
      counted('events', 'Events', ({ events }) => events),
      counted('duplicates', 'Told twice', ({ duplicates }) => duplicates),
      counted('unknown', 'Not understood', ({ unknown }) => unknown),
      {
        key: 'refused',
        title: 'Refused, and why',
        value: (row) =>
          refused(row)
            .map(([reason, many]) => `${reason}: ${many}`)
            .join(', '),
        show: (row) =>
          refused(row).length === 0
            ? 'none'
            : refused(row).map(
                ([reason, many]) =>
                  html`<span class="badge edge-bounced">${reason} × ${count(many)}</span> `,
              ),
      },
    ],
  })
}

const counted = (
  key: string,
  title: string,
  of: (row: WebhookHealth) => number,
): Column<WebhookHealth> => ({
  key,
  title,
  numeric: true,
  value: of,
  show: (row) => count(of(row)),
})
