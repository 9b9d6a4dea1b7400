import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { VerifiableRequest } from '../../../src/index.js'
import { verifySendgridSignature } from '../../../src/providers/sendgrid/index.js'
import { newKeys, signedHeaders } from './signing.js'
import { vectors } from './vectors.js'

const { publicKey, privateKey } = newKeys()
const body = Buffer.from('[{"event":"delivered"}]\r\n')
const headers = signedHeaders(privateKey, body)
const variable = 'SENDGRID_WEBHOOK_PUBLIC_KEY'

let warn: ReturnType<typeof jest.spyOn>

beforeEach(() => {
  delete process.env[variable]
  warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
})
afterEach(() => {
  delete process.env[variable]
  warn.mockRestore()
})

describe('a signed request', () => {
  test.each<[string, VerifiableRequest]>([
    ['with raw bytes', { headers, body }],
    ['with raw bytes beside what a parser made of them', { headers, rawBody: body, body: [{}] }],
    ['with text', { headers, body: body.toString() }],
    ['with fetch headers', { headers: new Headers(headers), body }],
  ])('is verified %s', (_, request) => {
    expect(verifySendgridSignature(request, { publicKey })).toBe(true)
    expect(warn).not.toHaveBeenCalled()
  })

  test('is verified with one of several keys', () => {
    const others = [newKeys().publicKey, newKeys().publicKey]
    expect(verifySendgridSignature({ headers, body }, { publicKey: [...others, publicKey] })).toBe(
      true,
    )
    expect(verifySendgridSignature({ headers, body }, { publicKey: others })).toBe(false)
    expect(warn).not.toHaveBeenCalled()
  })

  test('is verified with the key of the environment', () => {
    process.env[variable] = publicKey
    expect(verifySendgridSignature({ headers, body })).toBe(true)
    expect(verifySendgridSignature({ headers, body }, {})).toBe(true)
    expect(verifySendgridSignature({ headers, body }, { publicKey: newKeys().publicKey })).toBe(
      false,
    )
  })

  test.each(vectors)('that was captured, with $title, is verified', (vector) => {
    const request = {
      headers: {
        'X-Twilio-Email-Event-Webhook-Signature': vector.signature,
        'X-Twilio-Email-Event-Webhook-Timestamp': vector.timestamp,
      },
      body: Buffer.from(vector.body, 'base64'),
    }
    const options = { publicKey: vector.publicKey }
    expect(verifySendgridSignature(request, options)).toBe(true)
    const cut = { ...request, body: request.body.subarray(0, -2) }
    expect(verifySendgridSignature(cut, options)).toBe(false)
  })
})

test.each<[string, VerifiableRequest]>([
  ['changed', { headers, body: Buffer.from('[]') }],
  ['empty', { headers, body: '' }],
  ['unsigned', { headers: {}, body }],
  ['with a signature that came twice', { headers: doubled(), body }],
])('a request that is %s is not verified, without a word', (_, request) => {
  expect(verifySendgridSignature(request, { publicKey })).toBe(false)
  expect(warn).not.toHaveBeenCalled()
})

function doubled(): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value, value]]))
}

// @ts-expect-error JavaScript gives anything
const numberAsKey: string = 5

describe('nothing is verified, and a warning says once what to do,', () => {
  test.each<[string, VerifiableRequest, string | readonly string[] | undefined, RegExp]>([
    ['without a key', { headers, body }, undefined, /SENDGRID_WEBHOOK_PUBLIC_KEY/],
    ['with an empty list of keys', { headers, body }, [], /publicKey is missing/],
    ['with an empty key', { headers, body }, [publicKey, ' '], /publicKey is missing/],
    ['with an API key', { headers, body }, 'SG.abc.def', /: publicKey is an API key/],
    [
      'with no key among keys',
      { headers, body },
      [publicKey, 'x'],
      /: publicKey is not a public key/,
    ],
    ['with a key that is a number', { headers, body }, numberAsKey, /publicKey is missing/],
    ['of a body that was parsed', { headers, body: [{}] }, publicKey, /express\.raw/],
    ['of a body that is not there', { headers }, publicKey, /express\.raw/],
  ])('%s', (_, request, key, told) => {
    // Warnings are given once in a process, so each test needs modules of its own.
    jest.isolateModules(() => {
      const {
        verifySendgridSignature: verify,
      }: { verifySendgridSignature: typeof verifySendgridSignature } = jest.requireActual(
        '../../../src/providers/sendgrid/verify',
      )
      const options = key === undefined ? undefined : { publicKey: key }
      expect([verify(request, options), verify(request, options)]).toEqual([false, false])
    })
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^verifySendgridSignature: /), 'MailtrailWarning'],
    ])
    expect(warn.mock.calls.flat()).toContainEqual(expect.stringMatching(told))
    expect(warn.mock.calls.flat()).not.toContainEqual(expect.stringContaining('SG.abc'))
  })

  test('whatever it is given', () => {
    for (const request of [undefined, null, 5, {}, { headers: null, body }]) {
      // @ts-expect-error JavaScript gives anything
      expect(verifySendgridSignature(request, { publicKey })).toBe(false)
    }
    // @ts-expect-error JavaScript gives anything
    expect(verifySendgridSignature({ headers, body }, null)).toBe(false)
  })
})
