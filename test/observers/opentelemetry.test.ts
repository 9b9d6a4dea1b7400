import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import * as api from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import nodemailer from 'nodemailer'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ConfigurationError,
  createCorrelator,
  memoryStore,
  type Observer,
  type TrackedMessage,
} from '../../src/index.js'
import { allMeasures, prometheusName } from '../../src/observers/measures.js'
import { openTelemetry } from '../../src/observers/opentelemetry.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { outsideWebhook, secret } from '../outside-provider.js'
import { outsideClient, outsideTransport } from '../outside-transport.js'
import { expectedCounts, mail, play, seriesOf } from './play.js'

const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({
  exporter: metricExporter,
  exportIntervalMillis: 60_000,
})
const spanExporter = new InMemorySpanExporter()
const manager = new AsyncLocalStorageContextManager()

// Before the SDK is set up, as a program does that imports in the wrong order.
const tooEarly = openTelemetry({ metrics: api.metrics })

beforeAll(() => {
  manager.enable()
  api.context.setGlobalContextManager(manager)
  const spanProcessors = [new SimpleSpanProcessor(spanExporter)]
  api.trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }))
  api.metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
})
afterAll(() => {
  api.trace.disable()
  api.metrics.disable()
  api.context.disable()
})

/** What was exported, by the names that Prometheus has; of histograms their counts. */
function countsOf({ scopeMetrics }: ResourceMetrics): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { descriptor, dataPointType, dataPoints } of scopeMetrics.flatMap(
    ({ metrics }) => metrics,
  )) {
    const measured = allMeasures.find(([, { name }]) => name === descriptor.name)?.[1]
    if (!measured) throw new Error(`${descriptor.name} is not in the table`)
    const isHistogram = dataPointType === DataPointType.HISTOGRAM
    const name = prometheusName(measured) + (isHistogram ? '_count' : '')
    for (const { attributes, value } of dataPoints) {
      const count = typeof value === 'object' ? value.count : value
      counts[seriesOf(name, attributes)] = Number(count)
    }
  }
  return counts
}

/** With the ids in place of which numbers stand in the order of the spans. */
function shapeOf(spans: readonly ReadableSpan[]) {
  return spans.map((span) => ({
    name: span.name,
    kind: api.SpanKind[span.kind],
    parent: spans.find((other) => other.spanContext().spanId === span.parentSpanContext?.spanId)
      ?.name,
    error: span.attributes['error.type'],
  }))
}

describe('the play', () => {
  let spans: ReadableSpan[] = []
  let trackingIds: string[] = []

  beforeAll(async () => {
    ;({ trackingIds } = await play({ observers: [openTelemetry(api), tooEarly] }))
    await reader.forceFlush()
    spans = spanExporter.getFinishedSpans()
  })

  const named = (name: string) => spans.filter((span) => span.name === name)

  test('is counted, each thing once, and by no instrument that was made before the SDK', () => {
    const [exported] = metricExporter.getMetrics().slice(-1)
    const { mailtrail_dead_letters_total: _none, ...counted } = expectedCounts
    expect(exported && countsOf(exported)).toEqual(counted)
  })

  test('has a span for each send, that says why one failed', () => {
    const sends = named('send sendgrid')
    expect(shapeOf(sends).map(({ kind, error }) => [kind, error])).toEqual([
      ['PRODUCER', undefined],
      ['PRODUCER', undefined],
      ['PRODUCER', 'auth'],
    ])
    expect(sends.map(({ status }) => status.code)).toEqual([0, 0, api.SpanStatusCode.ERROR])
    expect(sends[0]?.attributes).toEqual({
      'messaging.system': 'sendgrid',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.message.conversation_id': trackingIds[0],
      'mailtrail.outcome': 'sent',
    })
  })

  test('has a span for each webhook request, with those of verifying and storing in it', () => {
    const shapes = shapeOf(spans).filter(({ name }) => /^(?:webhook|verify|ingest)/.test(name))
    const tally = (name: string) =>
      shapes.filter((shape) => shape.name === name).map(({ parent, error }) => [parent, error])
    const stored = Array.from({ length: 8 }, () => undefined)
    expect(tally('webhook sendgrid')).toEqual(
      [...stored, 'bad-signature', undefined, 'unavailable'].map((error) => [undefined, error]),
    )
    expect(tally('verify sendgrid')).toEqual(
      [...stored, 'bad-signature', undefined].map((error) => ['webhook sendgrid', error]),
    )
    expect(tally('ingest sendgrid')).toEqual(
      [...stored, 'failed'].map((error) => ['webhook sendgrid', error]),
    )
  })

  test.each<[string, string[]]>([
    ['send sendgrid', ['failed', 'sent']],
    ['webhook sendgrid', ['refused', 'stored', 'tried', 'unavailable']],
    ['process delivered', ['failed', 'taken']],
  ])('has the outcome in the spans %s', (name, outcomes) => {
    const told = named(name).map(({ attributes }) => attributes['mailtrail.outcome'])
    expect([...new Set(told)].toSorted()).toEqual(outcomes)
  })

  test('has a span for each call of a listener, a trace of its own with a link to the send', () => {
    const told = named('process delivered')
    expect(told.map(({ attributes }) => attributes['mailtrail.attempt'])).toEqual(
      expect.arrayContaining([1, 2, 1]),
    )
    const failed = told.filter(({ status }) => status.code === api.SpanStatusCode.ERROR)
    expect(failed.map(({ attributes }) => attributes['error.type'])).toEqual(['ECONNREFUSED'])
    expect(told).toHaveLength(3)
    for (const { attributes, links, parentSpanContext, kind } of told) {
      expect(parentSpanContext).toBeUndefined()
      expect(api.SpanKind[kind]).toBe('CONSUMER')
      const sent = named('send sendgrid').find(
        (span) =>
          span.attributes['messaging.message.conversation_id'] ===
          attributes['messaging.message.conversation_id'],
      )
      const { traceId, spanId } = sent?.spanContext() ?? {}
      expect(links.map(({ context }) => [context.traceId, context.spanId])).toEqual([
        [traceId, spanId],
      ])
    }
  })
})

