import { v7 as uuidv7 } from 'uuid'
import type { EventFact, ParsedEvent } from '../event.js'
import { toIncoming } from '../matching.js'
import type { MessageRecord, SendResult } from '../message.js'
import type { IncomingBatch } from '../store.js'

/** The provider of every sample: a store knows none. */
export const sampleProvider = 'postmark'

/** When the samples happen, in ms since 1970. */
export const start = Date.parse('2026-01-01T00:00:00Z')

/** A message to these addresses, as it is before the provider is called. */
export function recordOf(...addresses: string[]): MessageRecord {
  return {
    trackingId: uuidv7(),
    provider: sampleProvider,
    messageId: `<${uuidv7()}@example.com>`,
    envelope: { from: 'shop@example.com', to: addresses },
    from: { name: 'Shop', address: 'shop@example.com' },
    to: addresses.map((address) => ({ name: '', address })),
    cc: [],
    bcc: [],
    subject: 'Order 42 – “thanks”',
    tags: ['order'],
    metadata: { order: '42' },
    sentAt: new Date(start),
    recipients: addresses.map((address) => ({
      address,
      kind: 'to',
      status: 'unknown',
      providerStatus: '',
    })),
    outcome: 'sending',
  }
}

/** A message that was sent at this time, in ms since 1970: its id says so too. */
export function recordAt(sentAt: number, ...addresses: string[]): MessageRecord {
  const trackingId = uuidv7({ msecs: sentAt })
  return { ...recordOf(...addresses), trackingId, sentAt: new Date(sentAt) }
}

/** The answer of a provider that took every recipient. */
export function resultOf(record: MessageRecord, providerMessageId: string): SendResult {
  return {
    outcome: 'sent',
    providerMessageId,
    recipients: record.recipients.map((recipient) => ({
      ...recipient,
      status: 'accepted',
      providerStatus: 'queued',
    })),
  }
}

/** What is said of an event where the rest may be as usual. */
export type SampleEvent = EventFact & Partial<Omit<ParsedEvent, 'type'>>

/** A batch of events, each with its own raw entry. */
export function batchOf(...events: SampleEvent[]): IncomingBatch {
  return batchFrom(sampleProvider, ...events)
}

/** A batch of this provider. */
export function batchFrom(provider: string, ...events: SampleEvent[]): IncomingBatch {
  return {
    events: events.map((event, index) =>
      toIncoming(
        provider,
        {
          providerEvent: event.type,
          tags: [],
          metadata: {},
          raw: { index },
          occurredAt: new Date(start + 500),
          ...event,
        },
        new Date(start + 900),
      ),
    ),
  }
}

/** The types of events of which nothing else need be said. */
export type PlainEventType = 'accepted' | 'deferred' | 'delivered' | 'opened' | 'complained'

/** A batch with one event of each type for a message, known by our own id. */
export function batchFor(record: MessageRecord, ...types: PlainEventType[]): IncomingBatch {
  return batchOf(...types.map((type) => ({ type, ownId: record.trackingId })))
}

/** A batch of openings, of which the last one happened first: their ids fall as they come. */
export function openingsOf(record: MessageRecord, count: number): IncomingBatch {
  return batchOf(
    ...Array.from({ length: count }, (_, index): SampleEvent => ({
      type: 'opened',
      ownId: record.trackingId,
      occurredAt: new Date(start + (count - index) * 1000),
    })),
  )
}
