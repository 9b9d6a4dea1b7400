import { describe, expect, test } from '@jest/globals'
import { phpJson } from '../../../src/providers/mandrill/php-json.js'
import { variantsOf } from '../../../src/providers/mandrill/url-variants.js'
import type { WebhookReading, WebhookRequest } from '../../../src/provider.js'
import { mistaken, key, otherKey, sendEvent, url } from './vectors.js'
import { entry, formOf, read, requestOf, signatureOf } from './webhook-requests.js'

const body = formOf([entry()])

interface Asked extends Partial<WebhookRequest> {
  headers?: Record<string, string>
  /** What is configured. */
  configured?: string | string[]
}

/** What is made of a batch that is signed for another URL than the configured one. */
function signedFor(inMandrill: string, asked: Asked = {}, posted = body): Promise<WebhookReading> {
  const { headers, configured = url, ...head } = asked
  const signature = signatureOf(posted, { url: inMandrill })
  const request = requestOf(posted, { ...headers, 'x-mandrill-signature': signature })
  return read({ ...request, ...head }, { key: [otherKey, key], url: configured })
}

const wrongUrl = (...differences: string[]): object => ({
  kind: 'refused',
  reason: 'wrong-url',
  detail: `the key is right and the URL is another: Mandrill has it ${differences.join(' and ')}. Give the URL as it stands there, to the letter`,
})

