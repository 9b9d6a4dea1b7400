import { afterEach, describe, expect, jest, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ConfigurationError,
  createCorrelator,
  memoryStore,
  SendError,
  type SentMessage,
  type Store,
} from '../src/index.js'
import { invalid } from '../src/mail-options.js'
import type { ProviderInfo } from '../src/send-result.js'
import type { TransportOptions } from '../src/transport-options.js'
import type { MailOptions, ProviderTransporter } from '../src/transporter.js'
import { outsideClient, outsideTransport } from './outside-transport.js'
import { collectErrors } from './told-events.js'

const mail: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: ['Ann <ann@example.com>', 'bob@example.com'],
  cc: 'carl@example.com',
  bcc: 'audit@example.com',
  subject: 'Order 42',
  text: 'Thanks',
  tags: ['order'],
  metadata: { order: '42' },
}

const circle: { self?: object } = {}
circle.self = circle

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )

afterEach(() => void jest.restoreAllMocks())

describe('an address for replies', () => {
  const send = async (change: MailOptions = {}) => {
    const client = outsideClient()
    const options = { replyAddress: 'reply@in.example.com' }
    const transporter = nodemailer.createTransport(outsideTransport(client, options))
    const { trackingId } = await transporter.sendMail({ ...mail, ...change })
    return { trackingId, replyTo: client.sent[0]?.mail.replyTo }
  }

  test('is another one for each message, under the name of its sender', async () => {
    const { trackingId, replyTo } = await send()
    expect(replyTo).toEqual([{ name: 'Shop', address: `reply+${trackingId}@in.example.com` }])
    expect((await send({ from: 'shop@example.com' })).replyTo).toMatchObject([{ name: '' }])
  })

  test('does not take the place of one that the message has', async () => {
    const { replyTo } = await send({ replyTo: 'help@example.com' })
    expect(replyTo).toEqual([{ name: '', address: 'help@example.com' }])
  })

  test.each(['reply', 'Reply <reply@in.example.com>', 'a+b@in.example.com', `${'x'.repeat(28)}@y`])(
    'cannot be %s',
    (replyAddress) => {
      expect(() => outsideTransport(outsideClient(), { replyAddress })).toThrow(ConfigurationError)
    },
  )
})

describe('the options that a provider carries out', () => {
  const send = async (carries: string[], change: MailOptions) => {
    const client = outsideClient({ carries: new Set(carries) })
    const transporter = nodemailer.createTransport(outsideTransport(client))
    await transporter.sendMail({ ...mail, ...change })
    return client.sent[0]?.mail
  }

  test('reach it where it carries them, and are recorded', async () => {
    const client = outsideClient({ carries: new Set(['templateId', 'trackOpens']) })
    const correlator = createCorrelator({ store: memoryStore() })
    const transporter = nodemailer.createTransport(outsideTransport(client, { correlator }))
    const { trackingId } = await transporter.sendMail({
      ...mail,
      templateId: 't',
      trackOpens: false,
    })
    expect(client.sent[0]?.mail).toMatchObject({ templateId: 't', trackOpens: false })
    expect(await correlator.message(trackingId)).toMatchObject({ templateId: 't' })
  })

  test.each<[string, MailOptions]>([
    ['templateId', { templateId: 't' }],
    ['templateData', { templateData: { a: 1 } }],
    ['sendAt', { sendAt: new Date() }],
    ['trackOpens', { trackOpens: true }],
    ['trackClicks', { trackClicks: false }],
  ])('are refused by name where it does not: %s', async (name, change) => {
    await expect(send([], change)).rejects.toThrow(`cannot carry ${name}`)
    await expect(send([name], change)).resolves.toBeDefined()
  })
})

