import { afterEach, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer } from 'node:http'
import nodemailer from 'nodemailer'
import { Readable } from 'node:stream'
import {
  ConfigurationError,
  createCorrelator,
  failoverTransport,
  memoryStore,
  roundRobinTransport,
  SendError,
  type SentMessage,
} from '../src/index.js'
import {
  mailgunSimulator,
  mailgunTransport,
  mailgunWebhook,
} from '../src/providers/mailgun/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../src/providers/sendgrid/index.js'
import { type ApiFailure, startProvider } from '../src/testing/index.js'
import { startEndpoint } from './endpoint.js'
import { outsideClient, outsideTransport } from './outside-transport.js'

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

function closing<T extends { close(): Promise<unknown> }>(one: T): T {
  open.push(one)
  return one
}

const domain = 'mg.example.com'
const mail = { from: `shop@${domain}`, to: 'ann@example.org', subject: 'Order 42', text: 'Thanks' }

/** A SendGrid and a Mailgun that know one correlator, in this order. */
async function start(
  make: typeof failoverTransport = failoverTransport,
  options = {},
  retries = 0,
) {
  const sendgridApi = sendgridSimulator({ apiKey: 'SG.key' })
  const mailgunApi = mailgunSimulator({ apiKey: 'key', domain })
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [
      sendgridWebhook({ publicKey: sendgridApi.publicKey }),
      mailgunWebhook({ signingKey: mailgunApi.signingKey }),
    ],
  })
  const endpoint = closing(await startEndpoint(correlator.nodeHandler))
  const sendgrid = closing(
    await startProvider(sendgridApi, { webhookUrl: `${endpoint.url}/sendgrid`, script: () => [] }),
  )
  const mailgun = closing(
    await startProvider(mailgunApi, { webhookUrl: `${endpoint.url}/mailgun`, script: () => [] }),
  )
  const shared = { correlator, retries, timeout: 500 }
  const transport = make(
    [
      sendgridTransport({ apiKey: 'SG.key', baseUrl: sendgrid.url, ...shared }),
      mailgunTransport({ apiKey: 'key', domain, baseUrl: mailgun.url, ...shared }),
    ],
    options,
  )
  const sent: SentMessage[] = []
  const transporter = nodemailer.createTransport(transport)
  transporter.on('sent', (message) => void sent.push(message))
  return { correlator, sendgrid, mailgun, transporter, sent }
}

const down: ApiFailure = { kind: 'answer', status: 503 }

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )

