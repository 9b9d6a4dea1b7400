import { setTimeout as delay } from 'node:timers/promises'
import { checkedTime } from './checked-time.js'
import { HistoryError } from './errors.js'
import { inStore } from './in-store.js'
import type { ParsedEvent } from './event.js'
import { fields, text } from './payload.js'
import type { EventHistory, HistoryRequest, SentIds } from './provider.js'
import type { Checkpoint, Store, StoredMessage } from './store.js'

/** Which events are fetched. */
export interface BackfillOptions {
  /** Those that happened from then on. */
  from: Date
  /** Up to then; now by default, or the end of an earlier run from the same time that did not come so far. */
  to?: Date
  /** Ends it between two pages; the next run goes on there. */
  signal?: AbortSignal
  /** Told after each page. */
  onProgress?: (progress: BackfillProgress) => void
}

/** How far `backfill` has come with one provider's events. */
export interface BackfillProgress {
  provider: string
  from: Date
  to: Date
  /** Whether it goes on where an earlier run has ended. */
  resumed: boolean
  pages: number
  /** How many events the provider told. */
  events: number
  /** How many of them were not known before. */
  missed: number
}

/** How a page of events is stored. Resolves to how many were known already. */
export type StorePage = (
  provider: string,
  events: readonly ParsedEvent[],
  checkpoint: Checkpoint,
) => Promise<{ duplicates: number }>

export interface BackfillParts {
  store: Pick<Store, 'checkpoint' | 'find'>
  storePage: StorePage
  now?: () => number
  pause?: (wait: number, signal: AbortSignal | undefined) => Promise<void>
}

// Mail is opened and bounces for days after it was sent, in ms.
const longestLife = 7 * 24 * 3600_000

/** How many messages are looked up for a history at once. */
const messagesAtOnce = 100

const firstWait = 1000
const longestWait = 60_000
const attempts = 6

/**
 * Fetches what a provider knows of events and stores what was missed. Each page is written together with where
 * it ends, so that a run which was cut off is taken up there, in whatever process.
 *
 * @throws HistoryError when the provider does not answer in several tries, TypeError for a span that is none
 */
export async function backfill(
  history: EventHistory,
  { from, to, signal, onProgress }: BackfillOptions,
  { store, storePage, now = Date.now, pause = sleep }: BackfillParts,
): Promise<BackfillProgress> {
  checkedTime(from, 'backfill: from')
  if (to !== undefined) checkedTime(to, 'backfill: to')
  const { provider } = history
  const name = `backfill ${provider} ${from.toISOString()}`
  const unfinished = readCheckpoint(
    await inStore('reading how far a history was read', () => store.checkpoint(name)),
  )
  const resumed = unfinished && (!to || to.getTime() === unfinished.to) ? unfinished : undefined
  const end = new Date(resumed?.to ?? to ?? now())
  if (from >= end) throw new TypeError('backfill: from must be before to')
  let position = resumed?.position
  const progress: BackfillProgress = {
    provider,
    from,
    to: end,
    resumed: resumed !== undefined,
    pages: 0,
    events: 0,
    missed: 0,
  }
  for (let failures = 0; ;) {
    const request: HistoryRequest = {
      from,
      to: end,
      ...(position !== undefined && { position }),
      ...(signal && { signal }),
      sent: (after) => sentThrough(store, provider, from, end, after),
    }
    try {
      for await (const page of history.read(request)) {
        signal?.throwIfAborted()
        const checkpoint = { name, position: writeCheckpoint(end, page.position) }
        const { duplicates } = await storePage(provider, page.events, checkpoint)
        position = page.position
        failures = 0
        progress.pages += 1
        progress.events += page.events.length
        progress.missed += page.events.length - duplicates
        onProgress?.({ ...progress })
      }
      break
    } catch (error) {
      if (!(error instanceof HistoryError) || !error.retryable) throw error
      failures += 1
      if (failures === attempts) throw error
      const backOff = Math.min(firstWait * 2 ** (failures - 1), longestWait)
      await pause(error.retryAfter ?? backOff, signal)
    }
  }
  await storePage(provider, [], { name, position: '' })
  return progress
}

const sleep = (wait: number, signal: AbortSignal | undefined): Promise<void> =>
  delay(wait, undefined, signal && { signal })

interface Unfinished {
  to: number
  position: string
}

function writeCheckpoint(to: Date, position: string): string {
  return JSON.stringify({ to: to.getTime(), position } satisfies Unfinished)
}

/** A run that has ended leaves an empty one. */
function readCheckpoint(checkpoint: string | undefined): Unfinished | undefined {
  if (!checkpoint) return undefined
  const { to, position } = fields(JSON.parse(checkpoint))
  return typeof to === 'number' && typeof position === 'string' ? { to, position } : undefined
}

/** Messages that may have had events in the span, the newest first. */
async function sentThrough(
  store: Pick<Store, 'find'>,
  provider: string,
  from: Date,
  to: Date,
  after: string | undefined,
): Promise<SentIds[]> {
  const query = { provider, from: from.getTime() - longestLife, to: to.getTime() }
  const found = await inStore('looking for messages', () =>
    store.find(query, messagesAtOnce, after),
  )
  return found.map(toSentIds)
}

function toSentIds({ record }: StoredMessage): SentIds {
  const ids = [
    record.providerMessageId,
    ...record.recipients.map(({ providerMessageId }) => providerMessageId),
  ]
  return {
    trackingId: record.trackingId,
    sentAt: record.sentAt,
    providerMessageIds: [...new Set(ids.flatMap((id) => text(id) ?? []))],
  }
}
