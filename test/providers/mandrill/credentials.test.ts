import { describe, expect, test } from '@jest/globals'
import type { ApiFailure, RunningProvider } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { apiKey, failureOf, lastCall, startMandrill, transporterTo } from './sending.js'

const json = { 'content-type': 'application/json; charset=utf-8' }

const answer = (status: number, body: string): ApiFailure => ({
  kind: 'answer',
  status,
  headers: json,
  body,
})

const errorBody = (name: string): string =>
  JSON.stringify({ status: 'error', code: -1, name, message: 'no' })

async function failingWith(failure: ApiFailure): Promise<RunningProvider> {
  const provider = await startMandrill()
  provider.failNext(failure)
  return provider
}

describe('verify()', () => {
  test.each([
    ['', '/api/1.3/users/ping2'],
    ['/api/1.0', '/api/1.0/users/ping2'],
  ])('with the base URL ending in %j asks %s, and sends nothing', async (end, path) => {
    const provider = await startMandrill()
    expect(await transporterTo({ url: provider.url + end }).verify()).toBe(true)
    expect(provider.requests).toHaveLength(1)
    expect(provider.requests[0]).toMatchObject({ method: 'POST', path })
    expect(lastCall(provider)).toEqual({ key: apiKey })
    expect(provider.messages).toEqual([])
  })

  test('tells a wrong key, and does not show it', async () => {
    const provider = await startMandrill({}, 'md-another-key')
    const error = await failureOf(transporterTo(provider).verify())
    expect(error).toMatchObject({
      category: 'auth',
      code: 'EAUTH',
      retryable: false,
      outcome: 'not-sent',
      message: 'Mandrill answered 401: Invalid_Key: Invalid API key',
    })
  })

  test.each<[string, number, string, string, boolean]>([
    ['a wrong key with status 200', 200, errorBody('Invalid_Key'), 'auth', false],
    ['a wrong key with status 500', 500, errorBody('Invalid_Key'), 'auth', false],
    ['too many calls', 429, errorBody('RequestLimitExceeded'), 'rate-limit', true],
    ['no service', 503, errorBody('ServiceUnavailable'), 'server', true],
    ['an unknown error', 500, errorBody('GeneralError'), 'server', true],
    ['a page', 502, '<html></html>', 'server', true],
    ['another answer', 200, '{"PING":"PANG"}', 'server', true],
    ['the answer to another call', 200, '[]', 'server', true],
    ['an empty answer', 200, '', 'server', true],
  ])('tells %s', async (_, status, body, category, retryable) => {
    const provider = await failingWith(answer(status, body))
    expect(await failureOf(transporterTo(provider).verify())).toMatchObject({
      category,
      retryable,
      outcome: 'not-sent',
      statusCode: status,
    })
  })

  test('passes on when it may be asked again', async () => {
    const provider = await failingWith({
      kind: 'answer',
      status: 500,
      body: errorBody('GeneralError'),
      headers: { ...json, 'retry-after': '7' },
    })
    expect(await failureOf(transporterTo(provider).verify())).toHaveProperty('retryAfter', 7000)
  })

  test.each<[string, ApiFailure, string, string]>([
    [
      'broken',
      { kind: 'cut' },
      'network',
      'the connection to Mandrill failed with ECONNRESET: the API key could not be checked',
    ],
    [
      'silent',
      { kind: 'silent' },
      'timeout',
      'Mandrill did not answer in time: the API key could not be checked',
    ],
  ])(
    'that meets a connection which is %s speaks of no message',
    async (_, failure, category, said) => {
      const provider = await failingWith(failure)
      const error = await failureOf(transporterTo(provider, { timeout: 100 }).verify())
      expect(error).toMatchObject({ category, retryable: true, outcome: 'not-sent' })
      expect(error.message).toBe(said)
    },
  )

  test('that finds nobody there speaks of no message either', async () => {
    const provider = await startEndpoint(() => {})
    await provider.close()
    const error = await failureOf(transporterTo(provider).verify())
    expect(error).toMatchObject({ category: 'network', retryable: true, outcome: 'not-sent' })
    expect(error.message).toBe(
      'the connection to Mandrill failed with ECONNREFUSED: the API key could not be checked',
    )
  })

  test('does not carry the key to where it is redirected', async () => {
    const other = await startMandrill()
    const provider = await failingWith({
      kind: 'answer',
      status: 307,
      headers: { location: `${other.url}/api/1.3/users/ping2` },
    })
    expect(await failureOf(transporterTo(provider).verify())).toMatchObject({
      category: 'configuration',
      statusCode: 307,
    })
    expect(other.requests).toHaveLength(0)
  })
})
