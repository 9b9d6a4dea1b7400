import { describe, expect, test } from '@jest/globals'
import type { BounceKind } from '../../../src/index.js'
import { readEvent } from '../../../src/providers/sendgrid/entries.js'

const bounce = (more: object) => readEvent({ event: 'bounce', sg_message_id: 'a.recvd-1', ...more })

describe('a bounce', () => {
  // By type, classification and what the receiving server said.
  test.each<[string | undefined, string | undefined, string, BounceKind]>([
    ['bounce', undefined, '5.1.1', 'hard'],
    ['bounce', undefined, '', 'hard'],
    ['bounce', undefined, '4.4.7', 'hard'],
    ['bounce', undefined, '5.7.1', 'hard'],
    ['bounce', 'Invalid Address', '5.1.1', 'hard'],
    ['bounce', 'Invalid Address', '4.2.1', 'hard'],
    ['bounce', 'Unclassified', '5.0.0', 'hard'],
    ['bounce', 'Content', '5.7.1', 'block'],
    ['bounce', 'Reputation', '5.7.1', 'block'],
    ['bounce', 'Frequency/Volume', '4.7.28', 'block'],
    ['bounce', 'Frequency or Volume Too High', '', 'block'],
    ['bounce', 'Technical', '4.4.7', 'soft'],
    ['bounce', 'Technical', '5.4.1', 'hard'],
    ['bounce', 'Technical', '', 'hard'],
    ['bounce', 'Mailbox Unavailable', '4.2.2', 'soft'],
    ['bounce', 'Mailbox Unavailable', '5.2.1', 'hard'],
    ['Bounce', 'content', '', 'block'],
    ['blocked', 'Content', '5.1.1', 'block'],
    ['blocked', 'Reputation', '5.2.2', 'block'],
    ['blocked', 'Frequency/Volume', '4.2.2', 'block'],
    ['blocked', 'Invalid Address', '5.7.1', 'hard'],
    ['blocked', 'invalid', '', 'hard'],
    ['blocked', 'Technical', '5.7.1', 'soft'],
    ['blocked', 'Mailbox Unavailable', '5.2.1', 'soft'],
    ['blocked', 'Unclassified', '5.2.2', 'soft'],
    ['blocked', 'Unclassified', '', 'block'],
    ['blocked', undefined, '5.7.1', 'block'],
    ['blocked', undefined, '4.7.0', 'block'],
    ['blocked', undefined, '5.2.2', 'soft'],
    ['blocked', undefined, '4.4.1', 'soft'],
    ['blocked', undefined, '5.1.1', 'block'],
    ['blocked', undefined, '5.2.1', 'block'],
    ['blocked', undefined, '', 'block'],
    ['BLOCKED', undefined, '5.1.1', 'block'],
    [' bounce ', undefined, '4.4.7', 'hard'],
    ['expired', undefined, '', 'soft'],
    ['expired', 'Reputation', '5.7.1', 'soft'],
    ['expired', 'Invalid Address', '5.1.1', 'soft'],
    [undefined, 'Content', '5.1.1', 'block'],
    [undefined, 'MAILBOX UNAVAILABLE', '5.2.1', 'soft'],
    [undefined, 'Invalid Address', '4.4.1', 'hard'],
    [undefined, 'Unclassified', '5.1.1', 'hard'],
    [undefined, undefined, '5.7.1', 'block'],
    [undefined, undefined, '4.7.1', 'block'],
    [undefined, undefined, '5.2.2', 'soft'],
    [undefined, undefined, '5.0.0', 'hard'],
    [undefined, undefined, '4.4.1', 'soft'],
    [undefined, undefined, '', 'unknown'],
    ['something new', undefined, '5.1.1', 'hard'],
    ['something new', 'Reputation', '', 'block'],
    ['constructor', '__proto__', '', 'unknown'],
  ])(
    'of type %s, classified as %s, with the code %j, is %s',
    (type, bounce_classification, status, kind) => {
      expect(bounce({ type, bounce_classification, status })).toMatchObject({
        type: 'bounced',
        bounce: { kind, ...(status !== '' && { enhancedCode: status }) },
      })
    },
  )

  test.each<[string, object, object]>([
    ['has both codes of its reason', { reason: '452 4.2.2 full' }, { kind: 'soft', smtpCode: 452 }],
    [
      'goes by the SMTP code alone',
      { reason: '550 no such user' },
      { kind: 'hard', smtpCode: 550 },
    ],
    ['goes by a 4xx alone', { reason: '421 try again later' }, { kind: 'soft', smtpCode: 421 }],
    [
      'of type bounce, and technical, goes by it too',
      { type: 'bounce', bounce_classification: 'Technical', reason: '421 try again later' },
      { kind: 'soft' },
    ],
    [
      'has the enhanced code that SendGrid names rather than that of the text',
      { status: '5.7.1', reason: '550 5.1.1 no' },
      { kind: 'block', smtpCode: 550, enhancedCode: '5.7.1' },
    ],
    ['without anything is unknown', {}, { kind: 'unknown' }],
    [
      'with nulls is unknown',
      { type: null, status: null, reason: null, bounce_classification: null },
      { kind: 'unknown' },
    ],
    [
      'with values of other kinds is unknown',
      { type: 5, status: {}, reason: [], bounce_classification: true },
      { kind: 'unknown' },
    ],
  ])('%s', (_, fields, told) => {
    expect(bounce(fields)).toMatchObject({ bounce: { asynchronous: false, ...told } })
  })

  test('tells what the receiving server said', () => {
    expect(bounce({ reason: '550 5.1.1 no such user' })).toMatchObject({
      response: '550 5.1.1 no such user',
    })
    expect(bounce({ reason: '' })).not.toHaveProperty('response')
  })

  test.each<[string, object, boolean]>([
    ['with both ids', { sg_message_id: 'a.recvd-1', 'smtp-id': '<a@b>' }, false],
    ['with an SMTP id', { sg_message_id: '', 'smtp-id': '<a@b>' }, false],
    ['with empty ids', { sg_message_id: '', 'smtp-id': '' }, true],
    ['with nulls', { sg_message_id: null, 'smtp-id': null }, true],
    ['without ids', { sg_message_id: undefined }, true],
  ])('%s came after acceptance: %j', (_, ids, asynchronous) => {
    expect(bounce({ type: 'bounce', ...ids })).toMatchObject({
      bounce: { kind: 'hard', asynchronous },
    })
  })
})

