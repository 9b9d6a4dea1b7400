import { describe, expect, test } from '@jest/globals'
import {
  connectionCause,
  connectionFailure,
  httpFailure,
  plainWords,
  waitBefore,
} from '../src/http-failure.js'

describe('an HTTP status', () => {
  test.each([
    [400, 'validation', false, 'not-sent'],
    [401, 'auth', false, 'not-sent'],
    [403, 'auth', false, 'not-sent'],
    [402, 'rejected', false, 'not-sent'],
    [404, 'configuration', false, 'not-sent'],
    [413, 'validation', false, 'not-sent'],
    [429, 'rate-limit', true, 'not-sent'],
    [302, 'configuration', false, 'not-sent'],
    [500, 'server', false, 'unknown'],
    [502, 'server', false, 'unknown'],
    [503, 'server', true, 'not-sent'],
    [504, 'server', false, 'unknown'],
    [200, 'server', false, 'unknown'],
  ])('%i is %s, retryable %s, %s', (status, category, retryable, outcome) => {
    const error = httpFailure('Postmark', { status })
    expect(error).toMatchObject({ category, retryable, outcome, statusCode: status })
  })

  test('yields to what the provider says', () => {
    const error = httpFailure('Postmark', { status: 500, category: 'validation' })
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', code: 'EMESSAGE' })
  })

  test.each([
    ['<ann@example.com>, [bob@example.com]', '<<address>>, [<address>]'],
    ["o'brien@example.com is bad", '<address> is bad'],
    ['"john doe"@example.com is bad', '<address> is bad'],
    ['{"to":"ann@example.com"}', '{"to":"<address>"}'],
    [`${'x '.repeat(248)}ann@example.com`, `${'x '.repeat(248)}…`],
  ])('keeps the addresses out of %j', (detail, kept) => {
    const { message } = httpFailure('Postmark', { status: 400, detail })
    expect(message).toBe(`Postmark answered 400: ${kept}`)
  })

  test('keeps the text short', () => {
    for (const detail of ['x'.repeat(1e6), 'x@'.repeat(1e6)]) {
      expect(httpFailure('Postmark', { status: 400, detail }).message.length).toBeLessThan(600)
    }
  })
})

describe('an answer that quotes', () => {
  const secrets = ['key-of-this-account', 'short']
  const told = (detail: string): string =>
    httpFailure('Postmark', { status: 401, detail, secrets }).message

  test('a secret is told without it, wherever it stands', () => {
    expect(told('key-of-this-account: no, key-of-this-account')).toBe(
      'Postmark answered 401: <secret>: no, <secret>',
    )
  })

  test('a secret where the text is cut is told without any of it', () => {
    expect(told(`${'x '.repeat(245)}key-of-this-account`)).not.toContain('key-')
  })

  test('what might be any word is told as it is', () => {
    expect(told('too short')).toBe('Postmark answered 401: too short')
  })
})

describe('plain words', () => {
  test.each([
    ['text/plain', ' no healthy upstream\n', 'no healthy upstream'],
    ['Text/Plain; charset=utf-8', 'reset', 'reset'],
    ['text/plain', '<html></html>', undefined],
    ['text/plainer', 'reset', undefined],
    ['text/html', 'reset', undefined],
    ['application/json', '{"a":', undefined],
    [undefined, 'reset', undefined],
    ['text/plain', ' ', ''],
  ])('of %j, %j are %j', (type, body, words) => {
    expect(plainWords(type, body)).toBe(words)
  })
})

describe('a connection', () => {
  test.each([
    ['ECONNREFUSED', undefined, 'network', true, 'not-sent'],
    ['ENOTFOUND', undefined, 'network', true, 'not-sent'],
    ['EAI_AGAIN', 'getaddrinfo', 'network', true, 'not-sent'],
    ['ETIMEDOUT', 'connect', 'timeout', true, 'not-sent'],
    ['UND_ERR_CONNECT_TIMEOUT', undefined, 'network', true, 'not-sent'],
    ['ETIMEDOUT', 'read', 'timeout', false, 'unknown'],
    ['ECONNABORTED', undefined, 'timeout', false, 'unknown'],
    ['TimeoutError', undefined, 'timeout', false, 'unknown'],
    ['ECONNRESET', 'read', 'network', false, 'unknown'],
    ['UND_ERR_SOCKET', undefined, 'network', false, 'unknown'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', undefined, 'network', true, 'not-sent'],
    ['EPIPE', 'write', 'network', false, 'unknown'],
    ['something new', undefined, 'network', false, 'unknown'],
  ])(
    'that ends with %s in %s is %s, retryable %s, %s',
    (code, syscall, category, retryable, outcome) => {
      const error = connectionFailure('Postmark', { code, syscall })
      expect(error).toMatchObject({ category, retryable, outcome })
    },
  )

  test.each([
    ['ECONNREFUSED', 'connect', 'network', /failed with ECONNREFUSED: the API key could not be/],
    ['ECONNRESET', 'read', 'network', /failed with ECONNRESET: the API key could not be checked$/],
    ['ECONNABORTED', undefined, 'timeout', /did not answer in time: the API key could not be/],
  ])(
    'that ends with %s in %s may be tried again where there was nothing to take',
    (code, syscall, category, said) => {
      const error = connectionFailure('Postmark', { code, syscall }, { notTaken: true })
      expect(error).toMatchObject({ category, retryable: true, outcome: 'not-sent' })
      expect(error.message).toMatch(said)
    },
  )
})

test.each<[string, unknown, object]>([
  ['is in the error', { code: 'EPIPE', syscall: 'write' }, { code: 'EPIPE', syscall: 'write' }],
  ['is in its cause', { cause: { code: 'ENOTFOUND' } }, { code: 'ENOTFOUND' }],
  [
    'is in the first of several',
    { code: 'ETIMEDOUT', errors: [{ code: 'ETIMEDOUT', syscall: 'connect' }, { code: 'x' }] },
    { code: 'ETIMEDOUT', syscall: 'connect' },
  ],
  [
    'is deep',
    { cause: { cause: { errors: [{ code: 'a', syscall: 'b' }] } } },
    { code: 'a', syscall: 'b' },
  ],
  ['is nowhere', new Error('x'), {}],
])('the cause of a failed connection %s', (_, error, cause) => {
  expect(connectionCause(error)).toEqual(cause)
})

describe('the time to wait', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  test.each([
    [{ 'retry-after': '120' }, 120_000],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:02:00 GMT' }, 120_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': '1.5' }, 1500],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'x-ratelimit-reset': String(now / 1000 + 30) }, 30_000],
    [{ 'x-ratelimit-reset': String(now / 1000 + 0.5) }, 500],
    [{ 'x-ratelimit-reset': 'x' }, undefined],
    [{ 'x-ratelimit-reset': '' }, undefined],
    [{}, undefined],
  ])('of %j is %s ms', (headers: Record<string, string>, wait) => {
    expect(waitBefore((name) => headers[name] ?? null, now)).toBe(wait)
  })
})
