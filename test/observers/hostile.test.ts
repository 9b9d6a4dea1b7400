import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import * as api from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import nodemailer from 'nodemailer'
import promClient from 'prom-client'
import { createCorrelator, memoryStore, type Observer, type Webhook } from '../../src/index.js'
import { measures } from '../../src/observers/measures.js'
import { openTelemetry } from '../../src/observers/opentelemetry.js'
import { prometheus } from '../../src/observers/prometheus.js'
import { outsideWebhook, secret } from '../outside-provider.js'
import { outsideClient, outsideTransport } from '../outside-transport.js'

const spanExporter = new InMemorySpanExporter()

beforeAll(() => {
  const spanProcessors = [new SimpleSpanProcessor(spanExporter)]
  api.trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }))
})
afterAll(() => api.trace.disable())

/** In everything that comes from outside stands this, with a number. */
const marker = 'hostile0value'
const hostile = (index: number): string => `SG.${marker}.${index}`
const addressed = (index: number): string => `${marker}${index}@example.com`

/** An error that has something of it wherever an error can. */
function hostileError(index: number): Error {
  const fields = { name: hostile(index), code: hostile(index), detail: addressed(index) }
  const cause = new Error(addressed(index))
  return Object.assign(new TypeError(hostile(index), { cause }), fields)
}

/** A webhook whose reading fails as the request asks it to. */
function hostileWebhook(): Webhook {
  const plain = outsideWebhook()
  return {
    ...plain,
    guards: [
      {
        check(head) {
          if (head.header('x-fail') === 'guard') throw hostileError(1)
          return undefined
        },
        refused() {
          throw hostileError(2)
        },
      },
    ],
    async read(request, receivedAt) {
      if (request.header('x-fail') === 'read') throw hostileError(3)
      return plain.read(request, receivedAt)
    },
  }
}

interface Observed {
  registry: promClient.Registry
  lines: object[]
  facts: object[]
}

/** So many sends, requests and failures, each with values that no other has. */
async function endure(count: number): Promise<Observed> {
  const registry = new promClient.Registry()
  const lines: object[] = []
  const facts: object[] = []
  const write = (line: object): void => void lines.push({ ...line })
  const own: Observer = { notice: (fact) => void facts.push(fact) }
  const memory = memoryStore()
  let failing = false
  const correlator = createCorrelator({
    store: {
      ...memory,
      ingest: (batch, schedule) =>
        failing ? Promise.reject(hostileError(4)) : memory.ingest(batch, schedule),
    },
    webhooks: [hostileWebhook()],
    observers: [prometheus(promClient, { registry }), openTelemetry(api), own],
    logger: { debug: write, info: write, warn: write, error: write },
    foreignAfter: 0,
  })
  correlator.onError(() => {})
  correlator.on('delivered', (event) => {
    if (event.metadata['fails']) throw hostileError(5)
  })
  let sends = 0
  const client = outsideClient({
    async send() {
      sends += 1
      if (sends % 2 === 0) throw hostileError(sends)
      return {
        response: hostile(sends),
        providerMessageId: hostile(sends),
        recipient: () => ({ status: 'accepted', providerStatus: hostile(sends) }),
      }
    },
  })
  const transporter = nodemailer.createTransport(
    outsideTransport(client, { correlator, retries: 0 }),
  )
  const post = async (path: string, body: unknown, headers = {}): Promise<void> => {
    const init = { method: 'POST', headers: { ...secret, ...headers }, body: JSON.stringify(body) }
    await correlator.handler(new Request(`https://example.com/${path}`, init))
  }
  for (let index = 0; index < count; index += 1) {
    const value = hostile(index)
    await transporter
      .sendMail({
        from: addressed(index),
        to: addressed(index),
        subject: value,
        text: value,
        tags: [value],
        metadata: { [value]: value },
      })
      .catch(() => {})
    const fields = { to: addressed(index), message: value, id: value }
    const fails = index % 50 === 0 ? { fails: 'yes' } : {}
    const metadata = { [value]: value, ...fails }
    await post(`${value}/outside?${value}`, [
      { type: 'delivered', at: 1_760_000_000 + index, metadata, ...fields },
      { type: value, at: 1_760_000_000, ...fields },
    ])
    await post(value, [])
    await post('outside', { [value]: value })
    await post('outside', [], { 'x-secret': value, 'user-agent': value })
    await post('outside', [], { 'content-encoding': value })
    await post('outside', [], { 'x-fail': index % 2 === 0 ? 'guard' : 'read' })
    failing = true
    await post('outside', [{ type: 'opened', at: 1_760_000_000 + index, ...fields }])
    failing = false
  }
  // A listener that failed is told again only later.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await correlator.close({ timeout: 100 })
  return { registry, lines, facts }
}

describe('whatever comes in', () => {
  let few: Observed
  let many: Observed

  beforeAll(async () => {
    few = await endure(20)
    spanExporter.reset()
    many = await endure(500)
  }, 120_000)

  const seriesIn = async ({ registry }: Observed): Promise<string[]> =>
    (await registry.metrics())
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.slice(0, line.lastIndexOf(' ')))

  test('the labels stay the same few', async () => {
    const [of20, of1000] = [await seriesIn(few), await seriesIn(many)]
    expect(of1000.length).toBeGreaterThan(50)
    expect(of1000.toSorted()).toEqual(of20.toSorted())
  })

  test('each label is one of the table', async () => {
    const known = new Set<string>(Object.values(measures).flatMap(({ labels }) => [...labels]))
    const labels = (await seriesIn(many)).flatMap((series) =>
      [...series.matchAll(/[{,](\w+)=/g)].map(([, name = '']) => name),
    )
    expect([...new Set(labels)].filter((name) => name !== 'le' && !known.has(name))).toEqual([])
  })

  test('all of it took place', () => {
    const reasons = new Set(many.facts.map((fact) => Reflect.get(fact, 'reason')))
    expect([...reasons].toSorted()).toEqual(
      expect.arrayContaining(['bad-signature', 'malformed', 'unexpected', 'unsupported']),
    )
    const kinds = many.facts.map((fact) => `${Reflect.get(fact, 'kind')}`)
    expect([...new Set(kinds)].toSorted()).toEqual([
      'failure',
      'ingest',
      'listener',
      'send',
      'verify',
      'webhook',
    ])
    const failed = many.facts.filter(
      (fact) => Reflect.get(fact, 'outcome') === 'failed' && Reflect.get(fact, 'attempt') === 1,
    )
    expect(failed).toHaveLength(10)
    expect(many.lines.length).toBeGreaterThan(2500)
  })

  test('none of it stands in a label', async () => {
    expect(await many.registry.metrics()).not.toContain(marker)
  })

  test('none of it stands in a line', () => {
    expect(JSON.stringify(many.lines)).not.toContain(marker)
  })

  test('none of it stands in a span', () => {
    const spans = spanExporter.getFinishedSpans()
    expect(spans.length).toBeGreaterThan(2500)
    const shown = spans.map(({ name, attributes, status, events, links }) => ({
      name,
      attributes,
      status,
      events,
      links,
    }))
    expect(JSON.stringify(shown)).not.toContain(marker)
  })

  test('none of it comes to an observer at all', () => {
    expect(JSON.stringify(many.facts)).not.toContain(marker)
  })
})
