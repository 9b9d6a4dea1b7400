import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, jest, test } from '@jest/globals'
import {
  type AttachmentKeeper,
  ConfigurationError,
  type Guard,
  querySecret,
  type WebhookReading,
} from '../../../src/index.js'
import { eventId } from '../../../src/matching.js'
import {
  type SendgridInboundOptions,
  sendgridWebhook,
  type SendgridWebhookOptions,
} from '../../../src/providers/sendgrid/index.js'
import { signatureHeader, timestampHeader } from '../../../src/providers/sendgrid/signature.js'
import { webhookRequest } from '../../webhook-request.js'
import { capturedAt, written } from './captured.js'
import { fieldsForm, formType, inboundForm, reply } from './inbound-form.js'
import { newKeys, signedHeaders } from './signing.js'

const receivedAt = new Date('2025-08-17T12:00:00Z')
const eventKeys = newKeys()
const keys = newKeys()
const guard = querySecret('s3cr3t')

/** The endpoint of a webhook with these options for inbound mail. */
function endpointOf(inbound: SendgridInboundOptions, options: SendgridWebhookOptions = {}) {
  const webhook = sendgridWebhook({ publicKey: eventKeys.publicKey, inbound, ...options })
  if (!webhook.inbound) throw new Error('it serves no inbound mail')
  return webhook.inbound
}

const read = (
  body: Buffer,
  headers: Record<string, string | undefined> = { 'content-type': formType },
  inbound: SendgridInboundOptions = { guards: [guard] },
  options?: SendgridWebhookOptions,
): Promise<WebhookReading> =>
  endpointOf(inbound, options).read(webhookRequest(headers, body), receivedAt)

/** The headers of a form that is signed by a security policy. */
const signed = (
  body: Buffer,
  timestamp?: string,
  { privateKey } = keys,
): Record<string, string> => ({
  ...signedHeaders(privateKey, body, timestamp),
  'content-type': formType,
})

describe('a captured inbound mail', () => {
  test.each(capturedAt('/inbound'))('$name is read', async ({ headers, body, events }) => {
    const reading = await read(body, headers)
    if (reading.kind === 'refused') throw new Error(reading.detail)
    expect(written(reading.events.map(({ discriminator: _content, ...event }) => event))).toEqual(
      events,
    )
    expect(reading.events).toHaveLength(1)
    expect(reading.nonce).toBeUndefined()
  })

  test('is one of each way that it is posted', () => {
    expect(capturedAt('/inbound').map(({ name }) => name)).toEqual([
      'inbound-bounce',
      'inbound-charsets',
      'inbound-parsed',
      'inbound-raw',
    ])
  })
})

describe('inbound mail is closed to strangers', () => {
  test.each<[string, SendgridInboundOptions]>([
    ['neither key nor guard', {}],
    ['an empty list of guards', { guards: [] }],
  ])('from the start, with %s', (_, inbound) => {
    expect(() => endpointOf(inbound)).toThrow(ConfigurationError)
    expect(() => endpointOf(inbound)).toThrow(/open to anybody.*inbound\.publicKey.*querySecret/)
  })

  test.each<[string, SendgridInboundOptions, SendgridWebhookOptions]>([
    ['a key', { publicKey: keys.publicKey }, {}],
    ['a guard', { guards: [guard] }, {}],
    ['a guard of the webhook', {}, { guards: [guard] }],
  ])('and opens with %s', (_, inbound, options) => {
    expect(() => endpointOf(inbound, options)).not.toThrow()
  })

  test('and is not served unless it was asked for', () => {
    const { publicKey } = eventKeys
    expect(sendgridWebhook({ publicKey, guards: [guard] })).not.toHaveProperty('inbound')
  })

  test('by the guards of the webhook first, and then by its own', () => {
    const own: Guard = { check: () => undefined }
    expect(endpointOf({ guards: [own] }, { guards: [guard] }).guards).toEqual([guard, own])
    expect(sendgridWebhook({ publicKey: eventKeys.publicKey, guards: [guard] }).guards).toEqual([
      guard,
    ])
  })

  test('which no key of the environment changes', () => {
    process.env['SENDGRID_WEBHOOK_PUBLIC_KEY'] = keys.publicKey
    try {
      expect(() => endpointOf({})).toThrow(/open to anybody/)
    } finally {
      delete process.env['SENDGRID_WEBHOOK_PUBLIC_KEY']
    }
  })
})

