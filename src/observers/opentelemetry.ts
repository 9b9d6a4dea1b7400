import type { MeterProvider } from '@opentelemetry/api'
import { ConfigurationError } from '../errors.js'
import type { Observer } from '../observer.js'
import { createMeters } from './meters.js'
import { createSpans, type TraceApi } from './spans.js'

/** What is needed of the package @opentelemetry/api; without `metrics` or `trace` there are none of these. */
export interface OpenTelemetryApi extends Partial<TraceApi> {
  metrics?: Pick<MeterProvider, 'getMeter'>
}

/**
 * Makes spans and metrics with OpenTelemetry. Which are exported, and where to, says the SDK that the program has
 * set up.
 *
 * ```ts
 * import * as api from '@opentelemetry/api'
 *
 * const correlator = createCorrelator({ store, webhooks, observers: [openTelemetry(api)] })
 * ```
 *
 * @throws ConfigurationError when it is not the package
 */
export function openTelemetry({
  trace,
  context,
  ROOT_CONTEXT,
  metrics,
}: OpenTelemetryApi): Observer {
  if (trace ? !context || !ROOT_CONTEXT : !metrics) {
    throw new ConfigurationError(
      "openTelemetry takes the package @opentelemetry/api: import * as api from '@opentelemetry/api'",
    )
  }
  return {
    ...(metrics && createMeters(metrics)),
    ...(trace && context && ROOT_CONTEXT && createSpans({ trace, context, ROOT_CONTEXT })),
  }
}
