import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  ConfigurationError,
  createCorrelator,
  memoryStore,
  querySecret,
} from '../../../src/index.js'
import { mailgunWebhook, type MailgunWebhookOptions } from '../../../src/providers/mailgun/index.js'
import { sign } from '../../../src/providers/mailgun/signature.js'
import { type Endpoint, startEndpoint } from '../../endpoint.js'
import { collectErrors, collectTold, type Told } from '../../told-events.js'
import {
  bodyOf,
  jsonPost,
  multipart,
  type Post,
  read,
  readEvent,
  signatureBy,
  signatureFields,
  signingKey,
  timestamp,
  token,
  urlEncoded,
} from './reading.js'

const delivered = {
  event: 'delivered',
  id: 'Zk2p9uEoQ4ynd0tVb5SL1w',
  timestamp: 1760000003.870154,
  message: { headers: { 'message-id': 'm-1@mg.example.com' } },
  recipient: 'ana@shop.test',
}

describe('a request is refused', () => {
  const signature = signatureBy(signingKey)
  const unsigned = (block: unknown) => JSON.stringify({ signature: block, 'event-data': delivered })
  const signed = (eventData: unknown) => JSON.stringify({ signature, 'event-data': eventData })

  test.each<[string, string | Buffer, string]>([
    ['without a body', '', 'malformed'],
    ['that is no JSON', 'event=delivered', 'malformed'],
    ['that is cut short', bodyOf(delivered).slice(0, -1), 'malformed'],
    ['that is no text', Buffer.from([0xff, 0xfe, 0x00]), 'malformed'],
    ['that is a list', `[${bodyOf(delivered)}]`, 'malformed'],
    ['that is a text', '"event-data"', 'malformed'],
    ['that is null', 'null', 'malformed'],
    ['without a signature', JSON.stringify({ 'event-data': delivered }), 'unsigned'],
    ['with a signature of null', unsigned(null), 'unsigned'],
    ['with a list of signatures', unsigned([signature]), 'unsigned'],
    ['with a signature that is a text', unsigned(signature['signature']), 'unsigned'],
    ['without a token', unsigned({ ...signature, token: undefined }), 'unsigned'],
    ['with an empty token', unsigned({ ...signature, token: '' }), 'unsigned'],
    ['with a list for a token', unsigned({ ...signature, token: [token] }), 'unsigned'],
    ['without a timestamp', unsigned({ ...signature, timestamp: null }), 'unsigned'],
    [
      'with a timestamp in fractions',
      unsigned({
        timestamp: '1760000000.5',
        token,
        signature: sign(signingKey, '1760000000.5', token),
      }),
      'unsigned',
    ],
    [
      'with a timestamp that is no time',
      unsigned({ timestamp: 'now', token, signature: sign(signingKey, 'now', token) }),
      'unsigned',
    ],
    ['with an object for a signature', unsigned({ ...signature, signature: {} }), 'unsigned'],
    [
      'with a forged signature',
      unsigned({ ...signature, signature: 'ab'.repeat(32) }),
      'bad-signature',
    ],
    [
      'with another timestamp',
      unsigned({ ...signature, timestamp: '1760000001' }),
      'bad-signature',
    ],
    ['that another key has signed', bodyOf(delivered, 'key-of-somebody-else'), 'bad-signature'],
    ['that is signed, without an event', signed(undefined), 'malformed'],
    ['that is signed, with an event of null', signed(null), 'malformed'],
    ['that is signed, with a list of events', signed([delivered]), 'malformed'],
    ['that is signed, with a text for an event', signed('delivered'), 'malformed'],
  ])('%s', async (_, body, reason) => {
    expect(await read(body)).toMatchObject({ kind: 'refused', reason })
  })
})