describe('verify()', () => {
  const made = (verify?: () => Promise<void>, timeout = 1000) =>
    nodemailer.createTransport(
      outsideTransport(outsideClient(verify ? { verify } : {}), { timeout }),
    )

  test('says that the credentials are right, by promise and by callback', async () => {
    const transporter = made(async () => {})
    expect(await transporter.verify()).toBe(true)
    const told = await new Promise((resolve) => {
      transporter.verify((error, success) => resolve([error, success]))
    })
    expect(told).toEqual([null, true])
  })

  test('says what is wrong with them, by promise and by callback', async () => {
    const wrong = new SendError('the key is another', {
      category: 'auth',
      retryable: false,
      outcome: 'not-sent',
    })
    const transporter = made(() => Promise.reject(wrong))
    await expect(transporter.verify()).rejects.toBe(wrong)
    expect(await new Promise((resolve) => transporter.verify(resolve))).toBe(wrong)
  })

  test('does not wait for ever', async () => {
    const transporter = made(() => new Promise(() => {}), 1)
    await expect(transporter.verify()).rejects.toMatchObject({ category: 'timeout' })
  })

  test('says so where a provider has no such call', async () => {
    await expect(made().verify()).rejects.toMatchObject({ category: 'configuration' })
  })
})

test('a message whose signal is aborted while it is recorded is not sent', async () => {
  const stop = new AbortController()
  const correlator = createCorrelator({ store: memoryStore() })
  const { recordSending } = correlator
  correlator.recordSending = async (record) => {
    await recordSending(record)
    stop.abort()
  }
  const client = outsideClient()
  const options = { correlator, retries: 0 }
  const transporter = nodemailer.createTransport(outsideTransport(client, options))
  await expect(transporter.sendMail({ ...mail, signal: stop.signal })).rejects.toMatchObject({
    message: expect.stringContaining('aborted'),
    outcome: 'not-sent',
  })
  expect(client.sent).toEqual([])
  expect((await correlator.find()).messages).toMatchObject([{ status: 'failed' }])
})

test('close() waits for what is being sent, and for what that leads to', async () => {
  let answer = (): void => {}
  const client = outsideClient()
  const { send } = client
  client.send = async (request) => {
    await new Promise<void>((resolve) => (answer = resolve))
    return send(request)
  }
  const transport = outsideTransport(client)
  const transporter = nodemailer.createTransport(transport)
  const sending = transporter.sendMail(mail)
  await delay(20)
  let closed = false
  const closing = Promise.resolve(transport.close?.()).then(() => (closed = true))
  await delay(20)
  expect(closed).toBe(false)
  answer()
  await Promise.all([sending, closing])
  expect(client.sent).toHaveLength(1)
})

describe('what sendMail resolves with', () => {
  test('has the fields of Nodemailer and ours', async () => {
    const transporter = nodemailer.createTransport(outsideTransport(outsideClient()))
    const info = await transporter.sendMail({ ...mail, messageId: '<x@example.com>' })
    const addresses = [
      'ann@example.com',
      'bob@example.com',
      'carl@example.com',
      'audit@example.com',
    ]
    expect(info).toEqual({
      envelope: { from: 'shop@example.com', to: addresses },
      messageId: '<x@example.com>',
      accepted: addresses,
      rejected: [],
      pending: [],
      response: '250 taken',
      trackingId: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
      provider: 'outside',
      providerMessageId: 'm-1',
      recipients: addresses.map((address, index) => ({
        address,
        kind: ['to', 'to', 'cc', 'bcc'][index],
        status: 'accepted',
        providerStatus: 'taken',
      })),
    })
  })

  test('has an id that grows with every message', async () => {
    const transporter = nodemailer.createTransport(outsideTransport(outsideClient()))
    const ids: string[] = []
    for (let count = 0; count < 5; count += 1)
      ids.push((await transporter.sendMail(mail)).trackingId)
    expect(ids.toSorted()).toEqual(ids)
    expect(new Set(ids).size).toBe(5)
  })

  test('names the recipients that were refused, when one at least was accepted', async () => {
    const client = outsideClient({
      send: async () => ({
        response: 'mixed',
        recipient: (address) =>
          address === 'ann@example.com'
            ? { status: 'accepted', providerStatus: 'queued', providerMessageId: 'm-ann' }
            : { status: 'rejected', providerStatus: 'invalid', reason: 'hard-bounce' },
      }),
    })
    const transporter = nodemailer.createTransport(outsideTransport(client))
    const info = await transporter.sendMail(mail)
    expect(info.accepted).toEqual(['ann@example.com'])
    expect(info.rejected).toEqual(['bob@example.com', 'carl@example.com', 'audit@example.com'])
    expect(info.providerMessageId).toBe('m-ann')
    expect(info.recipients[1]).toMatchObject({ status: 'rejected', reason: 'hard-bounce' })
  })
})

