// Run by tests of queues as a process of its own, which they kill: a handler of webhooks, or a worker.
import { Queue, Worker } from 'bullmq'
import { Cluster, Redis } from 'ioredis'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createCorrelator } from 'mailtrail'
import { bullmqQueue, eventProcessor } from 'mailtrail/bullmq'
import { postgresStore } from 'mailtrail/postgres'
import { sendgridWebhook } from 'mailtrail/sendgrid'

const [, , role = '', database = '', ports = '', name = '', publicKey = '', log = ''] = process.argv
const places = ports.split(',').map((port) => ({ host: '127.0.0.1', port: Number(port) }))

function connect() {
  const redisOptions = { maxRetriesPerRequest: null }
  const [only = { host: '', port: 0 }, ...others] = places
  const retryStrategy = () => 50
  const connection =
    others.length > 0
      ? new Cluster(places, { redisOptions, clusterRetryStrategy: retryStrategy })
      : new Redis({ ...only, ...redisOptions, retryStrategy })
  connection.on('error', () => {})
  return connection
}

const where = { connection: connect(), prefix: '{mailtrail}' }
const queue = new Queue(name, { ...where, defaultJobOptions: { backoff: 500 } })
queue.on('error', () => {})
const correlator = createCorrelator({
  store: postgresStore(database),
  webhooks: [sendgridWebhook({ publicKey })],
  queue: bullmqQueue(queue),
})
correlator.onError(({ message }) => void process.stderr.write(`${message}\n`))

if (role === 'worker') {
  correlator.onAny(
    async ({ recipient }) => {
      await delay(Math.random() * 20)
      // Several workers write to one file: what is told earlier stands there earlier.
      appendFileSync(log, `${recipient}\n`)
    },
    { name: 'log' },
  )
  const worker = new Worker(name, eventProcessor(correlator), {
    ...where,
    connection: connect(),
    concurrency: 4,
    lockDuration: 2000,
    stalledInterval: 1000,
    maxStalledCount: 1000,
  })
  worker.on('error', () => {})
  process.stdout.write('ready\n')
} else {
  const server = createServer(correlator.nodeHandler)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    if (typeof address === 'object') process.stdout.write(`ready ${address?.port}\n`)
  })
}