test('an event that is nested too deeply to be written again is stored as unknown', async () => {
  const deep = `{"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
  const body = `{"signature":${JSON.stringify(signatureBy(signingKey))},"event-data":${deep}}`
  const first = await read(body)
  expect(first).toMatchObject({ kind: 'events', events: [{ type: 'unknown', raw: null }] })
  expect(await read(body)).toEqual(first)
  expect(await read(body.replace('"x"', '"y"'))).not.toHaveProperty(
    'nonce',
    Reflect.get(first, 'nonce'),
  )
})

test.each([
  ['of its own', { 'content-type': 'application/json; charset=utf-8' }],
  ['given twice', { 'content-type': 'application/json, application/json' }],
  ['in other letter case', { 'content-type': ' Application/JSON' }],
  ['of some kind of JSON', { 'content-type': 'application/cloudevents+json' }],
  ['that is empty', { 'content-type': '' }],
  ['of none', {}],
])('a request is read with a content type %s', async (_, headers) => {
  expect(await read(bodyOf(delivered), { headers })).toHaveProperty('kind', 'events')
})

test('an event that is nested too deeply is stored as unknown', async () => {
  const deep = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`)
  expect(await readEvent({ ...delivered, deep })).toMatchObject({
    type: 'unknown',
    error: 'it is nested too deeply',
    raw: expect.stringContaining('"deep":[[['),
  })
})

test('a timestamp may be a number, and is signed as text', async () => {
  const signature = signatureBy(signingKey, { timestamp: Number(timestamp) })
  const body = JSON.stringify({ signature, 'event-data': delivered })
  expect(await read(body)).toHaveProperty('kind', 'events')
})

describe('the signing key', () => {
  type Source = NonNullable<MailgunWebhookOptions['signingKey']>
  const readWith = (source: Source) =>
    read(bodyOf(delivered), { webhook: mailgunWebhook({ signingKey: source }) })

  test.each<[string, Source]>([
    ['alone', signingKey],
    ['with white space around it', ` ${signingKey}\n`],
    ['among others', ['key-of-the-eu', signingKey]],
    ['from a function', () => [signingKey]],
    ['from a function that asks for it', async () => ['key-before', signingKey]],
  ])('%s verifies a request', async (_, source) => {
    expect(await readWith(source)).toHaveProperty('kind', 'events')
  })

  test.each<[string, Source]>([
    ['without its prefix', signingKey.replace('key-', '')],
    ['of another account', 'key-of-somebody-else'],
    ['of others', ['key-of-the-eu', 'key-before']],
  ])('%s does not', async (_, source) => {
    expect(await readWith(source)).toHaveProperty('reason', 'bad-signature')
  })

  test('is asked for at every request, so it can be replaced', async () => {
    let keys = ['key-before']
    const webhook = mailgunWebhook({ signingKey: () => keys })
    const body = bodyOf(delivered)
    expect(await read(body, { webhook })).toHaveProperty('reason', 'bad-signature')
    keys = [signingKey]
    expect(await read(body, { webhook })).toHaveProperty('kind', 'events')
  })

  test('that cannot be had is an error, and no refusal of the request', async () => {
    const sealed = (): Promise<never> => Promise.reject(new Error('vault is sealed'))
    await expect(readWith(sealed)).rejects.toThrow('vault is sealed')
    await expect(readWith(() => [])).rejects.toThrow('signingKey is missing')
  })

  test.each<[unknown]>([[undefined], [null], [''], ['  '], [[]], [['']], [[signingKey, '']]])(
    'of %j is refused at once',
    (source) => {
      const options = { signingKey: source as Source }
      expect(() => mailgunWebhook(options)).toThrow(ConfigurationError)
      expect(() => mailgunWebhook(options)).toThrow('mailgunWebhook: signingKey')
    },
  )

  test('is told apart from an API key', async () => {
    const webhook = mailgunWebhook({ signingKey: 'key-of-the-api' })
    const reading = await read(bodyOf(delivered), { webhook })
    expect(reading).toHaveProperty(
      'detail',
      expect.stringContaining(
        'the HTTP webhook signing key is asked for, which is not the API key',
      ),
    )
    expect(JSON.stringify(reading)).not.toContain('key-of-the-api')
  })

  test.each([
    ['the subaccount', 'key-sub', 'events'],
    ['its parent', 'key-parent', 'events'],
    ['neither', 'key-other', 'refused'],
  ])("of %s verifies a subaccount's event", async (_, key, kind) => {
    const signature = signatureBy('key-sub', {
      'parent-signature': sign('key-parent', timestamp, token),
    })
    const body = JSON.stringify({ signature, 'event-data': delivered })
    expect(await read(body, { webhook: mailgunWebhook({ signingKey: key }) })).toHaveProperty(
      'kind',
      kind,
    )
  })
})

