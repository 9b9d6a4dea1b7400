import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError, createCorrelator, memoryStore } from '../../../src/index.js'
import { mailgunWebhook } from '../../../src/providers/mailgun/index.js'
import { sign } from '../../../src/providers/mailgun/signature.js'
import { type Endpoint, startEndpoint } from '../../endpoint.js'
import { collectErrors, collectTold, type Told } from '../../told-events.js'
import {
  bodyOf,
  read,
  readEvent,
  readEvents,
  signatureBy,
  signingKey,
  timestamp,
  token,
} from './reading.js'

const delivered = {
  event: 'delivered',
  id: 'Zk2p9uEoQ4ynd0tVb5SL1w',
  timestamp: 1760000003.870154,
  message: { headers: { 'message-id': 'm-1@mg.example.com' } },
  recipient: 'ana@shop.test',
}

describe('the sample', () => {
  const folder = join(__dirname, 'fixtures')
  const cases = readdirSync(folder).flatMap((name) => /^(.*)\.request\.json$/.exec(name)?.[1] ?? [])
  const fixture = (name: string): string => readFileSync(join(folder, name), 'utf8')

  test.each(cases)('%s is read as is written beside it', async (name) => {
    const request = fixture(`${name}.request.json`)
    const sent = JSON.parse(request)
    // Those that are not sent as webhooks are the bare event.
    const eventData = 'event-data' in sent ? sent['event-data'] : sent
    const events = await readEvents('event-data' in sent ? request : bodyOf(sent))
    expect(JSON.parse(JSON.stringify(events.map(({ raw: _raw, ...event }) => event)))).toEqual(
      JSON.parse(fixture(`${name}.events.json`)),
    )
    expect(events.map(({ raw }) => raw)).toEqual([eventData])
  })

  test('events are the twelve of messages', () => expect(cases).toHaveLength(12))

  test('of the control panel share an id, and are told apart by their names', async () => {
    const sample = { ...delivered, id: 'Ase7i2zsRYeDXztHGENqRA', timestamp: 1521243339.873676 }
    const events = await Promise.all(
      ['opened', 'clicked', 'unsubscribed'].map((event) => readEvent({ ...sample, event })),
    )
    expect(
      events.map(({ providerEvent, providerEventId }) => [providerEvent, providerEventId]),
    ).toEqual([
      ['opened', sample.id],
      ['clicked', sample.id],
      ['unsubscribed', sample.id],
    ])
  })
})

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

  test.each([
    'application/x-www-form-urlencoded',
    'Application/X-WWW-Form-Urlencoded; charset=utf-8',
    'multipart/form-data; boundary=b0',
  ])('in the legacy form %s, with a word about it', async (contentType) => {
    const body = `event=delivered&timestamp=${timestamp}&token=${token}`
    expect(await read(body, { headers: { 'content-type': contentType } })).toMatchObject({
      reason: 'unsupported',
      detail: expect.stringContaining('legacy webhooks are not read'),
    })
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
  type Source = Parameters<typeof mailgunWebhook>[0]['signingKey']
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
