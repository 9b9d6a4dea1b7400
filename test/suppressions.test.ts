import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import nodemailer from 'nodemailer'
import {
  type Correlator,
  createCorrelator,
  type MailOptions,
  memoryStore,
  SendError,
} from '../src/index.js'
import {
  mailgunSimulator,
  mailgunTransport,
  mailgunWebhook,
} from '../src/providers/mailgun/index.js'
import {
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
} from '../src/providers/mandrill/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../src/providers/sendgrid/index.js'
import type { SimulatedMessage } from '../src/simulator.js'
import { type RunningProvider, startProvider } from '../src/testing/provider-server.js'

const ann = 'ann@example.org'
const mail: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: ann,
  subject: 'Your order',
  text: 'Thanks',
}

/** What becomes of a transport's own options under the provider's name, and how it tells of one address. */
interface Case {
  provider: string
  start(webhookUrl: string): Promise<{
    running: RunningProvider
    webhook: Parameters<typeof createCorrelator>[0]['webhooks']
    send(correlator: Correlator, change?: MailOptions): Promise<{ rejected: string[] }>
  }>
  mail: MailOptions
  /** The entry of the webhook by which the address is suppressed, and the one by which it no longer is. */
  suppressed: (message: SimulatedMessage) => Record<string, unknown>
  allowed?: (message: SimulatedMessage) => Record<string, unknown>
  says: RegExp
}

const seconds = (ahead = 0): number => Math.floor(Date.now() / 1000) + ahead

const denylist = (action: string, ahead: number) => ({
  type: 'blacklist',
  action,
  reject: {
    reason: 'hard-bounce',
    detail: null,
    last_event_at: '2026-01-01 00:00:05',
    email: ann,
    created_at: '2026-01-01 00:00:05',
    expires_at: null,
    expired: false,
    subaccount: null,
    sender: null,
  },
  ts: seconds(ahead),
})

const cases: Case[] = [
  {
    provider: 'mandrill',
    async start(webhookUrl) {
      const url = `${webhookUrl}/mandrill`
      const simulator = mandrillSimulator({ apiKey: 'md-key', webhookUrl: url })
      const running = await startProvider(simulator, { webhookUrl: url, script: () => [] })
      return {
        running,
        webhook: [mandrillWebhook({ key: simulator.webhookKey, url })],
        send: (correlator, change) =>
          nodemailer
            .createTransport(
              mandrillTransport({ apiKey: 'md-key', baseUrl: running.url, correlator }),
            )
            .sendMail({ ...mail, ...change }),
      }
    },
    mail: {},
    suppressed: () => denylist('add', 0),
    allowed: () => denylist('remove', 1),
    says: /suppressed since \d{4}-\d\d-\d\dT[\d:.]+Z, for it is on a list of the provider/,
  },
  {
    provider: 'sendgrid',
    async start(webhookUrl) {
      const simulator = sendgridSimulator({ apiKey: 'SG.key' })
      const running = await startProvider(simulator, {
        webhookUrl: `${webhookUrl}/sendgrid`,
        script: () => [],
      })
      return {
        running,
        webhook: [sendgridWebhook({ publicKey: simulator.publicKey })],
        send: (correlator, change) =>
          nodemailer
            .createTransport(
              sendgridTransport({ apiKey: 'SG.key', baseUrl: running.url, correlator }),
            )
            .sendMail({ ...mail, ...change }),
      }
    },
    mail: { sendgrid: { asm: { group_id: 42 } } },
    suppressed: () => ({
      email: ann,
      event: 'group_unsubscribe',
      asm_group_id: 42,
      timestamp: seconds(),
      sg_event_id: 'unsub-1',
    }),
    allowed: () => ({
      email: ann,
      event: 'group_resubscribe',
      asm_group_id: 42,
      timestamp: seconds(1),
      sg_event_id: 'resub-1',
    }),
    says: /suppressed since \d{4}-.+Z, for its owner has unsubscribed from the group 42/,
  },
  {
    provider: 'mailgun',
    async start(webhookUrl) {
      const domain = 'example.com'
      const simulator = mailgunSimulator({ apiKey: 'key', domain })
      const running = await startProvider(simulator, {
        webhookUrl: `${webhookUrl}/mailgun`,
        script: () => [],
      })
      return {
        running,
        webhook: [mailgunWebhook({ signingKey: simulator.signingKey })],
        send: (correlator, change) =>
          nodemailer
            .createTransport(
              mailgunTransport({ apiKey: 'key', domain, baseUrl: running.url, correlator }),
            )
            .sendMail({ ...mail, ...change }),
      }
    },
    mail: {},
    suppressed: (message) =>
      mailgunSimulator({ apiKey: 'key', domain: 'example.com' }).entry(
        message,
        { type: 'bounced', recipient: ann },
        new Date(),
      ),
    says: /suppressed since \d{4}-.+Z, for it bounced for good/,
  },
]

describe.each(cases)('$provider', ({ start, mail: own, suppressed, allowed, says }) => {
  let server: Server
  let correlator: Correlator
  let running: RunningProvider
  let send: (change?: MailOptions) => Promise<{ rejected: string[] }>

  beforeEach(async () => {
    server = createServer((request, response) => void correlator.nodeHandler(request, response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const started = await start(`http://127.0.0.1:${port}`)
    running = started.running
    correlator = createCorrelator({ store: memoryStore(), webhooks: started.webhook ?? [] })
    send = (change) => started.send(correlator, { ...own, ...change })
  })
  afterEach(async () => {
    await running.close()
    await correlator.close()
    server.closeAllConnections()
    server.close()
  })

  async function happen(entry: Case['suppressed']): Promise<void> {
    const [message] = running.messages
    if (!message) throw new Error('nothing was sent')
    const event = { type: 'bounced', recipient: ann, change: () => entry(message) } as const
    const posted = await running.post(message, { events: [event] })
    expect(posted.map(({ status }) => status)).toEqual([200])
  }

  test('who must not be mailed is refused before the provider is called, with why and since when', async () => {
    await send()
    await happen(suppressed)
    const calls = running.requests.length
    const error = await send().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(SendError)
    expect(error).toMatchObject({ category: 'rejected', outcome: 'not-sent', retryable: false })
    expect(String(error)).toMatch(says)
    expect(String(error)).not.toContain(ann)
    expect(running.requests).toHaveLength(calls)
    const { messages } = await correlator.find({ recipient: ann, status: 'rejected' })
    expect(messages).toHaveLength(1)
  })

  test('the others of a message get it', async () => {
    await send()
    await happen(suppressed)
    const info = await send({ to: [ann, 'bob@example.org'] })
    expect(info).toMatchObject({ accepted: ['bob@example.org'], rejected: [ann] })
    expect(running.messages.at(-1)?.recipients.map(({ address }) => address)).toEqual([
      'bob@example.org',
    ])
  })

  test('a message that ignores suppressions is sent all the same', async () => {
    await send()
    await happen(suppressed)
    expect(await send({ ignoreSuppressions: true })).toMatchObject({ accepted: [ann] })
  })

  test('who is taken off again is mailed again', async () => {
    await send()
    await happen(suppressed)
    if (allowed) await happen(allowed)
    else expect(await correlator.suppressions.remove(ann)).toBe(1)
    expect(await correlator.suppressions.get(ann)).toEqual([])
    expect(await send()).toMatchObject({ accepted: [ann] })
  })
})