test("a send is a child of what it is sent in, and has the provider's call as its child", async () => {
  const tracer = api.trace.getTracer('test')
  const client = outsideClient({
    async send(request) {
      tracer.startSpan('the call').end()
      return outsideClient().send(request)
    },
  })
  const transport = outsideTransport(client, { observers: [openTelemetry(api)] })
  spanExporter.reset()
  await tracer.startActiveSpan('the order', async (span) => {
    await nodemailer.createTransport(transport).sendMail(mail)
    span.end()
  })
  expect(
    shapeOf(spanExporter.getFinishedSpans()).map(({ name, parent }) => [name, parent]),
  ).toEqual([
    ['the call', 'send outside'],
    ['send outside', 'the order'],
    ['the order', undefined],
  ])
})

test('a webhook is a child of what it is received in, and what a listener does is in its span', async () => {
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [outsideWebhook()],
    observers: [openTelemetry(api)],
  })
  spanExporter.reset()
  correlator.on('delivered', async () => {
    await delay(1)
    api.trace.getTracer('test').startSpan('the update').end()
  })
  await correlator.record({ provider: 'outside', providerMessageId: 'm-1', recipients: ['a@b.c'] })
  const body = JSON.stringify([{ type: 'delivered', at: 1_760_000_000, message: 'm-1' }])
  const init = { method: 'POST', headers: secret, body }
  await api.trace.getTracer('test').startActiveSpan('the server', async (span) => {
    await correlator.handler(new Request('https://example.com/outside', init))
    span.end()
  })
  await correlator.drain()
  await correlator.close()
  const shapes = shapeOf(spanExporter.getFinishedSpans())
  const parentOf = (wanted: string) => shapes.find(({ name }) => name === wanted)?.parent
  expect(parentOf('webhook outside')).toBe('the server')
  expect(parentOf('the update')).toBe('process delivered')
})

test('a send that is not sampled is not named to its events', async () => {
  const off = new BasicTracerProvider({ sampler: new AlwaysOffSampler() })
  const trace = {
    getTracer: (name: string) => off.getTracer(name),
    setSpan: api.trace.setSpan.bind(api.trace),
  }
  const sentWith = async (observers: Observer[]): Promise<TrackedMessage | undefined> => {
    const correlator = createCorrelator({ store: memoryStore(), observers })
    const transport = outsideTransport(outsideClient(), { correlator })
    const { trackingId } = await nodemailer.createTransport(transport).sendMail(mail)
    const message = await correlator.message(trackingId)
    await correlator.close()
    return message
  }
  const { context, ROOT_CONTEXT } = api
  const unsampled = await sentWith([openTelemetry({ trace, context, ROOT_CONTEXT })])
  expect(unsampled).not.toHaveProperty('traceparent')
  expect((await sentWith([openTelemetry(api)]))?.traceparent).toMatch(
    /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/,
  )
})

test('a store gives back which span a message was sent in, as it is', async () => {
  const store = sqliteStore(':memory:')
  const correlator = createCorrelator({ store, observers: [openTelemetry(api)] })
  const transport = outsideTransport(outsideClient(), { correlator })
  spanExporter.reset()
  const { trackingId } = await nodemailer.createTransport(transport).sendMail(mail)
  const message = await correlator.message(trackingId)
  await correlator.close()
  const { traceId, spanId } = spanExporter.getFinishedSpans()[0]?.spanContext() ?? {}
  expect(message?.traceparent).toBe(`00-${traceId}-${spanId}-01`)
})

test.each<[string, object]>([
  ['nothing', {}],
  ['a trace API without a context', { trace: api.trace }],
])('of %s nothing is made', (_, given) => {
  expect(() => openTelemetry(given)).toThrow(ConfigurationError)
})

test('with one half of the API alone only that half is observed', () => {
  const { trace, context, ROOT_CONTEXT, metrics } = api
  expect(Object.keys(openTelemetry({ metrics }))).toEqual(['notice', 'watch'])
  expect(Object.keys(openTelemetry({ trace, context, ROOT_CONTEXT }))).toEqual(['begin'])
})
