import type { Readable } from 'node:stream'
import { bodyAtHand, readBody, type BodyLimits, type BodyReading } from './request-body.js'
import { type HttpHandler, notFound } from './http-handler.js'

/** What a server knows of a request that does not stand in it. */
export interface ConnectionInfo {
  /** The address at the other end of the connection; guards by address need it. */
  remoteAddress?: string | undefined
}

/** A handler for servers that speak fetch. Frameworks may hand it more than it asks for. */
export type FetchHandler = (request: Request, connection?: ConnectionInfo) => Promise<Response>

/** The handler for servers that speak fetch: Hono, Next, h3, Bun, Deno, Workers. */
export function fetchHandler(handle: HttpHandler): FetchHandler {
  return async (request, connection) => {
    // Next and others hand over a context of their own in its place.
    const peer: unknown = connection?.remoteAddress
    const { pathname, search } = new URL(request.url)
    const answer = await handle({
      method: request.method,
      target: pathname + search,
      ...(typeof peer === 'string' && { peerAddress: peer }),
      header: (name) => request.headers.get(name) ?? undefined,
      readBody: (limits) => bodyOf(request, limits),
    })
    const { status, headers, body } = answer ?? notFound
    const empty = request.method === 'HEAD' || status === 204
    if (typeof body === 'string') return new Response(empty ? null : body, { status, headers })
    return new Response(webStream(body), { status, headers })
  }
}

/** A stream as fetch has it; who stops reading destroys it. */
function webStream(body: Readable): ReadableStream<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(Buffer.from(String(value)))
    },
    cancel() {
      body.destroy()
    },
  })
}

async function bodyOf(request: Request, limits: BodyLimits): Promise<BodyReading> {
  if (request.bodyUsed || request.body?.locked) return consumed
  if (!request.body) return bodyAtHand(Buffer.alloc(0), limits)
  const reader = request.body.getReader()
  const pieces: AsyncIterator<Uint8Array> = {
    async next() {
      const { done, value } = await reader.read()
      return done ? { done, value: undefined } : { done, value }
    },
  }
  const reading = await readBody(pieces, limits)
  // Whoever sends it is to stop where nobody reads it.
  if (reading.kind === 'refused') reader.cancel().catch(() => {})
  return reading
}

const consumed: BodyReading = {
  kind: 'refused',
  reason: 'consumed',
  detail: 'the body was read before: hand over the request untouched, or a clone of it',
}
