import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { AnyEvent } from '../src/event.js'
import {
  initialState,
  messageStatus,
  recipientEngagement,
  recipientStatus,
  recipientStatuses,
  withEvent,
  withSendStatus,
} from '../src/status.js'
import type { RecipientState } from '../src/store.js'
import { bareMail } from './inbound-sample.js'

const base = {
  id: 'event',
  provider: 'postmark',
  providerEvent: '',
  tags: [],
  metadata: {},
  raw: null,
  receivedAt: new Date(0),
  correlation: { status: 'matched' as const },
}

const at = (seconds: number): { occurredAt: Date } => ({ occurredAt: new Date(seconds * 1000) })

const accepted = (time: number): AnyEvent => ({ ...base, ...at(time), type: 'accepted' })
const deferred = (time: number): AnyEvent => ({ ...base, ...at(time), type: 'deferred' })
const delivered = (time: number): AnyEvent => ({ ...base, ...at(time), type: 'delivered' })
const rejected = (time: number): AnyEvent => ({
  ...base,
  ...at(time),
  type: 'rejected',
  reason: 'other',
})
const failed = (time: number): AnyEvent => ({ ...base, ...at(time), type: 'failed' })
const bounced = (time: number, asynchronous = false): AnyEvent => ({
  ...base,
  ...at(time),
  type: 'bounced',
  bounce: { kind: 'hard', asynchronous },
})
const opened = (time: number, machine?: boolean): AnyEvent => ({
  ...base,
  ...at(time),
  type: 'opened',
  ...(machine !== undefined && { machine }),
})
const clicked = (time: number, machine?: boolean): AnyEvent => ({
  ...base,
  ...at(time),
  type: 'clicked',
  url: 'https://example.com/',
  ...(machine !== undefined && { machine }),
})
const unsubscribed = (time: number): AnyEvent => ({
  ...base,
  ...at(time),
  type: 'unsubscribed',
  scope: { kind: 'all' },
})
const complained = (time: number): AnyEvent => ({ ...base, ...at(time), type: 'complained' })

const stateOf = (events: AnyEvent[]): RecipientState => events.reduce(withEvent, initialState)

describe('the status of a recipient', () => {
  test.each<[string, AnyEvent[], string]>([
    ['no event', [], 'pending'],
    ['accepted', [accepted(1)], 'accepted'],
    ['deferred after accepted', [accepted(1), deferred(2)], 'deferred'],
    ['a late accepted after deferred', [deferred(2), accepted(1)], 'deferred'],
    ['delivered after deferred', [deferred(1), delivered(2)], 'delivered'],
    ['a late deferred after delivered', [delivered(2), deferred(1)], 'delivered'],
    ['a deferred that is younger than delivered', [delivered(1), deferred(2)], 'delivered'],
    ['bounced', [accepted(1), bounced(2)], 'bounced'],
    ['an asynchronous bounce after delivered', [delivered(1), bounced(2, true)], 'bounced'],
    ['an asynchronous bounce of the same second', [delivered(1), bounced(1, true)], 'bounced'],
    ['an asynchronous bounce with a clock behind', [delivered(9), bounced(1, true)], 'bounced'],
    ['a bounce after delivered that is not marked', [delivered(1), bounced(2)], 'bounced'],
    ['delivered by a later attempt after a bounce', [bounced(1), delivered(2)], 'delivered'],
    ['a bounce of the same second as delivered', [delivered(1), bounced(1)], 'bounced'],
    ['delivered again after an asynchronous bounce', [bounced(1, true), delivered(2)], 'bounced'],
    ['rejected', [accepted(1), rejected(2)], 'rejected'],
    ['deferred after rejected', [rejected(1), deferred(2)], 'rejected'],
    ['failed', [accepted(1), failed(2)], 'failed'],
    ['opened without delivered', [opened(1)], 'pending'],
    ['complained after delivered', [delivered(1), complained(2)], 'delivered'],
  ])('%s', (_, events, status) => {
    expect(recipientStatus(stateOf(events))).toBe(status)
    expect(recipientStatus(stateOf(events.toReversed()))).toBe(status)
  })

  test('takes the answer of the send call in, whenever it is written', () => {
    const early = withSendStatus(stateOf([delivered(1)]), 'accepted')
    expect(recipientStatus(early)).toBe('delivered')
    expect(recipientStatus(withSendStatus(initialState, 'rejected'))).toBe('rejected')
    expect(recipientStatus(withSendStatus(initialState, 'failed'))).toBe('failed')
    expect(recipientStatus(withSendStatus(initialState, 'unknown'))).toBe('pending')
  })

  test('of any set of events is the same in any order', () => {
    const makers = [accepted, deferred, delivered, rejected, failed, bounced, opened, complained]
    const event = fc
      .tuple(fc.constantFrom(...makers), fc.integer({ min: 1, max: 6 }), fc.boolean())
      .map(([make, time, later]) => (make === bounced ? bounced(time, later) : make(time)))
    fc.assert(
      fc.property(
        fc
          .array(event, { maxLength: 12 })
          .chain((events) =>
            fc.tuple(
              fc.constant(events),
              fc.shuffledSubarray(events, { minLength: events.length }),
            ),
          ),
        ([events, shuffled]) => {
          expect(stateOf(shuffled)).toEqual(stateOf(events))
        },
      ),
    )
  })
})