test('recipients of whom the answer says nothing are pending, beside accepted ones', async () => {
  const client = outsideClient({
    send: async () => ({
      response: 'in part',
      recipient: (address) =>
        address === 'ann@example.com'
          ? { status: 'accepted', providerStatus: 'queued' }
          : { status: 'unknown', providerStatus: 'held' },
    }),
  })
  const info = await nodemailer.createTransport(outsideTransport(client)).sendMail(mail)
  expect(info.accepted).toEqual(['ann@example.com'])
  expect(info.rejected).toEqual([])
  expect(info.pending).toEqual(['bob@example.com', 'carl@example.com', 'audit@example.com'])
})

describe('sendMail rejects', () => {
  test.each<[string, Partial<Parameters<typeof outsideClient>[0]>, object]>([
    [
      'when every recipient was refused',
      {
        send: async () => ({
          response: '',
          recipient: () => ({ status: 'rejected', providerStatus: 'invalid', reason: 'unsub' }),
        }),
      },
      { category: 'rejected', outcome: 'not-sent', message: 'every recipient was rejected: unsub' },
    ],
    [
      'when the answer speaks of nobody',
      {
        send: async () => ({
          response: '',
          recipient: () => ({ status: 'unknown', providerStatus: '' }),
        }),
      },
      { category: 'unknown', outcome: 'unknown' },
    ],
    [
      'when the client fails in an unknown way, as with an unknown outcome',
      { send: () => Promise.reject(new Error('oops')) },
      { category: 'unknown', outcome: 'unknown', retryable: false },
    ],
    [
      'when the client hangs, as with an unknown outcome',
      { send: () => new Promise(() => {}) },
      { category: 'timeout', outcome: 'unknown', retryable: false },
    ],
    [
      'when the request cannot be built',
      {
        buildRequest: () => {
          throw new Error('no way')
        },
      },
      { category: 'validation', outcome: 'not-sent', message: 'not sent: no way' },
    ],
  ])('%s', async (_, overrides, expected) => {
    const transport = outsideTransport(outsideClient(overrides), { timeout: 100 })
    const error = await rejection(nodemailer.createTransport(transport).sendMail(mail))
    expect(error).toBeInstanceOf(SendError)
    expect(error).toMatchObject(expected)
  })

  test('when its content cannot be read', async () => {
    const transporter = nodemailer.createTransport(outsideTransport(outsideClient()))
    const attachments = [{ path: '/no/such/file.pdf' }]
    const error = await rejection(transporter.sendMail({ ...mail, attachments }))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(String(error)).toContain('/no/such/file.pdf')
  })

  test('when its content is not read in time', async () => {
    const transport = outsideTransport(outsideClient(), { timeout: 20 })
    const text = new Readable({ read() {} })
    const error = await rejection(nodemailer.createTransport(transport).sendMail({ ...mail, text }))
    text.destroy()
    expect(error).toMatchObject({ category: 'timeout', outcome: 'not-sent', retryable: true })
  })

  test.each<[string, object, string]>([
    ['tags that are no list', { tags: 'order' }, 'tags must be'],
    ['tags that are no strings', { tags: [5] }, 'tags must be'],
    ['metadata that is no object', { metadata: 'x' }, 'metadata must be'],
    ['metadata in a Map', { metadata: new Map([['a', 'b']]) }, 'metadata must be'],
    ['text that is a number', { text: 5 }, 'text must be'],
    ['HTML in a list', { html: ['<b>'] }, 'html must be'],
    ['bytes that are no Buffer', { html: new ArrayBuffer(3) }, 'html must be'],
    [
      'a stream of the web in an attachment',
      { attachments: [{ content: 'x' }, { content: new Blob(['x']).stream() }] },
      'attachments[1].content must be',
    ],
    [
      'an attachment that is a Blob',
      { attachments: [{ content: new Blob(['x']) }] },
      'attachments[0].content must be',
    ],
    [
      'a messageId of several lines',
      { messageId: '<a@b>\r\nBcc: evil@example.com' },
      'messageId must be',
    ],
    ['a messageId of nothing', { messageId: '<>' }, 'messageId must be'],
    ['metadata that is nested', { metadata: { a: { b: 1 } } }, 'metadata.a must be'],
    ['metadata that JSON does not know', { metadata: { a: 1n } }, 'metadata.a must be'],
    ['metadata that holds itself', { metadata: { a: circle } }, 'metadata.a must be'],
    ['metadata under our own name', { metadata: { mailtrail_id: 'x' } }, 'metadata.mailtrail_id'],
    [
      'metadata that would change what objects are',
      { metadata: JSON.parse('{"__proto__":"x"}') },
      'metadata.__proto__',
    ],
  ])('for %s', async (_, options, message) => {
    const transporter = nodemailer.createTransport(outsideTransport(outsideClient()))
    const error = await rejection(transporter.sendMail({ ...mail, ...options }))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(String(error)).toContain(message)
  })
})

