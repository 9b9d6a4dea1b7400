import type { Alarm } from '../alarms.js'
import type { EndpointHealth } from '../endpoint-health.js'
import type { DayTallies, Statistics, Tallies } from '../statistics.js'
import { drawAlarms } from './alarm-list.js'
import { type Bar, bars, tile, timeChart } from './charts.js'
import { type DeliveryTimes, readDeliveryTimes } from './delivery-times.js'
import { choice } from './fields.js'
import { count, duration, share } from './formats.js'
import { html, type Html } from './html.js'
import { linkTo, type Place } from './links.js'
import { overviewTables } from './overview-tables.js'
import type { Page } from './page.js'
import type { StandingView } from './view.js'

const dayLength = 24 * 3600_000
const spans = ['1', '7', '30', '90']
const usualSpan = '7'

/** What the overview shows. */
interface OverviewAnswers {
  days: string
  provider: string
  providers: readonly string[]
  statistics: Statistics
  health: EndpointHealth
  alarms: readonly Alarm[]
  times: DeliveryTimes | undefined
}

export const overview: StandingView = {
  title: 'Overview',
  always: true,
  async read({ correlator, alarms }, asked) {
    const given = asked.parameters.get('days') ?? usualSpan
    const days = spans.includes(given) ? given : usualSpan
    const provider = asked.parameters.get('provider') ?? ''
    const now = asked.now.getTime()
    const today = now - (now % dayLength)
    const from = new Date(today - (Number(days) - 1) * dayLength)
    const only = provider === '' ? {} : { provider }
    const health = correlator.health()
    const [statistics, times] = await Promise.all([
      correlator.stats({ from, to: new Date(today + dayLength), limit: 15, ...only }),
      readDeliveryTimes(correlator, { from, ...only }),
    ])
    const names = [
      ...health.webhooks.map((webhook) => webhook.provider),
      ...statistics.byProvider.map(({ name }) => name),
      ...(provider === '' ? [] : [provider]),
    ]
    const providers = [...new Set(names)].toSorted()
    const answers = { days, provider, providers, statistics, health, alarms: alarms(), times }
    return overviewPage(answers, asked)
  },
}

function overviewPage(answers: OverviewAnswers, place: Place): Page {
  const { statistics, health, alarms, times } = answers
  const { total } = statistics
  const { charted, side, last } = overviewTables(statistics, health, place)
  const all = [...charted, ...side, ...last]
  const body = html`${drawControls(answers)} ${drawAlarms(alarms, place)}
    <section id="numbers">
      <h2 class="unseen">At a glance</h2>
      <ul class="tiles">
        ${drawTiles(total, times, place)}
      </ul>
    </section>
    <div class="pair">${drawCharts(statistics)}</div>
    <div class="pair">${drawFunnel(total)} ${drawReasons(statistics, place)}</div>
    ${charted.map((table) => table.draw(place))}
    <div class="pair">${side.map((table) => table.draw(place))}</div>
    ${last.map((table) => table.draw(place))}`
  return { body, tables: all }
}

function drawControls({ days, provider, providers }: OverviewAnswers): Html {
  return html`<form method="get" class="filters">
    ${choice('days', 'Sent within', days, [
      ['1', 'today'],
      ['7', 'the last 7 days'],
      ['30', 'the last 30 days'],
      ['90', 'the last 90 days'],
    ])}
    ${choice('provider', 'Provider', provider, [
      ['', 'all'],
      ...providers.map((name) => [name, name] as const),
    ])}
    <button type="submit">Show</button>
  </form>`
}

