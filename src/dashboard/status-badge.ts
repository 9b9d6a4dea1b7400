import type { EventType } from '../event.js'
import type { EngagementKind, MessageStatus } from '../message.js'
import { html, type Html } from './html.js'

const signs: Readonly<Record<string, string>> = {
  delivered: '✓',
  opened: '✓',
  clicked: '✓',
  bounced: '✕',
  rejected: '✕',
  failed: '✕',
  complained: '!',
  deferred: '…',
  pending: '…',
}

/** A status in its colour, with a sign for whoever does not see that. */
export function badge(status: MessageStatus | EventType | EngagementKind): Html {
  return html`<span class="badge edge-${status}"
    ><span aria-hidden="true">${signs[status] ?? '·'}</span> ${status}</span
  >`
}