test('every status of a recipient that events come to is one that can be asked for, and no other', () => {
  const events = [accepted(1), deferred(1), delivered(1), bounced(1), rejected(1), failed(1)]
  const statuses = events.map((event) => recipientStatus(withEvent(initialState, event)))
  expect(recipientStatuses).toEqual([recipientStatus(initialState), ...statuses])
})

test.each<AnyEvent>([
  { ...base, ...at(2), type: 'subscribed', scope: { kind: 'all' } },
  {
    ...base,
    ...at(2),
    type: 'suppression',
    list: 'reject',
    action: 'added',
    address: 'ann@example.com',
  },
  { ...base, ...at(2), type: 'inbound', mail: bareMail },
  { ...base, ...at(2), type: 'unknown' },
])('$type says nothing of delivery, and changes nothing', (event) => {
  const before = stateOf([delivered(1), opened(1)])
  expect(withEvent(before, event)).toEqual(before)
})

describe('the engagement of a recipient', () => {
  test('counts, and keeps the first and the last time', () => {
    const state = stateOf([opened(5), opened(2), complained(3), opened(9)])
    const openings = { count: 3, first: new Date(2000), last: new Date(9000) }
    const complaint = { count: 1, first: new Date(3000), last: new Date(3000) }
    expect(recipientEngagement(state)).toEqual({
      opened: { ...openings, withoutMachines: openings },
      complained: { ...complaint, withoutMachines: complaint },
    })
  })

  const seen = (count: number, first: number, last: number) => ({
    count,
    first: new Date(first * 1000),
    last: new Date(last * 1000),
  })
  const byPeople = (count: number, first: number, last: number) => ({
    ...seen(count, first, last),
    withoutMachines: seen(count, first, last),
  })

  test.each<[string, AnyEvent[], ReturnType<typeof recipientEngagement>]>([
    ['nothing', [delivered(1)], {}],
    ['a click', [clicked(3)], { clicked: byPeople(1, 3, 3) }],
    ['an unsubscription', [unsubscribed(3)], { unsubscribed: byPeople(1, 3, 3) }],
    ['a machine alone, that opens', [opened(3, true)], { opened: seen(1, 3, 3) }],
    ['a machine alone, that clicks', [clicked(3, true)], { clicked: seen(1, 3, 3) }],
    ['whom the provider calls no machine', [clicked(3, false)], { clicked: byPeople(1, 3, 3) }],
    [
      'a person between machines',
      [opened(1, true), opened(2), opened(4), opened(5, true)],
      { opened: { ...seen(4, 1, 5), withoutMachines: seen(2, 2, 4) } },
    ],
  ])('of %s', (_, events, engagement) => {
    expect(recipientEngagement(stateOf(events))).toEqual(engagement)
    expect(recipientEngagement(stateOf(events.toReversed()))).toEqual(engagement)
  })

  test('is not hidden by what comes after it', () => {
    const state = stateOf([complained(1), opened(2), delivered(3)])
    expect(recipientEngagement(state).complained?.count).toBe(1)
  })
})

describe('the status of a message', () => {
  test.each([
    [['delivered', 'delivered'], 'delivered'],
    [['delivered', 'pending'], 'pending'],
    [['delivered', 'accepted'], 'accepted'],
    [['delivered', 'bounced'], 'bounced'],
    [['bounced', 'deferred'], 'bounced'],
    [['rejected', 'bounced'], 'rejected'],
    [[], 'pending'],
  ] as const)('of recipients %j is %s', (recipients, status) => {
    expect(messageStatus('sent', recipients)).toBe(status)
  })

  const worstFirst = [
    'failed',
    'rejected',
    'bounced',
    'deferred',
    'pending',
    'accepted',
    'delivered',
  ] as const
  test.each(
    worstFirst.flatMap((worse, place) =>
      worstFirst.slice(place).map((better) => ({ worse, better })),
    ),
  )('of one recipient $worse and one $better is $worse', ({ worse, better }) => {
    expect(messageStatus('sent', [worse, better])).toBe(worse)
    expect(messageStatus('sent', [better, worse])).toBe(worse)
  })

  test('is failed when the send call failed before there was a recipient', () => {
    expect(messageStatus('failed', [])).toBe('failed')
    expect(messageStatus('unknown', [])).toBe('unknown')
  })

  test('is what events say, though the send call is told to have failed', () => {
    expect(messageStatus('failed', ['delivered'])).toBe('delivered')
  })

  test('is unknown when the send call was cut off, until an event settles it', () => {
    expect(messageStatus('unknown', ['pending', 'pending'])).toBe('unknown')
    expect(messageStatus('unknown', ['delivered'])).toBe('delivered')
    expect(messageStatus('unknown', ['pending', 'delivered'])).toBe('pending')
  })
})