test('metadata may be numbers, flags, white space and empty', async () => {
  const client = outsideClient()
  const transporter = nodemailer.createTransport(outsideTransport(client))
  const options: object = { metadata: { number: 42, flag: false, space: ' ', empty: '' } }
  await transporter.sendMail({ ...mail, ...options })
  expect(client.sent[0]?.mail.metadata).toEqual({
    number: '42',
    flag: 'false',
    space: ' ',
    empty: '',
  })
})

test.each([0, -1, Number.NaN, Infinity, 2 ** 31])(
  'a timeout of %s ms is refused at once',
  (timeout) => {
    expect(() => outsideTransport(outsideClient(), { timeout })).toThrow('timeout')
  },
)

test.each<[string, object, string]>([
  ['a timeout as text', { timeout: '5' }, 'timeout'],
  ['a policy that there is not', { unsupported: 'Throw' }, 'unsupported'],
  ['a store in place of a correlator', { correlator: memoryStore() }, 'correlator'],
  ['nothing in place of a correlator', { correlator: null }, 'correlator'],
])('a transport is not made with %s', (_, options, named) => {
  const make = (): unknown => outsideTransport(outsideClient(), options)
  expect(make).toThrow(ConfigurationError)
  expect(make).toThrow(`outside transport: ${named}`)
})

