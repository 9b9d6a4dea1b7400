import { SendError } from '../errors.js'
import type { FailedMessage } from '../failed-messages.js'
import { text } from '../payload.js'
import { adviceOnError } from './advice.js'
import { actionButton } from './fields.js'
import { moment } from './formats.js'
import { html } from './html.js'
import { messageLink } from './message-list.js'
import type { Page } from './page.js'
import { table } from './table.js'
import type { Asked, StandingView } from './view.js'

/** The messages that this process could not send and has kept; they can be sent again. */
export const failedList: StandingView = {
  title: 'Not sent',
  always: true,
  async read({ failed }, asked) {
    const kept = failed.flatMap((messages) => messages.list())
    const latest = kept.toSorted((a, b) => b.failedAt.getTime() - a.failedAt.getTime())
    return failedPage(latest, asked)
  },

  async act({ failed }, form) {
    const id = form.get('message') ?? ''
    const keeper = failed.find((messages) =>
      messages.list().some(({ trackingId }) => trackingId === id),
    )
    if (!keeper) throw new TypeError('this message is not kept, or not any more')
    try {
      await keeper.retry(id)
      return { notice: 'retried', count: 1 }
    } catch (error) {
      // It is kept again, with what it failed of this time.
      if (error instanceof SendError) return { notice: 'retried', count: 0 }
      throw error
    }
  },
}

function failedPage(failed: readonly FailedMessage[], asked: Asked): Page {
  const list = table({
    name: 'failed',
    caption: 'Messages that were not sent',
    empty: 'No message is waiting to be sent again.',
    rows: failed.slice(0, asked.limit),
    action: ({ trackingId, message }) =>
      actionButton(asked.token, { message: trackingId }, 'Send again', text(message.subject) ?? ''),
    columns: [
      {
        key: 'failed_at',
        title: 'Failed',
        value: ({ failedAt }) => failedAt.toISOString(),
        show: ({ failedAt }) => moment(failedAt),
      },
      {
        key: 'subject',
        title: 'Subject',
        value: ({ message }) => text(message.subject),
        show: ({ trackingId, message }) =>
          messageLink({ trackingId, subject: text(message.subject) ?? '' }, asked),
      },
      { key: 'category', title: 'Why', value: ({ error }) => error.category },
      {
        key: 'error',
        title: 'Error',
        value: ({ error }) => error.message,
        show: ({ error }) =>
          html`<p class="words">${error.message}</p>
            <p class="advice">${adviceOnError(error)}</p>`,
      },
      {
        key: 'tracking_id',
        title: 'Id',
        value: ({ trackingId }) => trackingId,
        unseen: true,
      },
    ],
  })
  const body = html`<p class="hint">
      They are kept in this process until they are sent or it ends, for what a message says is
      stored nowhere. What may have been sent is not among them.
    </p>
    ${list.draw(asked)}`
  return { body, tables: [list] }
}
