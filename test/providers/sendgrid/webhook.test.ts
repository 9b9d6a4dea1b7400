import { afterEach, describe, expect, test } from '@jest/globals'
import {
  ConfigurationError,
  type ParsedEvent,
  querySecret,
  type WebhookReading,
} from '../../../src/index.js'
import {
  sendgridWebhook,
  type SendgridWebhookOptions,
} from '../../../src/providers/sendgrid/index.js'
import { signatureHeader, timestampHeader } from '../../../src/providers/sendgrid/signature.js'
import type { KeySource } from '../../../src/signing-keys.js'
import { webhookRequest } from '../../webhook-request.js'
import { capturedAt, written } from './captured.js'
import { newKeys, signedHeaders } from './signing.js'
import { vectors } from './vectors.js'
import { eventNames } from './event-names.js'

const receivedAt = new Date('2025-08-17T12:00:00Z')
const keys = newKeys()

async function read(
  body: string | Buffer,
  headers?: Record<string, string>,
  publicKey: KeySource = keys.publicKey,
  options: SendgridWebhookOptions = {},
): Promise<WebhookReading> {
  const bytes = Buffer.from(body)
  const request = webhookRequest(headers ?? signedHeaders(keys.privateKey, bytes), bytes)
  return sendgridWebhook({ publicKey, ...options }).read(request, receivedAt)
}

async function readEvents(body: string | Buffer): Promise<ParsedEvent[]> {
  const reading = await read(body)
  if (reading.kind === 'refused') throw new Error(reading.detail)
  return reading.events
}

describe('a captured request', () => {
  const captured = capturedAt('/sendgrid')

  test.each(captured)('$name is read', async ({ headers, body, events }) => {
    const signed = signatureHeader in headers ? headers : signedHeaders(keys.privateKey, body)
    const publicKeys = [keys.publicKey, ...vectors.map(({ publicKey }) => publicKey)]
    const reading = await read(body, signed, publicKeys)
    if (reading.kind === 'refused') throw new Error(reading.detail)
    expect(written(reading.events)).toEqual(events)
    expect(reading.events.map(({ raw }) => raw)).toEqual(JSON.parse(body.toString()))
    expect(reading.nonce).toBeUndefined()
  })

  test('is one of every kind of message event', () => {
    const seen = captured.flatMap(({ body }): unknown[] =>
      JSON.parse(body.toString()).map(({ event }: { event: unknown }) => event),
    )
    expect(new Set(seen)).toEqual(new Set(eventNames))
  })
})

