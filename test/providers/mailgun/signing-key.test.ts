import { afterEach, describe, expect, test } from '@jest/globals'
import { ConfigurationError, createCorrelator, memoryStore } from '../../../src/index.js'
import { mailgunWebhook } from '../../../src/providers/mailgun/index.js'
import { sign } from '../../../src/providers/mailgun/signature.js'
import {
  jsonPost,
  multipart,
  type Post,
  readPost,
  signatureBy,
  signatureFields,
  signingKey,
  timestamp,
  token,
  urlEncoded,
} from './reading.js'

afterEach(() => {
  delete process.env['MAILGUN_WEBHOOK_SIGNING_KEY']
  delete process.env['MAILGUN_API_KEY']
})

const apiKey = '0123456789abcdef0123456789abcdef-01234567-89abcdef'
const opened = { event: 'opened', recipient: 'ana@shop.test' }

const posts: [string, (key: string) => Post][] = [
  ['an event', (key) => jsonPost(opened, key)],
  ['a form', (key) => urlEncoded([['event', 'opened'], ...signatureFields(key)])],
  ['a multipart form', (key) => multipart([['sender', 'a@b.c'], ...signatureFields(key)])],
]

const outcome = async (post: Post, given: string | string[]): Promise<string> => {
  const reading = await readPost(post, mailgunWebhook({ signingKey: given }))
  return reading.kind === 'refused' ? reading.reason : reading.kind
}

describe.each(posts)('an API key as the signing key of %s', (_, post) => {
  test('is told by its form, where the signature does not fit', async () => {
    expect(await outcome(post(signingKey), apiKey)).toBe('api-key')
    expect(await outcome(post(signingKey), apiKey.toUpperCase())).toBe('api-key')
    expect(await outcome(post(signingKey), ['key-before', apiKey])).toBe('api-key')
  })

  test('is told by MAILGUN_API_KEY, whatever its form', async () => {
    expect(await outcome(post(signingKey), 'key-of-the-api')).toBe('bad-signature')
    process.env['MAILGUN_API_KEY'] = ' key-of-the-api '
    expect(await outcome(post(signingKey), 'key-of-the-api')).toBe('api-key')
    expect(await outcome(post(signingKey), 'key-other')).toBe('bad-signature')
    process.env['MAILGUN_API_KEY'] = ''
    expect(await outcome(post(signingKey), 'key-other')).toBe('bad-signature')
  })

  test('is none where it fits, as in old accounts', async () => {
    process.env['MAILGUN_API_KEY'] = apiKey
    expect(await outcome(post(apiKey), apiKey)).toBe('events')
  })
})

test('with an API key a request is answered 503, so that it comes again and nothing is lost', async () => {
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [mailgunWebhook({ signingKey: apiKey })],
  })
  const refusals: string[] = []
  correlator.on('refused', ({ message }) => void refusals.push(message))
  const { type, body } = jsonPost(opened)
  const request = new Request('https://example.com/mailgun', {
    method: 'POST',
    headers: { 'content-type': type },
    body,
  })
  expect((await correlator.handler(request)).status).toBe(503)
  expect(refusals).toEqual([expect.stringContaining('pass the HTTP webhook signing key')])
  expect(refusals.join()).not.toContain(apiKey)
  await correlator.close()
})

test('an unsigned request is refused as that, whatever the key', async () => {
  const unsigned = { type: 'application/json', body: Buffer.from('{"event-data":{}}') }
  expect(await outcome(unsigned, apiKey)).toBe('unsigned')
})

test("a subaccount's event that fits no key is told as that", async () => {
  const parent = { 'parent-signature': sign('key-parent', timestamp, token) }
  const json: Post = {
    type: 'application/json',
    body: Buffer.from(
      JSON.stringify({ signature: signatureBy('key-sub', parent), 'event-data': opened }),
    ),
  }
  const form = urlEncoded([
    ...signatureFields('key-sub'),
    ['parent-signature', parent['parent-signature']],
    ['event', 'opened'],
  ])
  for (const post of [json, form]) {
    expect(await readPost(post, mailgunWebhook({ signingKey: 'key-other' }))).toMatchObject({
      reason: 'bad-signature',
      detail: expect.stringContaining('the event of a subaccount'),
    })
    expect(await outcome(post, 'key-parent')).toBe('events')
    expect(await outcome(post, 'key-sub')).toBe('events')
  }
})

test.each<[string, string]>([
  ['with a dot between its parts', `${timestamp}.${token}`],
  ['of the token first', token + timestamp],
  ['of the body', JSON.stringify(opened)],
  ['of nothing', ''],
])('a signature %s is a forgery, even by the right key', async (_, text) => {
  const signature = sign(signingKey, text, '')
  const body = JSON.stringify({
    signature: signatureBy(signingKey, { signature }),
    'event-data': opened,
  })
  expect(await outcome({ type: 'application/json', body: Buffer.from(body) }, signingKey)).toBe(
    'bad-signature',
  )
})

test('a signature in upper case is a forgery, for Mailgun writes none', async () => {
  const signature = sign(signingKey, timestamp, token).toUpperCase()
  const body = JSON.stringify({
    signature: signatureBy(signingKey, { signature }),
    'event-data': opened,
  })
  expect(await outcome({ type: 'application/json', body: Buffer.from(body) }, signingKey)).toBe(
    'bad-signature',
  )
})

describe('the signing key of the environment', () => {
  test('is taken where none is passed', async () => {
    process.env['MAILGUN_WEBHOOK_SIGNING_KEY'] = ` ${signingKey} `
    expect(await readPost(jsonPost(opened), mailgunWebhook())).toHaveProperty('kind', 'events')
    expect(await readPost(jsonPost(opened), mailgunWebhook({ name: 'eu' }))).toHaveProperty(
      'kind',
      'events',
    )
    expect(await outcome(jsonPost(opened), 'key-other')).toBe('bad-signature')
  })

  test.each<[string, unknown]>([
    ['empty', ''],
    ['null', null],
    ['an empty list', []],
  ])('is not taken where one is passed that is %s', (_, given) => {
    process.env['MAILGUN_WEBHOOK_SIGNING_KEY'] = signingKey
    const options = Object({ signingKey: given })
    expect(() => mailgunWebhook(options)).toThrow(ConfigurationError)
  })

  test.each(['', '  '])('that is %j is none', (value) => {
    process.env['MAILGUN_WEBHOOK_SIGNING_KEY'] = value
    expect(() => mailgunWebhook()).toThrow('MAILGUN_WEBHOOK_SIGNING_KEY')
  })
})
