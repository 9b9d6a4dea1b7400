import { afterEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { createCorrelator, memoryStore, type TransportOptions } from '../src/index.js'
import { mailgunSimulator, mailgunTransport } from '../src/providers/mailgun/index.js'
import { mandrillSimulator, mandrillTransport } from '../src/providers/mandrill/index.js'
import { sendgridSimulator, sendgridTransport } from '../src/providers/sendgrid/index.js'
import {
  type ApiFailure,
  rateLimited,
  type RunningProvider,
  startProvider,
} from '../src/testing/index.js'

const domain = 'mg.example.com'

/** How each provider is simulated, and sent through. */
const providers = {
  sendgrid: {
    simulator: () => sendgridSimulator({ apiKey: 'SG.key' }),
    transport: (options: TransportOptions) => sendgridTransport({ apiKey: 'SG.key', ...options }),
  },
  mailgun: {
    simulator: () => mailgunSimulator({ apiKey: 'key', domain }),
    transport: (options: TransportOptions) =>
      mailgunTransport({ apiKey: 'key', domain, ...options }),
  },
  mandrill: {
    simulator: () => mandrillSimulator({ apiKey: 'md-key', webhookUrl: 'https://example.com/m' }),
    transport: (options: TransportOptions) => mandrillTransport({ apiKey: 'md-key', ...options }),
  },
}

const mail = {
  from: 'shop@mg.example.com',
  to: 'ann@example.com',
  subject: 'Order 42',
  text: 'Thanks',
}

const busy: ApiFailure = { kind: 'answer', status: 503 }

let running: RunningProvider | undefined
afterEach(() => running?.close())

describe.each(['sendgrid', 'mailgun', 'mandrill'] as const)('a send through %s', (name) => {
  async function start(failures: ApiFailure[], options: TransportOptions = {}) {
    const { simulator, transport } = providers[name]
    running = await startProvider(simulator())
    for (const failure of failures) running.failNext(failure)
    const correlator = createCorrelator({ store: memoryStore() })
    const sending = transport({ baseUrl: running.url, correlator, ...options })
    const sent: boolean[] = []
    const transporter = nodemailer.createTransport(sending)
    transporter.on('sent', (_message, failFlag) => void sent.push(failFlag))
    return { provider: running, correlator, transporter, sent }
  }

  test('is tried again where nothing was taken, under the same id, and is one message', async () => {
    const { provider, correlator, transporter, sent } = await start([busy, rateLimited(0)])
    const { trackingId } = await transporter.sendMail(mail)
    await new Promise((resolve) => setImmediate(resolve))
    expect([provider.requests.length, provider.messages.length]).toEqual([3, 1])
    expect(provider.requests.every(({ body }) => body.includes(trackingId))).toBe(true)
    expect(sent).toEqual([false])
    expect((await correlator.find()).messages).toMatchObject([{ trackingId, status: 'accepted' }])
  })

  test.each([
    ['as many tries as asked for', { retries: 1 }, 2],
    ['two more tries unless something else is said', {}, 3],
  ])('is given up after %s', async (_, options, tries) => {
    const { provider, transporter, sent } = await start([busy, busy, busy, busy], options)
    await expect(transporter.sendMail(mail)).rejects.toMatchObject({
      statusCode: 503,
      outcome: 'not-sent',
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect([provider.requests.length, sent]).toEqual([tries, [true]])
  })

  test.each<[string, ApiFailure, number]>([
    ['the connection breaks after it was taken', { kind: 'cut' }, 1],
    ['the connection breaks before it was read, which looks the same', { kind: 'refused' }, 0],
    ['no answer comes', { kind: 'silent' }, 1],
    ['a gateway gives up behind which it may have been taken', { kind: 'answer', status: 504 }, 1],
  ])('is never tried again when %s', async (_, failure, read) => {
    const { provider, transporter } = await start([failure], { timeout: 1000 })
    await expect(transporter.sendMail(mail)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(provider.requests).toHaveLength(read)
  })

  test('waits no further once it is aborted, and is not begun when it was before', async () => {
    const { provider, transporter } = await start([{ ...busy, headers: { 'retry-after': '20' } }])
    const stop = new AbortController()
    const sending = transporter.sendMail({ ...mail, signal: stop.signal })
    while (provider.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
    stop.abort()
    await expect(sending).rejects.toMatchObject({ statusCode: 503, outcome: 'not-sent' })
    const late = transporter.sendMail({ ...mail, signal: stop.signal })
    // Nodemailer from 10 on sees to that itself, and has an error of its own.
    await expect(late).rejects.toThrow('abort')
    expect(provider.requests).toHaveLength(1)
  })
})