describe('failover', () => {
  test('sends through the first as long as that takes messages', async () => {
    const { sendgrid, mailgun, transporter } = await start()
    const info = await transporter.sendMail(mail)
    expect(info).toMatchObject({ provider: 'sendgrid', accepted: ['ann@example.org'] })
    expect([sendgrid.messages.length, mailgun.messages.length]).toEqual([1, 0])
  })

  test('is one message when it goes on: one id, one event, and each try on record', async () => {
    const { correlator, sendgrid, mailgun, transporter, sent } = await start()
    sendgrid.failNext(down)
    const info = await transporter.sendMail(mail)
    expect(info.provider).toBe('mailgun')
    expect(mailgun.messages[0]?.metadata).toEqual({ mailtrail_id: info.trackingId })
    const earlierAttempts = [
      {
        provider: 'sendgrid',
        endedAt: expect.anything(),
        error: expect.objectContaining({ code: 'ESERVER', statusCode: 503, outcome: 'not-sent' }),
      },
    ]
    expect(sent).toMatchObject([{ trackingId: info.trackingId, failFlag: false, earlierAttempts }])
    expect((await correlator.find()).messages).toMatchObject([
      { trackingId: info.trackingId, provider: 'mailgun', status: 'accepted', earlierAttempts },
    ])
  })

  test.each([
    ['at once where those are none', 0, 1],
    ['when it was tried as often as they say', 1, 2],
  ])('goes on after the retries of a provider: %s', async (_, retries, tries) => {
    const { sendgrid, mailgun, transporter } = await start(failoverTransport, {}, retries)
    const end = sendgrid.startOutage()
    const { provider } = await transporter.sendMail(mail)
    end()
    expect([provider, sendgrid.requests.length, mailgun.requests.length]).toEqual([
      'mailgun',
      tries,
      1,
    ])
  })

  test('tells events of each provider that may have it as those of the one message', async () => {
    const { correlator, sendgrid, mailgun, transporter } = await start(failoverTransport, {
      afterUnknown: 'next',
    })
    const told: unknown[] = []
    correlator.onAny((event, message) => {
      told.push([event.provider, event.type, event.correlation, message?.trackingId])
    })
    // It takes the message, and the answer is lost.
    sendgrid.failNext({ kind: 'cut' })
    const { trackingId, provider } = await transporter.sendMail(mail)
    expect(provider).toBe('mailgun')
    for (const api of [sendgrid, mailgun]) {
      const [message] = api.messages
      if (!message) throw new Error('nothing was taken')
      await api.post(message, { events: [{ type: 'delivered', recipient: 'ann@example.org' }] })
    }
    await correlator.drain()
    const correlation = { status: 'matched', via: 'own-id' }
    expect(told).toEqual([
      ['sendgrid', 'delivered', correlation, trackingId],
      ['mailgun', 'delivered', correlation, trackingId],
    ])
  })

  test.each<[string, ApiFailure]>([
    ['broke off', { kind: 'cut' }],
    ['did not come', { kind: 'silent' }],
  ])('does not send again what an answer that %s leaves open', async (_, failure) => {
    const { correlator, sendgrid, mailgun, transporter, sent } = await start()
    sendgrid.failNext(failure)
    const error = await rejection(transporter.sendMail(mail))
    expect(error).toMatchObject({ outcome: 'unknown' })
    expect(mailgun.requests).toEqual([])
    expect(sent).toMatchObject([{ provider: 'sendgrid', failFlag: true }])
    expect((await correlator.find()).messages).toMatchObject([{ status: 'unknown' }])
  })

  test('rejects with the last failure when nobody takes it, and has the others on record', async () => {
    const { correlator, sendgrid, mailgun, transporter } = await start()
    sendgrid.failNext(down)
    mailgun.failNext({ kind: 'answer', status: 401, body: 'Forbidden' })
    const error = await rejection(transporter.sendMail(mail))
    expect(error).toBeInstanceOf(SendError)
    expect(error).toMatchObject({ category: 'auth', outcome: 'not-sent' })
    expect((await correlator.find()).messages).toMatchObject([
      { provider: 'mailgun', status: 'failed', earlierAttempts: [{ provider: 'sendgrid' }] },
    ])
  })

  test('goes on with what only the next can carry', async () => {
    const { sendgrid, mailgun, transporter } = await start()
    const { provider } = await transporter.sendMail({ ...mail, date: new Date(0) })
    expect(provider).toBe('mailgun')
    expect([sendgrid.requests.length, mailgun.messages.length]).toEqual([0, 1])
  })

  test('reads streams once, whatever way each provider takes', async () => {
    const { sendgrid, mailgun, transporter } = await start()
    sendgrid.failNext(down)
    await transporter.sendMail({
      ...mail,
      text: Readable.from(['streamed ', 'text']),
      attachments: [
        { filename: 'a.txt', content: Readable.from(['first ', 'part']) },
        { filename: 'b.txt', content: Readable.from(['second']), headers: { 'X-Part': 'b' } },
      ],
    })
    const body = String(mailgun.requests[0]?.body)
    expect(body).toContain('streamed text')
    expect(body).toContain(Buffer.from('first part').toString('base64'))
    expect(body).toContain(Buffer.from('second').toString('base64'))
  })

  test.each<[string, object]>([
    ['a file that is not there', { attachments: [{ path: '/nowhere/at/all' }] }],
    ['tags that are none', { tags: 5 }],
  ])('does not go on with %s', async (_, change) => {
    const { mailgun, transporter, sent } = await start()
    const error = await rejection(transporter.sendMail({ ...mail, ...change }))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(mailgun.requests).toEqual([])
    expect(sent).toMatchObject([{ failFlag: true, provider: 'sendgrid' }])
  })

  test('does not go on when the signal was aborted', async () => {
    const { mailgun, sendgrid, transporter, sent } = await start()
    const stop = new AbortController()
    sendgrid.failNext(down)
    const sending = rejection(transporter.sendMail({ ...mail, signal: stop.signal }))
    setImmediate(() => stop.abort())
    expect(await sending).toMatchObject({ outcome: 'not-sent' })
    expect(mailgun.requests).toEqual([])
    expect(sent).toMatchObject([{ provider: 'sendgrid' }])
    expect(sent[0]).not.toHaveProperty('earlierAttempts')
  })

  test('reads streams once where each takes fields', async () => {
    const { sendgrid, mailgun, transporter } = await start()
    sendgrid.failNext(down)
    const content = Readable.from([Buffer.from('first '), Buffer.from('part')])
    await transporter.sendMail({ ...mail, attachments: [{ filename: 'a.txt', content }] })
    expect(String(sendgrid.requests[0]?.body)).toContain(btoa('first part'))
    expect(String(mailgun.requests[0]?.body)).toContain('first part')
  })

  test('fetches what it was given the URL of once', async () => {
    let fetched = 0
    const server = createServer((_request, response) => {
      fetched += 1
      response.end('fetched')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (typeof address !== 'object' || address === null) throw new Error('it does not listen')
    const { sendgrid, transporter } = await start()
    sendgrid.failNext(down)
    const href = `http://127.0.0.1:${address.port}/`
    const { provider } = await transporter.sendMail({ ...mail, attachments: [{ href }] })
    server.close()
    expect([provider, fetched]).toEqual(['mailgun', 1])
  })

  test('does not go on when every recipient was rejected', async () => {
    const refusing = outsideClient({
      send: async () => ({
        response: 'no',
        recipient: () => ({ status: 'rejected', providerStatus: 'no', reason: 'spam' }),
      }),
    })
    const next = outsideClient()
    const transporter = nodemailer.createTransport(
      failoverTransport([outsideTransport(refusing), outsideTransport(next)]),
    )
    expect(await rejection(transporter.sendMail(mail))).toMatchObject({ category: 'rejected' })
    expect(next.sent).toEqual([])
  })

  test('asks all of them whether the credentials are right', async () => {
    const { transporter, mailgun } = await start()
    expect(await transporter.verify()).toBe(true)
    mailgun.failNext({ kind: 'answer', status: 401, body: 'Forbidden' })
    expect(await rejection(transporter.verify())).toMatchObject({ category: 'auth' })
  })

  const one = outsideTransport(outsideClient())
  const recorded = outsideTransport(outsideClient(), {
    correlator: createCorrelator({ store: memoryStore() }),
  })
  test.each<[string, unknown[], object, string]>([
    ['one transport', [one], {}, 'two transports at least'],
    ["others' transports", [one, nodemailer.createTransport({})], {}, 'transport 2 is none'],
    ['different correlators', [one, recorded], {}, 'the same correlator'],
    ['an unknown option', [one, one], { afterUnknown: 'again' }, "must be 'stop' or 'next'"],
  ])('is not made of %s', (_, transports, options, words) => {
    const make = () => Reflect.apply(failoverTransport, undefined, [transports, options])
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(words)
  })
})

describe('round robin', () => {
  test('begins each message with the next, and goes on to the others', async () => {
    const { sendgrid, transporter } = await start(roundRobinTransport)
    const providers: string[] = []
    const send = async () => void providers.push((await transporter.sendMail(mail)).provider)
    await send()
    await send()
    sendgrid.failNext(down)
    await send()
    await send()
    expect(providers).toEqual(['sendgrid', 'mailgun', 'mailgun', 'mailgun'])
  })
})
