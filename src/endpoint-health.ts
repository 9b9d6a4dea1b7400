import type { RefusalReason } from './errors.js'
import type { AnyEvent } from './event.js'
import type { IngestResult } from './store.js'

/** How a webhook request ended: `failed` is a store that could not commit. */
export type RequestOutcome = 'stored' | 'tried' | 'failed' | RefusalReason

/** What one webhook has seen in this process since it started. */
export interface WebhookHealth {
  /** The webhook's name, as in its path. */
  webhook: string
  provider: string
  /** Requests by how they ended; those that did not happen are absent. */
  requests: Partial<Record<RequestOutcome, number>>
  /** When the last request came whose events were stored. */
  lastStoredAt?: Date
  /** Entries of stored requests, duplicates included. */
  events: number
  /** Entries that were known already. */
  duplicates: number
  /** Entries that could not be read, or have a name that is not known. */
  unknown: number
  /** From when new events occurred to when they were received, in ms; absent while there are none. */
  lag?: { last: number; mean: number; longest: number }
}

/** What the endpoint has seen in this process: for a monitor, and for the question whether webhooks come at all. */
export interface EndpointHealth {
  /** When counting began. */
  since: Date
  webhooks: WebhookHealth[]
  /** Events told as foreign, by provider: of mail that was not sent through this correlator. */
  foreign: Record<string, number>
}

interface Counters extends WebhookHealth {
  lagSum: number
  lagCount: number
}

export interface HealthCounter {
  request(webhook: string, outcome: RequestOutcome): void
  stored(
    webhook: string,
    events: readonly AnyEvent[],
    result: Extract<IngestResult, { kind: 'stored' }>,
    receivedAt: Date,
  ): void
  told(events: readonly AnyEvent[]): void
  report(): EndpointHealth
}

/** Counts what comes in at the webhooks. */
export function createHealthCounter(
  webhooks: readonly { name: string; provider: string }[],
): HealthCounter {
  const since = new Date()
  const counters = new Map(
    webhooks.map(({ name, provider }): [string, Counters] => [
      name,
      {
        webhook: name,
        provider,
        requests: {},
        events: 0,
        duplicates: 0,
        unknown: 0,
        lagSum: 0,
        lagCount: 0,
      },
    ]),
  )
  const foreign: Record<string, number> = {}

  function request(webhook: string, outcome: RequestOutcome): void {
    const counter = counters.get(webhook)
    if (counter) counter.requests[outcome] = (counter.requests[outcome] ?? 0) + 1
  }

  return {
    request,

    stored(webhook, events, { duplicates }, receivedAt) {
      request(webhook, 'stored')
      const counter = counters.get(webhook)
      if (!counter) return
      counter.lastStoredAt = receivedAt
      counter.events += events.length
      counter.duplicates += duplicates
      counter.unknown += events.filter(({ type }) => type === 'unknown').length
      // What comes again says how long a provider tries, and not how late it is.
      if (duplicates === events.length) return
      for (const { occurredAt } of events) {
        // Clocks differ: what seems to come before it happens has no lag.
        const lag = Math.max(receivedAt.getTime() - occurredAt.getTime(), 0)
        counter.lagSum += lag
        counter.lagCount += 1
        counter.lag = {
          last: lag,
          mean: counter.lagSum / counter.lagCount,
          longest: Math.max(counter.lag?.longest ?? 0, lag),
        }
      }
    },

    told(events) {
      for (const { provider, correlation } of events) {
        if (correlation.status !== 'foreign') continue
        foreign[provider] = (foreign[provider] ?? 0) + 1
      }
    },

    report: () => ({
      since: new Date(since),
      webhooks: [...counters.values()].map(({ lagSum: _sum, lagCount: _count, ...counter }) =>
        structuredClone(counter),
      ),
      foreign: { ...foreign },
    }),
  }
}
