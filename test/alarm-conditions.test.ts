import { describe, expect, test } from '@jest/globals'
import {
  type AlarmOptions,
  checkedAlarmOptions,
  type Counts,
  failuresIn,
  isFailing,
  isSilent,
  lastSpan,
  settledSpan,
} from '../src/alarm-conditions.js'
import { ConfigurationError } from '../src/index.js'

const minute = 60_000
const noon = Date.parse('2026-01-01T12:00:00Z')

describe('the span that is looked at', () => {
  test('begins with a whole minute, and ends with what was sent just now', () => {
    expect(lastSpan(60 * minute, noon + 20_000)).toEqual({
      from: noon - 60 * minute,
      to: noon + 20_001,
    })
  })

  test('ends before the minute in which a message may be younger than the grace', () => {
    const condition = { window: 60 * minute, grace: 15 * minute, minimum: 10 }
    const { from, to } = settledSpan(condition, noon + 20_000)
    expect([from, to]).toEqual([noon - 60 * minute, noon - 15 * minute])
    expect(settledSpan(condition, noon - 1).to).toBe(noon - 16 * minute)
  })
})

describe('the rate of failures', () => {
  test('is that of messages whose end is known', () => {
    expect(failuresIn({ messages: 50, sent: 15, unsent: 5 })).toEqual({
      failed: 5,
      messages: 20,
      rate: 0.25,
    })
    expect(failuresIn({ messages: 3 })).toEqual({ failed: 0, messages: 0, rate: 0 })
  })

  const condition = { above: 0.1, window: 60 * minute, minimum: 20 }
  const failing = (unsent: number, sent: number, raised: boolean): boolean =>
    isFailing(failuresIn({ sent, unsent }), condition, raised)

  test.each<[string, number, number, boolean]>([
    ['above what is allowed is an alarm', 3, 17, true],
    ['of just what is allowed is none', 2, 18, false],
    ['of too few messages is none', 19, 0, false],
  ])('%s', (_, unsent, sent, expected) => {
    expect(failing(unsent, sent, false)).toBe(expected)
  })

  test.each<[string, number, number, boolean]>([
    ['above half of what is allowed', 6, 94, true],
    ['of few messages too', 1, 1, true],
    ['and no longer', 5, 95, false],
    ['and not when there are no messages', 0, 0, false],
  ])('keeps an alarm %s', (_, unsent, sent, expected) => {
    expect(failing(unsent, sent, true)).toBe(expected)
  })

  test('may be allowed to be nothing at all', () => {
    const none = { ...condition, above: 0 }
    expect(isFailing(failuresIn({ sent: 19, unsent: 1 }), none, false)).toBe(true)
    expect(isFailing(failuresIn({ sent: 20 }), none, true)).toBe(false)
  })
})

describe('a provider', () => {
  const quiet: Counts = { messages: 10, sent: 10, recipients: 12, accepted: 11, rejected: 1 }
  const silent = (counts: Counts, raised = false, later: Counts = {}): boolean =>
    isSilent(counts, { ...counts, ...later }, { minimum: 10 }, raised)

  test('is silent when mail went out and nothing came in', () => {
    expect(silent(quiet)).toBe(true)
  })

  test('is not when too few went out', () => {
    expect(silent({ ...quiet, messages: 9, sent: 9 })).toBe(false)
  })

  test('is not when messages failed, for which no event comes', () => {
    expect(silent({ messages: 40, unsent: 31, sent: 9, failed: 31, accepted: 9 })).toBe(false)
  })

  test.each([
    'deferred',
    'delivered',
    'bounced',
    'opened',
    'clicked',
    'complained',
    'unsubscribed',
  ] as const)('is not when one was %s, which only an event says', (status) => {
    expect(silent({ ...quiet, [status]: 1 })).toBe(false)
  })

  test.each(['rejected', 'failed'] as const)(
    'is not when more were %s than an answer can have said',
    (status) => {
      expect(silent({ messages: 10, sent: 10, recipients: 10, accepted: 9, [status]: 1 })).toBe(
        false,
      )
      expect(silent({ messages: 10, sent: 10, recipients: 11, accepted: 10, [status]: 1 })).toBe(
        true,
      )
    },
  )

  test('is silent when its answer left some recipients open', () => {
    expect(silent({ messages: 10, sent: 10, recipients: 10, accepted: 4, pending: 6 })).toBe(true)
  })

  test('is not when an event came for a later message', () => {
    expect(silent(quiet, false, { sent: 12, delivered: 1 })).toBe(false)
  })

  test('stays silent when less goes out, until an event comes', () => {
    expect(silent({}, true)).toBe(true)
    expect(silent({}, true, { sent: 1, accepted: 1 })).toBe(true)
    expect(silent({}, true, { sent: 1, deferred: 1 })).toBe(false)
  })
})

describe('options', () => {
  test('have defaults', () => {
    const window = 60 * minute
    expect(checkedAlarmOptions()).toEqual({
      failureRate: { above: 0.1, window, minimum: 20 },
      criticalTags: ['critical', 'transactional', 'password-reset'],
      silence: { window, grace: 15 * minute, minimum: 10 },
      every: minute,
    })
    expect(checkedAlarmOptions({ failureRate: { above: 0.5 }, silence: { minimum: 3 } })).toEqual(
      expect.objectContaining({
        failureRate: { above: 0.5, window, minimum: 20 },
        silence: { window, grace: 15 * minute, minimum: 3 },
      }),
    )
  })

  test('may leave an alarm out', () => {
    const options = { failureRate: false, silence: false, criticalTags: [] } as const
    expect(checkedAlarmOptions(options)).toEqual({
      failureRate: undefined,
      silence: undefined,
      criticalTags: [],
      every: minute,
    })
  })

  test.each<[string, object]>([
    ['failureRate', { failureRate: true }],
    ['failureRate.above', { failureRate: { above: 10 } }],
    ['failureRate.above', { failureRate: { above: Number.NaN } }],
    ['failureRate.window', { failureRate: { window: 1000 } }],
    ['failureRate.minimum', { failureRate: { minimum: 0 } }],
    ['silence', { silence: null }],
    ['silence.window', { silence: { window: '1h' } }],
    ['silence.grace', { silence: { window: 10 * minute } }],
    ['silence.grace', { silence: { window: 10 * minute, grace: 10 * minute } }],
    ['silence.minimum', { silence: { minimum: -1 } }],
    ['criticalTags', { criticalTags: 'critical' }],
    ['criticalTags', { criticalTags: [/critical/] }],
    ['every', { every: 0 }],
    ['every', { every: Infinity }],
  ])('%s must make sense: %j', (option, wrong) => {
    const check = () => checkedAlarmOptions(wrong as AlarmOptions)
    expect(check).toThrow(ConfigurationError)
    expect(check).toThrow(`alarms: ${option} must be`)
  })
})
