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

/** What was answered, as text. */
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
  // Of the last URL, which is the same with every message.
  let last: { url: string; target: http.RequestOptions } | undefined
  const targetOf = (url: string): http.RequestOptions => {
    if (last?.url !== url) last = { url, target: urlToHttpOptions(new URL(url)) }
    return last.target
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

/** More than any API answers: beyond it somebody else does. In bytes. */
const largestAnswer = 32 * 1024 * 1024

function readWhole(
  response: http.IncomingMessage,
  resolve: (answer: HttpAnswer) => void,
  reject: (error: Error) => void,
): void {
  const pieces: Buffer[] = []
  let size = 0
  response.on('data', (piece: Buffer) => {
    pieces.push(piece)
    size += piece.length
    if (size > largestAnswer) response.destroy(tooLarge())
  })
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

function tooLarge(): Error {
  return Object.assign(new Error('the answer is too large'), { code: 'EMSGSIZE' })
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
