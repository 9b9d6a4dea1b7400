import { describe, expect, test } from '@jest/globals'
import type { MailgunHistoryOptions } from '../../../src/providers/mailgun/index.js'
import type { ApiFailure } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import {
  answering,
  eventsOf,
  historyFailure,
  historyOf,
  reading,
  recipientsIn,
  sent,
  type Span,
  tell,
  upTo,
} from './history-reading.js'
import { apiKey, closing, startMailgun } from './sending.js'

const recipient = 'ana@shop.test'

describe('a reading fails', () => {
  async function failing(failure: ApiFailure, options: MailgunHistoryOptions = {}) {
    const provider = await startMailgun()
    provider.failNext(failure)
    return historyFailure(historyOf(provider, options))
  }

  test('with a wrong key, and says which one to take', async () => {
    const provider = await startMailgun()
    const wrong = 'key-of-somebody-else-0123456789'
    const error = await historyFailure(historyOf(provider, { apiKey: wrong }))
    expect(error).toMatchObject({ retryable: false, code: 'EHISTORY' })
    expect(error.message).toMatch(
      /^Mailgun answered 401: Invalid private key \(.*sending key.*region/,
    )
    expect(error.message).not.toContain(wrong)
  })

  test.each([
    [401, 'text/html', 'Forbidden', /^Mailgun answered 401: Forbidden \(pass an API key/],
    [401, 'application/json', '"Forbidden"', /^Mailgun answered 401: Forbidden \(pass an API key/],
    [
      403,
      'application/json',
      '{"message":"no access"}',
      /^Mailgun answered 403: no access \(.*logs/,
    ],
    [402, 'application/json', '{"message":"pay"}', /^Mailgun answered 402: pay$/],
    [
      404,
      'application/json',
      '{"message":"not found"}',
      /^Mailgun answered 404: not found \(.*\/v3/,
    ],
    [
      400,
      'application/json',
      '{"message":"too old"}',
      /^Mailgun answered 400: too old \(.*30 days/,
    ],
    [302, 'text/html', '', /^Mailgun answered 302: Found$/],
  ])('for good with a %i of %s: %s', async (status, type, body, message) => {
    const headers = { 'content-type': type }
    const error = await failing({ kind: 'answer', status, headers, body })
    expect(error.retryable).toBe(false)
    expect(error.message).toMatch(message)
  })

  test.each([
    [500, 'application/json', '{"message":"Internal Server Error"}'],
    [502, 'text/html', '<html><h1>502 Bad Gateway</h1></html>'],
    [503, 'text/plain', ''],
    [504, 'application/json', '[]'],
  ])('for now with a %i of %s: %s', async (status, type, body) => {
    const headers = { 'content-type': type }
    const error = await failing({ kind: 'answer', status, headers, body })
    expect(error).toMatchObject({ retryable: true, retryAfter: undefined })
    expect(error.message).toMatch(/^Mailgun answered 50\d: [A-Z][A-Za-z ]+$/)
  })

  test.each([
    [429, { 'retry-after': '120' }, 120_000],
    [429, { 'retry-after': '0.5' }, 500],
    [503, { 'retry-after': '7' }, 7000],
  ])('for now with a %i, and says for how long by %j', async (status, headers, retryAfter) => {
    const body = '{"message":"Too many requests"}'
    expect(await failing({ kind: 'answer', status, headers, body })).toMatchObject({
      retryable: true,
      retryAfter,
    })
  })

  test('for now with a 429 that says when its limit is over', async () => {
    const reset = String(Math.ceil(Date.now() / 1000) + 60)
    const headers = { 'x-ratelimit-reset': reset }
    const error = await failing({ kind: 'answer', status: 429, headers, body: '' })
    expect(error.retryable).toBe(true)
    expect(error.retryAfter).toBeGreaterThan(50_000)
    expect(error.retryAfter).toBeLessThanOrEqual(61_000)
  })

  test('and goes on from there later', async () => {
    const provider = await startMailgun({ script: () => [] })
    await tell(provider, await sent(provider), 150)
    const told: (string | undefined)[] = []
    let position: string | undefined
    const read = async () => {
      const span: Span = position === undefined ? {} : { position }
      for await (const page of reading(historyOf(provider), span)) {
        told.push(...recipientsIn(page.events))
        position = page.position
        if (told.length === 100) provider.failNext({ kind: 'answer', status: 429 })
      }
    }
    await expect(read()).rejects.toMatchObject({ name: 'HistoryError', retryable: true })
    await read()
    expect(told).toEqual(upTo(150))
  })

  test.each(['cut', 'refused'] as const)('for now where the connection is %s', async (kind) => {
    expect(await failing({ kind })).toMatchObject({
      retryable: true,
      message: 'the connection to Mailgun failed with ECONNRESET',
    })
  })

  test('for now where an answer breaks off', async () => {
    const endpoint = closing(
      await startEndpoint((_, response) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('{"items":[', () => response.destroy())
      }),
    )
    expect(await historyFailure(historyOf(endpoint))).toMatchObject({
      retryable: true,
      message: 'the connection to Mailgun failed with ECONNRESET',
    })
  })

  test('for now where nobody listens', async () => {
    const endpoint = await startEndpoint(() => {})
    await endpoint.close()
    expect(await historyFailure(historyOf(endpoint))).toMatchObject({
      retryable: true,
      message: 'the connection to Mailgun failed with ECONNREFUSED',
    })
  })

  test('for now where no answer comes in time', async () => {
    expect(await failing({ kind: 'silent' }, { timeout: 50 })).toMatchObject({
      retryable: true,
      message: 'Mailgun did not answer in time',
    })
  })

  test('without the key and without addresses, should the answer quote them', async () => {
    const said = `${apiKey} and ${btoa(`api:${apiKey}`)} of ana@shop.test ${'x'.repeat(10_000)}`
    for (const body of [said, JSON.stringify(said), JSON.stringify({ message: said })]) {
      const error = await failing({ kind: 'answer', status: 403, body })
      expect(error.message).toContain('<secret> and <secret> of <address>')
      expect(error.message).toContain('sending key')
      expect(error.message.length).toBeLessThan(1000)
    }
  })
})

describe('an answer of another kind', () => {
  test.each([
    ['a page', '<html><title>Welcome</title></html>'],
    ['nothing', ''],
    ['a text', 'OK'],
    ['a number', '7'],
    ['null', 'null'],
    ['a list', '[]'],
    ['an object', '{}'],
    ['items that are none', '{"items":{"0":{}},"pagination":{}}'],
    ['an answer to a message', '{"id":"<a@shop.test>","message":"Queued. Thank you."}'],
    ['JSON without end', '['.repeat(200_000)],
  ])('as %s is told for what it is', async (_, body) => {
    const provider = await startMailgun()
    answering(provider, body)
    expect(await historyFailure(historyOf(provider))).toMatchObject({
      retryable: false,
      message: 'Mailgun answered otherwise than its Logs API does: is this the address of its API?',
    })
  })

  test('is that of an unknown path', async () => {
    const provider = await startMailgun()
    const baseUrl = `${provider.url}/v3`
    expect(await historyFailure(historyOf(provider, { baseUrl }))).toMatchObject({
      retryable: false,
      message: 'Mailgun knows no such path: baseUrl is its address alone, without /v3',
    })
  })

  const good = {
    id: 'good',
    event: 'opened',
    '@timestamp': '2025-10-09T08:00:01.500Z',
    recipient,
  }
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

  test.each<[string, unknown]>([
    ['null', null],
    ['a text', 'opened'],
    ['a number', 7],
    ['a list', [good]],
    ['an object without anything', {}],
    ['an item without a name', { ...good, event: undefined }],
    ['an item without a time', { ...good, '@timestamp': undefined }],
    ['an item with no time in its place', { ...good, '@timestamp': 'yesterday' }],
    ['an item of a day that is none', { ...good, '@timestamp': '2025-13-41T08:00:01Z' }],
    ['an item from before time', { ...good, '@timestamp': '0000-01-01T00:00:00.5Z' }],
    ['an item with objects for texts', { ...good, '@timestamp': {}, event: {}, id: [] }],
    ['an item nested without end', { ...good, a: JSON.parse(nested(2000)) }],
    ['variables nested without end', { ...good, 'user-variables': nested(100_000) }],
    [
      'our own id nested without end',
      {
        ...good,
        message: { headers: { 'message-id': '1@mg.example.com' } },
        'user-variables': `{"mailtrail_id":${nested(100_000)}}`,
      },
    ],
    [
      'an item with too many fields',
      Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`f${index}`, index])),
    ],
  ])('in place of an item, such as %s, does not hinder the others', async (_, bad) => {
    const provider = await startMailgun()
    answering(provider, { items: [bad, good, bad], pagination: { next: 7 } })
    const events = await eventsOf(historyOf(provider))
    expect(events).toMatchObject([{ type: 'opened', providerEventId: 'good', recipient }])
    expect(() => JSON.stringify(events)).not.toThrow()
  })

  test('with keys that objects have themselves changes none of them', async () => {
    const provider = await startMailgun()
    const item = JSON.stringify({ ...good, x: 1 }).replace(
      '"x":1',
      '"__proto__":{"polluted":1},"user-variables":"{\\"__proto__\\":{\\"polluted\\":1}}","flags":{"__proto__":{"polluted":1}}',
    )
    answering(provider, `{"items":[${item}],"pagination":{"__proto__":{"next":"x"}}}`)
    const [event] = await eventsOf(historyOf(provider))
    expect(event).toMatchObject({ type: 'opened', metadata: {} })
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  test('that leads to itself is followed once', async () => {
    const provider = await startMailgun()
    for (let calls = 0; calls < 3; calls += 1) {
      answering(provider, { items: [good], pagination: { next: 'again' } })
    }
    const pages = reading(historyOf(provider))[Symbol.asyncIterator]()
    await pages.next()
    const { value } = await pages.next()
    expect(value).toMatchObject({ events: [{ providerEventId: 'good' }] })
    await expect(pages.next()).rejects.toMatchObject({
      name: 'HistoryError',
      message: expect.stringContaining('leads to itself'),
    })
    expect(provider.requests).toHaveLength(2)
  })
})
