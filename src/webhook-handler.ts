import type { AddressRanges } from './address-ranges.js'
import { messageOf, StoreError, WebhookError } from './errors.js'
import type { ParsedEvent } from './event.js'
import { observedReading, ourFailure } from './observed-reading.js'
import { type Observing, unobserved } from './observing.js'
import type { Nonce, Refusal, Webhook, WebhookRequest, WebhookRequestHead } from './provider.js'
import { type HttpHandler, type HttpRequest, plain, requestHead } from './http-handler.js'
import { createBodyBudget, tooLarge } from './request-body.js'
import { answerTo, unavailable, usualAnswers } from './webhook-answers.js'
import type { Route } from './webhook-routes.js'

/** Stores a webhook's events; `replayed` when its one-time token came before with other content. */
export type Ingest = (
  webhook: Webhook,
  events: ParsedEvent[],
  nonce: Nonce | undefined,
  receivedAt: Date,
  request: WebhookRequest,
) => Promise<'stored' | 'replayed'>

export interface WebhookHandling {
  /** Which webhook a path belongs to. */
  route(path: string): Route | undefined
  ingest: Ingest
  /** Proxies whose word about the caller's address is taken. */
  trustedProxies: AddressRanges
  /** How long a body may take to come, in ms. */
  bodyTimeout: number
  refused(error: WebhookError): void
  failed(webhook: Webhook, error: StoreError): void
  /** Told of a GET or HEAD that was answered: somebody tries whether the URL is there. */
  tried(webhook: Webhook): void
  observing?: Observing
}

/** How much of bodies is held in memory at once, in bytes. */
const mostHeld = 256 * 1024 * 1024

const allowedMethods = { allow: 'GET, HEAD, OPTIONS, POST' }

/** Routes, guards, reads, verifies, stores and answers. */
export function createWebhookHandler({
  route,
  ingest,
  trustedProxies,
  bodyTimeout,
  refused,
  failed,
  tried,
  observing = unobserved,
}: WebhookHandling): HttpHandler {
  const budget = createBodyBudget(mostHeld)

  async function take(
    { webhook, endpoint }: Route,
    request: HttpRequest,
    head: WebhookRequestHead,
  ): Promise<Refusal | 'tried' | 'stored'> {
    for (const guard of endpoint.guards ?? []) {
      const refusal = await guard.check(head)
      if (refusal) return refusal
    }
    // Mandrill tries a new URL with HEAD, unsigned; people try it with a browser.
    if (request.method !== 'POST') return 'tried'
    const receivedAt = new Date()
    const early = refusedUnread(request, endpoint.maxBodyBytes) ?? endpoint.refusedByHead?.(head)
    if (early) return early
    const held = budget.open()
    try {
      const size = endpoint.maxBodyBytes
      const reading = await request.readBody({ size, time: bodyTimeout, reserve: held.reserve })
      if (reading.kind === 'refused') return reading
      const { body } = reading
      const whole: WebhookRequest = { ...head, body }
      const read = await observedReading(observing, webhook, () => endpoint.read(whole, receivedAt))
      if (read.kind === 'refused') return read
      const { events, nonce } = read
      const outcome = await ingest(webhook, events, nonce, receivedAt, whole)
      if (outcome === 'stored') return 'stored'
      const detail = 'its token came before with another event'
      return { kind: 'refused', reason: 'replayed', detail }
    } finally {
      held.release()
    }
  }

  /** Tells the guards that let a request through what became of it. */
  async function tellGuards(
    { endpoint, webhook }: Route,
    head: WebhookRequestHead,
    { reason }: Refusal,
  ): Promise<void> {
    for (const guard of endpoint.guards ?? []) {
      try {
        await guard.refused?.(head, reason)
      } catch (error) {
        refused(new WebhookError(webhook.name, 'unexpected', `a guard failed: ${messageOf(error)}`))
      }
    }
  }

  return async (request) => {
    const [path = ''] = request.target.split('?', 1)
    const found = route(path)
    if (!found) return undefined
    const { webhook } = found
    const { method } = request
    const answers = { ...usualAnswers, ...webhook.answers }
    if (method === 'OPTIONS') return { status: 204, headers: allowedMethods, body: '' }
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
      return plain(405, 'Method Not Allowed', allowedMethods)
    }
    const head = requestHead(request, trustedProxies)
    const activity = { kind: 'webhook', webhook: webhook.name, provider: webhook.provider } as const
    const observed = observing.begin(activity)
    const taking = (): Promise<Refusal | 'tried' | 'stored'> => take(found, request, head)
    try {
      const taken = await (observed ? observed.run(taking) : taking()).catch(ourFailure)
      if (taken === 'stored' || taken === 'tried') {
        observed?.end({ ...activity, outcome: taken })
        if (taken === 'tried') tried(webhook)
        return plain(answers[taken], 'OK')
      }
      observed?.end({ ...activity, outcome: 'refused', reason: taken.reason })
      refused(new WebhookError(webhook.name, taken.reason, taken.detail))
      await tellGuards(found, head, taken)
      return answerTo(answers, taken)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      observed?.end({ ...activity, outcome: 'unavailable' })
      failed(webhook, error)
      return unavailable(answers)
    }
  }
}

/** What is known to be wrong before anything of the body is read. */
function refusedUnread(request: HttpRequest, limit: number): Refusal | undefined {
  const encoding = request.header('content-encoding')?.trim().toLowerCase() ?? ''
  if (encoding !== '' && encoding !== 'identity') {
    const detail = `the body is encoded (${JSON.stringify(encoding.slice(0, 40))}), which no provider does`
    return { kind: 'refused', reason: 'unsupported', detail }
  }
  return Number(request.header('content-length')) > limit ? tooLarge(limit) : undefined
}