describe('the options', () => {
  test('of none but a key are those that Mailgun needs', () => {
    const webhook = mailgunWebhook({ signingKey })
    expect(webhook).toMatchObject({
      provider: 'mailgun',
      name: 'mailgun',
      guards: [],
      maxBodyBytes: 40 * 1024 * 1024,
      inbound: { guards: [], maxBodyBytes: 40 * 1024 * 1024 },
    })
    expect(webhook.answers).toMatchObject({
      stored: 200,
      denied: 406,
      forged: 406,
      malformed: 406,
      unsupported: 406,
      tooLarge: 413,
      limited: 429,
      unavailable: 503,
    })
  })

  test('are taken as they are given, guards for mail too', () => {
    const guard = querySecret('s3cr3t')
    const webhook = mailgunWebhook({
      signingKey,
      name: 'mailgun-mime',
      guards: [guard],
      answers: { forged: 401 },
      maxBodyBytes: 1000,
      inbound: { maxBodyBytes: 2000 },
    })
    expect(webhook).toMatchObject({
      name: 'mailgun-mime',
      guards: [guard],
      maxBodyBytes: 1000,
      inbound: { guards: [guard], maxBodyBytes: 2000 },
    })
    expect(webhook.answers).toMatchObject({ stored: 200, forged: 401, malformed: 406 })
  })

  test.each<[string, object, string]>([
    ['no guard', { guards: [{}] }, 'guards'],
    ['an answer of no name', { answers: { forgotten: 200 } }, 'forgotten'],
    ['an answer that is no status', { answers: { forged: 1000 } }, 'forged'],
    ['no size', { maxBodyBytes: 0 }, 'maxBodyBytes'],
    ['no size of a mail', { inbound: { maxBodyBytes: -1 } }, 'inbound: maxBodyBytes'],
    ['no place for attachments', { inbound: { attachments: '/var/mail' } }, 'attachments'],
    ['no age', { maxAge: -1 }, 'maxAge'],
  ])('with %s are refused', (_, options, words) => {
    expect(() => mailgunWebhook({ signingKey, ...options })).toThrow(ConfigurationError)
    expect(() => mailgunWebhook({ signingKey, ...options })).toThrow(words)
  })
})

describe('a signature', () => {
  const signedAt = Number(timestamp) * 1000
  const hour = 60 * 60_000
  const posts: [string, Post][] = [
    ['an event', jsonPost(delivered)],
    ['a form', urlEncoded([['event', 'opened'], ...signatureFields()])],
    ['a mail', multipart([['recipient', 'a@b.c'], ['sender', 'd@e.f'], ...signatureFields()])],
  ]

  test.each(posts)('of %s may be of any age, unless an age is asked for', async (_, post) => {
    for (const [later, maxAge, outcome] of [
      [30 * 24 * hour, undefined, 'events'],
      [-24 * hour, undefined, 'events'],
      [9 * hour, 10 * hour, 'events'],
      [11 * hour, 10 * hour, 'stale'],
      [-4 * 60_000, hour, 'events'],
      [-6 * 60_000, hour, 'clock'],
    ] as const) {
      const webhook = mailgunWebhook({ signingKey, ...(maxAge !== undefined && { maxAge }) })
      const reading = await read(post.body, {
        webhook,
        headers: { 'content-type': post.type },
        receivedAt: new Date(signedAt + later),
      })
      expect(reading.kind === 'refused' ? reading.reason : reading.kind).toBe(outcome)
    }
  })

  test('that is forged is told as that, whatever its age', async () => {
    const webhook = mailgunWebhook({ signingKey, maxAge: hour })
    const reading = await read(bodyOf(delivered, 'key-other'), {
      webhook,
      receivedAt: new Date(signedAt + 2 * hour),
    })
    expect(reading).toHaveProperty('reason', 'bad-signature')
  })
})

