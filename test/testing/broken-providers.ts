import { randomUUID } from 'node:crypto'
import nodemailer, { type Transport } from 'nodemailer'
import type { ParsedEvent } from '../../src/event.js'
import { ownIdKey } from '../../src/matching.js'
import { fields, readEach, readEntries } from '../../src/payload.js'
import type { Webhook, WebhookReading, WebhookRequest } from '../../src/provider.js'
import { readEvent } from '../../src/providers/sendgrid/entries.js'
import { sendgridTransport, sendgridWebhook } from '../../src/providers/sendgrid/index.js'
import type { ProviderParts, ProviderUnderTest } from '../../src/testing/index.js'
import type { TransportOptions } from '../../src/transport-options.js'
import type { SentInfo } from '../../src/transporter.js'
import { sendgrid } from './built-in-providers.js'

const knownKey = 'SG.key-of-the-contract.0123456789abcdef'

type Parts = (parts: ProviderParts) => Partial<ProviderParts>

/** A provider that is right, but for these parts. */
function having(change: Parts): ProviderUnderTest {
  return {
    ...sendgrid,
    open(url) {
      const parts = sendgrid.open(url)
      return { ...parts, ...change(parts) }
    },
  }
}

const webhook = (change: (webhook: Webhook) => Partial<Webhook>): ProviderUnderTest =>
  having((parts) => ({
    webhook(options) {
      const right = parts.webhook(options)
      return { ...right, ...change(right) }
    },
  }))

type Reading = (
  request: WebhookRequest,
  right: () => Promise<WebhookReading>,
) => Promise<WebhookReading> | WebhookReading

const reading = (read: Reading): ProviderUnderTest =>
  webhook((right) => ({
    read: (request, receivedAt) =>
      Promise.resolve(read(request, () => right.read(request, receivedAt))),
  }))

/** Its events are otherwise; also so that they are none of ours. */
const events = (change: (event: ParsedEvent) => object): ProviderUnderTest =>
  reading(async (_, right) => {
    const read = await right()
    if (read.kind === 'refused') return read
    return { kind: 'events', events: read.events.map((event) => change(event) as ParsedEvent) }
  })

const transport = (
  make: (options: TransportOptions, right: ProviderParts['transport']) => Transport<SentInfo>,
): ProviderUnderTest =>
  having((parts) => ({ transport: (options) => make(options, parts.transport) }))

type Send = NonNullable<Transport<SentInfo>['send']>

const sending = (
  send: (right: Transport<SentInfo>, options: TransportOptions) => Send,
): ProviderUnderTest =>
  transport((options, make) => {
    const right = make(options)
    const whole: Transport<SentInfo> = Object.create(right)
    return Object.assign(whole, { send: send(right, options) })
  })

/** What it calls back with is otherwise. */
const ending = (
  change: (error: Error | null, info: SentInfo | undefined) => [Error | null, SentInfo | undefined],
): ProviderUnderTest =>
  sending(
    (right) => (mail, callback) =>
      right.send(mail, (error, info) => callback(...change(error, info))),
  )

const recording = (
  change: (
    correlator: NonNullable<TransportOptions['correlator']>,
  ) => Partial<NonNullable<TransportOptions['correlator']>>,
): ProviderUnderTest =>
  transport(({ correlator, ...options }, right) =>
    right({
      ...options,
      ...(correlator && { correlator: { ...correlator, ...change(correlator) } }),
    }),
  )

/** Without these fields. */
function without(event: ParsedEvent, ...names: string[]): object {
  return Object.fromEntries(Object.entries(event).filter(([name]) => !names.includes(name)))
}

interface Broken {
  subject: ProviderUnderTest
  noticedBy: RegExp[]
  /** What the case fails with, where that is no word of its own but the provider's. */
  failure?: string
}

