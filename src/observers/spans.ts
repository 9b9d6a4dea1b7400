import type {
  Attributes,
  Context,
  ContextAPI,
  Link,
  Span,
  SpanContext,
  TraceAPI,
} from '@opentelemetry/api'
import type { Activity, Fact, Following, Observer } from '../observer.js'
import { version } from '../version.js'

/** What is needed of the API for traces. */
export interface TraceApi {
  trace: Pick<TraceAPI, 'getTracer' | 'setSpan'>
  context: Pick<ContextAPI, 'active' | 'with'>
  ROOT_CONTEXT: Context
}

// As the API numbers them; its enums are values, and of it types alone are imported.
const kinds = { internal: 0, producer: 3, consumer: 4 } as const
const failed = { code: 2 } as const

interface SpanStart {
  name: string
  kind: number
  attributes: Attributes
  links?: Link[]
}

/** Makes a span of each thing that is followed, in force while it lasts. */
export function createSpans({
  trace,
  context,
  ROOT_CONTEXT,
}: TraceApi): Required<Pick<Observer, 'begin'>> {
  const tracer = trace.getTracer('mailtrail', version)
  return {
    begin(activity) {
      // A listener is called in the wake of whatever request came last: only a link tells where its event belongs.
      const parent = activity.kind === 'listener' ? ROOT_CONTEXT : context.active()
      const { name, ...options } = startOf(activity)
      const span = tracer.startSpan(name, options, parent)
      return followingOf(span, trace.setSpan(parent, span), context)
    },
  }
}

function followingOf(span: Span, inForce: Context, context: TraceApi['context']): Following {
  const own = span.spanContext()
  return {
    run: (work) => context.with(inForce, work),
    end(fact) {
      const { attributes, error } = endOf(fact)
      span.setAttributes(attributes)
      if (error !== undefined) span.setAttribute('error.type', error).setStatus(failed)
      span.end()
    },
    // One that is not kept leads nowhere.
    ...(span.isRecording() && { traceparent: toTraceparent(own) }),
  }
}

/** With OpenTelemetry's names for messaging where it has some: a send produces, a webhook receives, listeners process. */
export function startOf(activity: Activity): SpanStart {
  const { kind, provider } = activity
  const system = { 'messaging.system': provider }
  switch (kind) {
    case 'send':
      return {
        name: `send ${provider}`,
        kind: kinds.producer,
        attributes: {
          ...system,
          ...operation('send', 'send'),
          'messaging.message.conversation_id': activity.trackingId,
        },
      }
    case 'webhook':
      return {
        name: `webhook ${activity.webhook}`,
        kind: kinds.internal,
        attributes: {
          ...system,
          ...operation('webhook', 'receive'),
          'mailtrail.webhook': activity.webhook,
        },
      }
    case 'verify':
      return { name: `verify ${activity.webhook}`, kind: kinds.internal, attributes: system }
    case 'ingest':
      return { name: `ingest ${provider}`, kind: kinds.internal, attributes: system }
    case 'listener': {
      const { listener, eventId, type, trackingId, traceparent, attempt } = activity
      const sent = traceparent === undefined ? undefined : fromTraceparent(traceparent)
      return {
        name: `process ${type}`,
        kind: kinds.consumer,
        attributes: {
          ...system,
          ...operation('process', 'process'),
          'messaging.message.id': eventId,
          ...(trackingId !== undefined && { 'messaging.message.conversation_id': trackingId }),
          ...(listener !== undefined && { 'mailtrail.listener': listener }),
          'mailtrail.event.type': type,
          'mailtrail.attempt': attempt,
        },
        ...(sent && { links: [{ context: sent }] }),
      }
    }
  }
}

const operation = (name: string, type: 'send' | 'receive' | 'process'): Attributes => ({
  'messaging.operation.name': name,
  'messaging.operation.type': type,
})

interface SpanEnd {
  attributes: Attributes
  /** What went wrong, by its kind. */
  error?: string | undefined
}

function endOf(fact: Fact): SpanEnd {
  switch (fact.kind) {
    case 'send': {
      const { provider, outcome, failure, passedOn } = fact
      return {
        attributes: {
          'messaging.system': provider,
          'mailtrail.outcome': outcome,
          ...(passedOn.length > 0 && {
            'mailtrail.passed_on': passedOn.map((tried) => tried.provider),
          }),
          ...(failure?.statusCode !== undefined && {
            'http.response.status_code': failure.statusCode,
          }),
        },
        error: failure?.category,
      }
    }
    case 'webhook': {
      const { outcome, reason } = fact
      const error = reason ?? (outcome === 'unavailable' ? outcome : undefined)
      return { attributes: { 'mailtrail.outcome': outcome }, error }
    }
    case 'verify':
      return { attributes: {}, error: fact.reason }
    case 'ingest': {
      const { outcome, events, duplicates } = fact
      const stored = Object.values(events).reduce((sum, count) => sum + count, 0)
      return {
        attributes: {
          'messaging.batch.message_count': stored + duplicates,
          'mailtrail.duplicates': duplicates,
        },
        error: outcome === 'stored' ? undefined : outcome,
      }
    }
    case 'listener': {
      const { outcome, cause } = fact
      const error = outcome === 'taken' ? undefined : (cause ?? '_OTHER')
      return { attributes: { 'mailtrail.outcome': outcome }, error }
    }
    // These are over as they begin, and nothing follows them.
    case 'dead-letter':
    case 'failure':
    case 'alarm':
      return { attributes: {} }
  }
}

function toTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

function fromTraceparent(traceparent: string): SpanContext | undefined {
  const found = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent)
  if (!found) return undefined
  const [, traceId = '', spanId = '', flags = ''] = found
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
}