describe('posted over HTTP', () => {
  let correlator: ReturnType<typeof createCorrelator>
  let endpoint: Endpoint
  let told: Told[]
  let errors: string[]

  beforeEach(async () => {
    correlator = createCorrelator({
      store: memoryStore(),
      webhooks: [
        mailgunWebhook({ signingKey }),
        mailgunWebhook({ signingKey, name: 'mailgun-eu' }),
        mailgunWebhook({ signingKey, name: 'guarded', guards: [querySecret('s3cr3t')] }),
      ],
    })
    told = collectTold(correlator)
    errors = collectErrors(correlator)
    endpoint = await startEndpoint(correlator.nodeHandler)
    await correlator.record({
      provider: 'mailgun',
      providerMessageId: '<m-1@mg.example.com>',
      recipients: ['ana@shop.test'],
    })
  })
  afterEach(async () => {
    await endpoint.close()
    await correlator.close()
  })

  async function post(body: string, path = '/mailgun'): Promise<number> {
    const headers = { 'content-type': 'application/json' }
    return (await fetch(endpoint.url + path, { method: 'POST', headers, body })).status
  }
  const toldTypes = async (): Promise<string[]> => {
    await correlator.drain()
    return told.map(({ event }) => event.type)
  }

  test('an event is matched to its message, and answered 200', async () => {
    expect(await post(bodyOf(delivered))).toBe(200)
    expect(await toldTypes()).toEqual(['delivered'])
    expect(told[0]?.event.correlation).toEqual({ status: 'matched', via: 'provider-id' })
    expect(told[0]?.message?.providerMessageId).toBe('m-1@mg.example.com')
  })

  test('its retry is answered 200 too, and told once', async () => {
    const again = JSON.stringify(JSON.parse(bodyOf(delivered)), null, 2)
    expect([await post(bodyOf(delivered)), await post(again)]).toEqual([200, 200])
    expect(await toldTypes()).toEqual(['delivered'])
  })

  test('two events of one id on one day are two, when their names differ', async () => {
    await post(bodyOf({ ...delivered, event: 'opened' }))
    const signature = { timestamp, token: 'other', signature: sign(signingKey, timestamp, 'other') }
    await post(JSON.stringify({ signature, 'event-data': { ...delivered, event: 'complained' } }))
    expect(await toldTypes()).toEqual(['opened', 'complained'])
  })

  const forgery = { ...delivered, event: 'complained', id: 'another' }
  test.each<[string, object]>([
    ['as it was', signatureBy(signingKey)],
    ['with its parts moved', { timestamp: `${timestamp}5`, token: token.slice(1) }],
    ['with its parts moved the other way', { timestamp: '176000000', token: `0${token}` }],
  ])('a captured signature %s is no good for another event', async (_, changes) => {
    const signature = { ...signatureBy(signingKey), ...changes }
    await post(bodyOf(delivered))
    expect(await post(JSON.stringify({ signature, 'event-data': forgery }))).toBe(406)
    expect(await toldTypes()).toEqual(['delivered'])
    expect(errors).toEqual(['mailgun: webhook refused: its token came before with another event'])
  })

  test('the webhook of a second account remembers its own tokens', async () => {
    expect(await post(bodyOf(delivered))).toBe(200)
    expect(await post(bodyOf({ ...delivered, event: 'opened' }), '/mailgun-eu')).toBe(200)
  })

  test.each(['/guarded', '/guarded/inbound'])(
    'what a guard at %s denies is answered 406, so that it does not come again',
    async (path) => {
      expect(await post(bodyOf(delivered), path)).toBe(406)
      expect(await toldTypes()).toEqual([])
      expect(await post(bodyOf(delivered), `${path}?secret=s3cr3t`)).toBe(200)
    },
  )

  test.each([
    ['forged', bodyOf(delivered, 'key-of-somebody-else')],
    ['unsigned', JSON.stringify({ 'event-data': delivered })],
    ['malformed', '[]'],
  ])('what is %s is answered 406, so that it does not come again', async (_, body) => {
    expect(await post(body)).toBe(406)
    expect(await toldTypes()).toEqual([])
    expect(errors).toHaveLength(1)
  })
})
