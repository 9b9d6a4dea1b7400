import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { AnyEvent, EventFact, ParsedEvent } from '../src/event.js'
import {
  bareMessageId,
  canonicalAddress,
  contentDigest,
  eventId,
  firstTrackingId,
  labelsOf,
  matched,
  matchKeys,
  messageKeys,
  ownId,
  providerKey,
  rfcMessageId,
  sentAt,
  toIncoming,
  writtenForms,
} from '../src/matching.js'
import type { MessageRecord } from '../src/message.js'

const trackingId = '01890a5d-ac96-774b-bcce-b302099a8057'

type Origin = Omit<ParsedEvent, 'type'>

function parsed<Fact extends EventFact>(fact: Fact, origin: Partial<Origin> = {}): Fact & Origin {
  return {
    providerEvent: 'some_event',
    tags: [],
    metadata: {},
    raw: {},
    recipient: 'ann@example.com',
    providerMessageId: 'provider-1',
    occurredAt: new Date(1_760_000_000_000),
    ...origin,
    ...fact,
  }
}

const recordOf = (...addresses: string[]): MessageRecord => ({
  trackingId,
  provider: 'postmark',
  messageId: '<m-1@example.com>',
  envelope: { from: 'shop@example.com', to: addresses },
  to: [],
  cc: [],
  bcc: [],
  tags: [],
  metadata: {},
  sentAt: new Date(0),
  recipients: addresses.map((address) => ({
    address,
    kind: 'to',
    status: 'accepted',
    providerStatus: '',
  })),
  outcome: 'sent',
})

describe('an address in its canonical form', () => {
  test.each([
    ['Ann@Example.COM', 'ann@example.com'],
    ['  ann@example.com ', 'ann@example.com'],
    ['Ann Ruiz <Ann@example.com>', 'ann@example.com'],
    ['Ann Ruiz < Ann@example.com > ', 'ann@example.com'],
    ['<Ann@example.com> Ann Ruiz', '<ann@example.com> ann ruiz'],
    ['"Ruiz, <Ann>" <ann@example.com>', 'ann@example.com'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['ann@BÜCHER.example', 'ann@xn--bcher-kva.example'],
    ['ann@xn--bcher-kva.example', 'ann@xn--bcher-kva.example'],
    ['zoë@example.com', 'zoë@example.com'],
    ['zoë@bücher.example', 'zoë@xn--bcher-kva.example'],
    ['@bücher.example', '@xn--bcher-kva.example'],
    ['ann@bü cher.example', 'ann@bü cher.example'],
    ['ann@127.1', 'ann@127.1'],
    ['"a@b"@example.com', '"a@b"@example.com'],
    ['ann\0@example.com', 'ann\ufffd@example.com'],
    ['ann\ud800@example.com', 'ann\ufffd@example.com'],
    ['not an address', 'not an address'],
    ['zoë', 'zoë'],
    ['', ''],
  ])('of %j is %j', (address, canonical) => {
    expect(canonicalAddress(address)).toBe(canonical)
  })

  test('is its own canonical form', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (address) => {
        expect(canonicalAddress(canonicalAddress(address))).toBe(canonicalAddress(address))
      }),
    )
  })
})

describe('an address is looked for', () => {
  test.each([
    ['Ann@Example.com', ['Ann@Example.com', 'ann@example.com']],
    ['Ann Ruiz <Ann@example.com> ', ['Ann@example.com', 'ann@example.com']],
    [' ann@example.com ', ['ann@example.com', 'ann@example.com']],
    ['Ann@xn--bcher-kva.example', ['Ann@xn--bcher-kva.example', 'ann@bücher.example']],
    ['ann@BÜCHER.example', ['ann@BÜCHER.example', 'ann@bücher.example']],
    ['ann@bü cher.example', ['ann@bü cher.example']],
  ])('of %j as it may be written elsewhere: %j', (address, forms) => {
    expect(writtenForms(address)).toEqual(forms)
  })
})

