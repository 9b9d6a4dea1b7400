import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { ConfigurationError } from '../errors.js'
import { type FetchHandler, fetchHandler } from '../fetch-handler.js'
import { type NodeHandler, nodeHandler } from '../node-handler.js'
import type { Observer } from '../observer.js'
import type { Guard } from '../provider.js'
import { watchedGauges } from './gauges.js'
import { allMeasures, type MeasureKey, measure, prometheusName } from './measures.js'
import { scrapeHandler } from './scrape-handler.js'

/** What is needed of the package prom-client. */
export interface PrometheusClient {
  Counter: typeof Counter
  Gauge: typeof Gauge
  Histogram: typeof Histogram
  /** Where the metrics are registered unless told otherwise. */
  register: Registry
}

/** Where metrics are kept, and who may read them. */
export interface PrometheusOptions {
  /** Where the metrics are registered; the client's own default otherwise, with whatever is there. */
  registry?: Registry
  /** Asked before a scrape is answered: `basicAuth(user, password)`, `addressAllowList(ranges)`. */
  guards?: readonly Guard[]
}

/** An observer that keeps metrics, and the endpoint that Prometheus scrapes. */
export interface PrometheusObserver extends Required<Pick<Observer, 'notice' | 'watch'>> {
  /** The endpoint for servers that speak fetch; it answers every path that it is mounted at. */
  readonly handler: FetchHandler
  /** The endpoint for `node:http`, Express and the like. */
  readonly nodeHandler: NodeHandler
}

/**
 * Keeps metrics of this process with the package prom-client, for Prometheus to scrape.
 *
 * ```ts
 * import promClient from 'prom-client'
 *
 * const metrics = prometheus(promClient)
 * const correlator = createCorrelator({ store, webhooks, observers: [metrics] })
 * app.get('/metrics', metrics.nodeHandler)
 * ```
 *
 * @throws ConfigurationError when it is not the package, or the registry has metrics of these names
 */
export function prometheus(
  client: PrometheusClient,
  { registry = client?.register, guards = [] }: PrometheusOptions = {},
): PrometheusObserver {
  if (typeof client?.Counter !== 'function' || typeof registry?.metrics !== 'function') {
    throw new ConfigurationError(
      "prometheus takes the package prom-client: import promClient from 'prom-client'",
    )
  }
  for (const [, each] of allMeasures) {
    const name = prometheusName(each)
    if (!registry.getSingleMetric(name)) continue
    throw new ConfigurationError(
      `prometheus: the registry has ${name} already: give all correlators one observer, or each a registry of its own`,
    )
  }
  const gauges = watchedGauges()
  const takers = new Map<MeasureKey, (amount: number, labels: Record<string, string>) => void>()
  for (const [key, measured] of allMeasures) {
    const { description: help, labels: labelNames } = measured
    const common = { name: prometheusName(measured), help, labelNames, registers: [registry] }
    switch (measured.kind) {
      case 'counter': {
        const counter = new client.Counter(common)
        takers.set(key, (amount, labels) => counter.inc(labels, amount))
        break
      }
      case 'histogram': {
        const buckets = [...measured.bounds]
        const histogram = new client.Histogram({ ...common, buckets })
        takers.set(key, (amount, labels) => histogram.observe(labels, amount))
        break
      }
      case 'gauge': {
        const read = gauges[measured.gauge]
        const gauge: Gauge = new client.Gauge({
          ...common,
          async collect() {
            const value = await read()
            if (value === undefined) gauge.remove()
            else gauge.set(value)
          },
        })
      }
    }
  }

  const scrape = scrapeHandler(guards, async () => {
    return { contentType: registry.contentType, body: await registry.metrics() }
  })

  return {
    notice: (fact) => measure((key, amount, labels) => takers.get(key)?.(amount, labels), fact),
    watch: gauges.watch,
    handler: fetchHandler(scrape),
    nodeHandler: nodeHandler(scrape),
  }
}
