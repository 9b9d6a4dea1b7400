import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { ConfigurationError, type ParsedEvent } from '../../../src/index.js'
import { sendgridWebhook } from '../../../src/providers/sendgrid/index.js'
import { signatureHeader, timestampHeader } from '../../../src/providers/sendgrid/signature.js'
import type { KeySource } from '../../../src/signing-keys.js'
import { webhookRequest } from '../../webhook-request.js'
import { newKeys, signedHeaders } from './signing.js'
import { vectors } from './vectors.js'

const fixtures = join(__dirname, 'fixtures')
const receivedAt = new Date('2025-08-17T12:00:00Z')
const keys = newKeys()

/** A request as it stands in a file: its headers, by lower-case name, and its raw body. */
function readRequest(name: string): { headers: Record<string, string>; body: Buffer } {
  const bytes = readFileSync(join(fixtures, name))
  const end = bytes.indexOf('\n\n')
  const [, ...lines] = bytes.subarray(0, end).toString().split('\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return { headers: Object.fromEntries(headers), body: bytes.subarray(end + 2) }
}

/** Events as they would stand in a file: without the entries they came from, and dates as text. */
const written = (events: ParsedEvent[]): unknown =>
  JSON.parse(JSON.stringify(events.map(({ raw: _raw, ...event }) => event)))

async function read(
  body: string | Buffer,
  headers?: Record<string, string>,
  publicKey: KeySource = keys.publicKey,
) {
  const bytes = Buffer.from(body)
  const request = webhookRequest(headers ?? signedHeaders(keys.privateKey, bytes), bytes)
  return sendgridWebhook({ publicKey }).read(request, receivedAt)
}

async function readEvents(body: string | Buffer): Promise<ParsedEvent[]> {
  const reading = await read(body)
  if (reading.kind === 'refused') throw new Error(reading.detail)
  return reading.events
}

describe('a captured request', () => {
  const names = readdirSync(fixtures).flatMap(
    (file) => /^(.+)\.request\.http$/.exec(file)?.[1] ?? [],
  )

  test.each(names)('%s is read', async (name) => {
    const { headers, body } = readRequest(`${name}.request.http`)
    const signed = signatureHeader in headers ? headers : signedHeaders(keys.privateKey, body)
    const publicKeys = [keys.publicKey, ...vectors.map(({ publicKey }) => publicKey)]
    const reading = await read(body, signed, publicKeys)
    if (reading.kind === 'refused') throw new Error(reading.detail)
    const expected: unknown = JSON.parse(
      readFileSync(join(fixtures, `${name}.events.json`), 'utf8'),
    )
    expect(written(reading.events)).toEqual(expected)
    expect(reading.events.map(({ raw }) => raw)).toEqual(JSON.parse(body.toString()))
    expect(reading.nonce).toBeUndefined()
  })

  test('is one of every kind of message event', () => {
    const seen = names.flatMap((name): unknown[] =>
      JSON.parse(readRequest(`${name}.request.http`).body.toString()).map(
        ({ event }: { event: unknown }) => event,
      ),
    )
    expect(new Set(seen)).toEqual(
      new Set([
        'processed',
        'deferred',
        'delivered',
        'bounce',
        'dropped',
        'open',
        'click',
        'spamreport',
        'unsubscribe',
        'group_unsubscribe',
        'group_resubscribe',
        'account_status_change',
      ]),
    )
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

  test('that was changed on its way fits no signature', async () => {
    const body = Buffer.from('[{"event":"delivered"}]\r\n')
    const headers = signedHeaders(keys.privateKey, body)
    for (const changed of [
      body.subarray(0, -2),
      Buffer.from(JSON.stringify(JSON.parse(`${body}`))),
    ]) {
      await expect(read(changed, headers)).resolves.toMatchObject({ reason: 'bad-signature' })
    }
  })

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
    const old = signedHeaders(keys.privateKey, Buffer.from(body), '1000000000')
    await expect(read(body, old)).resolves.toMatchObject({ kind: 'events' })
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
    // @ts-expect-error publicKey is required
    expect(() => sendgridWebhook({})).toThrow(/publicKey is missing/)
  })

  test.each<[string, () => string[] | Promise<string[]>]>([
    ['has none', () => []],
    ['has an API key', () => ['SG.abc.def']],
    [
      'fails',
      async () => {
        throw new Error('the vault is closed')
      },
    ],
  ])('makes reading reject when its function %s', async (_, publicKey) => {
    await expect(read('[]', undefined, publicKey)).rejects.toThrow()
  })
})

test('the webhook says what the handler has to know', () => {
  const { publicKey } = keys
  expect(sendgridWebhook({ publicKey })).toMatchObject({
    provider: 'sendgrid',
    name: 'sendgrid',
    answers: { stored: 200, forged: 403, malformed: 400 },
  })
  expect(sendgridWebhook({ publicKey }).maxBodyBytes).toBeGreaterThan(768 * 1024)
  expect(sendgridWebhook({ publicKey, name: 'sendgrid-eu' })).toMatchObject({
    provider: 'sendgrid',
    name: 'sendgrid-eu',
  })
})
