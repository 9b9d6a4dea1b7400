// The limit of the ingest bench: one process that verifies requests which are in its memory already, parses them
// and inserts each event once, as durably as the store does. No HTTP, no matching, no status, nobody is told.
// As many requests go into one commit as there are clients in the other sides, for so many wait at once there.
import { batchMaker, mandrillUrl, startSigning } from './webhook-batches.mjs'
import { verifySignature as verifyMailgun } from '../dist/esm/providers/mailgun/signature.js'
import { verifySignature as verifyMandrill } from '../dist/esm/providers/mandrill/signature.js'
import {
  parsePublicKey,
  signatureHeader,
  timestampHeader,
  verifySignature as verifySendgrid,
} from '../dist/esm/providers/sendgrid/signature.js'
import { openDatabase } from '../dist/esm/stores/sqlite-driver.js'

const [provider, place] = process.argv.slice(2)
const { simulator, key } = startSigning(provider)
let makeBatch
let requests = []

const publicKey = provider === 'sendgrid' ? parsePublicKey(key) : undefined
const readers = {
  sendgrid({ headers, body }) {
    if (!verifySendgrid(publicKey, headers[timestampHeader], body, headers[signatureHeader])) {
      throw new Error('the signature does not fit')
    }
    return JSON.parse(body.toString()).map((event) => [event.sg_event_id, event])
  },
  mailgun({ body }) {
    const { signature, 'event-data': event } = JSON.parse(body.toString())
    if (!verifyMailgun(key, signature)) throw new Error('the signature does not fit')
    return [[event.id, event]]
  },
  mandrill({ headers, body }) {
    const parameters = [...new URLSearchParams(body.toString())]
    if (!verifyMandrill(key, mandrillUrl, parameters, headers['x-mandrill-signature'])) {
      throw new Error('the signature does not fit')
    }
    const events = JSON.parse(Object.fromEntries(parameters).mandrill_events)
    return events.map((event) => [`${event._id} ${event.event} ${event.ts}`, event])
  },
}

const isUrl = place.startsWith('postgres')
const insertTogether = isUrl ? await postgresInsert() : await sqliteInsert()

async function sqliteInsert() {
  const database = await openDatabase(place)
  database.exec('CREATE TABLE IF NOT EXISTS events (id text PRIMARY KEY, event text) WITHOUT ROWID')
  const insert = database.prepare('INSERT INTO events VALUES (?, ?) ON CONFLICT DO NOTHING')
  return (events) => {
    database.exec('BEGIN IMMEDIATE')
    for (const [id, event] of events) insert.run(id, JSON.stringify(event))
    database.exec('COMMIT')
  }
}

async function postgresInsert() {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: place })
  await client.connect()
  await client.query('CREATE TABLE IF NOT EXISTS events (id text PRIMARY KEY, event text)')
  const text =
    'INSERT INTO events SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING'
  return (events) =>
    client.query({
      name: 'insert',
      text,
      values: [events.map(([id]) => id), events.map(([, event]) => JSON.stringify(event))],
    })
}

const commands = {
  know({ records }) {
    makeBatch = batchMaker(simulator, records)
  },
  make({ batches, size }) {
    requests = Array.from({ length: batches }, () => makeBatch(size)).flat()
  },
  async run({ clients }) {
    const read = readers[provider]
    const began = performance.now()
    while (requests.length > 0) {
      await insertTogether(requests.splice(-clients).flatMap(read))
    }
    return { took: performance.now() - began }
  },
}
process.on('message', async ({ id, command, ...given }) => {
  process.send({ id, ...(await commands[command](given)) })
})
process.on('disconnect', () => process.exit())
process.send({})
