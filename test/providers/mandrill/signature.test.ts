import { createHmac } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { sign, verifySignature } from '../../../src/providers/mandrill/signature.js'
import {
  bounceEvent,
  denylistEvent,
  emptyBatch,
  key,
  otherKey,
  sendEvent,
  twoParameters,
  url,
  type Vector,
  vectors,
} from './vectors.js'

const formOf = ({ body }: Pick<Vector, 'body'>): URLSearchParams => new URLSearchParams(body)

const accepts = (vector: Vector, signature = vector.signature): boolean =>
  verifySignature(vector.key, vector.url, formOf(vector), signature)

describe('the signature', () => {
  test.each(vectors)('of $about is made byte for byte', (vector) => {
    expect(sign(vector.key, vector.url, formOf(vector))).toBe(vector.signature)
  })

  test.each(vectors)('of $about is accepted', (vector) => {
    expect(accepts(vector)).toBe(true)
  })

  test('does not depend on the order of the parameters', () => {
    const sorted = [...formOf(twoParameters)].toSorted()
    expect(sign(key, url, sorted)).toBe(twoParameters.signature)
    expect(sign(key, url, sorted.toReversed())).toBe(twoParameters.signature)
  })

  test('covers the value of every parameter', () => {
    const changed = { ...twoParameters, body: `${twoParameters.body}2` }
    expect(accepts(changed)).toBe(false)
  })
})

/** The signature that an implementation with the mistake makes of a vector. */
type Mistake = (vector: Vector) => string

const withUrl =
  (wrongUrl: string): Mistake =>
  (vector) =>
    sign(vector.key, wrongUrl, formOf(vector))

const withValue =
  (change: (value: string) => string): Mistake =>
  (vector) =>
    sign(vector.key, vector.url, [['mandrill_events', change(vector.body)]])

const reserialised = (body: string): string =>
  JSON.stringify(JSON.parse(formOf({ body }).get('mandrill_events') ?? ''))

const signed = ({ url: signedUrl, body }: Vector): string =>
  signedUrl + [...formOf({ body })].flat().join('')

const encoded = (body: string): string => body.slice(body.indexOf('=') + 1)

test.each<[string, Vector, string, Mistake]>([
  [
    'the key of another webhook',
    sendEvent,
    'wgTeQoO4HF2WdREBrLOFqnCpuxU=',
    (vector) => sign(otherKey, vector.url, formOf(vector)),
  ],
  ['a trailing slash', sendEvent, '8l5AMj95HRaFCfz0KoZXR8TKOuo=', withUrl(`${url}/`)],
  [
    'http in place of https',
    sendEvent,
    '7x71XLu5vZwkBSJaDgG2pNFBn2Y=',
    withUrl('http://hooks.example.com/mandrill'),
  ],
  ['JSON written anew', sendEvent, 'rHIRSb7PF1IfTLplFKaos/wKwSk=', withValue(reserialised)],
  ['the form not decoded', sendEvent, '5hCMLr8mxA+CUI03GbZSgdVYUpg=', withValue(encoded)],
  [
    'plus not turned into a space',
    sendEvent,
    'pDfaFRIpuzqgGDvG1KAbi2qOoo8=',
    withValue((body) => decodeURIComponent(encoded(body))),
  ],
  [
    'SHA-256 in place of SHA-1',
    sendEvent,
    'T0hRUwNnVsyg2bz2EpSRlp1ckQAf+kwMSiksRVyvzwM=',
    (vector) => createHmac('sha256', vector.key).update(signed(vector)).digest('base64'),
  ],
  [
    'a query left away',
    denylistEvent,
    'YRFIaUkAibCs0LI6hYH93yAA4EI=',
    withUrl('https://hooks.example.com/mandrill/'),
  ],
  [
    'a query in another order',
    denylistEvent,
    '1mwIUbDYFt+qb3bAMElHPcARPtI=',
    withUrl('https://hooks.example.com/mandrill/?tenant=7&secret=s3cr3t%2Fx'),
  ],
  [
    'a query decoded',
    denylistEvent,
    'gXRi2TNpeURffGbHLWBJ8MabQkI=',
    withUrl('https://hooks.example.com/mandrill/?secret=s3cr3t/x&tenant=7'),
  ],
  [
    'the credentials dropped from the URL',
    bounceEvent,
    'SX010A/94HtfhLCpSjRILwWy+NI=',
    withUrl('https://hooks.example.com:8443/mandrill'),
  ],
  [
    'latin1 in place of UTF-8',
    bounceEvent,
    'T2naUNscgH0+sCgO6RLCo6HTfnw=',
    (vector) => createHmac('sha1', vector.key).update(signed(vector), 'latin1').digest('base64'),
  ],
  [
    'parameters that are not sorted',
    twoParameters,
    'edWZDKRcsB53iqFxQLT5gSIUGZ4=',
    (vector) => createHmac('sha1', vector.key).update(signed(vector)).digest('base64'),
  ],
])('the mistake of %s gives a signature that is refused', (_, vector, signature, mistake) => {
  expect(mistake(vector)).toBe(signature)
  expect(accepts(vector, signature)).toBe(false)
})

describe('what is no signature', () => {
  const { signature } = sendEvent
  test.each([
    ['nothing', ''],
    ['blanks', ' '.repeat(signature.length)],
    ['one cut short', signature.slice(0, -1)],
    ['one without its padding', signature.replace('=', '')],
    ['one with a byte too many', `${signature}=`],
    ['one with a line break', `${signature}\n`],
    ['one in lower case', signature.toLowerCase()],
    ['the same in hexadecimal', Buffer.from(signature, 'base64').toString('hex')],
    ['the same in base64url', signature.replace('+', '-').replace('/', '_').slice(0, -1)],
    ['two at once, as node joins repeated headers', `${signature}, ${signature}`],
    ['as many characters, more bytes', 'é'.repeat(signature.length)],
    ['half a surrogate pair', '\ud800'.repeat(signature.length)],
  ])('%s is refused', (_, value) => {
    expect(accepts(sendEvent, value)).toBe(false)
  })

  test('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (value) => {
        expect(accepts(emptyBatch, value)).toBe(false)
      }),
    )
  })

  test('never throws, whatever is signed', () => {
    const anything = fc.string({ unit: 'binary', maxLength: 20 })
    fc.assert(
      fc.property(
        anything,
        anything,
        fc.array(fc.tuple(anything, anything)),
        (anyKey, anyUrl, parameters) => {
          expect(verifySignature(anyKey, anyUrl, parameters, signature)).toBe(false)
          const own = sign(anyKey, anyUrl, parameters)
          expect(verifySignature(anyKey, anyUrl, parameters, own)).toBe(true)
        },
      ),
    )
  })
})