describe('a body', () => {
  test('may be an empty batch', async () => {
    await expect(readEvents('[]\r\n')).resolves.toEqual([])
  })

  test.each([
    ['nothing', ''],
    ['a word', 'hello'],
    ['a form', 'event=delivered'],
    ['cut off', '[{"event":"delivered"'],
  ])('that is %s is not JSON', async (_, body) => {
    await expect(read(body)).resolves.toEqual({
      kind: 'refused',
      reason: 'malformed',
      detail: 'the body is not JSON',
    })
  })

  test.each(['{"event":"delivered"}', '{}', 'null', '"[]"', '1'])(
    'that is %s is no batch',
    async (body) => {
      await expect(read(body)).resolves.toEqual({
        kind: 'refused',
        reason: 'malformed',
        detail: 'the body is not a JSON array',
      })
    },
  )

  test('that has more entries than any batch of SendGrid is refused', async () => {
    const body = (entries: number) => `[${Array<string>(entries).fill('{}').join()}]`
    await expect(readEvents(body(10_000))).resolves.toHaveLength(10_000)
    await expect(read(body(10_001))).resolves.toMatchObject({
      kind: 'refused',
      reason: 'malformed',
    })
  })

  test.each<[string, (body: Buffer) => Buffer, string, RegExp]>([
    ['has lost its last line break', (body) => body.subarray(0, -2), 'truncated', /line break/],
    [
      'was parsed and written again',
      (body) => Buffer.from(JSON.stringify(JSON.parse(`${body}`))),
      'reserialised',
      /express\.raw\(\)/,
    ],
    [
      'is another',
      (body) => Buffer.from(`${body}`.replace('delivered', 'bounce')),
      'bad-signature',
      /none of the public keys/,
    ],
  ])('that %s is refused, and it is said what to do', async (_, change, reason, detail) => {
    const event = '{"event":"delivered","email":"ann@example.com"}'
    const body = Buffer.from(`[${event},\r\n${event}]\r\n`)
    const headers = signedHeaders(keys.privateKey, body)
    const reading = await read(change(body), headers)
    expect(reading).toEqual({ kind: 'refused', reason, detail: expect.stringMatching(detail) })
    expect(reading).not.toHaveProperty('detail', expect.stringContaining('ann@'))
  })

  test.each([undefined, 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])(
    'of the content type %s is read, for it is signed',
    async (contentType) => {
      const { 'content-type': _type, ...signed } = signedHeaders(keys.privateKey, Buffer.from('[]'))
      const headers =
        contentType === undefined ? signed : { ...signed, 'content-type': contentType }
      await expect(read('[]', headers)).resolves.toEqual({ kind: 'events', events: [] })
    },
  )

  test('is looked at only when its signature fits', async () => {
    const headers = signedHeaders(keys.privateKey, Buffer.from('[]'))
    await expect(read('not JSON', headers)).resolves.toMatchObject({ reason: 'bad-signature' })
  })
})

describe('the headers of the signature', () => {
  const body = '[]\r\n'
  const { [signatureHeader]: signature = '', [timestampHeader]: timestamp = '' } = signedHeaders(
    keys.privateKey,
    Buffer.from(body),
  )

  test('are enough', async () => {
    const headers = { [signatureHeader]: signature, [timestampHeader]: timestamp }
    await expect(read(body, headers)).resolves.toEqual({ kind: 'events', events: [] })
  })

  test.each<[string, Record<string, string>, RegExp]>([
    ['both are missing', {}, /signature is missing/],
    ['the signature is missing', { [timestampHeader]: timestamp }, /signature is missing/],
    ['the timestamp is missing', { [signatureHeader]: signature }, /timestamp is missing/],
    [
      'the signature is empty',
      { [signatureHeader]: '', [timestampHeader]: timestamp },
      /not one signature/,
    ],
    [
      'the signature is not base64',
      { [signatureHeader]: '<script>', [timestampHeader]: timestamp },
      /not one signature/,
    ],
    [
      'the signature came twice',
      { [signatureHeader]: `${signature}, ${signature}`, [timestampHeader]: timestamp },
      /not one signature/,
    ],
    [
      'the timestamp came twice',
      { [signatureHeader]: signature, [timestampHeader]: `${timestamp}, ${timestamp}` },
      /one time in seconds/,
    ],
    [
      'the timestamp is a date',
      { [signatureHeader]: signature, [timestampHeader]: '2025-08-17T10:48:20Z' },
      /one time in seconds/,
    ],
  ])('make it unsigned when %s', async (_, headers, detail) => {
    const reading = await read(body, headers)
    expect(reading).toMatchObject({ kind: 'refused', reason: 'unsigned' })
    expect(reading).toHaveProperty('detail', expect.stringMatching(detail))
  })

  test.each<[string, Record<string, string>]>([
    ['the signature is of something else', { [signatureHeader]: vectors[0]?.signature ?? '' }],
    ['the signature is base64 of no signature', { [signatureHeader]: 'AAAA' }],
    ['the timestamp is another', { [timestampHeader]: String(Number(timestamp) + 1) }],
  ])('fit no key when %s', async (_, change) => {
    const headers = { [signatureHeader]: signature, [timestampHeader]: timestamp, ...change }
    await expect(read(body, headers)).resolves.toMatchObject({ reason: 'bad-signature' })
  })

  test('may be of any age, for SendGrid comes again for a day', async () => {
    for (const seconds of ['1000000000', '3000000000']) {
      const signed = signedHeaders(keys.privateKey, Buffer.from(body), seconds)
      await expect(read(body, signed)).resolves.toMatchObject({ kind: 'events' })
    }
  })

  test.each<[string, number, object]>([
    ['of now', 0, { kind: 'events' }],
    ['as old as it may be', -600, { kind: 'events' }],
    ['older', -601, { kind: 'refused', reason: 'stale' }],
    ['a little ahead', 300, { kind: 'events' }],
    ['far ahead', 301, { kind: 'refused', reason: 'clock' }],
  ])('with maxAge, %s: %i s', async (_, seconds, expected) => {
    const at = String(receivedAt.getTime() / 1000 + seconds)
    const signed = signedHeaders(keys.privateKey, Buffer.from(body), at)
    const reading = await read(body, signed, keys.publicKey, { maxAge: 600_000 })
    expect(reading).toMatchObject(expected)
  })

  test('that do not fit are of no age', async () => {
    const signed = signedHeaders(newKeys().privateKey, Buffer.from(body), '1000000000')
    await expect(read(body, signed, keys.publicKey, { maxAge: 600_000 })).resolves.toMatchObject({
      reason: 'bad-signature',
    })
  })
})

