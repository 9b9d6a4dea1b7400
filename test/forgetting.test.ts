import { describe, expect, test } from '@jest/globals'
import { createForgetting } from '../src/forgetting.js'
import { batchOf, recordOf, type SampleEvent } from '../src/testing/store-samples.js'

const ann = 'ann.o@example.com'
const nobody = 'x@forgotten.invalid'
const { text, isIn, record, event } = createForgetting([ann, 'ann.o@münchen.example'], nobody)

test.each([
  [ann, nobody],
  ['Ann.O@EXAMPLE.com', nobody],
  ['ann.o@MÜNCHEN.example', nobody],
  [`<${ann}>, ${ann};`, `<${nobody}>, ${nobody};`],
  [`https://example.com/?a=${encodeURIComponent(ann)}&b=1`, `https://example.com/?a=${nobody}&b=1`],
  [`mailto:${ann}.`, `mailto:${nobody}.`],
  [`"${ann}"`, `"${nobody}"`],
  [`$&${ann}`, `$&${nobody}`],
])('%j becomes %j', (before, after) => {
  expect(isIn(before)).toBe(true)
  expect(text(before)).toBe(after)
})

test.each([
  `jo${ann}`,
  `jo.${ann}`,
  `jo+${ann}`,
  `jo-${ann}`,
  `ü${ann}`,
  `${ann}.au`,
  `${ann}munity`,
  'annXo@example.com',
  'ann.o@example',
])('%j is of somebody else', (other) => {
  expect(isIn(other)).toBe(false)
  expect(text(other)).toBe(other)
})

const eventOf = (sample: SampleEvent) => {
  const [incoming] = batchOf(sample).events
  if (!incoming) throw new Error('there is no event')
  return incoming.event
}

describe('of what was stored', () => {
  test('a message keeps all but the address and the name beside it', () => {
    const before = {
      ...recordOf(ann, 'bob@example.org'),
      to: [
        { name: 'Ann', address: ann },
        { name: 'Bob', address: 'bob@example.org' },
      ],
      metadata: { [ann]: '1', order: '42' },
    }
    const after = record(before)
    expect(after).toMatchObject({
      trackingId: before.trackingId,
      sentAt: before.sentAt,
      envelope: { to: [nobody, 'bob@example.org'] },
      to: [
        { name: '', address: nobody },
        { name: 'Bob', address: 'bob@example.org' },
      ],
      metadata: { [nobody]: '1', order: '42' },
    })
    expect(before.envelope.to).toEqual([ann, 'bob@example.org'])
  })

  test('an event keeps what it says, at its time, without the payload and under another id', () => {
    const before = eventOf({ type: 'delivered', recipient: ann, response: `250 ${ann} ok` })
    const after = event(before)
    expect(after).toMatchObject({
      type: 'delivered',
      recipient: nobody,
      response: `250 ${nobody} ok`,
    })
    expect(after.raw).toEqual({})
    expect(after.occurredAt).toEqual(before.occurredAt)
    expect(after.id).not.toBe(before.id)
    expect(after.id.slice(0, 13)).toBe(before.id.slice(0, 13))
    expect(event(before).id).not.toBe(after.id)
  })

  test('a received mail keeps who and when alone', () => {
    const after = event(
      eventOf({
        type: 'inbound',
        recipient: 'reply@in.example',
        mail: {
          envelope: { from: ann, to: ['reply@in.example'] },
          from: { name: 'Ann', address: ann },
          to: [{ name: '', address: 'reply@in.example' }],
          cc: [],
          replyTo: [{ name: 'Ann', address: 'ann@elsewhere.example' }],
          subject: 'Me',
          text: 'It is me, Ann Other of 1 High Street',
          references: [],
          attachments: [],
          inline: {},
          headers: [{ name: 'X-Mailer', value: 'ann' }],
          problems: [],
        },
      }),
    )
    expect(after).toMatchObject({
      type: 'inbound',
      mail: { from: { name: '', address: nobody }, problems: ['its content was forgotten'] },
    })
    expect(JSON.stringify(after)).not.toMatch(/ann|high street/i)
  })
})