/** What somebody may get wrong, and the cases that must notice it. */
export const broken: Record<string, Broken> = {
  'its webhook has another name': {
    subject: webhook(() => ({ name: 'hook' })),
    noticedBy: [/^its webhook is named/],
  },
  'it starts without a key': {
    subject: { ...sendgrid, withoutKeys: [() => sendgridWebhook({ publicKey: '' }), () => ({})] },
    noticedBy: [/^without a key/],
  },
  'it loses what it takes': {
    subject: reading(async (_, right) => ({ ...(await right()), events: [] })),
    noticedBy: [/^a signed request is taken/],
  },
  'it takes fresh signatures alone': {
    subject: having(({ simulator }) => ({
      webhook: (options) =>
        sendgridWebhook({
          publicKey: String(Reflect.get(simulator, 'publicKey')),
          maxAge: 3_600_000,
          ...options,
        }),
    })),
    noticedBy: [/^a request that was signed eight hours ago/],
  },
  'it verifies nothing': {
    subject: webhook(() => ({
      refusedByHead: () => undefined,
      read: async ({ body }) => {
        const batch = readEntries('the body', body.toString())
        return batch.kind === 'refused'
          ? batch
          : { kind: 'events', events: readEach(batch.entries, readEvent) }
      },
    })),
    noticedBy: [/another key/, /bears no signature/, /says something else now/],
  },
  'it takes what it cannot read for nothing': {
    subject: reading(async (_, right) => {
      const read = await right()
      return read.kind === 'refused' ? { kind: 'events', events: [] } : read
    }),
    noticedBy: [/was cut off/],
  },
  'it has no limit': {
    subject: webhook(() => ({ maxBodyBytes: Infinity })),
    noticedBy: [/over the limit/],
  },
  'it asks no guard': {
    subject: webhook(() => ({ guards: [] })),
    noticedBy: [/^its guards are asked/],
  },
  'its answers are fixed': {
    subject: webhook(() => ({ answers: {} })),
    noticedBy: [/^each of its answers/],
  },
  'it quotes what it refuses': {
    subject: reading(async ({ body }, right) => {
      const read = await right()
      return read.kind === 'refused' ? { ...read, detail: body.toString() } : read
    }),
    noticedBy: [/^what is told of a refusal/],
  },
  'it does not find our id': {
    subject: events((event) => without(event, 'ownId')),
    noticedBy: [/^an event \w+ comes out right/],
  },
  'it drops the details': {
    subject: events((event) => ({
      ...without(event, 'response'),
      ...(event.type === 'bounced' && { bounce: { kind: 'unknown', asynchronous: false } }),
      ...(event.type === 'clicked' && { url: '' }),
      ...(event.type === 'unsubscribed' && { scope: { kind: 'everything' } }),
      ...(event.type === 'rejected' && { reason: 'because' }),
    })),
    noticedBy: [
      /^a deferral says/,
      /^a (?:hard|soft) bounce/,
      /^a bounce that comes after/,
      /^a click says/,
      /^who unsubscribes/,
      /^a rejection says/,
    ],
  },
  'it takes every delivery of a fact for another one': {
    subject: events((event) => ({
      ...without(event, 'providerEventId'),
      discriminator: randomUUID(),
    })),
    noticedBy: [/again and again/, /under another id/, /in other batches/],
  },
  'it takes the time of the batch for that of its events': {
    subject: events((event) => ({ ...event, occurredAt: new Date(1_790_000_000_000) })),
    noticedBy: [/^the same thing at another time/],
  },
  'it drops what is older than what it has seen': {
    subject: having((parts) => {
      let latest = 0
      return {
        webhook(options) {
          const right = parts.webhook(options)
          return {
            ...right,
            async read(request, receivedAt) {
              const read = await right.read(request, receivedAt)
              if (read.kind === 'refused') return read
              const fresh = read.events.filter(({ occurredAt }) => Number(occurredAt) >= latest)
              latest = Math.max(latest, ...fresh.map(({ occurredAt }) => Number(occurredAt)))
              return { kind: 'events', events: fresh }
            },
          }
        },
      }
    }),
    noticedBy: [/^the order in which/],
  },
  'it fails with one entry': {
    subject: reading(async (_, right) => {
      const read = await right()
      if (read.kind === 'events' && read.events.some(({ type }) => type === 'unknown')) {
        throw new TypeError('event is undefined')
      }
      return read
    }),
    noticedBy: [/^an entry that cannot be read/],
  },
  'its events bear the ids of something else': {
    subject: events((event) => ({
      ...without(event, 'ownId', 'messageId'),
      providerMessageId: 'x',
    })),
    noticedBy: [/before the API has answered/, /whose answer was lost/],
  },
  'it knows no id but ours': {
    subject: events((event) => without(event, 'providerMessageId', 'messageId')),
    noticedBy: [/without our id/, /^an event of mail that was sent otherwise/],
  },
  'its info is poor': {
    subject: ending((error, info) => [
      error,
      info && { ...info, trackingId: 'the same', response: '' },
    ]),
    noticedBy: [/^info says/, /^each message has an id/],
  },
  'it plants no id': {
    subject: having(({ simulator }) => ({
      simulator: {
        ...simulator,
        async answer(request, now, told) {
          const { answer, message } = await simulator.answer(request, now, told)
          if (!message) return { answer }
          const { [ownIdKey]: _, ...metadata } = message.metadata
          return { answer, message: { ...message, metadata } }
        },
      },
    })),
    noticedBy: [/^our id is planted/],
  },
  'it records when it is over': {
    subject: recording((correlator) => ({
      recordSending: async () => {},
      async recordResult(record, result) {
        await correlator.recordSending(record)
        await correlator.recordResult(record, result)
      },
    })),
    noticedBy: [/^a message is recorded before/],
  },
  'it records little': {
    subject: recording((correlator) => ({
      recordSending: ({ subject: _, ...record }) => correlator.recordSending(record),
    })),
    noticedBy: [/^what is recorded says/],
  },
  'it needs a correlator': {
    subject: transport((options, right) => {
      if (!options.correlator) throw new TypeError('correlator is undefined')
      return right(options)
    }),
    noticedBy: [/^it sends without a correlator/],
    failure: 'correlator is undefined',
  },
  'it tells of what it sends twice': {
    subject: sending((right) => (mail, callback) => {
      const mailer = fields(Reflect.get(mail, 'mailer'))
      try {
        if (typeof mailer['emit'] === 'function') mailer['emit']('sent', {}, false)
      } catch {
        // Its listeners may throw.
      }
      right.send(mail, callback)
    }),
    noticedBy: [/^sent is told once of what is sent/, /^sent is told once of what is not/],
  },
  'it leaves all checks to the provider': {
    subject: sending((right, { baseUrl = '' }) => (mail, callback) => {
      void fetch(baseUrl, { method: 'POST' }).then(() => right.send(mail, callback))
    }),
    noticedBy: [/^what cannot be sent at all/],
  },
  'it writes into the mail': {
    subject: sending((right) => (mail, callback) => {
      const tags: unknown = Reflect.get(mail.data, 'tags')
      if (Array.isArray(tags)) tags.push('sent')
      right.send(mail, callback)
    }),
    noticedBy: [/^the object of the caller/],
  },
  'its errors say nothing to code': {
    subject: ending((error, info) => [error && new Error('it failed'), info]),
    noticedBy: [/^the answer \d/, /^after /, /^where nobody listens/],
  },
  'its errors hold the call': {
    subject: ending((error, info) => [
      // Another one than what is looked at after each test.
      error && Object.assign(Object.create(error), { config: { key: knownKey } }),
      info,
    ]),
    noticedBy: [/^an answer that quotes/],
  },
  'it tries once': {
    subject: transport((options, right) => right({ ...options, retries: 0 })),
    noticedBy: [/^what was not taken is sent again/],
    failure: 'answered 429',
  },
  'it tries whatever failed again': {
    subject: sending((right) => (mail, callback) => {
      right.send(mail, (error, info) =>
        error ? right.send(mail, callback) : callback(error, info),
      )
    }),
    noticedBy: [/^what may have been sent/],
  },
  'it sends what it knows': {
    subject: transport((options) => {
      const inner = nodemailer.createTransport(sendgridTransport({ apiKey: knownKey, ...options }))
      const mail = { from: 'a@example.com', to: 'ann@example.org', subject: 'Hi', text: 'Hi' }
      return {
        name: 'poor',
        version: '1',
        send: (_, callback) => inner.sendMail(mail, callback),
      }
    }),
    noticedBy: [/it reaches the provider, or is refused by name/, /cannot be carried/],
  },
  'it has no way around what it cannot carry': {
    subject: transport((options, right) => right({ ...options, unsupported: 'throw' })),
    noticedBy: [/^without .* it is sent where that is wanted/],
    failure: 'cannot carry',
  },
}
