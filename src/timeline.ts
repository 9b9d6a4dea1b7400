import type { AnyEvent, EventType } from './event.js'

// How a message's life goes where times are equal: most providers tell whole seconds only.
const lifeOrder: Record<EventType, number> = {
  accepted: 0,
  deferred: 1,
  delivered: 2,
  bounced: 3,
  rejected: 4,
  failed: 5,
  opened: 6,
  clicked: 7,
  complained: 8,
  unsubscribed: 9,
  subscribed: 10,
  suppression: 11,
  inbound: 12,
  unknown: 13,
}

/** The events in the order they happened; the same for the same events, in whatever order they came. */
export function inTimeOrder(events: readonly AnyEvent[]): AnyEvent[] {
  return events.toSorted(
    (a, b) =>
      a.occurredAt.getTime() - b.occurredAt.getTime() ||
      lifeOrder[a.type] - lifeOrder[b.type] ||
      (a.id < b.id ? -1 : 1),
  )
}
