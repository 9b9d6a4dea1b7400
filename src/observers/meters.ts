import type { Attributes, MeterProvider } from '@opentelemetry/api'
import type { Observer } from '../observer.js'
import { version } from '../version.js'
import { watchedGauges } from './gauges.js'
import { allMeasures, measure, type MeasureKey } from './measures.js'

/** Takes measures with the meters of OpenTelemetry. */
export function createMeters(
  metrics: Pick<MeterProvider, 'getMeter'>,
): Required<Pick<Observer, 'notice' | 'watch'>> {
  const meter = metrics.getMeter('mailtrail', version)
  const gauges = watchedGauges()
  const takers = new Map<MeasureKey, (amount: number, labels: Attributes) => void>()
  for (const [key, measured] of allMeasures) {
    const { name, unit, description } = measured
    switch (measured.kind) {
      case 'counter': {
        const counter = meter.createCounter(name, { unit, description })
        takers.set(key, (amount, labels) => counter.add(amount, labels))
        break
      }
      case 'histogram': {
        const advice = { explicitBucketBoundaries: [...measured.bounds] }
        const histogram = meter.createHistogram(name, { unit, description, advice })
        takers.set(key, (amount, labels) => histogram.record(amount, labels))
        break
      }
      case 'gauge': {
        const read = gauges[measured.gauge]
        meter.createObservableGauge(name, { unit, description }).addCallback(async (result) => {
          const value = await read()
          if (value !== undefined) result.observe(value)
        })
      }
    }
  }
  return {
    notice: (fact) => measure((key, amount, labels) => takers.get(key)?.(amount, labels), fact),
    watch: gauges.watch,
  }
}