function drawTiles(total: Tallies, times: DeliveryTimes | undefined, place: Place): Html[] {
  const { rates } = total
  const taken = total.recipients - total.failed - total.rejected
  const unsent = html`<a href="${linkTo(place, 'messages', { status: 'failed' })}">unsent</a>`
  return [
    tile('Messages', count(total.messages), html`${count(total.unsent)} of them ${unsent}`, 'sent'),
    tile(
      'Delivered',
      share(rates.delivery),
      `${count(total.delivered)} of ${count(taken)} recipients`,
      'delivered',
    ),
    tile('On the way', count(total.accepted + total.deferred), waiting(total), 'deferred'),
    tile('Bounced', share(rates.bounce), `${count(total.bounced)} recipients`, 'bounced'),
    tile(
      'Not tried',
      count(total.rejected + total.failed),
      'recipients rejected or failed',
      'rejected',
    ),
    tile('Complaints', share(rates.complaint), `${count(total.complained)} of them`, 'complained'),
    times
      ? tile(
          'Time to delivery',
          duration(times.median),
          `half of the latest ${count(times.recipients)}; 95% within ${duration(times.percentile95)}`,
        )
      : tile('Time to delivery', '–', 'nothing was delivered yet'),
  ]
}

const waiting = ({ accepted, deferred }: Tallies): string =>
  `${count(accepted)} accepted, ${count(deferred)} deferred`

function drawCharts(statistics: Statistics): Html[] {
  const days = allDays(statistics)
  const times = days.map(({ day }) => day)
  const series = (title: string, color: Exclude<keyof Tallies, 'rates'>) => ({
    title,
    color,
    values: days.map(({ tallies }) => tallies?.[color] ?? 0),
  })
  return [
    timeChart('arriving', 'What arrives, in recipients by the day it was sent', times, [
      series('Recipients', 'recipients'),
      series('Delivered', 'delivered'),
    ]),
    timeChart('not-arriving', 'What does not, or is not welcome', times, [
      series('Deferred', 'deferred'),
      series('Bounced', 'bounced'),
      series('Rejected', 'rejected'),
      series('Failed', 'failed'),
      series('Complained', 'complained'),
    ]),
  ]
}

/** Every day of the span, also those on which nothing was sent. */
function allDays({ from, to, byDay }: Statistics): { day: Date; tallies?: DayTallies }[] {
  const known = new Map(byDay.map((tallies) => [tallies.day.getTime(), tallies]))
  const length = Math.round((to.getTime() - from.getTime()) / dayLength)
  return Array.from({ length }, (_, index) => {
    const day = new Date(from.getTime() + index * dayLength)
    const tallies = known.get(day.getTime())
    return { day, ...(tallies && { tallies }) }
  })
}

function drawFunnel(total: Tallies): Html {
  const taken = total.recipients - total.failed - total.rejected
  const of = (part: number, whole: number): string => share(whole === 0 ? undefined : part / whole)
  const { delivered, opened, clicked } = total
  return html`<section class="panel" id="funnel">
    <h2>From accepted to clicked, in recipients</h2>
    ${bars([
      { title: 'Accepted', value: taken, color: 'recipients' },
      { title: 'Delivered', value: delivered, note: of(delivered, taken), color: 'delivered' },
      { title: 'Opened', value: opened, note: of(opened, delivered), color: 'opened' },
      { title: 'Clicked', value: clicked, note: of(clicked, delivered), color: 'clicked' },
    ])}
    <p class="hint">
      Image proxies open by themselves, and many readers never do: openings are a hint.
    </p>
  </section>`
}

function drawReasons({ reasons }: Statistics, place: Place): Html {
  const shown = reasons.slice(0, 6)
  return html`<section class="panel" id="why">
    <h2>Why mail did not arrive</h2>
    ${
      shown.length === 0
        ? html`<p class="empty">Nothing was refused in this span.</p>`
        : bars(shown.map(toBar))
    }
    <p class="hint">
      <a href="#reasons">What each means</a> ·
      <a href="${linkTo(place, 'messages', { status: 'bounced' })}">Messages that bounced</a>
    </p>
  </section>`
}

function toBar({ reason, count: value }: Statistics['reasons'][number]): Bar {
  const [what = ''] = reason.split(/:| /, 1)
  return { title: reason, value, color: what === 'unsent' ? 'failed' : what }
}