describe('what cannot be carried', () => {
  const everybody = {
    from: 'shop@example.com',
    to: ['ann@example.com', 'bob@example.com', 'carl@example.com', 'audit@example.com'],
  }
  const ical = { ...mail, icalEvent: { content: 'BEGIN:VCALENDAR' } }

  test.each<[string, object]>([
    ['raw', { raw: 'From: a@b.c\r\n\r\nx' }],
    ['alternatives', { alternatives: [{ contentType: 'text/x-web-markdown', content: '*x*' }] }],
    ['amp', { amp: '<html amp4email>' }],
    ['watchHtml', { watchHtml: '<b>x</b>' }],
    ['icalEvent', { icalEvent: { content: 'BEGIN:VCALENDAR' } }],
    ['date', { date: new Date(0) }],
    [
      'envelope.to, envelope.from',
      { envelope: { from: 'bounce@example.com', to: ['ann@example.com'] } },
    ],
    ['attachments[0].headers', { attachments: [{ content: 'x', headers: { 'X-A': 'b' } }] }],
    ['attachments[0].headers', { attachments: { content: 'x', headers: { 'X-A': 'b' } } }],
    [
      'attachments[0].contentDisposition',
      { attachments: [{ content: 'x', contentDisposition: 'inline' }] },
    ],
    [
      'attachments[0].contentDisposition',
      { attachments: [{ content: 'x', cid: 'a', contentDisposition: 'attachment' }] },
    ],
    ['attachments[0].filename', { attachments: [{ content: 'x', filename: false }] }],
    ['the header Date', { headers: { Date: 'Thu, 01 Jan 1970 00:00:00 +0000' } }],
    ['the header content-type', { headers: [{ key: 'content-type', value: 'text/plain' }] }],
    ['templateId', { templateId: 'd-1' }],
    ['dsn', { dsn: { notify: 'failure' } }],
    ['dsn', { envelope: { ...everybody, dsn: { notify: 'failure' } } }],
    ['headers', { headers: new Map([['X-A', 'b']]) }],
    ['outside', { outside: { anything: true } }],
  ])('is refused by name: %s', async (name, options) => {
    const client = outsideClient()
    const transporter = nodemailer.createTransport(outsideTransport(client))
    const error = await rejection(transporter.sendMail({ ...mail, ...options }))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(String(error)).toContain(`the outside transport cannot carry ${name}`)
    expect(client.sent).toEqual([])
  })

  test('is no hint that changes nothing for whoever gets it', async () => {
    const client = outsideClient()
    const transporter = nodemailer.createTransport(outsideTransport(client))
    await transporter.sendMail({
      ...mail,
      encoding: 'utf-8',
      envelope: { ...everybody, size: 500 },
    })
    expect(client.sent).toHaveLength(1)
  })

  test.each(['warn', 'ignore'] as const)(
    'goes without it where asked to %s',
    async (unsupported) => {
      const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
      const client = outsideClient()
      const transporter = nodemailer.createTransport(outsideTransport(client, { unsupported }))
      await transporter.sendMail(ical)
      expect(client.sent).toHaveLength(1)
      expect(emitWarning).toHaveBeenCalledTimes(unsupported === 'warn' ? 1 : 0)
    },
  )

  test('by the provider follows the same policy', async () => {
    const client = outsideClient({
      buildRequest: (built, trackingId) => ({ request: { mail: built, trackingId }, lost: ['x'] }),
    })
    const strict = nodemailer.createTransport(outsideTransport(client))
    expect(String(await rejection(strict.sendMail(mail)))).toContain('cannot carry x')
    const lenient = outsideTransport(client, { unsupported: 'ignore' })
    expect((await nodemailer.createTransport(lenient).sendMail(mail)).accepted).toHaveLength(4)
  })

  test('is nothing of an envelope that says what the headers say', async () => {
    const transporter = nodemailer.createTransport(outsideTransport(outsideClient()))
    const envelope = { from: 'shop@example.com', to: ['BOB@example.com', 'ann@example.com'] }
    const both = { from: mail.from, to: mail.to, subject: 'x', text: 'x', envelope }
    expect((await transporter.sendMail(both)).accepted).toHaveLength(2)
  })
})

