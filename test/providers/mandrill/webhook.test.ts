import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import type { KeySource } from '../../../src/index.js'
import { mandrillWebhook } from '../../../src/providers/mandrill/index.js'
import type { WebhookReading } from '../../../src/provider.js'
import { outcomeOf } from '../../../src/webhook-answers.js'
import {
  denylistEvent,
  key,
  mistaken,
  otherKey,
  sendEvent,
  trialPost,
  twoParameters,
  url,
  vectors,
} from './vectors.js'
import { formOf, read, requestOf, signatureOf, signedRequest } from './webhook-requests.js'

const fixtures = new URL('fixtures/', import.meta.url)
const fixture = (name: string): string => readFileSync(new URL(name, fixtures), 'utf8')
const events = '[{"event":"send","_id":"a1","ts":1767225601,"msg":{"email":"ann@example.org"}}]'

describe('what Mandrill posts', () => {
  const requests = readdirSync(fixtures).filter((name) => name.includes('.request.'))

  test.each(requests)('%s is read as the events beside it', async (name) => {
    const content = fixture(name)
    const body = name.endsWith('.json') ? formOf(content) : content
    const entries: unknown = JSON.parse(new URLSearchParams(body).get('mandrill_events') ?? '')
    const expected: unknown = JSON.parse(fixture(name.replace(/\.request\..*/, '.events.json')))

    const reading = await read(signedRequest(body))

    const readEvents = reading.kind === 'events' ? reading.events : []
    const withoutRaw = readEvents.map(({ raw: _raw, ...event }) => event)
    // As JSON, for dates are strings in the file.
    expect(JSON.parse(JSON.stringify(withoutRaw))).toEqual(expected)
    // Of an inbound mail, the event has what was taken from it.
    const whole = readEvents.flatMap(({ type, raw }) => (type === 'inbound' ? [] : [raw]))
    expect(whole).toEqual(name.startsWith('inbound') ? [] : entries)
  })

  test.each(vectors)('with $about is taken', async (vector) => {
    const signed = requestOf(vector.body, { 'x-mandrill-signature': vector.signature })
    const reading = await read(signed, { key: [key, otherKey], url: vector.url })
    expect(reading.kind).toBe('events')
  })

  test('may mix parameters, though it never does', async () => {
    const { body, signature } = twoParameters
    const turned = body.split('&').toReversed().join('&')
    const reading = await read(requestOf(turned, { 'x-mandrill-signature': signature }))
    expect(reading).toEqual({ kind: 'events', events: [] })
  })
})

const refusal = (reason: string): object => ({ kind: 'refused', reason })