describe('the public key', () => {
  const other = newKeys()

  test.each<[string, KeySource]>([
    ['one', keys.publicKey],
    ['one in a list', [keys.publicKey]],
    ['one of several', [other.publicKey, keys.publicKey]],
    ['from a function', () => [keys.publicKey]],
    ['from an async function', async () => [other.publicKey, keys.publicKey]],
  ])('may be %s', async (_, publicKey) => {
    await expect(read('[]', undefined, publicKey)).resolves.toEqual({ kind: 'events', events: [] })
  })

  test.each<[string, KeySource]>([
    ['another one', other.publicKey],
    ['a list of others', [other.publicKey, newKeys().publicKey]],
    ['a function of others', () => [other.publicKey]],
  ])('does not fit when it is %s', async (_, publicKey) => {
    const reading = await read('[]', undefined, publicKey)
    expect(reading).toMatchObject({ kind: 'refused', reason: 'bad-signature' })
  })

  test('may be one of many, but of the first four alone it is found out why one does not fit', async () => {
    const body = Buffer.from('[]\r\n')
    const others = Array.from({ length: 4 }, () => newKeys().publicKey)
    const cut = (publicKeys: string[]) =>
      read(body.subarray(0, -2), signedHeaders(keys.privateKey, body), publicKeys)
    const last = [...others, keys.publicKey]
    await expect(read(body, undefined, last)).resolves.toMatchObject({ kind: 'events' })
    await expect(cut(last)).resolves.toMatchObject({ reason: 'bad-signature' })
    await expect(cut(last.slice(1))).resolves.toMatchObject({ reason: 'truncated' })
  })

  test('may be replaced while it is in use', async () => {
    let current = [other.publicKey]
    const webhook = sendgridWebhook({ publicKey: () => current })
    const body = Buffer.from('[]')
    const request = webhookRequest(signedHeaders(keys.privateKey, body), body)
    await expect(webhook.read(request, receivedAt)).resolves.toMatchObject({ kind: 'refused' })
    current = [keys.publicKey]
    await expect(webhook.read(request, receivedAt)).resolves.toMatchObject({ kind: 'events' })
  })

  test.each<[string, KeySource, RegExp]>([
    ['is empty', '', /publicKey is missing/],
    ['is blank', ' ', /publicKey is missing/],
    ['is an empty list', [], /publicKey is missing/],
    ['is a list with a gap', [keys.publicKey, ''], /publicKey is missing/],
    ['is an API key', 'SG.abc.def', /is an API key/],
    ['is no key', 'secret', /is not a public key/],
    ['is no key, after one', [keys.publicKey, 'secret'], /is not a public key/],
  ])('that %s is refused at the start', (_, publicKey, message) => {
    expect(() => sendgridWebhook({ publicKey })).toThrow(ConfigurationError)
    expect(() => sendgridWebhook({ publicKey })).toThrow(message)
  })

  test('that is not given is refused at the start', () => {
    expect(() => sendgridWebhook()).toThrow(ConfigurationError)
    expect(() => sendgridWebhook({})).toThrow(/publicKey is missing.*SENDGRID_WEBHOOK_PUBLIC_KEY/)
  })

  describe('of the environment', () => {
    const variable = 'SENDGRID_WEBHOOK_PUBLIC_KEY'
    afterEach(() => void delete process.env[variable])

    test('is taken when none is given', async () => {
      process.env[variable] = keys.publicKey
      const body = Buffer.from('[]')
      const request = webhookRequest(signedHeaders(keys.privateKey, body), body)
      await expect(sendgridWebhook().read(request, receivedAt)).resolves.toMatchObject({
        kind: 'events',
      })
      process.env[variable] = 'no key'
      await expect(read('[]')).resolves.toMatchObject({ kind: 'events' })
      expect(() => sendgridWebhook({ publicKey: '' })).toThrow(/publicKey is missing/)
    })

    test.each([
      ['empty', '', /publicKey is missing/],
      ['an API key', 'SG.abc', /is an API key/],
    ])('is refused at the start when it is %s', (_, value, message) => {
      process.env[variable] = value
      expect(() => sendgridWebhook()).toThrow(message)
    })
  })

  test.each<[string, () => string[] | Promise<string[]>, string]>([
    ['has none', () => [], 'no-keys'],
    ['has an API key', () => ['SG.abc.def'], 'api-key'],
    [
      'fails',
      async () => {
        throw new Error('the vault is closed')
      },
      'no-keys',
    ],
  ])('makes reading reject when its function %s', async (_, publicKey, reason) => {
    await expect(read('[]', undefined, publicKey)).rejects.toMatchObject({
      name: 'KeySourceError',
      reason,
    })
  })
})

