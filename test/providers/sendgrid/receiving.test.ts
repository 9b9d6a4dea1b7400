import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import {
  createCorrelator,
  type CorrelatorOptions,
  type MailOptions,
  memoryStore,
  type RefusalReason,
} from '../../../src/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../../src/providers/sendgrid/index.js'
import { signatureHeader, timestampHeader } from '../../../src/providers/sendgrid/signature.js'
import {
  type SignedRequest,
  simulatedEventTypes,
  type SimulatedEvent,
} from '../../../src/simulator.js'
import { startProvider, type StartOptions } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { collectErrors, collectTold } from '../../told-events.js'
import { apiKey, mail } from './sending.js'
import { newKeys, signedHeaders } from './signing.js'
import { vectors } from './vectors.js'

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** A correlator behind a socket, and a simulated SendGrid that posts to it what the script says. */
async function start(
  script: StartOptions['script'] = () => [],
  options: Partial<CorrelatorOptions> = {},
) {
  const simulator = sendgridSimulator({ apiKey })
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
    foreignAfter: 0,
    ...options,
  })
  const endpoint = await startEndpoint(correlator.nodeHandler)
  const url = `${endpoint.url}/hooks/sendgrid`
  const provider = await startProvider(simulator, { webhookUrl: url, script })
  closers.push(
    () => correlator.close(),
    () => endpoint.close(),
    () => provider.close(),
  )
  const transport = sendgridTransport({ apiKey, baseUrl: provider.url, correlator })
  const transporter = nodemailer.createTransport(transport)
  const told = collectTold(correlator)
  const errors = collectErrors(correlator)
  return { simulator, correlator, url, provider, transporter, told, errors }
}

type Started = Awaited<ReturnType<typeof start>>

/** Sends a mail, and waits until all that the script says was posted and told. */
async function sendAndSettle(started: Started, change: Partial<MailOptions> = {}) {
  const info = await started.transporter.sendMail({ ...mail, ...change })
  await started.provider.settled()
  await started.correlator.drain()
  return info
}

async function post(url: string, { headers, body }: SignedRequest): Promise<number> {
  const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
  await response.text()
  return response.status
}

const ann = 'ann@example.com'
const bob = 'bob@example.com'