describe('a signature for another URL is told as that, and how it differs:', () => {
  test.each<[string, string, string[]]>([
    ['https://hooks.example.com/mandrill/', url, ['with a trailing slash']],
    [url, 'https://hooks.example.com/mandrill/', ['without the trailing slash']],
    ['https://hooks.example.com/', 'https://hooks.example.com', ['with a trailing slash']],
    ['https://hooks.example.com', 'https://hooks.example.com/', ['without the trailing slash']],
    ['http://hooks.example.com/mandrill', url, ['with http']],
    [url, 'http://hooks.example.com/mandrill', ['with https']],
    [url, `${url}?secret=hush`, ['without its query']],
    [url, 'https://user:hush@hooks.example.com/mandrill', ['without its user and password']],
    ['https://hooks.example.com:443/mandrill', url, ['with a port']],
    ['http://hooks.example.com:80/mandrill', url, ['with http', 'with a port']],
    [url, 'https://hooks.example.com:443/mandrill', ['without its port']],
    [url, 'https://hooks.example.com:8443/mandrill', ['without its port']],
    [
      'http://hooks.example.com/mandrill/',
      `${url}?secret=hush`,
      ['with http', 'with a trailing slash', 'without its query'],
    ],
    [
      'http://[2001:db8::1]/mandrill',
      'https://[2001:db8::1]:443/mandrill',
      ['with http', 'without its port'],
    ],
  ])('%s in place of %s', async (inMandrill, configured, differences) => {
    expect(await signedFor(inMandrill, { configured })).toEqual(wrongUrl(...differences))
  })

  test.each<[string, string, Asked, string[]]>([
    [
      'the host that was asked',
      'https://other.example.com/mandrill',
      { headers: { host: 'other.example.com' } },
      ['with another host'],
    ],
    [
      'the host that the first proxy was asked for',
      'https://other.example.com/mandrill',
      { headers: { 'x-forwarded-host': 'other.example.com, inner', host: 'inner:3000' } },
      ['with another host'],
    ],
    [
      'the port that was asked',
      'http://hooks.example.com:3000/mandrill',
      { headers: { host: 'hooks.example.com:3000' } },
      ['with http', 'with a port'],
    ],
    [
      'the path that was asked',
      'https://hooks.example.com/hooks/mandrill',
      { target: '/hooks/mandrill' },
      ['with another path'],
    ],
    [
      'the query that was asked',
      `${url}?secret=hush`,
      { target: '/mandrill?secret=hush' },
      ['with a query'],
    ],
    [
      'the query that was asked, in its order',
      `${url}?a=1&b=2`,
      { target: '/x?a=1&b=2', configured: `${url}?b=2&a=1` },
      ['with another query'],
    ],
    [
      'the user and the password that came',
      'https://user:hush@hooks.example.com/mandrill',
      { headers: { authorization: `Basic ${Buffer.from('user:hush').toString('base64')}` } },
      ['with a user and password'],
    ],
    [
      'the password that came, encoded in the URL',
      'https://user:h%40sh@hooks.example.com/mandrill',
      {
        headers: { authorization: `Basic ${Buffer.from('user:h@sh').toString('base64')}` },
        configured: 'https://user:other@hooks.example.com/mandrill',
      },
      ['with another user and password'],
    ],
    [
      'the password that came, as it is',
      'https://user:h$sh@hooks.example.com/mandrill',
      { headers: { authorization: `Basic ${Buffer.from('user:h$sh').toString('base64')}` } },
      ['with a user and password'],
    ],
    [
      'no port, though one was asked',
      url,
      { headers: { host: 'inner:3000' }, configured: 'https://hooks.example.com:8443/mandrill' },
      ['without its port'],
    ],
    [
      'no query, though one was asked',
      url,
      { target: '/mandrill?a=1', configured: `${url}?secret=hush` },
      ['without its query'],
    ],
    [
      'all of it as it was asked',
      'http://other.example.com:3000/hooks/?secret=hush',
      { headers: { host: 'other.example.com:3000' }, target: '/hooks/?secret=hush' },
      ['with http', 'with another host', 'with a port', 'with another path', 'with a query'],
    ],
  ])('%s', async (_, inMandrill, asked, differences) => {
    expect(await signedFor(inMandrill, asked)).toEqual(wrongUrl(...differences))
  })

  test('that of several which is nearest', async () => {
    const asked = { headers: { host: 'hooks.example.com' }, target: '/mandrill' }
    const configured = ['https://else.example.com/a?secret=b', `${url}/`]
    const reading = await signedFor(url, { ...asked, configured })
    expect(reading).toEqual(wrongUrl('without the trailing slash'))
  })

  test('those with the fewest differences are tried, where there are many', () => {
    const headers: Record<string, string> = {
      host: 'a.example.com:1',
      'x-forwarded-host': 'b.example.com:2',
      authorization: `Basic ${Buffer.from('u:@').toString('base64')}`,
    }
    const request = { method: 'POST', target: '/a/?b', header: (name: string) => headers[name] }
    const variants = variantsOf('https://x:y@c.example.com:3/c?d', request)
    const counts = variants.map(({ differences }) => differences.length)
    expect(counts).toHaveLength(400)
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    expect(counts.filter((count) => count === 1)).toHaveLength(1 + 3 + 2 + 5 + 3 + 2)
  })

  test('that of a trial post too, whose key everybody knows', async () => {
    const trial = formOf('[]')
    const signature = signatureOf(trial, { key: 'test-webhook', url: `${url}/` })
    const reading = await read(requestOf(trial, { 'x-mandrill-signature': signature }))
    expect(reading).toEqual(wrongUrl('with a trailing slash'))
  })

  test('but not by the key that everybody knows for anything else', async () => {
    const signature = signatureOf(body, { key: 'test-webhook', url: `${url}/` })
    const request = requestOf(body, { 'x-mandrill-signature': signature })
    const reading = await read(request, { key: [key, 'test-webhook'] })
    expect(reading).toMatchObject({ reason: 'bad-signature' })
  })

  test('and nothing that may be a secret is said of it', async () => {
    const readings = await Promise.all([
      signedFor('https://u:hush@hooks.example.com/mandrill', {
        headers: { authorization: `Basic ${Buffer.from('u:hush').toString('base64')}` },
      }),
      signedFor(`${url}?secret=hush`, { target: '/mandrill?secret=hush' }),
      signedFor('https://hooks.example.com/hush', { target: '/hush' }),
      signedFor(url, { configured: 'https://hush:hush@hooks.example.com/mandrill?secret=hush' }),
    ])
    expect(readings.map((reading) => 'reason' in reading && reading.reason)).toEqual(
      readings.map(() => 'wrong-url'),
    )
    expect(JSON.stringify(readings)).not.toMatch(/hush|hooks\.example/)
  })
})

