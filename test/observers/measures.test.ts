import { describe, expect, test } from '@jest/globals'
import type { Fact } from '../../src/observer.js'
import { measure } from '../../src/observers/measures.js'

const send = { kind: 'send', trackingId: 'x', provider: 'mailgun', duration: 1500 } as const
const listener = {
  kind: 'listener',
  eventId: 'x',
  type: 'opened',
  provider: 'mailgun',
  attempt: 1,
} as const

describe('what is counted of', () => {
  test.each<[string, Fact, [string, number, Record<string, string>][]]>([
    [
      'a message that went on to another provider: it counts for that one',
      { ...send, outcome: 'sent', passedOn: [{ provider: 'sendgrid', category: 'server' }] },
      [
        ['messages', 1, { provider: 'mailgun', outcome: 'sent' }],
        ['sendDuration', 1.5, { provider: 'mailgun', outcome: 'sent' }],
        ['passedOn', 1, { provider: 'sendgrid', category: 'server' }],
      ],
    ],
    [
      'a message that may have been sent',
      {
        ...send,
        outcome: 'unknown',
        passedOn: [],
        failure: { category: 'timeout', code: 'ETIMEDOUT', retryable: false },
      },
      [
        ['messages', 1, { provider: 'mailgun', outcome: 'unknown', category: 'timeout' }],
        ['sendDuration', 1.5, { provider: 'mailgun', outcome: 'unknown' }],
      ],
    ],
    [
      'a token that came again',
      {
        kind: 'ingest',
        provider: 'mailgun',
        outcome: 'replayed',
        events: {},
        duplicates: 0,
        deliveryTimes: [],
        duration: 20,
      },
      [['ingestDuration', 0.02, { provider: 'mailgun', outcome: 'replayed' }]],
    ],
    [
      'a listener that is called no more',
      { ...listener, outcome: 'given-up', duration: 5 },
      [['listenerDuration', 0.005, { type: 'opened', outcome: 'given-up' }]],
    ],
    ['a dead letter', { kind: 'dead-letter', eventId: 'x' }, [['deadLetters', 1, {}]]],
    [
      'a failure of the queue',
      { kind: 'failure', of: 'queue', doing: 'adding events' },
      [['failures', 1, { of: 'queue' }]],
    ],
    [
      'an alarm that is over',
      { kind: 'alarm', alarm: 'silence', state: 'over', provider: 'mailgun' },
      [['alarms', 1, { alarm: 'silence', provider: 'mailgun', state: 'over' }]],
    ],
    [
      'verifying, which is a part of a request',
      { kind: 'verify', webhook: 'mailgun', provider: 'mailgun', duration: 1 },
      [],
    ],
  ])('%s', (_, fact, expected) => {
    const taken: unknown[] = []
    measure((...each) => void taken.push(each), fact)
    expect(taken).toEqual(expected)
  })
})