describe('a Message-ID', () => {
  test.each([
    ['<Abc@example.com>', 'Abc@example.com'],
    ['Abc@example.com', 'Abc@example.com'],
    [' <Abc@example.com> ', 'Abc@example.com'],
    ['< Abc@example.com >', 'Abc@example.com'],
    ['<a<b>c@example.com>', 'a<b>c@example.com'],
    ['<>', undefined],
    [' ', undefined],
  ])('%j is bare as %j', (messageId, bare) => {
    expect(bareMessageId(messageId)).toBe(bare)
    expect(rfcMessageId(messageId)).toBe(bare === undefined ? undefined : `<${bare}>`)
  })
})

describe('our own id', () => {
  test('is taken back in any letter case', () => {
    expect(ownId(trackingId)).toBe(trackingId)
    expect(ownId(` ${trackingId.toUpperCase()} `)).toBe(trackingId)
  })

  test.each([[undefined], [null], [42], [''], ['42'], [[trackingId]], [`${trackingId}x`]])(
    'is not %j',
    (value) => {
      expect(ownId(value)).toBeUndefined()
    },
  )
})

describe('the time in an id of ours', () => {
  test('is when its message was sent', () => {
    expect(sentAt(trackingId)).toBe(0x0189_0a5d_ac96)
  })

  test.each([
    [0x0189_0a5d_ac96, '01890a5d-ac96-0000-0000-000000000000'],
    [0x0189_0a5d_ac96 + 0.9, '01890a5d-ac96-0000-0000-000000000000'],
    [0, '00000000-0000-0000-0000-000000000000'],
    [-1, '00000000-0000-0000-0000-000000000000'],
    [2 ** 48 - 1, 'ffffffff-ffff-0000-0000-000000000000'],
    [2 ** 48, 'ffffffff-ffff-0000-0000-000000000000'],
  ])('of %d has %s as the smallest', (milliseconds, first) => {
    expect(firstTrackingId(milliseconds)).toBe(first)
  })
})

describe('the labels of a message', () => {
  test('are its tags and its metadata, each once', () => {
    const metadata = { order: '7', 'a:b': 'c' }
    expect(labelsOf({ tags: ['order', 'eu', 'order'], metadata })).toEqual([
      'tag:order',
      'tag:eu',
      'metadata:["order","7"]',
      'metadata:["a:b","c"]',
    ])
    expect(labelsOf({})).toEqual([])
  })
})

describe('the id of an event', () => {
  const opened = parsed({ type: 'opened', ip: '203.0.113.9', userAgent: 'Mozilla/5.0' })

  test('is the same whatever id the provider gives the event', () => {
    const again: ParsedEvent = { ...opened, providerEventId: 'another' }
    expect(eventId('sendgrid', again)).toBe(eventId('sendgrid', opened))
  })

  test('is the same whatever the letter case of the recipient', () => {
    const again: ParsedEvent = { ...opened, recipient: 'ANN@example.com' }
    expect(eventId('sendgrid', again)).toBe(eventId('sendgrid', opened))
  })

  test('is a UUID that grows with time', () => {
    const id = eventId('sendgrid', opened)
    const later = eventId('sendgrid', { ...opened, occurredAt: new Date(1_760_000_001_000) })
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect(later > id).toBe(true)
  })

  test('is the same for an unreadable entry whatever the order of its keys', () => {
    const unreadable = parsed({ type: 'unknown' }, { raw: { a: 1, b: [{ c: 2, d: 3 }] } })
    const reordered = parsed({ type: 'unknown' }, { raw: { b: [{ d: 3, c: 2 }], a: 1 } })
    const other = parsed({ type: 'unknown' }, { raw: { a: 1, b: [{ c: 2, d: 4 }] } })
    expect(eventId('sendgrid', reordered)).toBe(eventId('sendgrid', unreadable))
    expect(eventId('sendgrid', other)).not.toBe(eventId('sendgrid', unreadable))
  })

  test('does not depend on when an entry without a time was received', () => {
    const { occurredAt: _, ...timeless } = opened
    const first = toIncoming('sendgrid', timeless, new Date(1000))
    const second = toIncoming('sendgrid', timeless, new Date(2000))
    expect(second.event.id).toBe(first.event.id)
    expect(second.event.occurredAt).toEqual(new Date(2000))
  })

  const clicked = parsed({ type: 'clicked', url: 'https://example.com/1', ip: '203.0.113.9' })
  test.each<[string, ParsedEvent, ParsedEvent]>([
    ['provider message id', opened, { ...opened, providerMessageId: 'provider-2' }],
    ['recipient', opened, { ...opened, recipient: 'bob@example.com' }],
    ['time', opened, { ...opened, occurredAt: new Date(1_760_000_000_001) }],
    ['type', opened, parsed({ type: 'complained' })],
    ['ip', opened, { ...opened, ip: '203.0.113.10' }],
    ['link', clicked, { ...clicked, url: 'https://example.com/2' }],
    ['place of the link', clicked, { ...clicked, discriminator: 'html 2' }],
    ['attempt', parsed({ type: 'deferred', attempt: 1 }), parsed({ type: 'deferred', attempt: 2 })],
    [
      'group',
      parsed({ type: 'unsubscribed', scope: { kind: 'group', id: '1' } }),
      parsed({ type: 'unsubscribed', scope: { kind: 'group', id: '2' } }),
    ],
  ])('differs by %s', (_, one, other) => {
    expect(eventId('sendgrid', other)).not.toBe(eventId('sendgrid', one))
  })

  test('differs by provider', () => {
    expect(eventId('mailgun', opened)).not.toBe(eventId('sendgrid', opened))
  })
})

