import { describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { type Correlator, createCorrelator, memoryStore } from '../../../src/index.js'
import {
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
} from '../../../src/providers/mandrill/index.js'
import { sign } from '../../../src/providers/mandrill/signature.js'
import {
  type RunningProvider,
  type ScriptedPost,
  type SimulatedEventType,
  startProvider,
} from '../../../src/testing/index.js'
import type { MailOptions } from '../../../src/transporter.js'
import { startEndpoint } from '../../endpoint.js'
import { collectErrors, collectTold, type Told } from '../../told-events.js'
import { apiKey, closing, mail } from './sending.js'
import { entry, formOf } from './webhook-requests.js'

interface House {
  correlator: Correlator
  provider: RunningProvider
  told: Told[]
  errors: string[]
  /** The webhook's URL, which is signed. */
  url: string
  send(changes?: MailOptions): Promise<string>
  /** Posts a batch as Mandrill would, by the webhook's key or another. */
  post(batch: unknown, key?: string): Promise<number>
  /** Lets everything be posted and told. */
  settle(): Promise<void>
}

/** A correlator behind a socket, a simulated Mandrill that posts to it, and a transport. */
async function startHouse(script: ScriptedPost[], foreignAfter = 60_000): Promise<House> {
  const holder: { correlator?: Correlator } = {}
  const endpoint = closing(
    await startEndpoint((request, response) => holder.correlator?.nodeHandler(request, response)),
  )
  const url = `${endpoint.url}/hooks/mandrill`
  const simulator = mandrillSimulator({ apiKey, webhookUrl: url })
  const correlator = closing(
    createCorrelator({
      store: memoryStore(),
      webhooks: [mandrillWebhook({ key: [simulator.webhookKey, 'next'], url })],
      foreignAfter,
    }),
  )
  holder.correlator = correlator
  const provider = closing(
    await startProvider(simulator, { webhookUrl: url, script: () => script }),
  )
  const transporter = nodemailer.createTransport(
    mandrillTransport({ apiKey, baseUrl: provider.url, correlator }),
  )
  return {
    correlator,
    provider,
    told: collectTold(correlator),
    errors: collectErrors(correlator),
    url,
    send: async (changes) => (await transporter.sendMail(mail(changes))).trackingId,
    async post(batch, key = simulator.webhookKey) {
      const body = formOf(batch)
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'x-mandrill-signature': sign(key, url, new URLSearchParams(body)),
      }
      return (await fetch(url, { method: 'POST', headers, body })).status
    },
    async settle() {
      await provider.settled()
      await correlator.drain()
    },
  }
}

const ann = 'ann@example.org'
const bob = 'bob@example.org'
const about = (type: SimulatedEventType, recipient = ann, more = {}): ScriptedPost['events'] => [
  { type, recipient, ...more },
]

const withoutMessage = (whole: object): object => ({ ...whole, msg: [] })