describe('a request is refused', () => {
  test.each([
    ['no signature', {}, 'unsigned'],
    ['an empty signature', { 'x-mandrill-signature': '' }, 'unsigned'],
    ['a signature that is none', { 'x-mandrill-signature': 'é'.repeat(28) }, 'unsigned'],
    [
      'two signatures, as node joins them',
      { 'x-mandrill-signature': [sendEvent.signature, sendEvent.signature].join(', ') },
      'unsigned',
    ],
    ['another signature', { 'x-mandrill-signature': `A${'B'.repeat(26)}=` }, 'bad-signature'],
    ['no content type', { 'content-type': undefined }, 'unsupported'],
    ['JSON', { 'content-type': 'application/json' }, 'unsupported'],
    ['a multipart form', { 'content-type': 'multipart/form-data; boundary=x' }, 'unsupported'],
    [
      'a content type that begins like a form',
      { 'content-type': 'application/x-www-form-urlencoded-not' },
      'unsupported',
    ],
  ])('with %s', async (_, headers, reason) => {
    expect(await read(requestOf(sendEvent.body, headers))).toMatchObject(refusal(reason))
  })

  test.each(mistaken)('when the signer made the mistake of $mistake', async (made) => {
    const { vector, signature } = made
    const signed = requestOf(vector.body, { 'x-mandrill-signature': signature })
    const reading = await read(signed, { key: vector.key, url: vector.url })
    expect(reading).toMatchObject({ kind: 'refused' })
    expect(outcomeOf(reading.kind === 'refused' ? reading.reason : 'unexpected')).toBe('forged')
  })

  test.each([
    ['no parameter', ''],
    ['another parameter', 'events=%5B%5D'],
    ['a list of parameters', 'mandrill_events%5B%5D=x'],
    ['the parameter twice', `${formOf(events)}&${formOf(events)}`],
    ['another parameter twice', `${formOf(events)}&a=1&a=1`],
    ['no JSON', formOf('{not json')],
    ['half of the JSON', formOf(events.slice(0, -20))],
    ['an empty value', formOf('')],
    ['an object', formOf('{"event":"send"}')],
    ['a string', formOf('"[]"')],
    ['a number', formOf('5')],
    ['null', formOf('null')],
  ])('as malformed when its form has %s, though it is signed', async (_, body) => {
    expect(await read(signedRequest(body))).toMatchObject(refusal('malformed'))
  })

  test('when its bytes are no text, without a failure', async () => {
    const request = requestOf('', { 'x-mandrill-signature': sendEvent.signature })
    const body = Buffer.from([...Buffer.from('mandrill_events='), 0xff, 0xfe, 0x00, 0xc3])
    expect(await read({ ...request, body })).toMatchObject(refusal('bad-signature'))
  })

  test('when one byte of it was changed', async () => {
    const forged = sendEvent.body.replace('zo', 'xo')
    const request = requestOf(forged, { 'x-mandrill-signature': sendEvent.signature })
    expect(await read(request)).toMatchObject(refusal('bad-signature'))
  })

  test('without a word about the key or the secret in the URL', async () => {
    const options = { key: 'the-key', url: 'https://user:pass@example.com/?secret=hush' }
    const reading = await read(signedRequest(events), options)
    expect(reading).toMatchObject(refusal('malformed'))
    const forged = await read(signedRequest(formOf(events)), options)
    expect(forged).toMatchObject(refusal('bad-signature'))
    expect(JSON.stringify([reading, forged])).not.toMatch(/the-key|hush|pass/)
  })
})

test('a content type with a charset, in any letter case, is taken', async () => {
  const headers = {
    'content-type': 'Application/X-WWW-Form-URLencoded; charset=utf-8',
    'x-mandrill-signature': sendEvent.signature,
  }
  expect((await read(requestOf(sendEvent.body, headers))).kind).toBe('events')
})

describe('the URL is what was entered in Mandrill, to the letter', () => {
  const { signature, body } = denylistEvent
  const request = requestOf(body, { 'x-mandrill-signature': signature })
  const readAt = (at: string): Promise<WebhookReading> => read(request, { key: otherKey, url: at })

  test.each([
    ['without its query', 'https://hooks.example.com/mandrill/'],
    ['without its slash', 'https://hooks.example.com/mandrill?secret=s3cr3t%2Fx&tenant=7'],
    ['with its query reordered', 'https://hooks.example.com/mandrill/?tenant=7&secret=s3cr3t%2Fx'],
    ['with its query decoded', 'https://hooks.example.com/mandrill/?secret=s3cr3t/x&tenant=7'],
    ['with its port', 'https://hooks.example.com:443/mandrill/?secret=s3cr3t%2Fx&tenant=7'],
    ['with http', 'http://hooks.example.com/mandrill/?secret=s3cr3t%2Fx&tenant=7'],
    ['in capitals', 'https://HOOKS.example.com/mandrill/?secret=s3cr3t%2Fx&tenant=7'],
  ])('%s it is another one', async (_, changed) => {
    expect(await readAt(changed)).toMatchObject({ kind: 'refused' })
  })

  test('as it was entered it fits', async () => {
    expect((await readAt(denylistEvent.url)).kind).toBe('events')
  })
})

