import type { SentError } from '../message.js'
import type { Suppression } from '../store.js'
import type { TrackedMessage, TrackedRecipient } from '../tracked-message.js'
import { isAddress } from './address.js'
import { adviceOnError } from './advice.js'
import { mailbox, moment } from './formats.js'
import { html, type Html, type Shown } from './html.js'
import { factList } from './fact-list.js'
import { linkTo, type Place } from './links.js'
import { eventTable, drawTimeline } from './message-timeline.js'
import type { Page } from './page.js'
import { badge } from './status-badge.js'
import { type Table, table } from './table.js'
import type { FoundView } from './view.js'

/** Of how many recipients suppressions are asked. */
const mostAsked = 20

export const messagePage: FoundView = {
  title: 'Message',
  always: false,
  async read({ correlator }, asked) {
    const id = decoded(asked.path.split('/')[1] ?? '')
    const message = id === undefined ? undefined : await correlator.message(id)
    if (!message) return undefined
    const addresses = message.recipients.slice(0, mostAsked).map(({ address }) => address)
    // What was recorded by other means may stand there without being an address.
    const suppressions = await Promise.all(
      addresses.filter(isAddress).map((address) => correlator.suppressions.get(address)),
    )
    return messageDetails(message, suppressions.flat(), asked)
  },
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

function messageDetails(
  message: TrackedMessage,
  suppressions: readonly Suppression[],
  place: Place,
): Page {
  const recipients = recipientTable(message.recipients, place)
  const events = eventTable(message.events)
  const { subject = '' } = message
  const body = html`<section id="summary" class="panel">
      <h2>${subject.trim() === '' ? 'Without a subject' : subject}</h2>
      <p>${badge(message.status)} sent ${moment(message.sentAt)} through ${message.provider}</p>
      ${drawFacts(message, place)}
    </section>
    ${drawFailures(message)} ${drawSuppressions(suppressions, place)} ${recipients.draw(place)}
    ${drawTimeline(message)} ${events.draw(place)}`
  return { body, tables: [recipients, events] }
}

function drawFacts(message: TrackedMessage, place: Place): Html {
  const { from, messageId, providerMessageId, templateId, tags, metadata, traceparent } = message
  const facts: [string, Shown][] = [
    ['From', from && mailbox(from)],
    ['Tracking id', html`<code>${message.trackingId}</code>`],
    ["Provider's id", providerMessageId !== undefined && html`<code>${providerMessageId}</code>`],
    ['Message-ID', messageId !== undefined && html`<code>${messageId}</code>`],
    ['Template', templateId],
    [
      'Tags',
      tags.length > 0 &&
        tags.map((tag) => html`<a href="${linkTo(place, 'messages', { tag })}">${tag}</a> `),
    ],
    ...Object.entries(metadata).map(([name, value]): [string, Shown] => [
      `Metadata ${name}`,
      html`<a href="${linkTo(place, 'messages', { metadata: `${name}=${value}` })}">${value}</a>`,
    ]),
    ['Trace', traceparent !== undefined && html`<code>${traceparent}</code>`],
  ]
  return factList(facts)
}

function drawFailures({ earlierAttempts = [], error, provider }: TrackedMessage): Html {
  if (earlierAttempts.length === 0 && !error) return html``
  const attempt = (by: string, failure: SentError, at?: Date): Html =>
    html`<li>
      <strong>${by}</strong> ${at && moment(at)} ${failure.category} (${failure.code}):
      ${failure.message}
      <p class="advice">${adviceOnError(failure)}</p>
    </li>`
  return html`<section id="attempts" class="panel">
    <h2>${error ? 'Why it was not sent' : 'What was tried before'}</h2>
    <ol>
      ${earlierAttempts.map(({ provider: by, endedAt, error: failure }) =>
        attempt(by, failure, endedAt),
      )}
      ${error && attempt(provider, error)}
    </ol>
  </section>`
}

function drawSuppressions(suppressions: readonly Suppression[], place: Place): Html {
  if (suppressions.length === 0) return html``
  return html`<section id="suppressed" class="panel edge-bounced">
    <h2>Suppressed now</h2>
    <ul>
      ${suppressions.map(
        ({ address, cause, since }) =>
          html`<li>
            <a href="${linkTo(place, 'suppressions', { address })}">${address}</a>: ${cause}, since
            ${moment(since)}
          </li>`,
      )}
    </ul>
  </section>`
}

function recipientTable(recipients: readonly TrackedRecipient[], place: Place): Table {
  return table({
    name: 'recipients',
    caption: 'Recipients',
    empty: 'It has no recipients.',
    rows: recipients,
    columns: [
      {
        key: 'address',
        title: 'Address',
        value: ({ address }) => address,
        show: ({ address }) =>
          html`<a class="long" href="${linkTo(place, 'messages', { recipient: address })}"
            >${address}</a
          >`,
      },
      { key: 'kind', title: 'As', value: ({ kind }) => kind },
      {
        key: 'status',
        title: 'Status',
        value: ({ status }) => status,
        show: (row) => badge(row.status),
      },
      {
        key: 'delivered_at',
        title: 'Delivered',
        value: ({ deliveredAt }) => deliveredAt?.toISOString(),
        show: ({ deliveredAt }) => deliveredAt && moment(deliveredAt),
      },
      ...(['opened', 'clicked', 'complained', 'unsubscribed'] as const).map((kind) => ({
        key: kind,
        title: `${kind[0]?.toUpperCase()}${kind.slice(1)}`,
        numeric: true as const,
        value: ({ engagement }: TrackedRecipient) => engagement[kind]?.count ?? 0,
      })),
    ],
  })
}
