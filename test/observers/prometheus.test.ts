import { describe, expect, jest, test } from '@jest/globals'
import parse from 'parse-prometheus-text-format'
import promClient from 'prom-client'
import {
  addressAllowList,
  basicAuth,
  ConfigurationError,
  createCorrelator,
  memoryStore,
  type Store,
} from '../../src/index.js'
import { prometheus } from '../../src/observers/prometheus.js'
import { startEndpoint } from '../endpoint.js'
import { expectedCounts, play, seriesOf } from './play.js'

const withRegistry = (options = {}) => {
  const registry = new promClient.Registry()
  return { registry, metrics: prometheus(promClient, { registry, ...options }) }
}

/** What a scrape over HTTP gives, read by a parser of the format; of histograms their counts. */
async function scrape(url: string, headers = {}): Promise<Record<string, number>> {
  const response = await fetch(url, { headers })
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  // As families of their own: the parser mixes up the labels of what it knows to be a histogram.
  const text = (await response.text()).replace(/^# TYPE \w+ histogram$/gm, '')
  const series = parse(text).flatMap(({ name, metrics }) =>
    metrics.map(({ labels, value }): [string, number] => [seriesOf(name, labels), Number(value)]),
  )
  return Object.fromEntries(series.filter(([name]) => !/_(?:bucket|sum)\b/.test(name)))
}

test('a scrape holds what has happened, once', async () => {
  const { metrics } = withRegistry()
  const endpoint = await startEndpoint(metrics.nodeHandler)
  try {
    await play({ observers: [metrics] })
    expect(await scrape(`${endpoint.url}/metrics`)).toEqual(expectedCounts)
  } finally {
    await endpoint.close()
  }
})

describe('what can be measured at any time', () => {
  const measured = async (store: Store): Promise<Record<string, number>> => {
    const { metrics } = withRegistry()
    const correlator = createCorrelator({ store, observers: [metrics] })
    const endpoint = await startEndpoint(metrics.nodeHandler)
    try {
      return await scrape(endpoint.url)
    } finally {
      await endpoint.close()
      await correlator.close()
    }
  }

  test('is how long the event that was due first is waiting', async () => {
    const store = { ...memoryStore(), nextDue: async () => Date.now() - 90_000 }
    const { mailtrail_events_overdue_seconds: overdue = 0 } = await measured(store)
    expect(Math.floor(overdue)).toBe(90)
  })

  test.each<[string, number | undefined]>([
    ['nothing is left', undefined],
    ['the next is due later', Date.now() + 600_000],
  ])('is none where %s', async (_, due) => {
    const store = { ...memoryStore(), nextDue: async () => due }
    expect(await measured(store)).toMatchObject({ mailtrail_events_overdue_seconds: 0 })
  })

  test('is left out where the store fails', async () => {
    const store = { ...memoryStore(), nextDue: () => Promise.reject(new Error('away')) }
    expect(await measured(store)).not.toHaveProperty('mailtrail_events_overdue_seconds')
  })

  test('is left out where the store takes more than five seconds', async () => {
    jest.useFakeTimers()
    const { metrics, registry } = withRegistry()
    const store = { ...memoryStore(), nextDue: () => new Promise<undefined>(() => {}) }
    const correlator = createCorrelator({ store, observers: [metrics] })
    let scraped: string | undefined
    void registry.metrics().then((text) => {
      scraped = text
    })
    await jest.advanceTimersByTimeAsync(4999)
    expect(scraped).toBeUndefined()
    await jest.advanceTimersByTimeAsync(1)
    jest.useRealTimers()
    expect(scraped).toContain('mailtrail_events_untold')
    expect(scraped).not.toMatch(/^mailtrail_events_overdue_seconds/m)
    await correlator.close()
  })

  test('is left out when the correlator is closed', async () => {
    const { metrics, registry } = withRegistry()
    const store = { ...memoryStore(), nextDue: async () => 0 }
    const correlator = createCorrelator({ store, observers: [metrics] })
    expect(await registry.metrics()).toMatch(/^mailtrail_events_overdue_seconds/m)
    await correlator.close()
    expect(await registry.metrics()).not.toMatch(/^mailtrail_events_overdue_seconds/m)
  })

  test('is asked of a store once, however many scrapes come at once', async () => {
    const { metrics, registry } = withRegistry()
    let asked = 0
    const nextDue = async () => {
      asked += 1
      await new Promise((resolve) => setImmediate(resolve))
      return undefined
    }
    const correlator = createCorrelator({
      store: { ...memoryStore(), nextDue },
      observers: [metrics],
    })
    await Promise.all(Array.from({ length: 50 }, () => registry.metrics()))
    expect(asked).toBe(1)
    await correlator.close()
  })
})

describe('the endpoint', () => {
  const get = (headers = {}, method = 'GET') =>
    new Request('https://example.com/metrics', { method, headers })
  const basic = (credentials: string) => ({
    authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
  })

  test('speaks fetch as well as node', async () => {
    const { handler } = withRegistry().metrics
    const response = await handler(get())
    expect(response.headers.get('content-type')).toContain('version=0.0.4')
    expect(await response.text()).toContain('# TYPE mailtrail_messages_total counter')
  })

  test('takes no other method', async () => {
    const { status, headers } = await withRegistry().metrics.handler(get({}, 'POST'))
    expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  test.each([
    [{}, 401],
    [basic('prometheus:wrong'), 401],
    [basic('prometheus:right'), 200],
  ])('asks who is there: %j is answered %i', async (headers, status) => {
    const { metrics } = withRegistry({ guards: [basicAuth('prometheus', 'right')] })
    expect((await metrics.handler(get(headers))).status).toBe(status)
  })

  test.each([
    ['10.0.0.0/8', 403],
    ['127.0.0.0/8', 200],
  ])('looks where somebody calls from: only %s is let in, and we get %i', async (range, status) => {
    const { metrics } = withRegistry({ guards: [addressAllowList([range])] })
    const endpoint = await startEndpoint(metrics.nodeHandler)
    // Of a proxy it is the proxy, whatever that says.
    const headers = { 'x-forwarded-for': '10.0.0.1' }
    expect((await fetch(endpoint.url, { headers })).status).toBe(status)
    await endpoint.close()
  })

  test('says nothing of what fails', async () => {
    const { metrics, registry } = withRegistry()
    const collect = () => Promise.reject(new Error('ann@example.org'))
    const other = new promClient.Gauge({ name: 'other', help: 'other', registers: [], collect })
    registry.registerMetric(other)
    const response = await metrics.handler(get())
    expect([response.status, await response.text()]).toEqual([503, 'Service Unavailable'])
  })
})

test('metrics of others in the registry are scraped with them', async () => {
  const { registry, metrics } = withRegistry()
  const counter = new promClient.Counter({ name: 'orders', help: 'x', registers: [registry] })
  counter.inc()
  const response = await metrics.handler(new Request('https://example.com/metrics'))
  expect(await response.text()).toContain('orders 1')
})

test("metrics stand in the client's own registry where none is given", async () => {
  const { Counter, Gauge, Histogram, Registry } = promClient
  const register = new Registry()
  prometheus({ Counter, Gauge, Histogram, register })
  expect(await register.metrics()).toContain('# TYPE mailtrail_messages_total counter')
})

test('a registry takes them once', () => {
  const { registry } = withRegistry()
  const again = () => prometheus(promClient, { registry })
  expect(again).toThrow(ConfigurationError)
  expect(again).toThrow('mailtrail_messages_total already')
})

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['something else', {}],
])('%s is not taken for the package', (_, client) => {
  expect(() => prometheus(client as typeof promClient)).toThrow(ConfigurationError)
})