describe('an event finds its message', () => {
  test.each(simulatedEventTypes)('by our own id: %s', async (type) => {
    const started = await start(() => [{ events: [{ type, recipient: ann }] }])
    const metadata = { order: '42', 'with space': 'ü' }
    const info = await sendAndSettle(started, { tags: ['order'], metadata })
    expect(started.told).toEqual([
      {
        event: expect.objectContaining({
          type,
          provider: 'sendgrid',
          recipient: ann,
          trackingId: info.trackingId,
          providerMessageId: info.providerMessageId,
          tags: ['order'],
          metadata,
          correlation: { status: 'matched', via: 'own-id' },
        }),
        message: expect.objectContaining({ trackingId: info.trackingId, subject: 'Your order' }),
      },
    ])
  })

  test.each<SimulatedEvent['type']>(['delivered', 'opened'])(
    "by SendGrid's id, where ours did not come back: %s",
    async (type) => {
      const event = { type, recipient: ann, withoutOwnId: true }
      const started = await start(() => [{ events: [event] }])
      const { trackingId } = await sendAndSettle(started)
      const correlation = { status: 'matched', via: 'provider-id' }
      expect(started.told).toMatchObject([{ event: { type, trackingId, correlation } }])
    },
  )

  test('by its Message-ID, where no other id came back', async () => {
    const event: SimulatedEvent = {
      type: 'delivered',
      recipient: ann,
      withoutOwnId: true,
      change: (entry) => ({ ...entry, sg_message_id: '' }),
    }
    const started = await start(() => [{ events: [event] }])
    const { trackingId } = await sendAndSettle(started, { messageId: '<order-42@example.com>' })
    const correlation = { status: 'matched', via: 'message-id' }
    expect(started.told).toMatchObject([{ event: { trackingId, correlation } }])
  })

  test('also before SendGrid has answered the send call', async () => {
    const events: SimulatedEvent[] = [{ type: 'delivered', recipient: ann }]
    const started = await start(() => [{ events, early: true }])
    const { trackingId } = await sendAndSettle(started)
    expect(started.told).toMatchObject([{ event: { type: 'delivered', trackingId } }])
  })

  test('also when the answer of the send call was lost, and settles what became of it', async () => {
    const started = await start(() => [{ events: [{ type: 'delivered', recipient: ann }] }])
    started.provider.failNext({ kind: 'cut' })
    await expect(sendAndSettle(started)).rejects.toMatchObject({ outcome: 'unknown' })
    await started.provider.settled()
    await started.correlator.drain()
    const { messages } = await started.correlator.find({ recipient: ann })
    expect(messages).toMatchObject([{ status: 'delivered', failFlag: false }])
    expect(messages[0]).not.toHaveProperty('error')
  })

  test('but not from a bounce after acceptance, which bears no id', async () => {
    const event: SimulatedEvent = { type: 'bounced', recipient: ann, bounce: 'later' }
    const started = await start(() => [{ events: [event] }])
    await sendAndSettle(started)
    expect(started.told).toMatchObject([
      {
        event: {
          type: 'bounced',
          bounce: { kind: 'hard', asynchronous: true },
          recipient: ann,
          correlation: { status: 'foreign' },
        },
        message: undefined,
      },
    ])
  })

  test('by its recipient, where it bears no id and that was asked for', async () => {
    const event: SimulatedEvent = {
      type: 'complained',
      recipient: ann,
      withoutOwnId: true,
      change: ({ sg_message_id: _id, sg_event_id: _eventId, ...entry }) => entry,
    }
    const started = await start(() => [{ events: [event] }], { recipientWindow: 60_000 })
    const { trackingId } = await sendAndSettle(started)
    const correlation = { status: 'matched', via: 'recipient' }
    expect(started.told).toMatchObject([{ event: { type: 'complained', trackingId, correlation } }])
  })

  test("by SendGrid's id, where the Message-ID is not the one that was given", async () => {
    const event: SimulatedEvent = {
      type: 'delivered',
      recipient: ann,
      withoutOwnId: true,
      change: (entry) => ({ ...entry, 'smtp-id': '<other@geopod-ismtpd-8>' }),
    }
    const started = await start(() => [{ events: [event] }])
    const { trackingId } = await sendAndSettle(started)
    const correlation = { status: 'matched', via: 'provider-id' }
    expect(started.told).toMatchObject([{ event: { trackingId, correlation } }])
  })

  test('and that of each recipient changes alone, though they share one id', async () => {
    const recipients = { to: ann, cc: bob, bcc: 'audit@example.com' }
    const events: SimulatedEvent[] = [
      { type: 'delivered', recipient: recipients.to.toUpperCase(), withoutOwnId: true },
      { type: 'bounced', recipient: recipients.cc, withoutOwnId: true },
      { type: 'deferred', recipient: recipients.bcc, withoutOwnId: true },
    ]
    const started = await start(() => [{ events }])
    const { trackingId } = await sendAndSettle(started, recipients)
    await expect(started.correlator.message(trackingId)).resolves.toMatchObject({
      recipients: [
        { address: ann, kind: 'to', status: 'delivered' },
        { address: bob, kind: 'cc', status: 'bounced' },
        { address: recipients.bcc, kind: 'bcc', status: 'deferred' },
      ],
    })
  })

  test('and its status is the same in whatever order a batch has them', async () => {
    const events: SimulatedEvent[] = [
      { type: 'opened', recipient: ann },
      { type: 'delivered', recipient: ann },
      { type: 'accepted', recipient: ann },
      { type: 'deferred', recipient: ann },
    ]
    const started = await start(() => [{ events }])
    const { trackingId } = await sendAndSettle(started)
    await expect(started.correlator.message(trackingId)).resolves.toMatchObject({
      status: 'delivered',
    })
  })

  test('and only that of its own recipient changes, when one of two is dropped', async () => {
    const started = await start(() => [
      {
        events: [
          { type: 'delivered', recipient: ann },
          { type: 'rejected', recipient: bob },
        ],
      },
    ])
    const info = await sendAndSettle(started, { to: [ann, bob] })
    expect(info.accepted).toEqual([ann, bob])
    await expect(started.correlator.message(info.trackingId)).resolves.toMatchObject({
      status: 'rejected',
      recipients: [
        { address: ann, status: 'delivered' },
        { address: bob, status: 'rejected' },
      ],
    })
  })
})

