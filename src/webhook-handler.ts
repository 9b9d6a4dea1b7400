import {
  KeySourceError,
  messageOf,
  type RefusalReason,
  StoreError,
  WebhookError,
} from './errors.js'
import type { ParsedEvent } from './event.js'
import type { Nonce, Webhook, WebhookAnswers, WebhookReading } from './provider.js'

/** An HTTP request, whatever server it came through. */
export interface HttpRequest {
  method: string
  /** The path, without query. */
  path: string
  header(name: string): string | undefined
  /** Reads the body, up to the limit in bytes. */
  readBody(limit: number): Promise<BodyReading>
}

export type BodyReading =
  | { kind: 'read'; body: Buffer }
  | { kind: 'refused'; reason: 'too-large' | 'incomplete' | 'consumed'; detail: string }

export interface HttpAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

/** Stores a webhook's events; `replayed` when its one-time token came before with other content. */
export type Ingest = (
  webhook: Webhook,
  events: ParsedEvent[],
  nonce: Nonce | undefined,
  receivedAt: Date,
) => Promise<'stored' | 'replayed'>

// When to come again after a failure of ours, in s. Providers mostly keep their own time.
const retryAfter = '30'

/** Routes, reads, verifies, stores and answers; undefined when the path is none of a webhook's. */
export function createWebhookHandler(
  webhooks: readonly Webhook[],
  ingest: Ingest,
  report: (error: WebhookError | StoreError) => void,
): (request: HttpRequest) => Promise<HttpAnswer | undefined> {
  async function receive(webhook: Webhook, request: HttpRequest): Promise<HttpAnswer> {
    const refuse = (reason: RefusalReason, detail: string): HttpAnswer => {
      report(new WebhookError(webhook.name, reason, detail))
      return refusal(webhook.answers, reason)
    }
    const receivedAt = new Date()
    const reading = await request.readBody(webhook.maxBodyBytes)
    if (reading.kind === 'refused') return refuse(reading.reason, reading.detail)
    const { body } = reading
    const read = await webhook
      .read({ header: (name) => request.header(name), body }, receivedAt)
      .catch(failedReading)
    if (read.kind === 'refused') return refuse(read.reason, read.detail)
    const outcome = await ingest(webhook, read.events, read.nonce, receivedAt)
    return outcome === 'replayed'
      ? refuse('replayed', 'its token came before with another event')
      : plain(webhook.answers.stored, 'OK')
  }

  return async (request) => {
    const path = withoutSlashes(request.path)
    const webhook = webhooks.find(({ name }) => path.endsWith(`/${name}`))
    if (!webhook) return undefined
    // Mandrill tries a new URL with HEAD, unsigned; people try it with a browser.
    if (request.method === 'GET' || request.method === 'HEAD') return plain(200, 'OK')
    if (request.method !== 'POST')
      return plain(405, 'Method Not Allowed', { allow: 'GET, HEAD, POST' })
    try {
      return await receive(webhook, request)
    } catch (error) {
      report(error instanceof StoreError ? error : new StoreError('storing a webhook', error))
      return plain(503, 'Service Unavailable', { 'retry-after': retryAfter })
    }
  }
}

/** By hand, for a regular expression would go through a path of slashes once for each of them. */
function withoutSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end -= 1
  return path.slice(0, end)
}

function refusal(answers: WebhookAnswers, reason: RefusalReason): HttpAnswer {
  switch (reason) {
    case 'unsigned':
    case 'bad-signature':
    case 'stale':
    case 'replayed':
      return plain(answers.forged, 'Refused')
    case 'malformed':
    case 'unsupported':
      return plain(answers.malformed, 'Bad Request')
    case 'too-large':
      // The rest of the body is not read, so the connection cannot be used again.
      return plain(413, 'Content Too Large', { connection: 'close' })
    case 'incomplete':
      return plain(400, 'Bad Request')
    case 'consumed':
    case 'no-keys':
    case 'unexpected':
      // Our own fault, so it may come again.
      return plain(503, 'Service Unavailable', { 'retry-after': retryAfter })
  }
}

function failedReading(error: unknown): WebhookReading {
  const reason = error instanceof KeySourceError ? 'no-keys' : 'unexpected'
  return { kind: 'refused', reason, detail: messageOf(error) }
}

/** A body that is read piece by piece and never beyond the limit, in bytes. */
export async function readBody(
  pieces: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<BodyReading> {
  const read: Uint8Array[] = []
  let size = 0
  try {
    for await (const piece of pieces) {
      size += piece.length
      if (size > limit) return tooLarge(limit)
      read.push(piece)
    }
  } catch {
    const detail = 'the connection broke before the body was whole'
    return { kind: 'refused', reason: 'incomplete', detail }
  }
  return { kind: 'read', body: Buffer.concat(read) }
}

export function tooLarge(limit: number): BodyReading {
  return { kind: 'refused', reason: 'too-large', detail: `the body is over ${limit} bytes` }
}

function plain(status: number, body: string, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body }
}

/** The handler for servers that speak fetch: Hono, Next, h3, Bun, Deno, Workers. */
export function fetchHandler(
  handle: (request: HttpRequest) => Promise<HttpAnswer | undefined>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const answer =
      (await handle({
        method: request.method,
        path: new URL(request.url).pathname,
        header: (name) => request.headers.get(name) ?? undefined,
        readBody: async (limit) =>
          request.bodyUsed || request.body?.locked
            ? consumed
            : readBody(request.body ?? emptyBody(), limit),
      })) ?? plain(404, 'Not Found')
    const body = request.method === 'HEAD' ? null : answer.body
    return new Response(body, { status: answer.status, headers: answer.headers })
  }
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

const consumed: BodyReading = {
  kind: 'refused',
  reason: 'consumed',
  detail: 'the body was read before: hand over the request untouched, or a clone of it',
}