describe('the options of inbound mail', () => {
  test('allow 40 MB, or what was given', () => {
    expect(endpointOf({ guards: [guard] }).maxBodyBytes).toBe(40 * 1024 * 1024)
    expect(endpointOf({ guards: [guard], maxBodyBytes: 1000 }).maxBodyBytes).toBe(1000)
    expect(endpointOf({ guards: [guard] }, { maxBodyBytes: 1000 }).maxBodyBytes).toBe(
      40 * 1024 * 1024,
    )
  })

  const pem = String(
    generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    }),
  )

  test.each<[string, object, RegExp]>([
    ['no body', { maxBodyBytes: 0 }, /inbound: maxBodyBytes/],
    ['guards that are none', { guards: [() => {}] }, /inbound: guards/],
    ['an empty key', { publicKey: '' }, /inbound\.publicKey is missing/],
    ['an API key', { publicKey: 'SG.abc.def' }, /inbound\.publicKey is an API key/],
    ['a private key', { publicKey: pem }, /inbound\.publicKey is a private key/],
    ['no key', { publicKey: 'x' }, /inbound\.publicKey is not a public key/],
    [
      'a folder in place of a keeper',
      { attachments: '/var/mail' },
      /attachments.*attachmentFolder/,
    ],
  ])('are refused at the start with %s', (_, change, message) => {
    const inbound = { guards: [guard], ...change }
    expect(() => endpointOf(inbound)).toThrow(ConfigurationError)
    expect(() => endpointOf(inbound)).toThrow(message)
  })
})

describe('signed inbound mail', () => {
  const binary = Buffer.from(Array.from({ length: 512 }, (_, byte) => byte % 256))
  const body = inboundForm(...Object.entries(reply).map(([name, value]) => ({ name, value })), {
    name: 'attachment1',
    value: binary,
    filename: 'a.bin',
    type: 'application/octet-stream',
  })
  const publicKey = keys.publicKey

  test('is taken as the bytes that came, whatever is in them', async () => {
    const reading = await read(body, signed(body), { publicKey })
    expect(reading).toMatchObject({
      kind: 'events',
      events: [
        {
          type: 'inbound',
          mail: { attachments: [{ content: { base64: binary.toString('base64') } }] },
        },
      ],
    })
  })

  test.each<[string, Record<string, string>, string, RegExp]>([
    ['unsigned', { 'content-type': formType }, 'unsigned', /attach a security policy/],
    [
      'without timestamp',
      { ...signed(body), [timestampHeader]: '' },
      'unsigned',
      /one time in seconds/,
    ],
    [
      'signed twice',
      {
        ...signed(body),
        [signatureHeader]: `${signed(body)[signatureHeader]}, ${signed(body)[signatureHeader]}`,
      },
      'unsigned',
      /not one signature/,
    ],
    ['of another sender', signed(body, undefined, newKeys()), 'bad-signature', /none of the/],
    ['signed as events are', signed(body, undefined, eventKeys), 'bad-signature', /none of the/],
    ['of other content', signed(fieldsForm(reply)), 'bad-signature', /none of the/],
    [
      'without its last line break',
      signed(Buffer.concat([body, Buffer.from('\r\n')])),
      'truncated',
      /line break/,
    ],
    [
      'signed, and no form',
      { ...signed(body), 'content-type': 'text/plain' },
      'unsupported',
      /form/,
    ],
  ])('that is %s is refused', async (_, headers, reason, detail) => {
    // A guard beside the key does not open it.
    const reading = await read(body, headers, { publicKey, guards: [guard] })
    expect(reading).toEqual({ kind: 'refused', reason, detail: expect.stringMatching(detail) })
    expect(reading).not.toHaveProperty('detail', expect.stringContaining('ann@'))
  })

  test('is not looked into before its signature fits', async () => {
    const forged = { ...signed(body, undefined, newKeys()), 'content-type': 'text/plain' }
    await expect(read(Buffer.from('x'), forged, { publicKey })).resolves.toMatchObject({
      reason: 'bad-signature',
    })
  })

  test.each([
    ['1000000000', 'stale'],
    ['3000000000', 'clock'],
  ])('of the time %s is refused where maxAge is set: %s', async (timestamp, reason) => {
    const headers = signed(body, timestamp)
    const options = { maxAge: 600_000 }
    await expect(read(body, headers, { publicKey }, options)).resolves.toMatchObject({ reason })
    await expect(read(body, headers, { publicKey })).resolves.toMatchObject({ kind: 'events' })
  })

  test('may have its keys from a function, which may fail', async () => {
    const fromFunction = { publicKey: async () => [newKeys().publicKey, publicKey] }
    await expect(read(body, signed(body), fromFunction)).resolves.toMatchObject({ kind: 'events' })
    const apiKey = { publicKey: () => ['SG.abc.def'] }
    await expect(read(body, signed(body), apiKey)).rejects.toMatchObject({ reason: 'api-key' })
  })
})

