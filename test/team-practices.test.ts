// What teams do by hand around their webhooks, by the numbers of the documents that tell of it: signals (3),
// webhook handlers (0) and the webhook guide (4).
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import nodemailer from 'nodemailer'
import {
  type Alarm,
  type Correlator,
  createCorrelator,
  forwardTo,
  keepFailed,
  type MailOptions,
  memoryStore,
  type ProviderTransporter,
  type SentMessage,
} from '../src/index.js'
import {
  type SendgridInfo,
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../src/providers/sendgrid/index.js'
import type { SimulatedEvent } from '../src/simulator.js'
import { type RunningProvider, startProvider } from '../src/testing/index.js'
import { type Endpoint, startEndpoint } from './endpoint.js'

const mail: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: 'ann@example.org',
  cc: 'bob@example.net',
  bcc: 'audit@example.com',
  subject: 'Your order',
  html: '<p>Thanks</p>',
  tags: ['order'],
  metadata: { order: '42' },
}

let correlator: Correlator
let provider: RunningProvider
let transporter: ProviderTransporter<SendgridInfo>
let endpoint: Endpoint
let fate: SimulatedEvent['type'][]

beforeEach(async () => {
  fate = ['accepted', 'delivered']
  const simulator = sendgridSimulator({ apiKey: 'SG.key' })
  const webhooks = [sendgridWebhook({ publicKey: simulator.publicKey })]
  correlator = createCorrelator({ store: memoryStore(), webhooks, alarms: { every: 50 } })
  endpoint = await startEndpoint((request, response) => correlator.nodeHandler(request, response))
  provider = await startProvider(simulator, {
    webhookUrl: `${endpoint.url}/sendgrid`,
    script: ({ recipients }) =>
      fate.map((type) => ({
        events: recipients.map(({ address }) => ({ type, recipient: address })),
      })),
  })
  transporter = nodemailer.createTransport(
    sendgridTransport({ apiKey: 'SG.key', baseUrl: provider.url, correlator, retries: 0 }),
  )
})

afterEach(async () => {
  await provider.close()
  await correlator.close()
  await endpoint.close()
})

/** As it would be answered to a browser: dates are texts. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const aTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

const templateId = `d-${'0a'.repeat(16)}`

const down = (): void => provider.failNext({ kind: 'answer', status: 503, body: 'down' })

async function fails(change: MailOptions = {}): Promise<void> {
  down()
  await expect(transporter.sendMail({ ...mail, ...change })).rejects.toThrow('503')
}

/** Sends a message, and waits until all that becomes of it was told. */
async function happen(types: SimulatedEvent['type'][], change: MailOptions = {}) {
  fate = types
  const info = await transporter.sendMail({ ...mail, cc: '', bcc: '', ...change })
  await provider.settled()
  return info
}

