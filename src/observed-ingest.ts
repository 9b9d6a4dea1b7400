import type { AnyEvent, EventType } from './event.js'
import { sentAt } from './matching.js'
import type { IngestFact } from './observer.js'
import type { Observing } from './observing.js'
import type { IngestResult } from './store.js'

/** Has events written, and observers told what became of them. */
export async function observedIngest(
  observing: Observing,
  { provider, webhook }: { provider: string; webhook: string | undefined },
  write: () => Promise<IngestResult>,
): Promise<IngestResult> {
  const activity = { kind: 'ingest', provider, ...(webhook !== undefined && { webhook }) } as const
  const observed = observing.begin(activity)
  if (!observed) return write()
  try {
    const result = await observed.run(write)
    observed.end({ ...activity, ...told(result) })
    return result
  } catch (error) {
    observed.end({ ...activity, outcome: 'failed', ...nothing })
    throw error
  }
}

type Told = Pick<IngestFact, 'outcome' | 'events' | 'duplicates' | 'deliveryTimes'>

const nothing = { events: {}, duplicates: 0, deliveryTimes: [] }

function told(result: IngestResult): Told {
  if (result.kind === 'replayed') return { outcome: 'replayed', ...nothing }
  const { duplicates } = result
  const events: Partial<Record<EventType, number>> = {}
  for (const { type } of result.events) events[type] = (events[type] ?? 0) + 1
  const deliveryTimes = result.events.flatMap(deliveryTime)
  return { outcome: 'stored', events, duplicates, deliveryTimes }
}

function deliveryTime({ type, occurredAt, trackingId }: AnyEvent): number | [] {
  if (type !== 'delivered' || trackingId === undefined) return []
  // Clocks differ, and some providers tell whole seconds.
  return Math.max(occurredAt.getTime() - sentAt(trackingId), 0)
}
