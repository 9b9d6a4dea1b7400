import { describe, expect, test } from '@jest/globals'
import type { AnyEvent } from '../../src/event.js'
import type { RecipientStatus } from '../../src/index.js'
import { eventTypes } from '../../src/listeners.js'
import { initialState, messageStatus, recipientStatus, withEvent } from '../../src/status.js'
import { readPage, spans, table } from './page.js'

const page = readPage('events.md')

test.each(['events.md', 'event-names.md'])('%s has every type', (name) => {
  const rows = table(readPage(name), 'type')
  expect(rows.flatMap(([type = '']) => spans(type))).toEqual(Object.keys(eventTypes))
})

const base = {
  id: 'event',
  provider: 'mailgun',
  providerEvent: '',
  tags: [],
  metadata: {},
  raw: null,
  receivedAt: new Date(0),
  correlation: { status: 'matched' as const },
}

/** The event that a word of the table stands for. */
function happening(word: string, index: number): AnyEvent {
  const whole = { ...base, occurredAt: new Date(index * 1000) }
  switch (word) {
    case 'accepted':
    case 'deferred':
    case 'delivered':
    case 'failed':
    case 'opened':
    case 'complained':
      return { ...whole, type: word }
    case 'rejected':
      return { ...whole, type: word, reason: 'other' }
    case 'unsubscribed':
      return { ...whole, type: word, scope: { kind: 'all' } }
    case 'bounced':
    case 'bounced (asynchronous)':
      return {
        ...whole,
        type: 'bounced',
        bounce: { kind: 'hard', asynchronous: word !== 'bounced' },
      }
    default:
      throw new Error(`the table speaks of "${word}"`)
  }
}

describe('of a recipient to whom this happened', () => {
  test.each(table(page, 'happened, in this order'))('%s, the status is %s', (happened, status) => {
    const events = spans(happened ?? '').map(happening)
    for (const told of [events, events.toReversed(), [...events, ...events]]) {
      expect(recipientStatus(told.reduce(withEvent, initialState))).toBe(spans(status ?? '')[0])
    }
  })
})

const everyStatus: Record<RecipientStatus, true> = {
  pending: true,
  accepted: true,
  deferred: true,
  delivered: true,
  bounced: true,
  rejected: true,
  failed: true,
}

const isStatus = (word: string): word is RecipientStatus => Object.hasOwn(everyStatus, word)

test('a message has the first of the statuses in the order of the page', () => {
  const [, list = ''] =
    /is the first of these that any of its recipients has:\n(.*)\.$/m.exec(page) ?? []
  const order = spans(list).filter(isStatus)
  expect(order.toSorted()).toEqual(Object.keys(everyStatus).toSorted())
  for (const [index, first] of order.entries()) {
    for (const second of order.slice(index)) {
      expect(messageStatus('sent', [second, first])).toBe(first)
    }
  }
})
