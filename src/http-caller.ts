import http from 'node:http'
import https from 'node:https'
import { urlToHttpOptions } from 'node:url'

/** A call of a provider's API. */
export interface HttpCall {
  method: 'GET' | 'POST'
  url: string
  headers: Readonly<Record<string, string>>
  body?: string | Buffer
}

export interface HttpAnswer {
  status: number
  /** The reason phrase. */
  statusText: string
  /** By lower-case name; of several of one name the first. */
  headers: Readonly<Record<string, string>>
  body: string
}

/** Resolves with the answer, whatever its status, and rejects with Node's error when there is none. */
export type HttpCaller = (call: HttpCall) => Promise<HttpAnswer>

/**
 * Calls an API over connections that Node's global agent keeps, whatever agent that is. It costs a third
 * of what fetch does, and follows no redirects, which would take an API key along.
 *
 * @param timeout how long a call may take as a whole, in ms
 */
export function httpCaller(timeout: number): HttpCaller {
  // Of a few URLs, which are the same with every call.
  const targets = new Map<string, http.RequestOptions>()
  const targetOf = (url: string): http.RequestOptions => {
    const target = targets.get(url) ?? urlToHttpOptions(new URL(url))
    targets.set(url, target)
    return target
  }
  return ({ method, url, headers, body }) =>
    new Promise((resolve, reject) => {
      const target = targetOf(url)
      const request = (target.protocol === 'https:' ? https : http).request({
        ...target,
        method,
        headers: {
          ...headers,
          // Else it would go in chunks, which some gateways refuse.
          ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
        },
      })
      const timer = setTimeout(() => {
        const late = tooSlow(request)
        reject(late)
        request.destroy(late)
      }, timeout)
      request.once('close', () => clearTimeout(timer))
      request.once('error', reject)
      request.once('response', (response) => readWhole(response, resolve, reject))
      request.end(body)
    })
}

function readWhole(
  response: http.IncomingMessage,
  resolve: (answer: HttpAnswer) => void,
  reject: (error: Error) => void,
): void {
  const pieces: Buffer[] = []
  response.on('data', (piece: Buffer) => pieces.push(piece))
  response.once('error', reject)
  response.once('end', () => {
    resolve({
      status: response.statusCode ?? 0,
      statusText: response.statusMessage ?? '',
      headers: firstOfEach(response.headers),
      body: Buffer.concat(pieces).toString('utf8'),
    })
  })
}

function firstOfEach(headers: http.IncomingHttpHeaders): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const first = Array.isArray(value) ? value[0] : value
    if (first !== undefined) values[name] = first
  }
  return values
}

/** As Node names it; nothing was sent before there was a connection, and its encryption. */
function tooSlow({ socket }: http.ClientRequest): Error {
  const connecting =
    socket === null || socket.connecting || Reflect.get(socket, 'secureConnecting') === true
  return Object.assign(new Error('the call took too long'), {
    code: 'ETIMEDOUT',
    ...(connecting && { syscall: 'connect' }),
  })
}
