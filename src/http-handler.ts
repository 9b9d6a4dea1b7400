import type { Readable } from 'node:stream'
import { type AddressRanges, clientAddress } from './address-ranges.js'
import type { WebhookRequestHead } from './provider.js'
import type { BodyLimits, BodyReading } from './request-body.js'

/** An HTTP request, whatever server it came through. */
export interface HttpRequest {
  method: string
  /** Path and query. */
  target: string
  /** The address at the other end of the connection; undefined where the server does not tell it. */
  peerAddress?: string
  header(name: string): string | undefined
  readBody(limits: BodyLimits): Promise<BodyReading>
}

export interface HttpResponse {
  status: number
  headers: Record<string, string>
  /** What goes on for as long as somebody reads it is a stream; it is destroyed when nobody does. */
  body: string | Readable
}

/** Answers a request; undefined when its path is somebody else's. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse | undefined>

/** What guards are asked about: a request as it is before its body is read. */
export function requestHead(
  request: HttpRequest,
  trustedProxies?: AddressRanges,
): WebhookRequestHead {
  const { method, target, peerAddress } = request
  const header = (name: string): string | undefined => request.header(name)
  const client = trustedProxies
    ? clientAddress(peerAddress, header('x-forwarded-for'), trustedProxies)
    : peerAddress
  return { method, target, header, ...(client !== undefined && { clientAddress: client }) }
}

/** An answer in plain words. */
export function plain(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body }
}

/** What a path is answered that is nobody's. */
export const notFound: HttpResponse = plain(404, 'Not Found')