describe('a batch whose JSON was written again is told as that,', () => {
  const reserialised = { kind: 'refused', reason: 'reserialised' }
  const entries = [entry({}, { subject: 'Café / 50 %', email: 'zoë@example.org' })]
  const again = (json: string): unknown => JSON.parse(json)

  test.each<[string, string]>([
    ['as PHP writes it', phpJson(entries)],
    ['with slashes escaped', JSON.stringify(entries).replaceAll('/', '\\/')],
    ['compact', JSON.stringify(entries)],
  ])('when it was %s before', async (_, json) => {
    const posted = formOf(JSON.stringify(again(json), null, 1))
    const request = requestOf(posted, { 'x-mandrill-signature': signatureOf(formOf(json)) })
    const options = { key: [otherKey, key], url: ['https://else.example.com', url] }
    expect(await read(request, options)).toMatchObject(reserialised)
  })

  test('and it is told of the vector that was sent so', async () => {
    const json = new URLSearchParams(sendEvent.body).get('mandrill_events') ?? ''
    const posted = formOf(again(json))
    const request = requestOf(posted, { 'x-mandrill-signature': sendEvent.signature })
    expect(await read(request)).toMatchObject(reserialised)
    const [made] = mistaken.filter(({ mistake }) => mistake === 'JSON written anew')
    const signature = made?.signature
    const other = requestOf(sendEvent.body, { 'x-mandrill-signature': signature })
    expect(await read(other)).toMatchObject(reserialised)
  })

  test('and another parameter stays as it is', async () => {
    const json = phpJson(entries)
    const signature = signatureOf(`a=1&${formOf(json)}`)
    const posted = `a=1&${formOf(entries)}`
    const request = requestOf(posted, { 'x-mandrill-signature': signature })
    expect(await read(request)).toMatchObject(reserialised)
  })

  test('but not when something in it was changed', async () => {
    const signature = signatureOf(formOf(phpJson(entries)))
    const changed = formOf([entry({}, { subject: 'Another' })])
    const request = requestOf(changed, { 'x-mandrill-signature': signature })
    expect(await read(request)).toMatchObject({ reason: 'bad-signature' })
  })
})

test.each([
  ['what is no JSON', '{'],
  ['what is nested without end', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
  ['nothing', ''],
])('%s is a bad signature, and no failure', async (_, json) => {
  const request = requestOf(formOf(json), { 'x-mandrill-signature': sendEvent.signature })
  expect(await read(request)).toMatchObject({ reason: 'bad-signature' })
})

test.each([
  ['a target that is none', { target: 'http://[::1' }],
  ['a host that is none', { headers: { host: '///' } }],
  ['credentials that are none', { headers: { authorization: 'Basic %%%' } }],
])('%s is no failure either', async (_, asked) => {
  expect(await signedFor('https://else.example.com', asked)).toMatchObject({
    reason: 'bad-signature',
  })
})

test('of a batch over a megabyte nothing is tried, so that a forgery costs little', async () => {
  const large = formOf([entry({}, { subject: 'x'.repeat(1024 * 1024) })])
  expect(await signedFor(`${url}/`, {}, large)).toMatchObject({ reason: 'bad-signature' })
  const smaller = formOf([entry({}, { subject: 'x'.repeat(1024 * 1000) })])
  expect(await signedFor(`${url}/`, {}, smaller)).toMatchObject({ reason: 'wrong-url' })
})

describe('however many keys there are, no more is tried than costs little:', () => {
  const found = async (keys: number, size: number): Promise<WebhookReading> => {
    const posted = formOf([entry({}, { subject: 'x'.repeat(size) })])
    const signature = signatureOf(posted, { url: `${url}/` })
    const others = Array.from({ length: keys - 1 }, (_, index) => `other ${index}`)
    return read(requestOf(posted, { 'x-mandrill-signature': signature }), { key: [...others, key] })
  }

  test.each([
    ['of little, for some', 30, 10, 'wrong-url'],
    ['of little, for very many', 700, 10, 'bad-signature'],
    ['of much, for a few', 5, 1_000_000, 'wrong-url'],
    ['of much, for some', 30, 1_000_000, 'bad-signature'],
  ])('%s', async (_, keys, size, reason) => {
    expect(await found(keys, size)).toMatchObject({ reason })
  })
})

test('however much there is to try, a forgery costs little', async () => {
  const posted = formOf([entry({}, { subject: 'x'.repeat(1_000_000) })])
  const many = Array.from({ length: 8 }, (_, index) => `${index}`)
  const request = requestOf(posted, {
    'x-mandrill-signature': sendEvent.signature,
    host: 'other.example.com:3000',
    'x-forwarded-host': 'third.example.com',
  })
  const asked = { ...request, target: '/elsewhere/?a=1' }
  const urls = many.map((one) => `https://u:p@${one}.example.com/x?y=${one}`)
  const began = performance.now()
  expect(await read(asked, { key: many, url: urls })).toMatchObject({ reason: 'bad-signature' })
  expect(performance.now() - began).toBeLessThan(5000)
})
