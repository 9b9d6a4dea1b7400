import { recipientStatuses } from '../status.js'
import type { FoundMessage } from '../tracked-message.js'
import { choice, textField } from './fields.js'
import { count, moment } from './formats.js'
import { html, type Html, type Shown } from './html.js'
import { linkTo, linkWith, type Place } from './links.js'
import { type MessageSearch, messageSearch } from './message-query.js'
import type { Page } from './page.js'
import { badge } from './status-badge.js'
import { findBySubject } from './subject-search.js'
import { table } from './table.js'
import type { StandingView } from './view.js'

/** The messages that fit a search, a page of them. */
interface MessageListAnswers {
  search: MessageSearch
  messages: readonly FoundMessage[]
  cursor?: string | undefined
  /** How many were looked at for their subject. */
  lookedAt?: number
}

export const messageList: StandingView = {
  title: 'Messages',
  always: true,
  async read({ correlator }, asked) {
    const search = messageSearch(asked.parameters)
    const { query, subject } = search
    const cursor = asked.parameters.get('cursor') ?? undefined
    const found =
      subject === ''
        ? await correlator.find(query, {
            limit: asked.limit,
            ...(cursor !== undefined && { cursor }),
          })
        : await findBySubject(correlator, query, subject, asked.limit, cursor)
    return messageListPage({ search, ...found }, asked)
  },
}

function messageListPage(answers: MessageListAnswers, place: Place): Page {
  const { search, messages, cursor, lookedAt } = answers
  const found = table({
    name: 'messages',
    caption: 'Messages found',
    empty:
      lookedAt !== undefined && cursor !== undefined ? 'None among these.' : 'No message fits.',
    rows: messages,
    cursor,
    columns: [
      {
        key: 'sent_at',
        title: 'Sent',
        value: ({ sentAt }) => sentAt.toISOString(),
        show: ({ sentAt }) => moment(sentAt),
      },
      { key: 'status', title: 'Status', value: ({ status }) => status, show: shownStatus },
      {
        key: 'subject',
        title: 'Subject',
        value: ({ subject }) => subject,
        show: (message) => messageLink(message, place),
      },
      {
        key: 'recipients',
        title: 'Recipients',
        value: ({ recipients }) => recipients.map(({ address }) => address).join(', '),
        show: shownRecipients,
      },
      { key: 'provider', title: 'Provider', value: ({ provider }) => provider },
      {
        key: 'tags',
        title: 'Tags',
        value: ({ tags }) => tags.join(', '),
        show: ({ tags }) => tags.map((tag) => html`<span class="tag">${tag}</span> `),
      },
      {
        key: 'tracking_id',
        title: 'Id',
        value: ({ trackingId }) => trackingId,
        unseen: true,
      },
    ],
  })
  const body = html`${drawSearch(search, place)}
  ${search.flaws.map((flaw) => html`<p class="notice wrong" role="alert">${flaw}</p>`)}
  ${found.draw(place)} ${drawPaging(answers, place)}`
  return { body, tables: [found] }
}

function drawSearch({ query }: MessageSearch, place: Place): Html {
  const given = (name: string): string => place.parameters.get(name) ?? ''
  return html`<form method="get" class="filters" role="search">
    ${textField('recipient', 'Address', given('recipient'), { hint: 'ann@example.com' })}
    ${textField('subject', 'Subject has', given('subject'))}
    ${choice('status', 'Status', query.status ?? '', [
      ['', 'any'],
      ...recipientStatuses.map((status) => [status, status] as const),
    ])}
    ${textField('provider', 'Provider', given('provider'))} ${textField('tag', 'Tag', given('tag'))}
    ${textField('metadata', 'Metadata', given('metadata'), { hint: 'order=42' })}
    ${textField('from', 'Sent from', given('from'), { type: 'date' })}
    ${textField('to', 'to', given('to'), { type: 'date' })}
    <button type="submit">Search</button>
    <a href="${linkTo(place, 'messages')}">All messages</a>
  </form>`
}

function drawPaging({ cursor, lookedAt }: MessageListAnswers, place: Place): Html {
  const first = place.parameters.has('cursor') && linkWith(place, { cursor: '' })
  return html`<nav class="paging" aria-label="Pages">
    ${first !== false && html`<a href="${first}">Newest</a>`}
    ${cursor !== undefined && html`<a href="${linkWith(place, { cursor })}" rel="next">Older</a>`}
    ${lookedAt !== undefined && html`<span>${count(lookedAt)} messages were looked at.</span>`}
  </nav>`
}

/** A message by its subject, leading to its page. */
export function messageLink(
  { trackingId, subject = '' }: Pick<FoundMessage, 'trackingId' | 'subject'>,
  place: Place,
): Html {
  const title = subject.trim() === '' ? html`<em>without a subject</em>` : subject
  return html`<a class="long" href="${linkTo(place, `messages/${encodeURIComponent(trackingId)}`)}"
    >${title}</a
  >`
}

function shownStatus({ status, recipients }: FoundMessage): Shown {
  const engaged = (['clicked', 'complained', 'unsubscribed'] as const).filter((kind) =>
    recipients.some(({ engagement }) => engagement[kind]),
  )
  return [badge(status), ...engaged.map((kind) => html` ${badge(kind)}`)]
}

function shownRecipients({ recipients }: FoundMessage): Shown {
  const [first, ...others] = recipients
  if (!first) return undefined
  return html`<span class="long">${first.address}</span>${
      others.length > 0 && html` <small>and ${count(others.length)} more</small>`
    }`
}