describe('what is no inbound mail is refused', () => {
  test.each([
    undefined,
    '',
    'application/json',
    'application/x-www-form-urlencoded',
    'text/plain',
    'multipart/mixed; boundary=xYzZY',
    'multipart/form-data-ish; boundary=xYzZY',
  ])('as unsupported: %s', async (contentType) => {
    const reading = await read(fieldsForm(reply), { 'content-type': contentType })
    expect(reading).toMatchObject({ kind: 'refused', reason: 'unsupported' })
  })

  test('but the letter case of its type, and its boundary, are free', async () => {
    const body = Buffer.from(fieldsForm(reply).toString().replaceAll('xYzZY', 'other boundary'))
    const headers = {
      'content-type': 'Multipart/Form-Data; charset=utf-8; boundary="other boundary"',
    }
    await expect(read(body, headers)).resolves.toMatchObject({ kind: 'events' })
  })

  test.each<[string, Buffer, string?]>([
    ['empty', Buffer.alloc(0)],
    ['no form', Buffer.from('[{"event":"delivered"}]')],
    ['cut off', fieldsForm(reply).subarray(0, -30)],
    ['of another boundary', fieldsForm(reply), 'multipart/form-data; boundary=other'],
    ['without a boundary', fieldsForm(reply), 'multipart/form-data'],
    ['without fields', inboundForm()],
    ['without what every mail has', fieldsForm({ text: 'x', to: 'a@b.c', subject: 'y' })],
    ['of a file alone', inboundForm({ name: 'email', value: 'x', filename: 'a', type: 'a/b' })],
    [
      'of too many parts',
      inboundForm(...Array.from({ length: 2100 }, () => ({ name: 'from', value: 'a@b.c' }))),
    ],
  ])('as malformed: %s', async (_, body, contentType = formType) => {
    const reading = await read(body, { 'content-type': contentType })
    expect(reading).toMatchObject({ kind: 'refused', reason: 'malformed' })
  })

  test.each(['headers', 'email', 'rawEmail', 'envelope', 'from'])(
    'but %s alone makes it one',
    async (name) => {
      const reading = await read(fieldsForm({ [name]: '' }))
      expect(reading).toMatchObject({ kind: 'events', events: [{ type: 'inbound' }] })
    },
  )
})

