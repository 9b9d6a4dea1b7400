import type { SimulatedAccount } from '../../simulator.js'
import { wireTime } from './send-at.js'

const reasons = { bounced: 'hard-bounce', complained: 'spam', unsubscribed: 'unsub' } as const

/** What `webhooks/list` answers. */
export function listedWebhooks({ webhooks = [] }: SimulatedAccount): unknown[] {
  return webhooks.map(({ url, events, signing, lastError }, index) => ({
    id: index + 1,
    url,
    description: '',
    auth_key: signing.kind === 'key' ? signing.key : '',
    events,
    created_at: '2026-01-01 00:00:00',
    last_sent_at: null,
    batches_sent: 0,
    events_sent: 0,
    last_error: lastError ?? null,
  }))
}

/** What `rejects/list` answers: up to a thousand entries, and no more. */
export function listedRejects({ suppressions = [] }: SimulatedAccount): unknown[] {
  return suppressions.slice(0, 1000).map(({ address, cause, since, detail }) => ({
    email: address,
    reason: reasons[cause],
    detail: detail ?? null,
    created_at: wireTime(since),
    last_event_at: wireTime(since),
    expires_at: null,
    expired: false,
    subaccount: null,
    sender: null,
  }))
}
