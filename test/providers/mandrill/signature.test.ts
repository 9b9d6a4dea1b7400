import { createHmac } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isWellFormed, sign, verifySignature } from '../../../src/providers/mandrill/signature.js'
import {
  emptyBatch,
  key,
  mistaken,
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

const mistakes: Record<string, Mistake> = {
  'the key of another webhook': (vector) => sign(otherKey, vector.url, formOf(vector)),
  'a trailing slash': withUrl(`${url}/`),
  'http in place of https': withUrl('http://hooks.example.com/mandrill'),
  'JSON written anew': withValue(reserialised),
  'the form not decoded': withValue(encoded),
  'plus not turned into a space': withValue((body) => decodeURIComponent(encoded(body))),
  'SHA-256 in place of SHA-1': (vector) =>
    createHmac('sha256', vector.key).update(signed(vector)).digest('base64'),
  'a query left away': withUrl('https://hooks.example.com/mandrill/'),
  'a query in another order': withUrl(
    'https://hooks.example.com/mandrill/?tenant=7&secret=s3cr3t%2Fx',
  ),
  'a query decoded': withUrl('https://hooks.example.com/mandrill/?secret=s3cr3t/x&tenant=7'),
  'the credentials dropped from the URL': withUrl('https://hooks.example.com:8443/mandrill'),
  'latin1 in place of UTF-8': (vector) =>
    createHmac('sha1', vector.key).update(signed(vector), 'latin1').digest('base64'),
  'parameters that are not sorted': (vector) =>
    createHmac('sha1', vector.key).update(signed(vector)).digest('base64'),
}

test.each(mistaken)(
  'the mistake of $mistake gives a signature that is refused',
  ({ mistake, vector, signature }) => {
    expect(mistakes[mistake]?.(vector)).toBe(signature)
    expect(accepts(vector, signature)).toBe(false)
  },
)

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
    ['one in an odd place', ` ${signature}`],
  ])('%s is refused', (_, value) => {
    expect(accepts(sendEvent, value)).toBe(false)
    // In lower case it could be another's.
    expect(isWellFormed(value)).toBe(value === signature.toLowerCase())
  })

  test('what is one has its form', () => {
    expect(isWellFormed(signature)).toBe(true)
    expect(vectors.every((vector) => isWellFormed(vector.signature))).toBe(true)
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
