// One side of the ingest bench that has an HTTP server, in a process of its own: the handler with everything
// on, or an Express app as people write it. `node ingest-server.mjs <side> <provider> <key> <file or URL>`
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createCorrelator } from '../dist/esm/index.js'
import { messageKeys } from '../dist/esm/matching.js'

const [side, provider, key, place] = process.argv.slice(2)
const isUrl = place.startsWith('postgres')

/** What an application would import, and nothing else. */
const webhooks = {
  async sendgrid() {
    const { sendgridWebhook } = await import('../dist/esm/providers/sendgrid/index.js')
    return sendgridWebhook({ publicKey: key })
  },
  async mailgun() {
    const { mailgunWebhook } = await import('../dist/esm/providers/mailgun/index.js')
    return mailgunWebhook({ signingKey: key })
  },
  async mandrill() {
    const { mandrillWebhook } = await import('../dist/esm/providers/mandrill/index.js')
    const { mandrillUrl } = await import('./webhook-batches.mjs')
    return mandrillWebhook({ key, url: mandrillUrl })
  },
}

async function openStore() {
  if (isUrl) {
    const { postgresStore } = await import('../dist/esm/stores/postgres.js')
    return postgresStore(place)
  }
  const { sqliteStore } = await import('../dist/esm/stores/sqlite.js')
  return sqliteStore(place)
}

/** What a side needs to know, does with requests, and has to do until nothing is left to do. */
const sides = {
  async mailtrail({ listenerTakes }) {
    const store = await openStore()
    const correlator = createCorrelator({ store, webhooks: [await webhooks[provider]()] })
    let told = 0
    correlator.onError((error) => {
      console.error(error)
      process.exit(1)
    })
    correlator.onAny(async () => {
      if (listenerTakes > 0) await delay(listenerTakes)
      told += 1
    })
    return {
      handler: correlator.nodeHandler,
      async know(records) {
        const schedule = { now: Date.now(), foreignAt: Date.now() }
        for (let start = 0; start < records.length; start += 500) {
          await Promise.all(
            records
              .slice(start, start + 500)
              .map((record) => store.addMessage(record, messageKeys(record), schedule)),
          )
        }
      },
      drain: () => correlator.drain(),
      told: () => told,
    }
  },

  /** One statement an event, each a commit of its own, and no signature. */
  async express() {
    const { default: express } = await import('express')
    const app = express()
    // By default it takes 100 KB, and would refuse a large batch.
    app.use(express.json({ limit: '5mb' }), express.urlencoded({ limit: '5mb', extended: false }))
    const insert = isUrl ? await postgresInsert() : await sqliteInsert()
    let told = 0
    app.post('/webhooks/:provider', async (request, response) => {
      const { body } = request
      const events =
        provider === 'sendgrid'
          ? body
          : provider === 'mailgun'
            ? [body['event-data']]
            : JSON.parse(body.mandrill_events)
      for (const event of events) {
        await insert(event)
        told += 1
      }
      response.status(200).send('ok')
    })
    return { handler: app, know: async () => {}, drain: async () => {}, told: () => told }
  },
}

const columnsOf = (event) => [
  event.sg_event_id ?? event.id ?? null,
  event.email ?? event.recipient ?? event.msg?.email,
  event.event,
  event.timestamp ?? event.ts,
  JSON.stringify(event),
]
const table = `CREATE TABLE IF NOT EXISTS events (
  id text, email text, event text, happened_at double precision, payload text)`

async function sqliteInsert() {
  const { openDatabase } = await import('../dist/esm/stores/sqlite-driver.js')
  const database = await openDatabase(place)
  database.exec(table)
  const statement = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)')
  // Whoever forgets the database has it closed with the next garbage.
  return (event) => (database, statement.run(...columnsOf(event)))
}

async function postgresInsert() {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: place })
  await pool.query(table)
  const text = 'INSERT INTO events VALUES ($1, $2, $3, $4, $5)'
  return (event) => pool.query({ name: 'insert', text, values: columnsOf(event) })
}

const listenerTakes = Number(process.env['LISTENER_TAKES'] ?? 0)
const { handler, know, drain, told } = await sides[side]({ listenerTakes })
const server = createServer(handler)
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const commands = {
  async know({ records }) {
    await know(records.map((record) => ({ ...record, sentAt: new Date(record.sentAt) })))
  },
  async drain() {
    await drain()
    return { told: told(), resident: process.memoryUsage().rss, cpu: process.cpuUsage() }
  },
}
process.on('message', async ({ id, command, ...given }) => {
  process.send({ id, ...(await commands[command](given)) })
})
process.on('disconnect', () => process.exit())
process.send({ port: server.address().port })