describe('the event of a send', () => {
  interface Seen {
    name: string
    message: SentMessage
    failFlag: boolean
  }

  function watched(client = outsideClient()): {
    seen: Seen[]
    transporter: ProviderTransporter<ProviderInfo<'outside'>>
  } {
    const seen: Seen[] = []
    const see = (name: string) => (message: SentMessage, failFlag: boolean) =>
      void seen.push({ name, message, failFlag })
    const transport = outsideTransport(client, { timeout: 50 })
    const transporter = nodemailer.createTransport(transport)
    transporter.on('sent', see('sent'))
    transporter.on('emailSent', see('emailSent'))
    transport.on('emailSent', see('transport'))
    return { seen, transporter }
  }

  test('is told before the caller goes on, on the transporter and the transport', async () => {
    const { seen, transporter } = watched()
    const info = await transporter.sendMail(mail)
    expect(seen.map(({ name, failFlag }) => [name, failFlag])).toEqual([
      ['sent', false],
      ['emailSent', false],
      ['transport', false],
    ])
    expect(seen[0]?.message).toEqual({
      trackingId: info.trackingId,
      provider: 'outside',
      providerMessageId: 'm-1',
      messageId: info.messageId,
      envelope: info.envelope,
      from: { name: 'Shop', address: 'shop@example.com' },
      to: [
        { name: 'Ann', address: 'ann@example.com' },
        { name: '', address: 'bob@example.com' },
      ],
      cc: [{ name: '', address: 'carl@example.com' }],
      bcc: [{ name: '', address: 'audit@example.com' }],
      subject: 'Order 42',
      tags: ['order'],
      metadata: { order: '42' },
      sentAt: expect.any(Date),
      recipients: info.recipients,
      failFlag: false,
    })
  })

  test.each<[string, Parameters<typeof outsideClient>[0], string]>([
    ['failed', { send: () => Promise.reject(new Error('no')) }, 'unknown'],
    [
      'could not be built',
      {
        buildRequest: () => {
          throw new Error('no')
        },
      },
      'not-sent',
    ],
  ])('is told once for a send that %s, with the error', async (_, overrides, outcome) => {
    const { seen, transporter } = watched(outsideClient(overrides))
    await rejection(transporter.sendMail(mail))
    expect(seen.map(({ name, failFlag }) => [name, failFlag])).toEqual([
      ['sent', true],
      ['emailSent', true],
      ['transport', true],
    ])
    expect(seen[0]?.message).toMatchObject({
      failFlag: true,
      error: { outcome },
      subject: 'Order 42',
    })
  })

  test.each<[string, TransportOptions, MailOptions]>([
    ['is refused by name', {}, { date: new Date(0) }],
    [
      'is cancelled by beforeSend',
      {
        beforeSend: () => {
          throw new Error('not on Sundays')
        },
      },
      {},
    ],
    ['has suppressed recipients alone', {}, { to: 'gone@example.com', cc: [], bcc: [] }],
  ])('is told once, before sendMail ends, for a message that %s', async (_, options, change) => {
    const correlator = createCorrelator({ store: memoryStore() })
    await correlator.suppressions.add('gone@example.com')
    const client = outsideClient()
    const transporter = nodemailer.createTransport(
      outsideTransport(client, { correlator, ...options }),
    )
    const told: unknown[] = []
    transporter.on('sent', ({ trackingId, error }, failFlag) => {
      told.push([trackingId, error?.outcome, failFlag])
    })
    const failure = transporter.sendMail({ ...mail, ...change }).catch((error: unknown) => {
      told.push('sendMail ended')
      return error
    })
    const { trackingId } = Object(await failure)
    expect(told).toEqual([[trackingId, 'not-sent', true], 'sendMail ended'])
    expect(client.sent).toEqual([])
  })

  test('says of each recipient what was answered, and that it failed when nobody was accepted', async () => {
    const refused = new Set(['ann@example.com'])
    const client = outsideClient({
      send: async () => ({
        response: 'mixed',
        recipient: (address) => ({
          status: refused.has(address) ? 'rejected' : 'accepted',
          providerStatus: 'so',
        }),
      }),
    })
    const { seen, transporter } = watched(client)
    const message = { ...mail, cc: [], bcc: [] }
    await transporter.sendMail(message)
    refused.add('bob@example.com')
    await rejection(transporter.sendMail(message))
    const told = seen.filter(({ name }) => name === 'sent')
    expect(
      told.map(({ failFlag, message: { recipients } }) => [
        failFlag,
        recipients.map(({ status }) => status),
      ]),
    ).toEqual([
      [false, ['rejected', 'accepted']],
      [true, ['rejected', 'rejected']],
    ])
  })

  test('is told of nothing that a plugin fails with: that comes as it is, and is not recorded', async () => {
    const correlator = createCorrelator({ store: memoryStore() })
    const client = outsideClient()
    const transporter = nodemailer.createTransport(outsideTransport(client, { correlator }))
    const told: unknown[] = []
    transporter.on('sent', (message) => told.push(message))
    const own = new Error('the plugin has no template')
    transporter.use('compile', (_, done) => done(own))
    expect(await rejection(transporter.sendMail(mail))).toBe(own)
    await delay(5)
    expect([told, client.sent, (await correlator.find()).messages]).toEqual([[], [], []])
  })

  test('is told once for a send that cannot even be read', async () => {
    const { seen, transporter } = watched()
    const unreadable: object = { metadata: circle, tags: 5n }
    const error = await rejection(transporter.sendMail({ ...mail, ...unreadable }))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(seen.map(({ failFlag }) => failFlag)).toEqual([true, true, true])
  })

  test('does nothing to the send when its listeners throw or reject', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { seen, transporter } = watched()
    transporter.prependListener('sent', () => {
      throw new Error('thrown')
    })
    transporter.prependListener('sent', () => Promise.reject(new Error('rejected')))
    expect((await transporter.sendMail(mail)).accepted).toHaveLength(4)
    await delay(0)
    expect(seen).toHaveLength(3)
    expect(emitWarning.mock.calls.map(([warning]) => String(warning)).toSorted()).toEqual([
      "a listener of 'sent' failed: rejected",
      "a listener of 'sent' failed: thrown",
    ])
  })

  test('shares nothing with what the caller gets, whatever its listeners do to it', async () => {
    const { transporter } = watched()
    transporter.on('sent', (message) => {
      message.envelope.to.length = 0
      for (const recipient of message.recipients) recipient.address = '***'
    })
    const info = await transporter.sendMail(mail)
    expect(info.envelope.to).toHaveLength(4)
    expect(info.recipients.map(({ address }) => address)).toEqual(info.envelope.to)
  })

  test('is told once to a listener for one time', async () => {
    const { transporter } = watched()
    let calls = 0
    transporter.once('sent', () => (calls += 1))
    await transporter.sendMail(mail)
    await transporter.sendMail(mail)
    expect(calls).toBe(1)
  })

  test('is told on the transporter that sent, when two share a transport', async () => {
    const transport = outsideTransport(outsideClient())
    const seen: string[] = []
    const one = nodemailer.createTransport(transport)
    const two = nodemailer.createTransport(transport)
    one.on('sent', () => seen.push('one'))
    two.on('sent', () => seen.push('two'))
    await one.sendMail(mail)
    expect(seen).toEqual(['one'])
  })

  test('comes with the callback form too', async () => {
    const { seen, transporter } = watched()
    const response = await new Promise((resolve, reject) => {
      transporter.sendMail(mail, (error, info) => (error ? reject(error) : resolve(info.response)))
    })
    expect(response).toBe('250 taken')
    expect(seen).toHaveLength(3)
  })
})