describe('keys', () => {
  const byKey = (signer: string) => signedRequest(formOf(events), { key: signer })

  test.each<[string, KeySource]>([
    ['the key', key],
    ['the key with blanks around it', ` ${key}\n`],
    ['the first of several', [key, otherKey]],
    ['the last of several', [otherKey, 'third', key]],
    ['one from a function', () => [otherKey, key]],
    ['one that a function fetches', async () => [key]],
  ])('%s fits', async (_, source) => {
    expect((await read(byKey(key), { key: source })).kind).toBe('events')
  })

  test.each<[string, string]>([
    ['a key of another webhook', otherKey],
    ['an API key', 'md-AbCdEfGhIjKlMnOpQrStUv'],
    ['an empty key', ''],
    ['the key decoded from base64', Buffer.from(key, 'base64').toString('latin1')],
  ])('%s does not', async (_, signer) => {
    expect(await read(byKey(signer))).toMatchObject(refusal('bad-signature'))
  })

  test('the API key given in place of the key is told in words that help', async () => {
    const reading = await read(byKey(key), { key: 'md-AbCdEfGhIjKlMnOpQrStUv' })
    expect(reading).toMatchObject({
      reason: 'bad-signature',
      detail: expect.stringContaining('begins with "md-", as API keys do'),
    })
    const other = await read(byKey(key), { key: otherKey })
    expect(JSON.stringify(other)).not.toContain('API key')
  })

  test('a function is asked for every request, so keys can change', async () => {
    let keys = [otherKey]
    const webhook = mandrillWebhook({ key: () => keys, url })
    const before = await webhook.read(byKey(key), new Date())
    keys = [key]
    const after = await webhook.read(byKey(key), new Date())
    expect([before.kind, after.kind]).toEqual(['refused', 'events'])
  })

  test('a function that fails is told, and lets nothing through', async () => {
    const fetching = read(byKey(key), { key: () => Promise.reject(new Error('no vault')) })
    await expect(fetching).rejects.toThrow('no vault')
    await expect(read(byKey(key), { key: () => [] })).rejects.toThrow('key is missing')
  })

  test.each<[string, unknown]>([
    ['no key', undefined],
    ['an empty key', ''],
    ['a blank key', '  '],
    ['an empty list', []],
    ['an empty key in a list', [key, '']],
  ])('with %s there is no start', (_, source) => {
    const options = Object.assign({ key, url }, { key: source })
    expect(() => mandrillWebhook(options)).toThrow(expect.objectContaining({ code: 'ECONFIG' }))
  })

  test.each<[string, unknown]>([
    ['no URL', undefined],
    ['an empty URL', ''],
    ['a path', '/webhooks/mandrill'],
    ['a host', 'hooks.example.com/mandrill'],
  ])('with %s there is no start either', (_, wrong) => {
    const options = Object.assign({ key, url }, { url: wrong })
    expect(() => mandrillWebhook(options)).toThrow(/url is (?:missing|no http or https URL)/)
  })
})

describe('the trial post, by a key that everybody knows,', () => {
  const trial = requestOf(trialPost.body, { 'x-mandrill-signature': trialPost.signature })
  const known = { key: trialPost.key }

  test('is taken, and says nothing', async () => {
    expect(await read(trial)).toEqual({ kind: 'events', events: [] })
  })

  test('is taken before there is a key', async () => {
    const options = { key: (): string[] => [] }
    expect(await read(trial, options)).toEqual({ kind: 'events', events: [] })
  })

  test.each([
    ['an event', events],
    ['a blank', '[ ]'],
    ['a line break', '[]\n'],
  ])('is refused with %s in it, even if it was given as the key', async (_, json) => {
    const request = signedRequest(formOf(json), known)
    expect(await read(request)).toMatchObject(refusal('bad-signature'))
    expect(await read(request, known)).toMatchObject(refusal('bad-signature'))
  })

  test('is refused with another parameter in it that is not signed', async () => {
    const signature = signatureOf(trialPost.body, known)
    const request = requestOf(`${trialPost.body}&a=1`, { 'x-mandrill-signature': signature })
    expect(await read(request)).toMatchObject(refusal('bad-signature'))
  })
})
