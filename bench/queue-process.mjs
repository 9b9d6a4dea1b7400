// A handler or a worker of machines.mjs: `node queue-process.mjs handler|worker <key> <postgres> <redis>`
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Queue, Worker } from 'bullmq'
import { createCorrelator } from '../dist/esm/index.js'
import { bullmqQueue, eventProcessor } from '../dist/esm/bullmq/index.js'
import { messageKeys } from '../dist/esm/matching.js'
import { sendgridWebhook } from '../dist/esm/providers/sendgrid/index.js'
import { postgresStore } from '../dist/esm/stores/postgres.js'

const [role, key, postgres, redis] = process.argv.slice(2)
const connection = { url: redis, maxRetriesPerRequest: null }
const name = 'mailtrail-bench'
const store = postgresStore(postgres)
const correlator = createCorrelator({
  store,
  webhooks: [sendgridWebhook({ publicKey: key })],
  queue: bullmqQueue(new Queue(name, { connection })),
})
correlator.onError((error) => {
  console.error(error)
  process.exit(1)
})

let told = 0
let port
if (role === 'worker') {
  correlator.onAny(() => void (told += 1), { name: 'bench' })
  const worker = new Worker(name, eventProcessor(correlator), { connection, concurrency: 4 })
  await worker.waitUntilReady()
} else {
  const server = createServer(correlator.nodeHandler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = server.address().port
}

const commands = {
  async know({ records }) {
    const schedule = { now: Date.now(), foreignAt: Date.now() }
    const messages = records.map((record) => ({ ...record, sentAt: new Date(record.sentAt) }))
    for (let start = 0; start < messages.length; start += 500) {
      await Promise.all(
        messages
          .slice(start, start + 500)
          .map((record) => store.addMessage(record, messageKeys(record), schedule)),
      )
    }
  },
  told: async () => ({ told, cpu: process.cpuUsage() }),
}
process.on('message', async ({ id, command, ...given }) => {
  process.send({ id, ...(await commands[command](given)) })
})
process.on('disconnect', () => process.exit())
process.send({ port })