describe("the provider's event id as a key", () => {
  const event = parsed({ type: 'delivered' }, { providerEventId: 'abc' })

  test('is the same when everything but the id and the name differs', () => {
    const again = parsed(
      { type: 'delivered', response: '250 OK' },
      {
        providerEventId: 'abc',
        recipient: 'bob@example.com',
        occurredAt: new Date(1_760_000_001_000),
      },
    )
    expect(providerKey('mailgun', again)).toBe(providerKey('mailgun', event))
  })

  test('differs by event name and by day, for Mailgun uses an id again', () => {
    const otherName = { ...event, providerEvent: 'opened' }
    const nextDay = { ...event, occurredAt: new Date(1_760_086_400_000) }
    expect(providerKey('mailgun', otherName)).not.toBe(providerKey('mailgun', event))
    expect(providerKey('mailgun', nextDay)).not.toBe(providerKey('mailgun', event))
  })

  test.each([0, 1, 16 * 60_000, 24 * 3600_000 - 1])(
    'is of the same day as its event, %d ms after midnight',
    (after) => {
      const midnight = Date.UTC(2026, 0, 1)
      const at = { ...event, occurredAt: new Date(midnight + after) }
      expect(sentAt(providerKey('mailgun', at) ?? '')).toBeGreaterThanOrEqual(midnight)
      expect(sentAt(providerKey('mailgun', at) ?? '')).toBeLessThanOrEqual(midnight + after)
    },
  )

  test('is missing where the provider gives no id', () => {
    expect(providerKey('mandrill', parsed({ type: 'delivered' }))).toBeUndefined()
  })
})

test.each([Number.NaN, -1, 2 ** 48, 8.64e15])(
  'a time of %d is none, and keeps no event from being stored',
  (milliseconds) => {
    const receivedAt = new Date('2026-01-01T00:00:00Z')
    const occurredAt = new Date(milliseconds)
    const base = { providerEvent: 'x', providerEventId: 'e-1', tags: [], metadata: {}, raw: {} }
    const timed = toIncoming('postmark', { type: 'delivered', ...base, occurredAt }, receivedAt)
    const timeless = toIncoming('postmark', { type: 'delivered', ...base }, receivedAt)
    expect(timed).toEqual(timeless)
    expect(timed.event.occurredAt).toEqual(receivedAt)
  },
)

