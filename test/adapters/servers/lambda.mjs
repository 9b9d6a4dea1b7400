// API Gateway and function URLs, as far as events go: they make one of each request.
import { createServer } from 'node:http'
import { lambdaHandler } from 'mailtrail/lambda'
import { correlator } from './correlator.mjs'
import { sayWhere } from './listening.mjs'

/** @typedef {import('node:http').IncomingMessage} IncomingMessage */

const [, , format = '2.0', encoding = 'base64'] = process.argv

export const handler = lambdaHandler(correlator)

const isBase64Encoded = encoding === 'base64'

/**
 * @param {IncomingMessage} request
 * @returns {[string, string[]][]}
 */
function headersOf({ rawHeaders }) {
  /** @type {Map<string, string[]>} */
  const headers = new Map()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    headers.set(name, [...(headers.get(name) ?? []), rawHeaders[index + 1] ?? ''])
  }
  return [...headers]
}

/**
 * Of a REST API.
 *
 * @param {IncomingMessage} request
 * @param {URL} url
 * @param {string | null} body
 */
function firstFormat(request, url, body) {
  const headers = headersOf(request)
  const names = [...new Set(url.searchParams.keys())]
  const multiValueQueryStringParameters = Object.fromEntries(
    names.map((name) => [name, url.searchParams.getAll(name)]),
  )
  return {
    resource: '/{proxy+}',
    path: url.pathname,
    httpMethod: request.method ?? 'GET',
    headers: Object.fromEntries(headers.map(([name, values]) => [name, values.at(-1)])),
    multiValueHeaders: Object.fromEntries(headers),
    queryStringParameters: names.length === 0 ? null : Object.fromEntries(url.searchParams),
    multiValueQueryStringParameters: names.length === 0 ? null : multiValueQueryStringParameters,
    requestContext: {
      path: `/prod${url.pathname}`,
      stage: 'prod',
      identity: { sourceIp: request.socket.remoteAddress, userAgent: null },
    },
    body,
    isBase64Encoded,
  }
}

/**
 * Of an HTTP API or a function URL.
 *
 * @param {IncomingMessage} request
 * @param {URL} url
 * @param {string | null} body
 */
function secondFormat(request, url, body) {
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: Object.fromEntries(
      headersOf(request).map(([name, values]) => [name.toLowerCase(), values.join(',')]),
    ),
    requestContext: {
      stage: '$default',
      http: {
        method: request.method ?? 'GET',
        path: url.pathname,
        protocol: 'HTTP/1.1',
        sourceIp: request.socket.remoteAddress,
      },
    },
    ...(body !== null && { body }),
    isBase64Encoded,
  }
}

const server = createServer(async (request, response) => {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  const bytes = Buffer.concat(pieces)
  const body = bytes.length === 0 ? null : bytes.toString(isBase64Encoded ? 'base64' : 'utf8')
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  if (url.pathname === '/elsewhere') {
    response.end(JSON.stringify({ parsed: JSON.parse(bytes.toString()) }))
    return
  }
  const event =
    format === '1.0' ? firstFormat(request, url, body) : secondFormat(request, url, body)
  const answer = await handler(event)
  response.writeHead(answer.statusCode, answer.headers)
  response.end(answer.body)
})
server.listen(0, '127.0.0.1', () => sayWhere(server))
