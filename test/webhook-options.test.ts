import { describe, expect, test } from '@jest/globals'
import { ConfigurationError, type WebhookOptions } from '../src/index.js'
import { querySecret } from '../src/guards.js'
import { checkedMaxAge, checkedWebhookOptions, refusedByAge } from '../src/webhook-options.js'

const defaults = { name: 'outside', maxBodyBytes: 1000, answers: { forged: 406 } }
const check = (options: WebhookOptions) =>
  checkedWebhookOptions('outsideWebhook', options, defaults)

describe('the options of a webhook', () => {
  test('are the provider’s where none are given', () => {
    expect(check({})).toMatchObject({
      name: 'outside',
      guards: [],
      maxBodyBytes: 1000,
      answers: { stored: 200, forged: 406, tooLarge: 413, unavailable: 503 },
    })
  })

  test('may be given one by one', () => {
    const guards = [querySecret('s')]
    const options = { name: 'eu', guards, maxBodyBytes: 5, answers: { stored: 204 } }
    expect(check(options)).toMatchObject({ ...options, answers: { stored: 204, forged: 406 } })
  })

  test.each<[string, object]>([
    ['guards that are no list', { guards: querySecret('s') }],
    ['a guard that checks nothing', { guards: [{}] }],
    ['a guard that is missing', { guards: [undefined] }],
    ['no bytes', { maxBodyBytes: 0 }],
    ['part of a byte', { maxBodyBytes: 1.5 }],
    ['a text for bytes', { maxBodyBytes: '5mb' }],
    ['an answer of another name', { answers: { badSignature: 403 } }],
    ['an answer that is no status', { answers: { forged: '403' } }],
    ['an answer that begins a conversation', { answers: { forged: 100 } }],
  ])('are refused with %s', (_, options) => {
    expect(() => check(options)).toThrow(ConfigurationError)
  })
})

describe('the age of a signature', () => {
  const at = new Date('2026-01-01T00:00:00Z')
  const seconds = (offset: number): string => String(at.getTime() / 1000 + offset)

  test.each([
    ['any, where none is asked for', '1', undefined, undefined],
    ['within', seconds(-590), 600_000, undefined],
    ['beyond', seconds(-610), 600_000, 'stale'],
    ['from a clock that is a little ahead', seconds(290), 600_000, undefined],
    ['from the future', seconds(310), 600_000, 'clock'],
    ['of no time at all', 'soon', 600_000, 'stale'],
  ])('%s', (_, timestamp, maxAge, reason) => {
    expect(refusedByAge(timestamp, maxAge, at)?.reason).toBe(reason)
  })

  test.each([[0], [-1], [Number.NaN], [Infinity]])('cannot be bounded by %s ms', (maxAge) => {
    expect(() => checkedMaxAge('outsideWebhook', maxAge)).toThrow(ConfigurationError)
  })
})