describe('the ways to find a message', () => {
  test('are tried in the order of trust', () => {
    const event = parsed(
      { type: 'delivered' },
      { ownId: trackingId, messageId: '<m-1@example.com>' },
    )
    expect(matchKeys('sendgrid', event)).toEqual([
      { via: 'own-id', key: trackingId },
      { via: 'provider-id', key: 'provider-id:sendgrid:provider-1' },
      { via: 'message-id', key: 'message-id:sendgrid:m-1@example.com' },
    ])
  })

  test('are none for an event without any id', () => {
    const { providerMessageId: _, ...bare } = parsed({ type: 'delivered' })
    expect(matchKeys('sendgrid', bare)).toEqual([])
  })

  test('meet the ids that the message is known by', () => {
    const record = { ...recordOf('ann@example.com'), providerMessageId: 'provider-1' }
    const known = new Set(messageKeys(record).map(({ key }) => key))
    const event = parsed({ type: 'delivered' }, { ownId: trackingId, messageId: 'm-1@example.com' })
    expect(matchKeys('postmark', event).every(({ key }) => known.has(key))).toBe(true)
  })

  test('tell the recipient where every recipient has an id', () => {
    const record = recordOf('Ann@example.com', 'bob@example.com')
    const recipients = record.recipients.map((recipient, index) => ({
      ...recipient,
      providerMessageId: `id-${index}`,
    }))
    expect(messageKeys({ ...record, recipients, providerMessageId: 'id-0' })).toStrictEqual([
      { key: trackingId },
      { key: 'provider-id:postmark:id-0', address: 'ann@example.com' },
      { key: 'provider-id:postmark:id-1', address: 'bob@example.com' },
      { key: 'message-id:postmark:m-1@example.com' },
    ])
  })

  test('tell no recipient where several have one id', () => {
    const record = recordOf('ann@example.com', 'bob@example.com')
    const recipients = record.recipients.map((each) => ({ ...each, providerMessageId: 'id' }))
    expect(messageKeys({ ...record, recipients })).toContainEqual({
      key: 'provider-id:postmark:id',
    })
  })

  test('tell the recipient that is named twice', () => {
    const record = recordOf('ann@example.com', 'Ann@example.com')
    const recipients = record.recipients.map((each) => ({ ...each, providerMessageId: 'id' }))
    expect(messageKeys({ ...record, recipients })).toContainEqual({
      key: 'provider-id:postmark:id',
      address: 'ann@example.com',
    })
  })

  test('are our own id alone before the provider has answered', () => {
    const { messageId: _, ...record } = recordOf('ann@example.com')
    expect(messageKeys(record)).toStrictEqual([{ key: trackingId }])
    expect(messageKeys({ ...record, messageId: '<>' })).toStrictEqual([{ key: trackingId }])
  })
})

describe('a matched event', () => {
  const { recipient: _, ...nameless } = parsed({ type: 'opened' })
  const event: AnyEvent = {
    ...nameless,
    id: 'event',
    provider: 'postmark',
    occurredAt: new Date(0),
    receivedAt: new Date(0),
    correlation: { status: 'pending' },
  }

  test('is about the only recipient when it names none', () => {
    const { address, event: tied } = matched(
      event,
      recordOf('Ann@Example.com'),
      'provider-id',
      undefined,
    )
    expect(address).toBe('ann@example.com')
    expect(tied).toMatchObject({
      trackingId,
      recipient: 'Ann@Example.com',
      correlation: { status: 'matched', via: 'provider-id' },
    })
  })

  test('is about nobody when there are several and it names none', () => {
    const record = recordOf('ann@example.com', 'bob@example.com')
    const { address, event: tied } = matched(event, record, 'own-id', undefined)
    expect(address).toBeUndefined()
    expect('recipient' in tied).toBe(false)
  })

  test('is about the recipient that the matching id belongs to', () => {
    const record = recordOf('ann@example.com', 'Bob@example.com')
    const { event: tied } = matched(event, record, 'provider-id', 'bob@example.com')
    expect(tied.recipient).toBe('Bob@example.com')
  })

  test('is about the recipient that it names, in the words of its provider', () => {
    const named = { ...event, recipient: 'BOB@example.com' }
    const record = recordOf('ann@example.com', 'Bob@example.com')
    expect(matched(named, record, 'own-id', 'bob@example.com')).toMatchObject({
      address: 'bob@example.com',
      event: { recipient: 'BOB@example.com' },
    })
  })
})

test('the digest of a content does not depend on the order of keys, at any depth', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(contentDigest(reversedKeys(value))).toBe(contentDigest(value))
    }),
  )
})

function reversedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversedKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => [key, reversedKeys(inner)])
  return Object.fromEntries(entries.toReversed())
}
