import type { MailEvent } from '../event.js'
import type { TrackedMessage } from '../tracked-message.js'
import { adviceOn } from './advice.js'
import { duration, mailbox, moment } from './formats.js'
import { html, type Html, type Shown } from './html.js'
import { factList } from './fact-list.js'
import { outsideLink } from './links.js'
import { badge } from './status-badge.js'
import { type Table, table } from './table.js'

/** Longer payloads are cut for the page; the JSON of the events has them whole. */
const longestPayload = 100_000

/** What happened to a message, drawn from the top down, each with how long it took since what was before. */
export function drawTimeline({ sentAt, events }: TrackedMessage): Html {
  const times = [sentAt, ...events.map(({ occurredAt }) => occurredAt)]
  return html`<section id="timeline">
    <h2>Timeline</h2>
    <ol class="timeline">
      <li class="edge-sent">
        <p><strong>sent</strong> ${moment(sentAt)}</p>
      </li>
      ${events.map((event, index) => drawEvent(event, times[index] ?? sentAt))}
    </ol>
    ${events.length === 0 && html`<p class="empty">No event has come yet.</p>`}
  </section>`
}

function drawEvent(event: MailEvent, before: Date): Html {
  const passed = event.occurredAt.getTime() - before.getTime()
  const advice = adviceOn(event)
  return html`<li class="edge-${event.type}">
    <p>
      ${badge(event.type)}
      ${event.recipient !== undefined && html`<span class="long">${event.recipient}</span>`}
      ${moment(event.occurredAt)} ${passed > 0 && html`<small>+ ${duration(passed)}</small>`}
    </p>
    ${advice !== undefined && html`<p class="advice">${advice}</p>`} ${factList(factsOf(event))}
    <details id="raw-${event.id}">
      <summary>Raw payload<span class="unseen"> of ${event.type}</span></summary>
      <pre tabindex="0">${payload(event.raw)}</pre>
    </details>
  </li>`
}

/** What an event says beside its type, in the order in which it is looked for. */
function factsOf(event: MailEvent): [string, Shown][] {
  const lag = event.receivedAt.getTime() - event.occurredAt.getTime()
  return [
    ...ownFacts(event),
    ["Provider's event", event.providerEvent],
    [
      'Received',
      html`${moment(event.receivedAt)} ${lag > 0 && html`<small>${duration(lag)} later</small>`}`,
    ],
    ['Matched by', event.correlation.via],
    ['Event id', html`<code>${event.id}</code>`],
  ]
}

function ownFacts(event: MailEvent): [string, Shown][] {
  switch (event.type) {
    case 'deferred':
    case 'delivered':
      return [
        ["Server's answer", event.response],
        ['SMTP code', event.smtpCode],
        ['Attempt', event.attempt],
      ]
    case 'bounced': {
      const { kind, smtpCode, enhancedCode, asynchronous } = event.bounce
      return [
        ['Bounce', `${kind}${asynchronous ? ', after it was accepted' : ''}`],
        ['Code', [smtpCode, enhancedCode].filter((code) => code !== undefined).join(' ')],
        ["Server's answer", event.response],
      ]
    }
    case 'rejected':
      return [
        ['Reason', event.reason],
        ['Detail', event.detail],
      ]
    case 'failed':
      return [['Detail', event.detail]]
    case 'opened':
      return visitFacts(event)
    case 'clicked':
      return [['Link', outsideLink(event.url)], ...visitFacts(event)]
    case 'unsubscribed':
    case 'subscribed':
      return [['From what', [event.scope.kind, event.scope.id].join(' ')]]
    case 'suppression':
      return [
        ['List', `${event.list}: ${event.action}`],
        ['Address', event.address],
        ['Reason', event.reason],
      ]
    case 'inbound': {
      const { from, subject, text } = event.mail
      return [
        ['From', from && mailbox(from)],
        ['Subject', subject],
        ['Text', text !== undefined && html`<span class="words">${text.slice(0, 2000)}</span>`],
      ]
    }
    case 'unknown':
      return [['Error', event.error]]
    case 'accepted':
    case 'complained':
      return []
  }
}

function visitFacts({
  ip,
  userAgent,
  machine,
}: {
  ip?: string
  userAgent?: string
  machine?: boolean
}): [string, Shown][] {
  return [
    ['IP address', ip],
    ['User agent', userAgent],
    ['By', machine === true && 'a machine'],
  ]
}

function payload(raw: unknown): string {
  const text = JSON.stringify(raw, null, 2) ?? ''
  return text.length > longestPayload ? `${text.slice(0, longestPayload)}\n… cut here` : text
}

export function eventTable(events: readonly MailEvent[]): Table {
  return table({
    name: 'events',
    caption: 'Events',
    empty: 'No event has come yet.',
    rows: events,
    columns: [
      {
        key: 'occurred_at',
        title: 'Happened',
        value: ({ occurredAt }) => occurredAt.toISOString(),
        show: ({ occurredAt }) => moment(occurredAt),
      },
      { key: 'type', title: 'Type', value: ({ type }) => type, show: ({ type }) => badge(type) },
      { key: 'recipient', title: 'Recipient', value: ({ recipient }) => recipient },
      {
        key: 'provider_event',
        title: "Provider's event",
        value: ({ providerEvent }) => providerEvent,
      },
      { key: 'id', title: 'Event id', value: ({ id }) => id },
      {
        key: 'raw',
        title: 'Raw payload',
        value: ({ raw }) => JSON.stringify(raw),
        show: ({ id }) => html`<a href="#raw-${id}">in the timeline</a>`,
      },
    ],
  })
}
