import type { Readable } from 'node:stream'
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

export interface HttpAnswer {
  status: number
  headers: Record<string, string>
  /** What goes on for as long as somebody reads it is a stream; it is destroyed when nobody does. */
  body: string | Readable
}

/** Answers a request; undefined when its path is somebody else's. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer | undefined>