describe('signals', () => {
  test('3.1 an event comes after every attempt, with the message and whether it failed', async () => {
    const flags: boolean[] = []
    transporter.on('sent', (message, failFlag) => {
      expect(message.failFlag).toBe(failFlag)
      flags.push(failFlag)
    })
    await transporter.sendMail(mail)
    await fails()
    expect(flags).toEqual([false, true])
  })

  test('3.2 handlers are connected and disconnected', async () => {
    const handler = jest.fn()
    transporter.on('sent', handler)
    transporter.off('sent', handler)
    await transporter.sendMail(mail)
    await delay(5)
    expect(handler).not.toHaveBeenCalled()
  })

  test('3.3 a log line says whether it was sent, with subject, recipients and id', async () => {
    const lines: string[] = []
    transporter.on('sent', ({ subject, recipients, providerMessageId, error }, failFlag) => {
      const to = recipients.map(({ address }) => address).join(', ')
      const why = failFlag ? error?.message : providerMessageId
      lines.push(`${failFlag ? 'FAILED' : 'SUCCESS'}: ${subject} to ${to} ${why}`)
    })
    const { providerMessageId } = await transporter.sendMail(mail)
    await fails()
    const to = 'ann@example.org, bob@example.net, audit@example.com'
    expect(lines).toEqual([
      `SUCCESS: Your order to ${to} ${providerMessageId}`,
      expect.stringMatching(/^FAILED: Your order to .* SendGrid answered 503/),
    ])
  })

  test('3.4 the database has who, what, when, with which id, and why it failed', async () => {
    await transporter.sendMail({ ...mail, templateId, html: '' })
    await fails()
    const [failed, sent] = (await correlator.find()).messages
    expect(asJson(sent)).toMatchObject({
      subject: 'Your order',
      from: { address: 'shop@example.com' },
      to: [{ address: 'ann@example.org' }],
      cc: [{ address: 'bob@example.net' }],
      bcc: [{ address: 'audit@example.com' }],
      providerMessageId: expect.any(String),
      sentAt: aTime,
      templateId,
      tags: ['order'],
      metadata: { order: '42' },
      failFlag: false,
    })
    expect(failed).toMatchObject({
      status: 'failed',
      error: { category: 'server', statusCode: 503, message: expect.stringContaining('503') },
    })
  })

  test('3.5 successes, failures and their reasons, templates and domains are counted by day', async () => {
    const templated = { ...mail, templateId, html: '' }
    await Promise.all([1, 2, 3].map(() => transporter.sendMail(templated)))
    await fails()
    const today = new Date()
    const { total, byDay, byTemplate, byDomain, reasons } = await correlator.stats({
      from: today,
      to: new Date(today.getTime() + 24 * 3600_000),
    })
    expect(total).toMatchObject({ sent: 3, unsent: 1, messages: 4 })
    expect(byDay).toHaveLength(1)
    expect(byTemplate).toMatchObject([{ name: templateId, messages: 3 }])
    expect(byDomain.map(({ name, recipients }) => [name, recipients])).toEqual([
      ['example.com', 4],
      ['example.net', 4],
      ['example.org', 4],
    ])
    expect(reasons).toEqual([{ reason: 'unsent: server', count: 1 }])
  })

  test('3.6 more than a tenth of the last hour failing is an alarm, from a least number of messages on', async () => {
    const alarms: Alarm[] = []
    correlator.on('alarm', (alarm) => alarms.push(alarm))
    for (let sent = 0; sent < 17; sent += 1) await transporter.sendMail(mail)
    await fails()
    await fails()
    await delay(150)
    expect(alarms).toEqual([])
    await fails()
    await delay(150)
    expect(alarms).toMatchObject([
      { kind: 'failure-rate', state: 'raised', provider: 'sendgrid', failed: 3, messages: 20 },
    ])
  })

  test('3.7 a critical message that fails is an alarm at once', async () => {
    const alarms: Alarm[] = []
    correlator.on('alarm', (alarm) => alarms.push(alarm))
    await fails({ tags: ['password-reset'] })
    expect(alarms).toMatchObject([{ kind: 'critical-message', tags: ['password-reset'] }])
  })

  test('3.8 whoever is alarmed never makes the flow fail', async () => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
    correlator.on('alarm', () => {
      throw new Error('the chat is down')
    })
    await fails({ tags: ['critical'] })
    await transporter.sendMail(mail)
    await delay(5)
    expect(warning.mock.calls.join()).toContain('the chat is down')
    warning.mockRestore()
  })

  test('3.9 a failed message is kept, and sent again', async () => {
    const failed = keepFailed(transporter)
    await fails()
    const [kept] = failed.list()
    expect(await failed.retry(kept?.trackingId ?? '')).toMatchObject({ rejected: [] })
    expect(failed.list()).toEqual([])
  })

  test('3.10 what was sent is posted to a URL, which delays nothing', async () => {
    const bodies: Record<string, unknown>[] = []
    const target = createServer((request, response) => {
      void text(request).then((body) => {
        bodies.push(JSON.parse(body))
        response.end()
      })
    }).listen(0, '127.0.0.1')
    await once(target, 'listening')
    const address = target.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const forward = forwardTo(`http://127.0.0.1:${port}/`)
    transporter.on('sent', forward.sent)
    const { trackingId } = await transporter.sendMail(mail)
    await fails()
    await delay(5)
    await forward.close()
    expect(bodies).toMatchObject([
      {
        type: 'email_send_success',
        subject: 'Your order',
        recipients: 3,
        tags: ['order'],
        metadata: { order: '42' },
        trackingId,
      },
      { type: 'email_send_failed', error: { category: 'server' } },
    ])
    target.closeAllConnections()
    target.close()
  })

  test('3.11 each recipient has its failures in a row, which a success ends', async () => {
    await happen(['delivered'])
    for (let time = 0; time < 6; time += 1) await fails({ cc: '', bcc: '' })
    expect(asJson(await correlator.recipientHealth('ann@example.org'))).toMatchObject({
      failures: 6,
      lastFailure: aTime,
    })
    await happen(['delivered'])
    expect(await correlator.recipientHealth('ann@example.org')).toMatchObject({ failures: 0 })
  })

  test('3.12 all handlers are registered in one place', async () => {
    const seen: string[] = []
    function registerHandlers(): void {
      transporter.on('sent', () => void seen.push('sent'))
      correlator.on(['delivered', 'bounced'], ({ type }) => void seen.push(type))
      correlator.on('alarm', ({ kind }) => void seen.push(kind))
      correlator.on('refused', ({ reason }) => void seen.push(reason))
    }
    registerHandlers()
    await happen(['delivered'])
    await correlator.drain()
    expect(seen.toSorted()).toEqual(['delivered', 'sent'])
  })

  test('3.13 a test sends the event by hand', () => {
    const handler = jest.fn<(message: SentMessage, failFlag: boolean) => void>()
    const message: SentMessage = {
      trackingId: '0',
      provider: 'sendgrid',
      envelope: { from: false, to: [] },
      to: [],
      cc: [],
      bcc: [],
      tags: [],
      metadata: {},
      sentAt: new Date(),
      recipients: [],
      failFlag: true,
    }
    transporter.on('sent', handler)
    try {
      transporter.emit('sent', message, true)
      expect(handler).toHaveBeenCalledWith(message, true)
    } finally {
      transporter.off('sent', handler)
    }
  })

  test("3.14 the provider's id is in what comes back, and the caller's object stays as it was", async () => {
    const given = structuredClone(mail)
    const seen = once(transporter, 'sent')
    const { providerMessageId } = await transporter.sendMail(given)
    const [message] = await seen
    expect(providerMessageId).toEqual(expect.any(String))
    expect(message).toMatchObject({ providerMessageId })
    expect(given).toEqual(mail)
  })
})

