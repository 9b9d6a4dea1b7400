import type { Alarm } from '../alarms.js'
import { count, duration, moment, share } from './formats.js'
import { html, type Html } from './html.js'
import { linkTo, type Place } from './links.js'

/** Of many alarms the rest is behind a click. */
const shownAtOnce = 3

/** The alarms that are raised now, or that there are none. */
export function drawAlarms(alarms: readonly Alarm[], place: Place): Html {
  if (alarms.length === 0) {
    return html`<section id="alarms" class="alarms calm">
      <h2 class="unseen">Alarms</h2>
      <p>No alarm is raised in this process.</p>
    </section>`
  }
  return html`<section id="alarms" class="alarms">
    <h2>${alarms.length === 1 ? 'An alarm is raised' : `${alarms.length} alarms are raised`}</h2>
    ${drawList(alarms.slice(0, shownAtOnce), place)}
    ${
      alarms.length > shownAtOnce &&
      html`<details id="more-alarms">
        <summary>${alarms.length - shownAtOnce} more</summary>
        ${drawList(alarms.slice(shownAtOnce), place)}
      </details>`
    }
  </section>`
}

function drawList(alarms: readonly Alarm[], place: Place): Html {
  return html`<ul>
    ${alarms.map((alarm) => html`<li>${alarmText(alarm, place)}</li>`)}
  </ul>`
}

function alarmText(alarm: Alarm, place: Place): Html {
  switch (alarm.kind) {
    case 'failure-rate': {
      const failed = linkTo(place, 'messages', { provider: alarm.provider, status: 'failed' })
      return html`<strong>Too many messages fail at ${alarm.provider}:</strong>
        <a href="${failed}">${count(alarm.failed)} of ${count(alarm.messages)}</a>
        (${share(alarm.rate)}) within ${duration(alarm.window)}. Raised ${moment(alarm.since)}.`
    }
    case 'silence':
      return html`<strong>No events come from ${alarm.provider}:</strong> ${count(alarm.messages)}
        messages went out within ${duration(alarm.window)}, and nothing was heard of them. Look
        whether its webhook still leads here, and whether its key is still the right one. Raised
        ${moment(alarm.since)}.`
    case 'critical-message': {
      const { trackingId, subject = 'without a subject', sentAt, error } = alarm.message
      return html`<strong>A message failed that must not:</strong>
        <a href="${linkTo(place, `messages/${encodeURIComponent(trackingId)}`)}">${subject}</a>
        (${alarm.tags.join(', ')}), ${moment(sentAt)}${error && html`: ${error.message}`}`
    }
  }
}