describe('a message that was sent', () => {
  test('is told what became of it, for each recipient', async () => {
    const house = await startHouse([
      { events: [...about('accepted'), ...about('accepted', bob)] },
      { events: [...about('delivered'), ...about('deferred', bob)] },
      { events: [...about('opened'), ...about('bounced', bob, { bounce: 'soft' })] },
      { events: about('clicked', ann, { url: 'https://example.com/orders/42' }) },
    ])
    const trackingId = await house.send({ cc: bob, tags: ['order'], metadata: { order: '42' } })
    await house.settle()

    expect(house.provider.posted.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(house.told).toHaveLength(7)
    for (const { event, message } of house.told) {
      expect(event).toMatchObject({
        provider: 'mandrill',
        trackingId,
        correlation: { status: 'matched', via: 'own-id' },
        tags: ['order'],
        metadata: { order: '42' },
      })
      expect(message?.subject).toBe('Your order')
    }
    const [first, second] = house.provider.messages[0]?.recipients ?? []
    expect(await house.correlator.message(trackingId)).toMatchObject({
      status: 'bounced',
      recipients: [
        {
          address: ann,
          status: 'delivered',
          providerMessageId: first?.id,
          engagement: { opened: { count: 1 }, clicked: { count: 1 } },
        },
        { address: bob, status: 'bounced', providerMessageId: second?.id },
      ],
    })
    expect(house.errors).toEqual([])
  })

  test('is found by the id of the recipient when the metadata is gone', async () => {
    const events = about('delivered', bob, { withoutOwnId: true })
    const house = await startHouse([{ events, after: 1 }])
    const trackingId = await house.send({ cc: bob })
    await house.settle()
    expect(house.told.map(({ event }) => event)).toEqual([
      expect.objectContaining({
        trackingId,
        recipient: bob,
        correlation: { status: 'matched', via: 'provider-id' },
      }),
    ])
  })

  test('is found by an open that knows nothing but the id', async () => {
    const house = await startHouse([
      { events: about('opened', bob, { change: withoutMessage }), after: 1 },
    ])
    const trackingId = await house.send({ cc: bob })
    await house.settle()
    const message = await house.correlator.message(trackingId)
    expect(message?.recipients.map(({ engagement }) => engagement.opened?.count)).toEqual([
      undefined,
      1,
    ])
  })

  test('has its events though they came before the answer of the call', async () => {
    const house = await startHouse([{ events: about('delivered'), early: true }])
    const trackingId = await house.send()
    await house.settle()
    expect(house.told.map(({ event }) => event.trackingId)).toEqual([trackingId])
    expect((await house.correlator.message(trackingId))?.status).toBe('delivered')
  })

  test('has each event once, however often Mandrill comes again', async () => {
    const house = await startHouse([{ events: about('delivered'), times: 3 }])
    const trackingId = await house.send()
    await house.settle()
    expect(house.provider.posted.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(house.told).toHaveLength(1)
    expect((await house.correlator.message(trackingId))?.events).toHaveLength(1)
  })

  test('is not changed by a forged event', async () => {
    const house = await startHouse([
      { events: about('delivered') },
      { events: about('bounced'), forged: true },
    ])
    const trackingId = await house.send()
    await house.settle()
    expect(house.provider.posted.map(({ status }) => status)).toEqual([200, 403])
    expect((await house.correlator.message(trackingId))?.status).toBe('delivered')
    expect(house.errors).toEqual([expect.stringContaining('the signature fits none of the keys')])
    expect(house.provider.posted[1]?.answer).toBe('Refused')
  })

  test('that was cut off is settled by its first event', async () => {
    const house = await startHouse([{ events: about('delivered') }])
    house.provider.failNext({ kind: 'cut' })
    await expect(house.send()).rejects.toMatchObject({ outcome: 'unknown' })
    await house.settle()
    const { messages } = await house.correlator.find()
    expect(messages.map(({ status, failFlag }) => [status, failFlag])).toEqual([
      ['delivered', false],
    ])
  })
})

describe('the endpoint', () => {
  test.each(['HEAD', 'GET'])('answers %s, with which Mandrill tries a new URL', async (method) => {
    const { url } = await startHouse([])
    expect((await fetch(url, { method })).status).toBe(200)
  })

  test('takes the trial post, and nothing else by its key', async () => {
    const house = await startHouse([])
    expect(await house.post('[]', 'test-webhook')).toBe(200)
    expect(await house.post([entry()], 'test-webhook')).toBe(403)
  })

  test('takes a batch by the second key, while one replaces another', async () => {
    const house = await startHouse([])
    expect(await house.post([entry()], 'next')).toBe(200)
    expect(await house.post([entry()], 'the one after')).toBe(403)
  })

  test('takes the rest of a batch with an entry that is none', async () => {
    const house = await startHouse([])
    const trackingId = await house.send()
    const metadata = { mailtrail_id: trackingId }
    const good = entry({ event: 'delivered' }, { metadata })
    const odd = entry({ event: 'teleported' }, { metadata })
    expect(await house.post([null, good, 'text', odd])).toBe(200)
    const message = await house.correlator.message(trackingId)
    expect(message?.status).toBe('delivered')
    expect(message?.events.map(({ type }) => type).toSorted()).toEqual(['delivered', 'unknown'])
  })

  test('takes the events of the test button, which belong to no message', async () => {
    const house = await startHouse([], 0)
    const example = 'exampleaaaaaaaaaaaaaaaaaaaaaaaaa'
    const batch = ['send', 'open', 'spam'].map((event, index) =>
      entry(
        { event, _id: `${example}${index || ''}` },
        { email: 'example.webhook@mandrillapp.com' },
      ),
    )
    expect(await house.post(batch)).toBe(200)
    await house.settle()
    expect(house.told.map(({ event, message }) => [event.correlation.status, message])).toEqual([
      ['foreign', undefined],
      ['foreign', undefined],
      ['foreign', undefined],
    ])
    expect(house.errors).toEqual([])
  })

  test.each([
    ['no JSON', 'text', 400],
    ['no list', '{}', 400],
    ['an empty list', '[]', 200],
  ])('answers a signed form with %s as it should', async (_, batch, status) => {
    const house = await startHouse([])
    expect(await house.post(batch)).toBe(status)
  })
})
