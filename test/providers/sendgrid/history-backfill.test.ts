import { afterEach, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { createCorrelator, memoryStore } from '../../../src/index.js'
import {
  sendgridHistory,
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../../src/providers/sendgrid/index.js'
import { startProvider } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { readScopes } from './history-provider.js'
import { apiKey, mail } from './sending.js'

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

test('what was missed while the webhook was down is fetched, and nothing twice', async () => {
  const simulator = sendgridSimulator({ apiKey, scopes: ['mail.send', ...readScopes] })
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
  })
  let down = false
  const endpoint = await startEndpoint((request, response) => {
    if (down) response.writeHead(502).end()
    else correlator.nodeHandler(request, response)
  })
  const provider = await startProvider(simulator, { webhookUrl: `${endpoint.url}/sendgrid` })
  closers.push(
    () => correlator.close(),
    () => endpoint.close(),
    () => provider.close(),
  )
  const connection = { apiKey, baseUrl: provider.url }
  const transport = sendgridTransport({ ...connection, correlator })
  const from = new Date(Date.now() - 60_000)
  const { trackingId } = await nodemailer.createTransport(transport).sendMail(mail)
  await provider.settled()
  const [message] = provider.messages
  if (message === undefined) throw new Error('no message came')
  const recipient = 'ann@example.com'
  await provider.post(message, { events: [{ type: 'opened', recipient }] })
  down = true
  await provider.post(message, { events: [{ type: 'clicked', recipient }] })
  await provider.post(message, { events: [{ type: 'complained', recipient }] })
  down = false
  const history = sendgridHistory(connection)
  const to = new Date(Date.now() + 60_000)
  expect(await correlator.backfill(history, { from, to })).toMatchObject({ events: 5, missed: 2 })
  expect(await correlator.backfill(history, { from, to })).toMatchObject({ events: 5, missed: 0 })
  const record = await correlator.message(trackingId)
  expect(record?.events.map(({ type }) => type).toSorted()).toEqual([
    'accepted',
    'clicked',
    'complained',
    'delivered',
    'opened',
  ])
})
