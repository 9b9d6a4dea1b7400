// What posts to a side of the ingest bench, from a process of its own: signed requests that were made before,
// over connections that are kept, with as little work for each as can be.
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { batchMaker, startSigning } from './webhook-batches.mjs'

const [provider] = process.argv.slice(2)
const { simulator, key } = startSigning(provider)
let makeBatch
let requests = []

/** A request as it goes over the wire. */
function written({ headers, body }) {
  const lines = Object.entries({ host: 'shop.example', 'content-length': body.length, ...headers })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.concat([Buffer.from(`POST /webhooks/${provider} HTTP/1.1\r\n${head}\r\n`), body])
}

/** A connection; `post` resolves when a request was answered. */
async function connect(port) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let answer = ''
  let answered
  socket.on('data', (piece) => {
    answer += piece.toString('latin1')
    const end = answer.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = Number(/^content-length: (\d+)/im.exec(answer)?.[1] ?? 0)
    if (answer.length < end + 4 + length) return
    if (!/^HTTP\/1.1 2/.test(answer)) {
      console.error(answer)
      process.exit(1)
    }
    answer = ''
    answered()
  })
  return {
    post: (request) =>
      new Promise((resolve) => {
        answered = resolve
        socket.write(request)
      }),
    close: () => socket.destroy(),
  }
}

const commands = {
  know({ records }) {
    makeBatch = batchMaker(simulator, records)
  },

  /** Makes so many batches, each of so many events. */
  make({ batches, size }) {
    requests = Array.from({ length: batches }, () => makeBatch(size))
      .flat()
      .map(written)
  },

  /** Posts all of them, each client one after the other. */
  post: ({ port, clients }) => commands.postAll({ ports: [port], clients }),

  /** The same to several servers, each with so many clients. */
  async postAll({ ports, clients }) {
    const connections = await Promise.all(
      ports.flatMap((port) => Array.from({ length: clients }, () => connect(port))),
    )
    const began = performance.now()
    await Promise.all(
      connections.map(async ({ post }) => {
        for (let next = requests.pop(); next; next = requests.pop()) await post(next)
      }),
    )
    const took = performance.now() - began
    for (const { close } of connections) close()
    return { took }
  },

  /** Posts them at an even pace, whatever is still to be answered; how long each took, in ms. */
  async pace({ port, clients, every }) {
    const connections = await Promise.all(Array.from({ length: clients }, () => connect(port)))
    const free = [...connections]
    const waiting = []
    const times = []
    const doing = []
    async function send(request, due) {
      const connection = free.pop() ?? (await new Promise((resolve) => waiting.push(resolve)))
      await connection.post(request)
      // From when it was due: who waits for a connection waits as well.
      times.push(performance.now() - due)
      const next = waiting.shift()
      if (next) next(connection)
      else free.push(connection)
    }
    let due = performance.now()
    for (let next = requests.pop(); next; next = requests.pop()) {
      doing.push(send(next, due))
      due += every
      const wait = due - performance.now()
      if (wait > 0) await delay(wait)
    }
    await Promise.all(doing)
    for (const { close } of connections) close()
    return { times }
  },
}
process.on('message', async ({ id, command, ...given }) => {
  process.send({ id, ...(await commands[command](given)) })
})
process.on('disconnect', () => process.exit())
process.send({ key })
