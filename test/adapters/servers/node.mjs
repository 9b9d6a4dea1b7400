import { createServer } from 'node:http'
import { correlator } from './correlator.mjs'
import { sayWhere } from './listening.mjs'

const server = createServer((request, response) => {
  correlator.nodeHandler(request, response, async () => {
    const pieces = []
    for await (const piece of request) pieces.push(piece)
    const text = Buffer.concat(pieces).toString()
    response.writeHead(text ? 200 : 404)
    response.end(text && JSON.stringify({ parsed: JSON.parse(text) }))
  })
})
server.listen(0, '127.0.0.1', () => sayWhere(server))
