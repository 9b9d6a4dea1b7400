import { addressRanges } from './address-ranges.js'
import { defaultBodyTimeout } from './correlator-options.js'
import { createErrorReporter } from './error-reporter.js'
import type { WebhookError } from './errors.js'
import type { ParsedEvent } from './event.js'
import { type FetchHandler, fetchHandler } from './fetch-handler.js'
import { type NodeHandler, nodeHandler } from './node-handler.js'
import type { Nonce, Webhook, WebhookRequest } from './provider.js'
import { createWebhookHandler } from './webhook-handler.js'
import { routeByName } from './webhook-routes.js'

/**
 * Called with a request that passed every guard and whose signature is right, and with what was read
 * from it. It may be async. When it throws or rejects, the provider is asked to come again.
 */
export type VerifiedHandler = (request: WebhookRequest, events: ParsedEvent[]) => unknown

/** Who is told of refusals, and which proxies are believed. */
export interface GuardedWebhookOptions {
  /** Told of every refused request and of every failure of yours; default: a process warning. */
  onRefused?: (refusal: WebhookError) => unknown
  /** Proxies whose word about the caller's address is taken, as at `createCorrelator`. */
  trustedProxies?: readonly string[]
}

/** A handler that is called for verified requests alone. */
export interface GuardedWebhook {
  /** For servers that speak fetch. */
  readonly handler: FetchHandler
  /** For `node:http`, Express and the like. */
  readonly nodeHandler: NodeHandler
}

/** How many one-time tokens are remembered, to know a second use by. */
const mostTokens = 100_000

/**
 * Guards a handler of your own with a webhook's keys and guards, without store and correlation: it is
 * called for verified requests alone, and the provider gets its own answers. Whatever the path is, it
 * takes events; a path that ends in `/<name>/inbound` takes inbound mail.
 *
 * ```ts
 * const { handler } = guardWebhook(sendgridWebhook({ publicKey }), async (request, events) => {
 *   await queue.add(events)
 * })
 * export const POST = handler
 * ```
 *
 * One-time tokens are remembered in this process alone, so a replay that reaches another is not seen.
 */
export function guardWebhook(
  webhook: Webhook,
  handle: VerifiedHandler,
  { onRefused, trustedProxies = [] }: GuardedWebhookOptions = {},
): GuardedWebhook {
  const errors = createErrorReporter()
  if (onRefused) errors.onRefused(onRefused)
  const isReplayed = createTokenMemory()
  const named = routeByName([webhook])
  const answer = createWebhookHandler({
    // Below any path, for a route of one's own has led here.
    route: (path) => named(path) ?? { end: '', webhook, endpoint: webhook },
    async ingest(_webhook, events, nonce, _receivedAt, request) {
      if (nonce && isReplayed(nonce)) return 'replayed'
      await handle(request, events)
      return 'stored'
    },
    trustedProxies: addressRanges('guardWebhook: trustedProxies', trustedProxies),
    bodyTimeout: defaultBodyTimeout,
    refused: errors.report,
    failed: (_webhook, error) => errors.report(error),
    tried: () => {},
  })
  return { handler: fetchHandler(answer), nodeHandler: nodeHandler(answer) }
}

function createTokenMemory(): (nonce: Nonce) => boolean {
  const contents = new Map<string, string>()
  return ({ token, content }) => {
    const known = contents.get(token)
    if (known !== undefined) return known !== content
    contents.set(token, content)
    const [oldest] = contents.keys()
    if (contents.size > mostTokens && oldest !== undefined) contents.delete(oldest)
    return false
  }
}
