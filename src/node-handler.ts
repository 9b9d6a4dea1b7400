import type { IncomingMessage, ServerResponse } from 'node:http'
import { bodyAtHand, readBody, type BodyLimits, type BodyReading } from './request-body.js'
import type { HttpAnswer, HttpHandler } from './webhook-handler.js'

/**
 * A handler for `node:http` and everything built on it. Without `next`, other paths are answered
 * 404; with it, as in Express, they are handed on. It resolves when that is done, which hosts such as
 * Koa wait for.
 */
export type NodeHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => Promise<void>

export function nodeHandler(handle: HttpHandler): NodeHandler {
  return async (request, response, next) => {
    const peer = request.socket.remoteAddress
    const answer = await handle({
      method: request.method ?? 'GET',
      target: targetOf(request),
      ...(peer !== undefined && { peerAddress: peer }),
      header: (name) => headerOf(request, name),
      readBody: (limits) => bodyOf(request, limits),
    })
    // A host with a timeout of its own may have answered meanwhile, and nobody can twice.
    if (response.headersSent) return
    if (answer) write(request, response, answer)
    else if (next) next()
    else write(request, response, notFound)
  }
}

const notFound: HttpAnswer = {
  status: 404,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: 'Not Found',
}

/** Path and query as they were asked for: Express takes the part that it is mounted at from `url`. */
function targetOf(request: IncomingMessage): string {
  const original: unknown = Reflect.get(request, 'originalUrl')
  return typeof original === 'string' ? original : (request.url ?? '/')
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function write(request: IncomingMessage, response: ServerResponse, answer: HttpAnswer): void {
  const { status, headers, body } = answer
  // 204 has no body, and may not say how long it is.
  const length = status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...headers, ...length })
  response.end(request.method === 'HEAD' || status === 204 ? undefined : body)
}

async function bodyOf(request: IncomingMessage, limits: BodyLimits): Promise<BodyReading> {
  const kept = keptBody(request)
  if (kept) return bodyAtHand(kept, limits)
  if (request.readableEnded || request.readableDidRead) return consumed
  // Were it destroyed at an early end, as is the default, nobody could be answered any more.
  return readBody(request.iterator({ destroyOnReturn: false }), limits)
}

const consumed: BodyReading = {
  kind: 'refused',
  reason: 'consumed',
  detail:
    'the body was parsed before, and signatures are over its raw bytes: mount the handler before express.json() and the like, or let the parser keep them, as in express.json({ verify: (request, _response, body) => { request.rawBody = body } })',
}

/** The raw bytes where the host kept them: `rawBody`, or `body` from express.raw(). */
function keptBody(request: IncomingMessage): Buffer | undefined {
  for (const name of ['rawBody', 'body']) {
    const value: unknown = Reflect.get(request, name)
    if (Buffer.isBuffer(value)) return value
  }
  return undefined
}
