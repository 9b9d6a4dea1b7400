import { afterEach, expect, jest, test } from '@jest/globals'
import { renameSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import nodemailer from 'nodemailer'
import { createCorrelator } from '../../src/index.js'
import { mailgunSimulator, mailgunTransport } from '../../src/providers/mailgun/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../src/providers/sendgrid/index.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { happens, type Script, startProvider } from '../../src/testing/index.js'
import { newFolder, run } from '../cli/running.js'
import { type Changes, type ProviderName, setUp } from '../cli/setup.js'
import { blocksOf, pages } from './pages.js'

jest.setTimeout(60_000)

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

/** Where a command of the page is run, and with which settings. */
interface Place {
  folder: string
  env?: Record<string, string>
}

async function broken(name: ProviderName, changes: Changes): Promise<Place> {
  const made = await setUp(name, changes)
  ends.push(() => made.close())
  return made
}

function newPlace(): { folder: string; env: Record<string, string> } {
  const { folder, remove } = newFolder()
  ends.push(remove)
  return { folder, env: { MAILTRAIL_STORE: 'mailtrail.db' } }
}

const ann = 'ann@example.com'

const invoice = { from: 'shop@example.com', to: ann, subject: 'Your invoice', text: 'Hello' }

/** An application with a SQLite file, and what SendGrid tells it of each message. */
async function application(script: Script) {
  const place = newPlace()
  const simulator = sendgridSimulator({ apiKey: 'SG.x' })
  const correlator = createCorrelator({
    store: sqliteStore(join(place.folder, 'mailtrail.db')),
    webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
  })
  ends.push(() => correlator.close())
  const server = createServer(correlator.nodeHandler)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const provider = await startProvider(simulator, {
    webhookUrl: `http://127.0.0.1:${port}/sendgrid`,
    script,
  })
  ends.push(() => provider.close())
  const transporter = nodemailer.createTransport(
    sendgridTransport({ apiKey: 'SG.x', baseUrl: provider.url, correlator }),
  )
  return { place, correlator, provider, transporter }
}

/** An application whose mail to Ann bounces, and is sent a second time. */
async function bouncing() {
  const started = await application(happens('accepted', 'bounced'))
  const { correlator, provider, transporter } = started
  await transporter.sendMail(invoice)
  await provider.settled()
  await correlator.drain()
  await expect(transporter.sendMail(invoice)).rejects.toThrow('suppressed since')
  return started
}

/** A listener by the name of crm has failed in all its attempts. */
async function givenUp(): Promise<Place> {
  const place = newPlace()
  const store = sqliteStore(join(place.folder, 'mailtrail.db'))
  ends.push(() => store.close())
  const simulator = sendgridSimulator({ apiKey: 'SG.x' })
  const correlator = createCorrelator({
    store,
    webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
    foreignAfter: 0,
  })
  const now = new Date()
  const message = { id: 'x', recipients: [], subject: '', metadata: {}, tags: [], messageId: 'x' }
  const entry = simulator.entry(
    { ...message, request: null },
    { type: 'delivered', recipient: ann },
    now,
  )
  for (const request of simulator.webhooks([entry], now)) {
    await correlator.handler(new Request('http://a.b/sendgrid', { method: 'POST', ...request }))
  }
  const claimed = await store.claim(
    Date.now() + 1000,
    { owner: 'x', until: Date.now() + 60_000 },
    10,
  )
  await store.settle(
    claimed.map(({ event }) => ({
      eventId: event.id,
      kind: 'given-up',
      progress: { crm: { attempts: 10, error: 'the CRM answered 500', ended: 'given-up' } },
      at: Date.now(),
    })),
  )
  return place
}

/** Mailgun has posted nothing of a message that it has delivered. */
async function missed(): Promise<Place> {
  const place = newPlace()
  const settings = { apiKey: 'key-x', domain: 'mg.example.com' }
  const provider = await startProvider(mailgunSimulator(settings), {
    script: happens('accepted', 'delivered'),
  })
  ends.push(() => provider.close())
  const correlator = createCorrelator({ store: sqliteStore(join(place.folder, 'mailtrail.db')) })
  const transporter = nodemailer.createTransport(
    mailgunTransport({ ...settings, baseUrl: provider.url, correlator }),
  )
  await transporter.sendMail({ from: 'shop@mg.example.com', to: ann, subject: 'x', text: 'x' })
  await correlator.close()
  const env = {
    MAILGUN_API_KEY: 'key-x',
    MAILGUN_DOMAIN: 'mg.example.com',
    MAILGUN_URL: provider.url,
  }
  return { ...place, env: { ...place.env, ...env } }
}

/** What has to be wrong for a command of the page to say what the page says. */
const incidents: Record<string, () => Promise<Place>> = {
  'doctor sendgrid': () => broken('sendgrid', { registered: () => [] }),
  [`status ${ann}`]: async () => (await bouncing()).place,
  'replay --list': givenUp,
  replay: givenUp,
  'backfill mailgun --from 8h': missed,
}

/** What the page shows of a command: the block behind it. */
const shown = new Map(
  blocksOf(pages['docs/operations.md'] ?? '').flatMap(({ language, code }, index, blocks) => {
    const next = blocks[index + 1]
    if (language !== 'sh' || next?.language !== 'text') return []
    return [[code.trim().replace('npx mailtrail ', ''), next.code] as const]
  }),
)

/** Without what differs each time. */
const lasting = (text: string): string =>
  text
    .replace(/[\da-f]{8}-[\da-f]{4}-[\da-f-]{22}/g, 'ID')
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{3}Z)?/g, 'THEN')

test('every output that the page shows is that of an incident here', () => {
  expect([...shown.keys()].toSorted()).toEqual(Object.keys(incidents).toSorted())
})

test.each(Object.entries(incidents))(
  'mailtrail %s says what the page shows',
  async (words, begin) => {
    const place = await begin()
    const { stdout } = await run(words.split(' '), place)
    expect(lasting(stdout)).toBe(lasting(shown.get(words) ?? ''))
  },
)

test('an address that is taken off by the command is mailed again', async () => {
  const { place, transporter } = await bouncing()
  const { code } = await run(['suppressions', 'remove', ann], place)
  expect([code, (await transporter.sendMail(invoice)).accepted]).toEqual([0, [ann]])
})

test('a SQLite file that is gone is told by the application and by the command, and goes on when it is back', async () => {
  const { place, correlator, provider, transporter } = await application(() => [])
  const told: string[] = []
  correlator.onError(({ message }) => void told.push(message))
  const { trackingId } = await transporter.sendMail(invoice)
  const file = join(place.folder, 'mailtrail.db')
  renameSync(file, `${file}.old`)

  const gone = `${file} was moved or removed while it was open`
  const [message] = provider.messages
  if (!message) throw new Error('nothing was sent')
  await provider.post(message, { events: [{ type: 'delivered', recipient: ann }] })
  expect(provider.posted.map(({ status }) => status)).toEqual([503])
  await expect(transporter.sendMail(invoice)).rejects.toThrow(gone)
  expect(told).toEqual(told.map(() => expect.stringContaining(gone)))
  expect(told).toHaveLength(2)
  const asked = await run(['status', ann], place)
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining(`there is no ${file}`)])

  await correlator.close()
  renameSync(`${file}.old`, file)
  const { stdout } = await run(['status', ann], place)
  expect(stdout).toContain(trackingId)
})