describe('a fact is told once', () => {
  const at = new Date('2025-08-17T10:48:20Z')
  const clicked: SimulatedEvent = { type: 'clicked', recipient: ann, at }

  test('when the very same request comes three times', async () => {
    const events: SimulatedEvent[] = [clicked, { type: 'delivered', recipient: ann, at }]
    const started = await start(() => [{ events, times: 3 }])
    await sendAndSettle(started)
    expect(started.provider.posted.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(started.told.map(({ event }) => event.type).toSorted()).toEqual(['clicked', 'delivered'])
  })

  test('when it comes again under another id of the event (sendgrid-nodejs#1435)', async () => {
    const started = await start(() => [{ events: [clicked] }, { events: [clicked] }])
    await sendAndSettle(started)
    const ids = started.provider.posted.map(({ body }) => JSON.parse(`${body}`)[0].sg_event_id)
    expect(new Set(ids).size).toBe(2)
    expect(started.told).toHaveLength(1)
  })

  test('when it has no id of its own (docs#2862)', async () => {
    const bare = {
      ...clicked,
      change: ({ sg_event_id: _id, ...entry }: Record<string, unknown>) => entry,
    }
    const started = await start(() => [{ events: [bare], times: 2 }])
    await sendAndSettle(started)
    expect(started.told).toHaveLength(1)
  })

  test('when webhooks of two accounts with keys of their own post it', async () => {
    const subuser = sendgridSimulator({ apiKey })
    const started = await start(() => [{ events: [clicked] }])
    const other = sendgridWebhook({ name: 'sendgrid-2', publicKey: subuser.publicKey })
    const { correlator, url, told } = await start(undefined, {
      webhooks: [sendgridWebhook({ publicKey: started.simulator.publicKey }), other],
    })
    await sendAndSettle(started)
    for (const { body } of started.provider.posted) {
      const entries: unknown[] = JSON.parse(body.toString())
      for (const signed of started.simulator.webhooks(entries, at)) {
        await expect(post(url, signed)).resolves.toBe(200)
      }
      for (const signed of subuser.webhooks(entries, at)) {
        await expect(post(`${url}-2`, signed)).resolves.toBe(200)
      }
    }
    await correlator.drain()
    expect(told).toMatchObject([{ event: { type: 'clicked' } }])
  })

  test('but a second link that was clicked in the same second is another one', async () => {
    const second: SimulatedEvent = {
      ...clicked,
      change: (entry) => ({ ...entry, url_offset: { index: 1, type: 'html' } }),
    }
    const started = await start(() => [{ events: [clicked, second] }])
    await sendAndSettle(started)
    expect(started.told).toHaveLength(2)
  })
})

describe('over a socket', () => {
  const entry = {
    event: 'delivered',
    email: ann,
    timestamp: 1755427525,
    sg_message_id: 'a.recvd-1',
  }

  type Sign = Started['simulator']['webhooks']
  type Change = (body: SignedRequest['body']) => SignedRequest['body']

  /** A batch of two, changed after it was signed. */
  const changed =
    (change: Change) =>
    (sign: Sign): SignedRequest[] =>
      sign([entry, entry], new Date()).map(({ headers, body }) => ({ headers, body: change(body) }))

  test.each<[string, (sign: Sign) => SignedRequest[], number, number, RefusalReason[]]>([
    ['a batch', (sign) => sign([entry], new Date()), 200, 1, []],
    ['an empty batch', (sign) => sign([], new Date()), 200, 0, []],
    ['a batch with bad entries', (sign) => sign([null, entry, 'x'], new Date()), 200, 3, []],
    [
      'a batch that is said to be something else',
      (sign) =>
        sign([entry], new Date()).map(({ headers, body }) => ({
          headers: { ...headers, 'content-type': 'text/plain' },
          body,
        })),
      200,
      1,
      [],
    ],
    [
      'what somebody else signed',
      (sign) => sign([entry], new Date(), true),
      403,
      0,
      ['bad-signature'],
    ],
    ['what lost its end', changed((body) => body.subarray(0, -2)), 403, 0, ['truncated']],
    [
      'what was parsed and written again',
      changed((body) => Buffer.from(JSON.stringify(JSON.parse(`${body}`)))),
      403,
      0,
      ['reserialised'],
    ],
    [
      'what was changed on its way',
      changed((body) => Buffer.from(`${body}`.replace('delivered', 'bounce'))),
      403,
      0,
      ['bad-signature'],
    ],
    [
      'what bears no signature',
      (sign) => sign([entry], new Date()).map(({ body }) => ({ headers: {}, body })),
      403,
      0,
      ['unsigned'],
    ],
    [
      'what is too large',
      (sign) => sign(['x'.repeat(6 * 1024 * 1024)], new Date()),
      413,
      0,
      ['too-large'],
    ],
  ])('%s is answered as SendGrid needs it', async (_, requests, status, told, reasons) => {
    const started = await start()
    const refusals: string[] = []
    started.correlator.on('refused', (refusal) => void refusals.push(refusal.reason))
    for (const signed of requests((...values) => started.simulator.webhooks(...values))) {
      await expect(post(started.url, signed)).resolves.toBe(status)
    }
    await started.correlator.drain()
    expect(started.told).toHaveLength(told)
    expect(refusals).toEqual(reasons)
  })

  test.each(['{}', 'x', ''])('what is signed, and no batch, is malformed: %j', async (posted) => {
    const { publicKey, privateKey } = newKeys()
    const started = await start(undefined, { webhooks: [sendgridWebhook({ publicKey })] })
    const body = Buffer.from(posted)
    const headers = signedHeaders(privateKey, body)
    await expect(post(started.url, { headers, body })).resolves.toBe(400)
    expect(started.errors).toEqual([expect.stringMatching(/the body is not/)])
  })

  test.each([signatureHeader, timestampHeader])('a doubled %s is refused', async (doubled) => {
    const { simulator, url, told, errors } = await start()
    for (const { headers, body } of simulator.webhooks([entry], new Date())) {
      const value = headers[doubled] ?? ''
      const call = httpRequest(url, {
        method: 'POST',
        headers: { ...headers, [doubled]: [value, value], 'content-length': body.length },
      })
      call.end(body)
      const [response]: IncomingMessage[] = await once(call, 'response')
      expect(response?.statusCode).toBe(403)
      if (response) await text(response)
    }
    expect(told).toEqual([])
    expect(errors).toEqual([expect.stringMatching(/not one signature/)])
  })

  test.each(vectors)('the captured request with $title is taken', async (vector) => {
    const webhook = sendgridWebhook({ publicKey: vectors.map(({ publicKey }) => publicKey) })
    const { correlator, url, told } = await start(undefined, { webhooks: [webhook] })
    const headers = {
      'Content-Type': 'application/json;charset=utf-8',
      'X-Twilio-Email-Event-Webhook-Signature': vector.signature,
      'X-Twilio-Email-Event-Webhook-Timestamp': vector.timestamp,
    }
    const body = Buffer.from(vector.body, 'base64')
    await expect(post(url, { headers, body })).resolves.toBe(200)
    await correlator.drain()
    expect(told.map(({ event }) => event.raw)).toEqual(JSON.parse(body.toString()))
  })

  test('SendGrid is to come again when the keys cannot be had', async () => {
    const webhook = sendgridWebhook({
      publicKey: async () => {
        throw new Error('the vault is closed')
      },
    })
    const { simulator, url, errors } = await start(undefined, { webhooks: [webhook] })
    for (const signed of simulator.webhooks([entry], new Date())) {
      await expect(post(url, signed)).resolves.toBe(503)
    }
    expect(errors).toEqual([expect.stringMatching(/the vault is closed/)])
  })
})
