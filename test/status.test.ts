import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { AnyEvent } from '../src/event.js'
import {
  initialState,
  messageStatus,
  recipientEngagement,
  recipientStatus,
  withEvent,
  withSendStatus,
} from '../src/status.js'
import type { RecipientState } from '../src/store.js'

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
const opened = (time: number): AnyEvent => ({ ...base, ...at(time), type: 'opened' })
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

  test('is unknown when the send call was cut off, until an event settles it', () => {
    expect(messageStatus('unknown', ['pending', 'pending'])).toBe('unknown')
    expect(messageStatus('unknown', ['delivered'])).toBe('delivered')
  })
})
