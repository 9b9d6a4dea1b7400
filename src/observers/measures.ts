import type { Fact } from '../observer.js'

/** What is measured. Labels have few values, which stand in code or in options: no address, no id, no text. */
export type Measure = {
  /** As OpenTelemetry has it; Prometheus gets it in its own way of writing. */
  name: string
  /** As OpenTelemetry writes it: `s`, or what is counted in braces. */
  unit: string
  description: string
  labels: readonly string[]
} & (
  | { kind: 'counter' }
  /** With the upper bounds of its buckets. */
  | { kind: 'histogram'; bounds: readonly number[] }
  /** What it is read from. */
  | { kind: 'gauge'; gauge: 'untold' | 'overdue' }
)

/** In seconds. */
const workBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const deliveryBounds = [1, 2, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600]

export const measures = {
  messages: {
    name: 'mailtrail.messages',
    kind: 'counter',
    unit: '{message}',
    description: 'Messages by how sending them ended; category is why one was not sent.',
    labels: ['provider', 'outcome', 'category'],
  },
  passedOn: {
    name: 'mailtrail.messages.passed_on',
    kind: 'counter',
    unit: '{message}',
    description: 'Messages that a provider did not take, and that went on to another.',
    labels: ['provider', 'category'],
  },
  sendDuration: {
    name: 'mailtrail.send.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long a send takes, with its retries.',
    labels: ['provider', 'outcome'],
    bounds: workBounds,
  },
  deliveryTime: {
    name: 'mailtrail.delivery.time',
    kind: 'histogram',
    unit: 's',
    description: 'From the send of a message to its delivery to a recipient.',
    labels: ['provider'],
    bounds: deliveryBounds,
  },
  events: {
    name: 'mailtrail.events',
    kind: 'counter',
    unit: '{event}',
    description: 'Events that were stored, each once.',
    labels: ['provider', 'type'],
  },
  duplicates: {
    name: 'mailtrail.events.duplicate',
    kind: 'counter',
    unit: '{event}',
    description: 'Events that came again.',
    labels: ['provider'],
  },
  ingestDuration: {
    name: 'mailtrail.ingest.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long the store takes for the events of one request.',
    labels: ['provider', 'outcome'],
    bounds: workBounds,
  },
  requests: {
    name: 'mailtrail.webhook.requests',
    kind: 'counter',
    unit: '{request}',
    description: 'Webhook requests by how they ended; reason is why one was refused.',
    labels: ['webhook', 'provider', 'outcome', 'reason'],
  },
  requestDuration: {
    name: 'mailtrail.webhook.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long a webhook request takes until it is answered.',
    labels: ['webhook', 'provider', 'outcome'],
    bounds: workBounds,
  },
  listenerDuration: {
    name: 'mailtrail.listener.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long listeners take with an event, and how it ended.',
    labels: ['type', 'outcome'],
    bounds: workBounds,
  },
  deadLetters: {
    name: 'mailtrail.dead_letters',
    kind: 'counter',
    unit: '{event}',
    description: 'Events that some listener did not take in all its attempts.',
    labels: [],
  },
  failures: {
    name: 'mailtrail.failures',
    kind: 'counter',
    unit: '{failure}',
    description: 'Failures of the store and of the queue that nobody waited for.',
    labels: ['of'],
  },
  alarms: {
    name: 'mailtrail.alarms',
    kind: 'counter',
    unit: '{alarm}',
    description: 'Alarms that were raised, and that are over.',
    labels: ['alarm', 'provider', 'state'],
  },
  untold: {
    name: 'mailtrail.events.untold',
    kind: 'gauge',
    gauge: 'untold',
    unit: '{event}',
    description: 'Events that this process holds and listeners, or the queue, are still to get.',
    labels: [],
  },
  overdue: {
    name: 'mailtrail.events.overdue',
    kind: 'gauge',
    gauge: 'overdue',
    unit: 's',
    description:
      'How long the event that was due first is waiting; of the store, so each process has the same.',
    labels: [],
  },
} as const satisfies Record<string, Measure>

export type MeasureKey = keyof typeof measures

export const allMeasures = Object.entries(measures) as [MeasureKey, Measure][]

type Labels = Record<string, string>

/** Counts, or measures, with the values of its labels; those that a fact lacks are left out. */
export type Take = (key: MeasureKey, amount: number, labels: Labels) => void

/** Takes the measures of what has happened. */
export function measure(take: Take, fact: Fact): void {
  switch (fact.kind) {
    case 'send': {
      const { provider, outcome, failure, passedOn, duration } = fact
      take('messages', 1, { provider, outcome, ...(failure && { category: failure.category }) })
      take('sendDuration', duration / 1000, { provider, outcome })
      for (const tried of passedOn) take('passedOn', 1, { ...tried })
      return
    }
    case 'webhook': {
      const { webhook, provider, outcome, reason, duration } = fact
      take('requests', 1, { webhook, provider, outcome, ...(reason && { reason }) })
      take('requestDuration', duration / 1000, { webhook, provider, outcome })
      return
    }
    case 'verify':
      return
    case 'ingest': {
      const { provider, outcome, events, duplicates, deliveryTimes, duration } = fact
      for (const [type, count] of Object.entries(events)) take('events', count, { provider, type })
      if (duplicates > 0) take('duplicates', duplicates, { provider })
      for (const time of deliveryTimes) take('deliveryTime', time / 1000, { provider })
      take('ingestDuration', duration / 1000, { provider, outcome })
      return
    }
    case 'listener':
      take('listenerDuration', fact.duration / 1000, { type: fact.type, outcome: fact.outcome })
      return
    case 'dead-letter':
      take('deadLetters', 1, {})
      return
    case 'failure':
      take('failures', 1, { of: fact.of })
      return
    case 'alarm': {
      const { alarm, provider, state } = fact
      take('alarms', 1, { alarm, provider, state })
    }
  }
}

/** The name as Prometheus has it, by the rules of OpenTelemetry that its Collector follows. */
export function prometheusName({ name, kind, unit }: Measure): string {
  const parts = [name.replaceAll('.', '_')]
  if (unit === 's') parts.push('seconds')
  if (kind === 'counter') parts.push('total')
  return parts.join('_')
}
