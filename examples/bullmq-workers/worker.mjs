// Listeners run here, in any number of processes, each with the same ones: see web.mjs.
import { Queue, Worker } from 'bullmq'
import { createCorrelator } from 'mailtrail'
import { bullmqQueue, eventProcessor } from 'mailtrail/bullmq'
import { postgresStore } from 'mailtrail/postgres'

const { MAILTRAIL_STORE = '', REDIS_URL = 'redis://localhost:6379' } = process.env

const connection = { url: REDIS_URL, maxRetriesPerRequest: null }
const queue = new Queue('mailtrail', { connection })
const correlator = createCorrelator({
  store: postgresStore(MAILTRAIL_STORE),
  queue: bullmqQueue(queue),
})
queue.on('error', ({ message }) => console.error(message))

// What a listener has taken is remembered under its name, whichever worker comes next.
correlator.on(
  ['delivered', 'bounced'],
  ({ type, recipient, id }, message) => {
    console.log(`${recipient}: ${message?.subject}: ${type} (${id})`)
  },
  { name: 'customers' },
)

const worker = new Worker('mailtrail', eventProcessor(correlator), { connection, concurrency: 8 })
worker.on('error', ({ message }) => console.error(message))
worker.on('ready', () => console.log('ready'))

process.once('SIGTERM', async () => {
  await worker.close() // ends what is being told
  await correlator.close()
  await queue.close()
})
