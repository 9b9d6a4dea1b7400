// What a function URL does, on this machine: an event of each request, for the handler beside it.
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { handler } from './handler.mjs'

const { PORT = '3000' } = process.env

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)])
  const { remoteAddress: sourceIp } = request.socket
  const answer = await handler({
    rawPath: pathname,
    rawQueryString: searchParams.toString(),
    headers: Object.fromEntries(headers),
    requestContext: { http: { method: request.method ?? 'GET', sourceIp } },
    body: await text(request.setEncoding('base64')),
    isBase64Encoded: true,
  })
  response.writeHead(answer.statusCode, answer.headers).end(answer.body)
}).listen(Number(PORT), () => console.log(`http://localhost:${PORT}`))
