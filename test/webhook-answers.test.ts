import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  createCorrelator,
  memoryStore,
  querySecret,
  rateLimit,
  type Webhook,
  type WebhookOptions,
} from '../src/index.js'
import { mailgunWebhook } from '../src/providers/mailgun/index.js'
import { mandrillWebhook } from '../src/providers/mandrill/index.js'
import { sendgridWebhook } from '../src/providers/sendgrid/index.js'
import { usualAnswers } from '../src/webhook-answers.js'

const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const url = 'https://hooks.example.com/mandrill'
const seconds = '1760000000'

type Headers = Record<string, string>

interface Provider {
  make(options?: WebhookOptions): Webhook
  /** A request that it signs, whatever these events are. */
  signed(events: string): { headers: Headers; body: string }
  event: string
  malformed: string
}

const form = (events: string): string => new URLSearchParams({ mandrill_events: events }).toString()

const providers: Record<string, Provider> = {
  sendgrid: {
    make: (options) => sendgridWebhook({ publicKey, ...options }),
    event: '[{"event":"delivered","email":"ann@example.com","timestamp":1760000000}]\r\n',
    malformed: '{"event":"delivered"}',
    signed: (body) => ({
      body,
      headers: {
        'content-type': 'application/json',
        'x-twilio-email-event-webhook-timestamp': seconds,
        'x-twilio-email-event-webhook-signature': sign(
          'sha256',
          Buffer.from(seconds + body),
          keys.privateKey,
        ).toString('base64'),
      },
    }),
  },
  mailgun: {
    make: (options) => mailgunWebhook({ signingKey: 'signing key', ...options }),
    event: '{"event":"delivered","id":"e","timestamp":1760000000.5,"recipient":"ann@example.com"}',
    malformed: 'null',
    signed: (event) => ({
      body: JSON.stringify({
        signature: {
          timestamp: seconds,
          token: 'token',
          signature: createHmac('sha256', 'signing key').update(`${seconds}token`).digest('hex'),
        },
        'event-data': JSON.parse(event),
      }),
      headers: { 'content-type': 'application/json' },
    }),
  },
  mandrill: {
    make: (options) => mandrillWebhook({ key: 'key', url, ...options }),
    event: '[{"event":"delivered","_id":"m","ts":1760000000,"msg":{"email":"ann@example.com"}}]',
    malformed: '{"event":"delivered"}',
    signed: (events) => ({
      body: form(events),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-mandrill-signature': createHmac('sha1', 'key')
          .update(`${url}mandrill_events${events}`)
          .digest('base64'),
      },
    }),
  },
}

/** The statuses in the table of the document, by outcome and provider. */
const documented = readFileSync(join(__dirname, '../docs/webhooks.md'), 'utf8')
  .split('\n')
  .flatMap((line): [string, Record<string, number>][] => {
    const [, outcome = '', , ...statuses] = line.split('|').map((cell) => cell.trim())
    const name = outcome.replaceAll('`', '')
    if (!Object.hasOwn(usualAnswers, name)) return []
    const [sendgrid, mailgun, mandrill] = statuses.map(Number)
    return [[name, { sendgrid: sendgrid ?? 0, mailgun: mailgun ?? 0, mandrill: mandrill ?? 0 }]]
  })

describe.each(Object.entries(providers))('%s is answered', (name, provider) => {
  const answered = (outcome: string): number | undefined => new Map(documented).get(outcome)?.[name]

  /** The status of one request to a webhook of these options, and whether anything was stored. */
  async function ask(
    { method = 'POST', headers, body }: { method?: string; headers?: Headers; body?: string },
    options: WebhookOptions = {},
  ): Promise<[status: number, stored: boolean]> {
    const store = memoryStore()
    const correlator = createCorrelator({ store, webhooks: [provider.make(options)] })
    correlator.on('refused', () => {})
    const request = new Request(`https://hooks.example.com/${name}`, {
      method,
      ...(headers && { headers }),
      ...(body !== undefined && { body }),
    })
    const { status } = await correlator.handler(request)
    const stored = (await store.nextDue()) !== undefined
    await correlator.close()
    return [status, stored]
  }

  const genuine = provider.signed(provider.event)
  const forged = {
    body: genuine.body.replace(/"signature":"./, '"signature":"x'),
    headers: Object.fromEntries(
      Object.entries(genuine.headers).map(([header, value]) => [
        header,
        header.endsWith('-signature')
          ? value.replace(/^./, (first) => (first === 'M' ? 'N' : 'M'))
          : value,
      ]),
    ),
  }

  test('as the document says', () => {
    const statuses = documented.map(([outcome, byProvider]) => [outcome, byProvider[name]])
    expect(Object.fromEntries(statuses)).toEqual({ ...usualAnswers, ...provider.make().answers })
  })

  test('when it is stored', async () => {
    expect(await ask(genuine)).toEqual([answered('stored'), true])
  })

  test.each(['GET', 'HEAD'])('when it is tried with %s', async (method) => {
    expect(await ask({ method })).toEqual([answered('tried'), false])
  })

  test('when a guard denies it', async () => {
    const guards = [querySecret('s')]
    expect(await ask(genuine, { guards })).toEqual([answered('denied'), false])
  })

  test('when a limit is reached', async () => {
    const limiter = {
      consume: () => Promise.reject(Object.assign(new Error(), { msBeforeNext: 1 })),
      get: () => Promise.resolve(null),
    }
    const guards = [rateLimit(limiter)]
    expect(await ask(genuine, { guards })).toEqual([answered('limited'), false])
  })

  test('when it is forged', async () => {
    expect(await ask(forged)).toEqual([answered('forged'), false])
  })

  test('when it is signed and malformed', async () => {
    expect(await ask(provider.signed(provider.malformed))).toEqual([answered('malformed'), false])
  })

  test('when its encoding is not read', async () => {
    const headers = { ...genuine.headers, 'content-encoding': 'gzip' }
    expect(await ask({ ...genuine, headers })).toEqual([answered('unsupported'), false])
  })

  test('when it is too large', async () => {
    expect(await ask(genuine, { maxBodyBytes: 10 })).toEqual([answered('tooLarge'), false])
  })

  const requests = {
    stored: genuine,
    forged,
    malformed: provider.signed(provider.malformed),
  }

  test.each([
    ['forged', 404],
    ['forged', 409],
    ['stored', 204],
    ['malformed', 200],
  ] as const)('as one says, when it is %s: %s', async (outcome, status) => {
    const [given] = await ask(requests[outcome], { answers: { [outcome]: status } })
    expect(given).toBe(status)
  })
})