describe('the webhook', () => {
  const { publicKey } = keys

  test('says what the handler has to know', () => {
    const webhook = sendgridWebhook({ publicKey })
    expect(webhook).toMatchObject({
      provider: 'sendgrid',
      name: 'sendgrid',
      answers: { stored: 200, denied: 403, forged: 403, malformed: 400, unavailable: 503 },
      guards: [],
    })
    expect(webhook.maxBodyBytes).toBeGreaterThan(768 * 1024)
    expect(webhook).not.toHaveProperty('inbound')
  })

  test('has the options that it was given', () => {
    const guards = [querySecret('s3cr3t')]
    const given = { name: 'sendgrid-eu', guards, answers: { forged: 404 }, maxBodyBytes: 1000 }
    expect(sendgridWebhook({ publicKey, ...given })).toMatchObject({
      ...given,
      provider: 'sendgrid',
      answers: { stored: 200, forged: 404 },
    })
  })

  test.each<[string, SendgridWebhookOptions, RegExp]>([
    ['maxAge', { maxAge: 0 }, /maxAge must be/],
    ['maxAge', { maxAge: Number.NaN }, /maxAge must be/],
    ['maxBodyBytes', { maxBodyBytes: -1 }, /maxBodyBytes must be/],
    ['answers', { answers: { forged: 42 } }, /the answer forged/],
  ])('is refused at the start with another %s', (_, options, message) => {
    expect(() => sendgridWebhook({ publicKey, ...options })).toThrow(ConfigurationError)
    expect(() => sendgridWebhook({ publicKey, ...options })).toThrow(message)
  })
})
