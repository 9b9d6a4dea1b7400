// The ids under which events are stored. A later version must make the same ones of the same events: a
// provider may tell a fact again after an update, and it is a duplicate then too.
import { describe, expect, test } from '@jest/globals'
import type { ParsedEvent } from '../src/event.js'
import { eventId, ownIdKey, providerKey } from '../src/matching.js'
import { bareMail } from './inbound-sample.js'

const timeless = { providerEvent: 'name', tags: [], metadata: {}, raw: {} }
const origin = { ...timeless, occurredAt: new Date(1_760_000_000_000) }
const whole = { ...origin, recipient: 'Ann@example.com', providerMessageId: 'p-1' }
const ip = '203.0.113.9'
const userAgent = 'Mozilla/5.0'
const url = 'https://example.com/'
const entry = { type: 'suppression', list: 'reject', address: 'Ann@example.com' } as const

describe('the id of an event stays what it was:', () => {
  test.each<[string, ParsedEvent, string]>([
    ['accepted', { ...whole, type: 'accepted' }, '0199c82c-c000-88b0-8994-240c2bb689b6'],
    ['without anything', { ...timeless, type: 'accepted' }, '00000000-0000-8dd7-bce4-591828cec270'],
    [
      'by its Message-ID',
      { ...origin, type: 'accepted', messageId: '<m-1>' },
      '0199c82c-c000-8ac3-b8ed-773bd60063e6',
    ],
    [
      'by our id',
      { ...origin, type: 'accepted', ownId: 'o-1' },
      '0199c82c-c000-88a1-87f9-b550e820d711',
    ],
    [
      'with both ids of the message',
      { ...whole, type: 'accepted', messageId: '<m-1>' },
      '0199c82c-c000-88b0-8994-240c2bb689b6',
    ],
    [
      'with a discriminator',
      { ...whole, type: 'accepted', discriminator: 'd' },
      '0199c82c-c000-8e73-ab63-da7bc1e9df21',
    ],
    ['deferred', { ...whole, type: 'deferred' }, '0199c82c-c000-8dba-a34c-42e8cd0cbf55'],
    [
      'deferred at an attempt',
      { ...whole, type: 'deferred', attempt: 2 },
      '0199c82c-c000-8640-a3cd-9efed50d470a',
    ],
    ['delivered', { ...whole, type: 'delivered' }, '0199c82c-c000-8f92-aec2-a17485e15ff9'],
    [
      'bounced',
      { ...whole, type: 'bounced', bounce: { kind: 'hard', asynchronous: false } },
      '0199c82c-c000-8226-ab92-829841b7d5e5',
    ],
    [
      'rejected',
      { ...whole, type: 'rejected', reason: 'other' },
      '0199c82c-c000-8978-99a9-b0d52b8a8195',
    ],
    ['failed', { ...whole, type: 'failed' }, '0199c82c-c000-8853-b702-da6ef7b1ec82'],
    ['opened', { ...whole, type: 'opened' }, '0199c82c-c000-8c8e-9bde-a24c0a88e22a'],
    [
      'opened by somebody',
      { ...whole, type: 'opened', ip, userAgent },
      '0199c82c-c000-8121-a953-7fbcda44a17d',
    ],
    ['clicked', { ...whole, type: 'clicked', url }, '0199c82c-c000-8ddf-bd9e-37c2d02996a1'],
    [
      'clicked by somebody',
      { ...whole, type: 'clicked', url, ip, userAgent },
      '0199c82c-c000-89e5-ade2-f5ae4e723c01',
    ],
    ['complained', { ...whole, type: 'complained' }, '0199c82c-c000-8a1b-8129-45eacfe5f536'],
    [
      'unsubscribed',
      { ...whole, type: 'unsubscribed', scope: { kind: 'all' } },
      '0199c82c-c000-8865-b99e-152ba190d494',
    ],
    [
      'subscribed',
      { ...whole, type: 'subscribed', scope: { kind: 'list', id: '7' } },
      '0199c82c-c000-8a97-baa6-e986de8ea8ba',
    ],
    [
      'suppression',
      { ...origin, ...entry, action: 'added' },
      '0199c82c-c000-8d3d-b13d-a2a828ae5312',
    ],
    [
      'suppression with a reason',
      { ...origin, ...entry, action: 'removed', reason: 'r' },
      '0199c82c-c000-887c-a451-59ca6d439e86',
    ],
    [
      'inbound',
      { ...whole, type: 'inbound', messageId: '<in-1>', mail: bareMail },
      '00000000-0000-8f04-bf4c-7d9c90592372',
    ],
    [
      'inbound that is dated',
      { ...whole, type: 'inbound', mail: { ...bareMail, date: new Date(5) } },
      '00000000-0005-8122-93d7-a9f77c46d338',
    ],
    [
      'unknown',
      { ...whole, type: 'unknown', raw: { b: [{ d: 1, c: null }], a: 'x' } },
      '0199c82c-c000-8b4d-a795-cf90fe38eb36',
    ],
  ])('%s', (_, event, id) => {
    expect(eventId('postmark', event)).toBe(id)
  })
})

describe('the key of a provider’s event id stays what it was:', () => {
  const known = { ...origin, type: 'delivered', providerEventId: 'e-1' } as const
  test.each<[string, ParsedEvent, string]>([
    ['without a message', known, '0199c827-de00-875c-a0e5-3ce8333432ab'],
    [
      'without a time',
      { ...known, occurredAt: new Date(Number.NaN) },
      '00000000-0000-875c-a0e5-3ce8333432ab',
    ],
    ['with a Message-ID', { ...known, messageId: '<m-1>' }, '0199c827-de00-87c0-bc25-f66c5601523a'],
    [
      'with an id of the message',
      { ...known, providerMessageId: 'p-1' },
      '0199c827-de00-8345-8f40-d6daab389fe4',
    ],
    [
      'with both',
      { ...known, providerMessageId: 'p-1', messageId: '<m-1>' },
      '0199c827-de00-8345-8f40-d6daab389fe4',
    ],
  ])('%s', (_, event, id) => {
    expect(providerKey('postmark', event)).toBe(id)
  })
})

test('our id is found in mail that was sent before an update', () => {
  expect(ownIdKey).toBe('mailtrail_id')
})