const drop = (more: object) => readEvent({ event: 'dropped', ...more })

describe('a drop', () => {
  test.each([
    ['Bounced Address', 'bounced'],
    ['bounced address', 'bounced'],
    ['Unsubscribed Address', 'unsubscribed'],
    ['UNSUBSCRIBED ADDRESS', 'unsubscribed'],
    ['Group Unsubscribed Address', 'unsubscribed'],
    ['Group Unsubscribe', 'unsubscribed'],
    ['group_unsubscribe', 'unsubscribed'],
    ['Unsubscribed from group', 'unsubscribed'],
    ['Spam Reporting Address', 'spam'],
    ['Spam Content', 'blocked'],
    ['Invalid', 'invalid'],
    ['Invalid Address', 'invalid'],
    ['Invalid SMTPAPI header', 'other'],
    ['Recipient List over Package Quota', 'other'],
    ['something new', 'other'],
  ])('for %s is rejected as %s', (detail, reason) => {
    expect(drop({ reason: detail })).toMatchObject({ type: 'rejected', reason, detail })
  })

  test.each([
    ['bounce', 'bounced'],
    ['blocked', 'blocked'],
    ['expired', 'timed-out'],
    ['invalid', 'invalid'],
    ['spamreport', 'spam'],
    ['unsubscribe', 'unsubscribed'],
    ['something new', 'other'],
    [undefined, 'other'],
    [null, 'other'],
  ])('without reason, of type %s, is rejected as %s', (type, reason) => {
    for (const missing of [undefined, null, '']) {
      const event = drop({ reason: missing, type })
      expect(event).toMatchObject({ type: 'rejected', reason })
      expect(event).not.toHaveProperty('detail')
    }
  })

  test('goes by its reason rather than its type', () => {
    expect(drop({ reason: 'Spam Content', type: 'bounce' })).toMatchObject({ reason: 'blocked' })
    expect(drop({ reason: 'something new', type: 'bounce' })).toMatchObject({ reason: 'other' })
  })
})
