import { describe, expect, jest, test } from '@jest/globals'
import { ConfigurationError } from '../src/index.js'
import { neverThrows, toWebhookRequest } from '../src/verifiable-request.js'

describe('a request to be verified', () => {
  const headers = { 'X-Signature': 'abc', 'x-list': ['a', 'b'] }

  test.each([
    ['raw bytes', { body: Buffer.from('ü') }],
    ['bytes of another kind', { body: new TextEncoder().encode('ü') }],
    ['text', { body: 'ü' }],
    ['bytes beside what a parser made of them', { rawBody: Buffer.from('ü'), body: {} }],
    ['text beside what a parser made of it', { rawBody: 'ü', body: {} }],
  ])('has a body of %s', (_, given) => {
    expect(toWebhookRequest({ headers, ...given })?.body.toString()).toBe('ü')
  })

  test.each([['parsed'], [undefined], [null]])('has none that can be verified: %s', (kind) => {
    const body = kind === 'parsed' ? { event: 'x' } : kind
    expect(toWebhookRequest({ headers, body })).toBeUndefined()
  })

  test('has the method and the URL that it is given, and else those of a webhook', () => {
    const given = toWebhookRequest({ headers, body: '', method: 'HEAD', url: '/hooks?a=1' })
    expect(given).toMatchObject({ method: 'HEAD', target: '/hooks?a=1' })
    expect(toWebhookRequest({ headers, body: '' })).toMatchObject({ method: 'POST', target: '/' })
  })

  test('has its headers by lower-case name, wherever they come from', () => {
    const plain = toWebhookRequest({ headers, body: '' })
    expect(plain?.header('x-signature')).toBe('abc')
    expect(plain?.header('x-list')).toBe('a, b')
    expect(plain?.header('constructor')).toBeUndefined()
    const fetched = toWebhookRequest({ headers: new Headers({ 'X-Signature': 'abc' }), body: '' })
    expect([fetched?.header('x-signature'), fetched?.header('other')]).toEqual(['abc', undefined])
  })
})

test('a check that throws says no, and warns once', () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const failing = (): boolean => {
    throw new ConfigurationError('the key is missing')
  }
  expect([neverThrows('verifyX', failing), neverThrows('verifyX', failing)]).toEqual([false, false])
  expect(neverThrows('verifyX', () => true)).toBe(true)
  expect(neverThrows('verifyX', () => JSON.parse('{'))).toBe(false)
  expect(warn.mock.calls).toEqual([
    ['verifyX: the key is missing', 'MailtrailWarning'],
    ['verifyX: it was given no request that it can read (SyntaxError)', 'MailtrailWarning'],
  ])
  warn.mockRestore()
})