describe('where attachments are to be kept', () => {
  const parts = Object.entries(reply).map(([name, value]) => ({ name, value }))
  const file = { name: 'attachment1', value: 'content', filename: 'a.txt', type: 'text/plain' }
  const body = inboundForm(...parts, file)

  test('they are given to the function before the mail is', async () => {
    const keep: AttachmentKeeper = async (content, { filename }) => {
      const pieces: unknown[] = []
      for await (const piece of content) pieces.push(piece)
      return `${filename}: ${pieces.join('')}`
    }
    await expect(
      read(body, undefined, { guards: [guard], attachments: keep }),
    ).resolves.toMatchObject({
      events: [
        { mail: { attachments: [{ content: { kind: 'kept', location: 'a.txt: content' } }] } },
      ],
    })
  })

  test.each<[string, AttachmentKeeper]>([
    [
      'rejects',
      async () => {
        throw new Error('the disk is full')
      },
    ],
    [
      'throws',
      () => {
        throw new Error('the disk is full')
      },
    ],
    ['resolves to no place', async () => ''],
  ])('the mail is to come again when that function %s', async (_, keep) => {
    const options = { guards: [guard], attachments: keep }
    await expect(read(body, undefined, options)).rejects.toThrow(/could not be kept/)
    await expect(read(inboundForm(...parts), undefined, options)).resolves.toMatchObject({
      events: [{ type: 'inbound' }],
    })
  })
})

describe('a package of the reader', () => {
  /** What reading makes of a form while a package is another. */
  async function readWith(name: string, factory: () => unknown, body: Buffer) {
    const request = webhookRequest({ 'content-type': formType }, body)
    let reading: Promise<WebhookReading> | undefined
    await jest.isolateModulesAsync(async () => {
      jest.doMock(name, factory)
      const isolated: typeof import('../../../src/providers/sendgrid/index.js') =
        jest.requireActual('../../../src/providers/sendgrid/index')
      const webhook = isolated.sendgridWebhook({
        publicKey: eventKeys.publicKey,
        inbound: { guards: [guard] },
      })
      reading = webhook.inbound?.read(request, receivedAt)
      await reading?.catch(() => {})
    })
    jest.dontMock(name)
    return reading
  }

  test.each(['postal-mime', 'iconv-lite', '@fastify/busboy'])(
    'that is not installed makes the mail come again: %s',
    async (name) => {
      const missing = (): never => {
        throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' })
      }
      await expect(readWith(name, missing, fieldsForm(reply))).rejects.toThrow(
        `npm install ${name}`,
      )
    },
  )

  describe('that cannot read a mail makes an unknown event of it', () => {
    const odd = () => ({
      __esModule: true,
      default: () => {},
      addressParser(text: string) {
        if (text !== '') throw new Error('too odd')
        return []
      },
      decodeWords: (text: string) => text,
    })
    const readOdd = (fields: Record<string, string>) =>
      readWith('postal-mime', odd, fieldsForm(fields))
    const idsOf = (reading: WebhookReading | undefined): string[] =>
      reading?.kind === 'events' ? reading.events.map((event) => eventId('sendgrid', event)) : []

    test('with the reason, and what was posted beside it', async () => {
      await expect(readOdd({ ...reply, SPF: 'pass' })).resolves.toEqual({
        kind: 'events',
        events: [
          {
            type: 'unknown',
            error: 'the mail could not be read: too odd',
            providerEvent: 'inbound',
            tags: [],
            metadata: {},
            raw: { envelope: reply.envelope, SPF: 'pass' },
            discriminator: expect.any(String),
          },
        ],
      })
    })

    test('which is the same when the mail is posted again, and another for another', async () => {
      const ids = [
        ...idsOf(await readOdd(reply)),
        ...idsOf(await readOdd(reply)),
        ...idsOf(await readOdd({ ...reply, text: 'other' })),
      ]
      expect(ids).toHaveLength(3)
      expect(new Set(ids).size).toBe(2)
    })
  })
})

test('a mail of 30 MB is read within seconds', async () => {
  const content = Buffer.alloc(30 * 1024 * 1024, 'x\r\n--xYzZ')
  const body = inboundForm(...Object.entries(reply).map(([name, value]) => ({ name, value })), {
    name: 'attachment1',
    value: content,
    filename: 'a.bin',
    type: 'application/octet-stream',
  })
  const began = performance.now()
  const reading = await read(body, signed(body), { publicKey: keys.publicKey })
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(reading).toMatchObject({
    events: [{ mail: { attachments: [{ size: content.length, content: { kind: 'omitted' } }] } }],
  })
}, 60_000)
