// What bench/send.mjs sends to: the three providers' send calls, read whole and answered at once.
import { once } from 'node:events'
import { createServer } from 'node:http'

let taken = 0
const server = createServer((request, response) => {
  const pieces = []
  request.on('data', (piece) => pieces.push(piece))
  request.on('end', () => {
    taken += 1
    const path = request.url ?? ''
    if (path.startsWith('/v3/mail/send')) {
      response.writeHead(202, { 'x-message-id': `bench${taken}` }).end()
      return
    }
    const body = Buffer.concat(pieces)
    const answer = path.startsWith('/api/') ? mandrillAnswer(body) : mailgunAnswer()
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
})

const mailgunAnswer = () => ({
  id: `<bench${taken}@mg.example.com>`,
  message: 'Queued. Thank you.',
})

function mandrillAnswer(body) {
  const { message } = JSON.parse(body.toString())
  return message.to.map(({ email }) => ({ email, status: 'sent', _id: `bench${taken}` }))
}

server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.send?.(server.address().port)
process.on('disconnect', () => process.exit())