describe('webhook handlers', () => {
  test('0.19 a delivery has its time and the answer of the server', async () => {
    const { trackingId } = await happen(['delivered'])
    const message = await correlator.message(trackingId)
    expect(asJson(message)).toMatchObject({
      status: 'delivered',
      events: [{ type: 'delivered', occurredAt: aTime, response: expect.any(String) }],
    })
  })

  test('0.21 an address that bounced for good is suppressed', async () => {
    await happen(['bounced'])
    expect(await correlator.suppressions.get('ann@example.org')).toMatchObject([
      { cause: 'bounced', provider: 'sendgrid', detail: expect.any(String) },
    ])
  })

  test('0.22 a bounce has its address, kind, reason and time', async () => {
    const { trackingId } = await happen(['bounced'])
    expect(asJson(await correlator.message(trackingId))).toMatchObject({
      events: [
        {
          type: 'bounced',
          recipient: 'ann@example.org',
          bounce: { kind: 'hard' },
          response: expect.any(String),
          occurredAt: aTime,
        },
      ],
    })
  })

  test.each([
    ['0.23', 'opened', { userAgent: expect.any(String), ip: expect.any(String) }],
    ['0.24', 'clicked', { userAgent: expect.any(String), url: expect.any(String) }],
  ] as const)('%s %s tells who and when, and is counted', async (_, type, visit) => {
    const { trackingId } = await happen(['delivered', type])
    const message = await correlator.message(trackingId)
    expect(asJson(message?.events.at(-1))).toMatchObject({ type, occurredAt: aTime, ...visit })
    expect(message?.recipients[0]?.engagement[type]).toMatchObject({ count: 1 })
    expect((await correlator.stats()).total[type]).toBe(1)
  })

  test('0.25 unsubscribes are kept with their group, until the address subscribes again', async () => {
    const { trackingId } = await happen(['delivered'])
    const message = provider.messages.at(-1)
    if (!message) throw new Error('nothing was sent')
    const group = (event: string, ahead: number): SimulatedEvent => ({
      type: 'unsubscribed',
      recipient: 'ann@example.org',
      at: new Date(Date.now() + ahead),
      change: (entry) => ({ ...entry, event, asm_group_id: 7, sg_event_id: event }),
    })
    await provider.post(message, { events: [group('group_unsubscribe', 0)] })
    expect(await correlator.suppressions.get('ann@example.org')).toMatchObject([
      { cause: 'unsubscribed', scope: { kind: 'group', id: '7' } },
    ])
    await provider.post(message, { events: [group('group_resubscribe', 2000)] })
    expect(await correlator.suppressions.get('ann@example.org')).toEqual([])
    expect((await correlator.message(trackingId))?.events).toHaveLength(3)
  })

  test('0.26 a complaint is counted, and suppresses', async () => {
    await happen(['delivered', 'complained'])
    expect((await correlator.stats()).total).toMatchObject({ complained: 1, delivered: 1 })
    expect(await correlator.suppressions.get('ann@example.org')).toMatchObject([
      { cause: 'complained' },
    ])
  })
})

