import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { VerifiableRequest } from '../../../src/index.js'
import { verifyMandrillSignature } from '../../../src/providers/mandrill/index.js'
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
import { entry, formOf, signatureOf } from './webhook-requests.js'

const known = { key, url }

const headersWith = (signature: string): Record<string, string> => ({
  'Content-Type': 'application/x-www-form-urlencoded',
  'X-Mandrill-Signature': signature,
})

const { body, signature } = sendEvent
const headers = headersWith(signature)
const parsed = Object.fromEntries(new URLSearchParams(body))

const warnings: string[] = []
jest.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)))
afterEach(() => {
  delete process.env['MANDRILL_WEBHOOK_KEY']
  delete process.env['MANDRILL_WEBHOOK_URL']
})

describe('a request is verified', () => {
  test.each<[string, VerifiableRequest]>([
    ['as bytes', { headers, body: Buffer.from(body) }],
    ['as an array of bytes', { headers, body: new Uint8Array(Buffer.from(body)) }],
    ['as text', { headers, body }],
    ['kept beside what was parsed', { headers, rawBody: Buffer.from(body), body: {} }],
    ['kept as text', { headers, rawBody: body, body: {} }],
    ['parsed by express.urlencoded()', { headers, body: parsed }],
    ['parsed by node:querystring', { headers, body: Object.assign(Object.create(null), parsed) }],
    ['with the headers of fetch', { headers: new Headers(headers), body }],
    ['with header names as they came', { headers: { 'X-MANDRILL-SIGNATURE': signature }, body }],
  ])('%s', (_, request) => {
    const before = warnings.length
    expect(verifyMandrillSignature(request, known)).toBe(true)
    expect(warnings).toHaveLength(before)
  })

  test.each(vectors)('that has $about, raw or parsed', (vector) => {
    const options = { key: [otherKey, key], url: ['https://else.example.com', vector.url] }
    const form = Object.fromEntries(new URLSearchParams(vector.body))
    for (const posted of [vector.body, form]) {
      const request = { headers: headersWith(vector.signature), body: posted }
      expect(verifyMandrillSignature(request, options)).toBe(true)
    }
  })

  test('with the key and the URL of the environment', () => {
    process.env['MANDRILL_WEBHOOK_KEY'] = denylistEvent.key
    process.env['MANDRILL_WEBHOOK_URL'] = denylistEvent.url
    const request = { headers: headersWith(denylistEvent.signature), body: denylistEvent.body }
    expect(verifyMandrillSignature(request)).toBe(true)
    expect(verifyMandrillSignature(request, { key })).toBe(false)
  })
})

test('a line end about the key or the URL, as files have one, is no part of it', () => {
  const pasted = { key: ` ${key}\n`, url: `\t${url}\r\n` }
  expect(verifyMandrillSignature({ headers, body }, pasted)).toBe(true)
})

describe('a request is not verified', () => {
  test.each(mistaken)('when the signer made the mistake of $mistake', (made) => {
    const { vector } = made
    const request = { headers: headersWith(made.signature), body: vector.body }
    expect(verifyMandrillSignature(request, vector)).toBe(false)
  })

  test.each<[string, VerifiableRequest]>([
    ['without a signature', { headers: {}, body }],
    ['with an empty one', { headers: headersWith(''), body }],
    ['with two', { headers: { 'x-mandrill-signature': [signature, signature] }, body }],
    ['with one in an odd place', { headers: headersWith(` ${signature}`), body }],
    ['when the body was changed', { headers, body: body.replace('zo', 'xo') }],
    ['when the parsed body was changed', { headers, body: { mandrill_events: '[]' } }],
    ['when a parameter was added', { headers, body: { ...parsed, a: '1' } }],
    ['when the batch is a list', { headers, body: { mandrill_events: [body] } }],
    ['when the batch was parsed', { headers, body: { mandrill_events: [{ event: 'send' }] } }],
    ['when another parameter is a list', { headers, body: { ...parsed, a: ['1'] } }],
    ['when it is no form', { headers, body: '[{"event":"send"}]' }],
    ['when the form repeats a parameter', { headers, body: `${body}&${body}` }],
  ])('%s, and nothing is said of it', (_, request) => {
    const before = warnings.length
    expect(verifyMandrillSignature(request, known)).toBe(false)
    expect(warnings).toHaveLength(before)
  })

  test('by the key that everybody knows, unless it is the empty trial post', () => {
    const trial = { headers: headersWith(trialPost.signature), body: trialPost.body }
    expect(verifyMandrillSignature(trial, known)).toBe(true)
    const batch = formOf([entry()])
    const testKey = { key: 'test-webhook' }
    const forged = { headers: headersWith(signatureOf(batch, testKey)), body: batch }
    expect(verifyMandrillSignature(forged, known)).toBe(false)
    expect(verifyMandrillSignature(forged, { ...known, ...testKey })).toBe(false)
  })

  test('by whoever knows the order of parameters alone', () => {
    const request = { headers: headersWith(twoParameters.signature), body: `${body}&a_extra=1` }
    expect(verifyMandrillSignature(request, known)).toBe(false)
  })
})

describe('what is wrong on our side is no failure, and is warned of once:', () => {
  const verify = (request: unknown, options: unknown): unknown =>
    Reflect.apply(verifyMandrillSignature, undefined, [request, options])
  const request = { headers, body }

  test.each<[string, unknown, unknown, string]>([
    ['no key', request, { url }, 'key is missing: pass it, or set MANDRILL_WEBHOOK_KEY'],
    ['no URL', request, { key }, 'url is missing: pass it, or set MANDRILL_WEBHOOK_URL'],
    ['an empty key', request, { key: ['', key], url }, 'key is missing: without it anybody'],
    ['no keys', request, { key: [], url }, 'key is missing: without it anybody'],
    ['a function', request, { key: () => [key], url }, 'key must be a text'],
    ['a path', request, { key, url: '/mandrill' }, 'url is no http or https URL'],
    ['a URL in brackets', request, { key, url: `<${url}>` }, 'url is no http or https URL'],
    ['an address that is no text', request, { key, url: [7] }, 'url is no http or https URL'],
    ['no URLs', request, { key, url: [] }, 'url is missing: give the URL exactly'],
    ['a body that was read', { headers, body: undefined }, known, 'the form is not there'],
    ['a body that was parsed as JSON', { headers, body: {} }, known, 'the form is not there'],
    ['a stream', { headers, body: new ReadableStream() }, known, 'the form is not there'],
    ['no headers', { body }, known, 'it was given no request that it can read (TypeError)'],
  ])('%s', (_, given, options, warning) => {
    expect(verify(given, options)).toBe(false)
    expect(verify(given, options)).toBe(false)
    const said = warnings.filter((text) => text.startsWith(`verifyMandrillSignature: ${warning}`))
    expect(said).toHaveLength(1)
  })

  test('nothing', () => {
    expect(verify(undefined, known)).toBe(false)
  })
})