describe('with a correlator', () => {
  test('the message is recorded before the provider is called, and its answer afterwards', async () => {
    const correlator = createCorrelator({ store: memoryStore() })
    const statuses: unknown[] = []
    const client = outsideClient()
    const { send } = client
    client.send = async (request) => {
      statuses.push((await correlator.message(request.trackingId))?.status)
      return send(request)
    }
    const transporter = nodemailer.createTransport(outsideTransport(client, { correlator }))
    const { trackingId } = await transporter.sendMail(mail)
    const message = await correlator.message(trackingId)
    statuses.push(message?.status)
    expect(statuses).toEqual(['pending', 'accepted'])
    expect(message?.providerMessageId).toBe('m-1')
  })

  test.each<[string, Parameters<typeof outsideClient>[0], string]>([
    ['unknown', { send: () => new Promise(() => {}) }, 'unknown'],
    [
      'failed',
      {
        buildRequest: () => {
          throw new Error('no')
        },
      },
      'failed',
    ],
    [
      'refused',
      {
        buildRequest: () => {
          throw invalid('there are more recipients than it takes')
        },
      },
      'failed',
    ],
  ])('a send whose outcome is %s is recorded as such', async (_, overrides, status) => {
    const correlator = createCorrelator({ store: memoryStore() })
    const options = { correlator, timeout: 10 }
    const transporter = nodemailer.createTransport(
      outsideTransport(outsideClient(overrides), options),
    )
    let trackingId = ''
    transporter.on('sent', (message) => (trackingId = message.trackingId))
    expect(await rejection(transporter.sendMail(mail))).toMatchObject({ trackingId })
    expect(await correlator.message(trackingId)).toMatchObject({ status, failFlag: true })
  })

  test('nothing is sent that could not be recorded', async () => {
    const store: Store = {
      ...memoryStore(),
      addMessage: () => Promise.reject(new Error('disk is full')),
    }
    const correlator = createCorrelator({ store })
    const errors = collectErrors(correlator)
    const client = outsideClient()
    const transporter = nodemailer.createTransport(outsideTransport(client, { correlator }))
    const error = await rejection(transporter.sendMail(mail))
    expect(error).toMatchObject({ outcome: 'not-sent', retryable: true })
    expect(String(error)).toContain('disk is full')
    expect(client.sent).toEqual([])
    expect(errors).toHaveLength(1)
  })

  test('a message that went out is no failure though its result could not be recorded', async () => {
    const store: Store = {
      ...memoryStore(),
      addResult: () => Promise.reject(new Error('disk is full')),
    }
    const correlator = createCorrelator({ store })
    const errors = collectErrors(correlator)
    const transporter = nodemailer.createTransport(
      outsideTransport(outsideClient(), { correlator }),
    )
    expect((await transporter.sendMail(mail)).accepted).toHaveLength(4)
    expect(errors).toEqual([expect.stringContaining('disk is full')])
  })

  test('what was not sent for a store that failed once is recorded as failed', async () => {
    const store = memoryStore()
    let refused = false
    const flaky: Store = {
      ...store,
      async addMessage(...message) {
        if (refused) return store.addMessage(...message)
        refused = true
        throw new Error('it is locked')
      },
    }
    const correlator = createCorrelator({ store: flaky })
    const client = outsideClient()
    const transporter = nodemailer.createTransport(outsideTransport(client, { correlator }))
    await rejection(transporter.sendMail(mail))
    expect(client.sent).toEqual([])
    const { messages } = await correlator.find()
    expect(messages).toMatchObject([{ status: 'failed', failFlag: true, subject: 'Order 42' }])
  })

  test('nothing is sent that is not recorded in time, and nobody waits for ever', async () => {
    const never = (): Promise<never> => new Promise(() => {})
    const client = outsideClient()
    const correlator = createCorrelator({ store: { ...memoryStore(), addMessage: never } })
    const transport = outsideTransport(client, { correlator, timeout: 20 })
    const error = await rejection(nodemailer.createTransport(transport).sendMail(mail))
    expect(error).toMatchObject({ outcome: 'not-sent', retryable: true })
    expect(String(error)).toContain('did not answer in time')
    expect(client.sent).toEqual([])
  })

  test('a message that is recorded too late is recorded as what became of it', async () => {
    const store = memoryStore()
    const slow: Store = {
      ...store,
      async addMessage(...message) {
        await delay(60)
        return store.addMessage(...message)
      },
    }
    const correlator = createCorrelator({ store: slow })
    const transport = outsideTransport(outsideClient(), { correlator, timeout: 40 })
    await rejection(nodemailer.createTransport(transport).sendMail(mail))
    await delay(60)
    const { messages } = await correlator.find()
    expect(messages).toMatchObject([{ status: 'failed', failFlag: true }])
  })

  test('a message that went out is no failure though its result was not recorded in time', async () => {
    const never = (): Promise<never> => new Promise(() => {})
    const correlator = createCorrelator({ store: { ...memoryStore(), addResult: never } })
    const errors = collectErrors(correlator)
    const transport = outsideTransport(outsideClient(), { correlator, timeout: 20 })
    const info = await nodemailer.createTransport(transport).sendMail(mail)
    expect(info.accepted).toHaveLength(4)
    expect(errors).toEqual([expect.stringContaining('in time')])
  })

  test('a caller and listeners are told what is so, though the recorder fails at everything', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const fails = (): never => {
      throw new Error('the recorder is broken')
    }
    const correlator = { recordSending: fails, recordResult: fails, reportError: fails }
    const client = outsideClient()
    const transporter = nodemailer.createTransport(outsideTransport(client, { correlator }))
    const flags: boolean[] = []
    transporter.on('sent', (_, failFlag) => flags.push(failFlag))
    const error = await rejection(transporter.sendMail(mail))
    expect(error).toMatchObject({ outcome: 'not-sent' })
    expect(String(error)).toContain('the recorder is broken')
    expect([flags, client.sent]).toEqual([[true], []])
    expect(emitWarning).toHaveBeenCalledTimes(1)
  })
})
