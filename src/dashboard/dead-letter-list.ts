import type { DeadLetter } from '../dead-letters.js'
import { actionButton } from './fields.js'
import { moment } from './formats.js'
import { html } from './html.js'
import { linkWith } from './links.js'
import { messageLink } from './message-list.js'
import type { Page } from './page.js'
import { badge } from './status-badge.js'
import { table } from './table.js'
import type { Asked, StandingView } from './view.js'

/** The events that some listener did not take; they can be told again. */
export const deadLetterList: StandingView = {
  title: 'Dead letters',
  always: true,
  async read({ correlator }, asked) {
    const cursor = asked.parameters.get('cursor') ?? undefined
    const paging = { limit: asked.limit, ...(cursor !== undefined && { cursor }) }
    return deadLetterPage(await correlator.deadLetters.list(paging), asked)
  },

  async act({ correlator }, form) {
    switch (form.get('action')) {
      case 'replay':
        return {
          notice: 'replayed',
          count: await correlator.deadLetters.replay(form.getAll('event')),
        }
      case 'replay-all':
        return { notice: 'replayed', count: await correlator.deadLetters.replay() }
      default:
        throw new TypeError('the form has no action that is known')
    }
  },
}

function deadLetterPage(
  { deadLetters, cursor }: { deadLetters: readonly DeadLetter[]; cursor?: string },
  asked: Asked,
): Page {
  const list = table({
    name: 'dead-letters',
    caption: 'Events that a listener did not take',
    empty: 'Every listener took every event.',
    rows: deadLetters,
    cursor,
    action: ({ event: { id, type } }) =>
      actionButton(asked.token, { action: 'replay', event: id }, 'Replay', `${type} ${id}`),
    columns: [
      {
        key: 'given_up_at',
        title: 'Given up',
        value: ({ givenUpAt }) => givenUpAt.toISOString(),
        show: ({ givenUpAt }) => moment(givenUpAt),
      },
      {
        key: 'type',
        title: 'Event',
        value: ({ event }) => event.type,
        show: ({ event }) => badge(event.type),
      },
      {
        key: 'recipient',
        title: 'Recipient',
        value: ({ event }) => event.recipient,
        show: ({ event }) => html`<span class="long">${event.recipient}</span>`,
      },
      {
        key: 'subject',
        title: 'Message',
        value: ({ message }) => message?.subject,
        show: ({ message }) => (message ? messageLink(message, asked) : html`<em>of none</em>`),
      },
      {
        key: 'failures',
        title: 'Who did not take it, and why',
        value: ({ failures }) =>
          failures
            .map(
              ({ listener = 'a listener', attempts, error }) =>
                `${listener} (${attempts}): ${error}`,
            )
            .join('; '),
        show: ({ failures }) =>
          failures.map(
            ({ listener = 'a listener', attempts, error }) =>
              html`<p class="words">
                <strong>${listener}</strong>, ${attempts}
                ${attempts === 1 ? 'attempt' : 'attempts'}: ${error}
              </p>`,
          ),
      },
      {
        key: 'id',
        title: 'Event id',
        value: ({ event }) => event.id,
        unseen: true,
      },
    ],
  })
  const everything =
    deadLetters.length > 0 &&
    actionButton(asked.token, { action: 'replay-all' }, 'Replay all', 'there are')
  const body = html`<p class="hint">
      Replayed, an event is told again to the listeners that did not take it, and to no others.
    </p>
    ${everything} ${list.draw(asked)}
    <nav class="paging" aria-label="Pages">
      ${asked.parameters.has('cursor') && html`<a href="${linkWith(asked, { cursor: '' })}">Latest</a>`}
      ${cursor !== undefined && html`<a href="${linkWith(asked, { cursor })}" rel="next">Earlier</a>`}
    </nav>`
  return { body, tables: [list] }
}
