import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import parse from 'parse-prometheus-text-format'
import promClient from 'prom-client'
import { basicAuth, ConfigurationError, createCorrelator, memoryStore } from '../../src/index.js'
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