describe('the webhook guide', () => {
  test('4.2 each type has its effect, and deferrals are seen by domain', async () => {
    await happen(['deferred'], { to: 'ann@slow.example' })
    await happen(['delivered', 'unsubscribed'], { to: 'bob@example.org' })
    await happen(['rejected'], { to: 'cid@example.org' })
    const { byDomain, reasons } = await correlator.stats()
    expect(byDomain.find(({ name }) => name === 'slow.example')).toMatchObject({ deferred: 1 })
    expect(reasons.map(({ reason }) => reason.split(':')[0]).toSorted()).toEqual([
      'deferred',
      'rejected',
      'unsubscribed',
    ])
    await expect(
      transporter.sendMail({ ...mail, to: 'bob@example.org', cc: '', bcc: '' }),
    ).rejects.toThrow('has unsubscribed')
  })

  test('4.20 the endpoint is watched: requests, refusals and lag', async () => {
    await happen(['delivered'])
    await fetch(`${endpoint.url}/sendgrid`, { method: 'POST', body: '[]' })
    const { webhooks } = correlator.health()
    expect(webhooks).toMatchObject([
      {
        webhook: 'sendgrid',
        events: 1,
        requests: { stored: 1, unsigned: 1 },
        lag: { last: expect.any(Number) },
      },
    ])
  })

  test('4.21 lists stay clean without anybody doing it', async () => {
    await happen(['bounced'])
    const calls = provider.requests.length
    await expect(transporter.sendMail({ ...mail, cc: '', bcc: '' })).rejects.toThrow('suppressed')
    expect(provider.requests).toHaveLength(calls)
  })

  test('4.22 the links that are clicked most, the rate of delivery and that of opening are told', async () => {
    await happen(['delivered', 'opened', 'clicked'])
    await happen(['delivered'], { to: 'bob@example.org' })
    await happen(['bounced'], { to: 'cid@example.org' })
    const { total, links } = await correlator.stats()
    expect(total.rates).toMatchObject({ delivery: 2 / 3, open: 1 / 2, click: 1 / 2 })
    expect(links).toEqual([{ url: expect.stringContaining('https://'), clicks: 1 }])
  })
})
