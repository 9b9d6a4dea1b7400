import type { StorePage } from './backfill.js'
import type { HealthCounter } from './endpoint-health.js'
import type { AnyEvent, ParsedEvent } from './event.js'
import { inStore } from './in-store.js'
import { toIncoming } from './matching.js'
import { observedIngest } from './observed-ingest.js'
import type { Observing } from './observing.js'
import type { Webhook } from './provider.js'
import type { IncomingBatch, IngestResult, Schedule, Store, Tellable } from './store.js'
import type { Ingest } from './webhook-handler.js'

/** Where events come in, and what is done with those that are stored. */
export interface EventIntakeParts {
  store: Pick<Store, 'ingest'>
  webhooks: readonly Webhook[]
  recipientWindow: number | undefined
  observing: Observing
  schedule: () => Schedule
  /** Has those told that can be. */
  tell: (tellable: Tellable, trackingIds: readonly string[]) => void
  /** Told of what a webhook has brought. */
  stored: HealthCounter['stored']
  /** Has those told as foreign whose message has not come by then, in ms since 1970. */
  wakeAt: (time: number) => void
}

/** What takes events in: from webhooks, and from pages of a provider's history. */
export interface EventIntake {
  ingest: Ingest
  storePage: StorePage
}

/** Stores events, and has those told that are new. */
export function createEventIntake(parts: EventIntakeParts): EventIntake {
  const { store, webhooks, recipientWindow, observing, schedule, tell, stored, wakeAt } = parts
  // A reply may come in at another provider than the one that its message went out through.
  const providers = new Set(webhooks.map(({ provider }) => provider))

  async function take(
    doing: string,
    { provider, webhook }: { provider: string; webhook?: string },
    parsed: readonly ParsedEvent[],
    receivedAt: Date,
    rest: Omit<IncomingBatch, 'events'>,
  ): Promise<{ events: AnyEvent[]; result: IngestResult }> {
    const events = parsed.map((event) =>
      toIncoming(provider, event, receivedAt, recipientWindow, providers),
    )
    const times = schedule()
    const write = (): Promise<IngestResult> =>
      inStore(doing, () => store.ingest({ events, ...rest }, times))
    const result = await observedIngest(observing, { provider, webhook }, write)
    if (result.kind === 'stored') {
      tell(result, result.trackingIds)
      if (result.waiting > 0) wakeAt(times.foreignAt)
    }
    return { events: events.map(({ event }) => event), result }
  }

  return {
    async ingest({ provider, name }, parsed, nonce, receivedAt) {
      const from = { provider, webhook: name }
      const rest = { ...(nonce && { nonce }) }
      const { events, result } = await take('storing a webhook', from, parsed, receivedAt, rest)
      if (result.kind === 'replayed') return 'replayed'
      stored(name, events, result, receivedAt)
      return 'stored'
    },

    async storePage(provider, parsed, checkpoint) {
      const doing = 'storing a page of a history'
      const rest = { checkpoint }
      const { events, result } = await take(doing, { provider }, parsed, new Date(), rest)
      // A page has no token of its own, by which it could be known again.
      return result.kind === 'stored' ? result : { duplicates: events.length }
    },
  }
}
