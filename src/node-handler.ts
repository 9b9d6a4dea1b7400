import type { IncomingMessage, ServerResponse } from 'node:http'
import { consumedBody, type Host } from './consumed-body.js'
import { bodyAtHand, readBody, type BodyLimits, type BodyReading } from './request-body.js'
import { type HttpHandler, type HttpResponse, notFound } from './http-handler.js'

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

/** Under which an adapter keeps on a request what its host knows of it: a text, as there are two builds. */
export const hostNotes = Symbol.for('mailtrail.hostNotes')

/** What a host knows of a request and keeps elsewhere. */
export interface HostNotes {
  /** Path and query as they were asked for. */
  target: string
  /** The raw body, where the host has read it and kept it. */
  rawBody: unknown
  host: Host
}

type NotedRequest = IncomingMessage & { [hostNotes]?: HostNotes }

export function nodeHandler(handle: HttpHandler): NodeHandler {
  return async (request: NotedRequest, response, next) => {
    const peer = request.socket.remoteAddress
    const answer = await handle({
      method: request.method ?? 'GET',
      target: targetOf(request),
      ...(peer !== undefined && { peerAddress: peer }),
      header: (name) => headerOf(request, name),
      readBody: (limits) => bodyOf(request, response, limits),
    })
    // A host with a timeout of its own may have answered meanwhile, and nobody can twice.
    if (response.headersSent) return
    if (answer) write(request, response, answer)
    else if (next) next()
    else write(request, response, notFound)
  }
}

/** Path and query as they were asked for: Express takes the part that it is mounted at from `url`. */
function targetOf(request: NotedRequest): string {
  const original: unknown = request[hostNotes]?.target ?? Reflect.get(request, 'originalUrl')
  return typeof original === 'string' ? original : (request.url ?? '/')
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function write(request: IncomingMessage, response: ServerResponse, answer: HttpResponse): void {
  const { status, headers, body } = answer
  if (typeof body !== 'string') {
    response.once('close', () => body.destroy())
    response.writeHead(status, headers)
    body.pipe(response)
    return
  }
  // 204 has no body, and may not say how long it is.
  const length = status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...headers, ...length })
  response.end(request.method === 'HEAD' || status === 204 ? undefined : body)
}

async function bodyOf(
  request: NotedRequest,
  response: ServerResponse,
  limits: BodyLimits,
): Promise<BodyReading> {
  const kept = keptBody(request)
  if (kept) return bodyAtHand(kept, limits)
  if (request.readableEnded || request.readableDidRead)
    return consumedBody(hostsOf(request, response))
  // Were it destroyed at an early end, as is the default, nobody could be answered any more.
  return readBody(request.iterator({ destroyOnReturn: false }), limits)
}

/** The raw bytes where the host kept them: `rawBody`, or `body` from express.raw(). */
function keptBody(request: NotedRequest): Buffer | undefined {
  const rawBody: unknown = request[hostNotes]?.rawBody ?? Reflect.get(request, 'rawBody')
  // As text it is the same bytes again where they are UTF-8; where not, the signature does not fit.
  if (typeof rawBody === 'string') return Buffer.from(rawBody)
  const others: unknown[] = [rawBody, Reflect.get(request, 'body')]
  return others.find((value) => Buffer.isBuffer(value))
}

/** Which host has read the body, as far as it shows. */
function hostsOf(request: NotedRequest, response: ServerResponse): Host[] {
  const noted = request[hostNotes]?.host
  if (noted) return [noted]
  if (typeof Reflect.get(response, 'revalidate') === 'function') return ['next']
  if (typeof Reflect.get(request, 'app') === 'function') return ['express', 'nest']
  return []
}
