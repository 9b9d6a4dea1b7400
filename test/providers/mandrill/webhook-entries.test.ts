import { describe, expect, test } from '@jest/globals'
import { eventId } from '../../../src/matching.js'
import { entry, type Entry, id, readEntry } from './webhook-requests.js'

const own = '0197a3c0-5b1e-7c3d-8f2a-9b6c4d1e0f35'

const parsed = (json: string): unknown => JSON.parse(json)

describe('the time', () => {
  test.each([
    ['seconds', 1767225601, '2026-01-01T00:00:01.000Z'],
    ['seconds as a string', '1767225601', '2026-01-01T00:00:01.000Z'],
    ['seconds with a fraction', 1767225601.25, '2026-01-01T00:00:01.250Z'],
    ['milliseconds', 1767225601250, '2026-01-01T00:00:01.250Z'],
  ])('is read from %s', async (_, ts, time) => {
    expect((await readEntry(entry({ ts }))).occurredAt).toEqual(new Date(time))
  })

  test.each([[null], [undefined], [''], ['yesterday'], [0], [-5], [true], [{}], [[1767225601]]])(
    'is left open when it is %j',
    async (ts) => {
      expect(await readEntry(entry({ ts }))).not.toHaveProperty('occurredAt')
    },
  )
})

describe('the id of the message', () => {
  test.each<[string, unknown, unknown, string | undefined]>([
    ['in both places', id, id, id],
    ['at the top alone', id, undefined, id],
    ['in the message alone', undefined, id, id],
    ['in the message, with null at the top', null, id, id],
    ['with the number of the account', `1773449.${id}`, `1773449.${id}`, id],
    ['of the test button', 'exampleaaaaaaaaaaa1', 'exampleaaaaaaaaaaa1', 'exampleaaaaaaaaaaa1'],
    ['with blanks around it', ` ${id} `, undefined, id],
    ['nowhere', undefined, undefined, undefined],
    ['of the wrong type', {}, [id], undefined],
  ])('is found %s', async (_, top, inner, found) => {
    const event = await readEntry(entry({ _id: top }, { _id: inner }))
    expect(event.providerMessageId).toBe(found)
    expect(event.recipient).toBe('ann@example.org')
  })
})

describe('the message', () => {
  test.each([[undefined], [null], [[]], ['text'], [5]])('may be %j', async (msg) => {
    expect(await readEntry(entry({ msg }))).toEqual({
      type: 'accepted',
      providerEvent: 'send',
      providerMessageId: id,
      occurredAt: new Date('2026-01-01T00:00:01Z'),
      tags: [],
      metadata: {},
      raw: parsed(JSON.stringify(entry({ msg }))),
    })
  })

  test.each<[unknown, string | undefined]>([
    [' Ann@Example.org ', 'Ann@Example.org'],
    [null, undefined],
    ['', undefined],
    [{ address: 'ann@example.org' }, undefined],
  ])('for %j has the recipient %j', async (email, recipient) => {
    expect((await readEntry(entry({}, { email }))).recipient).toBe(recipient)
  })

  test.each([
    [undefined, []],
    [null, []],
    [[], []],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    ['a', ['a']],
    [
      ['a', null, 5, '', { b: 1 }],
      ['a', '5'],
    ],
    [{ a: 1 }, []],
  ])('with the tags %j has %j', async (tags, kept) => {
    expect((await readEntry(entry({}, { tags }))).tags).toEqual(kept)
  })

  test.each<[string, unknown, Entry]>([
    ['an empty list, as PHP writes {}', [], {}],
    ['a list', ['a'], {}],
    ['null', null, {}],
    ['nothing', undefined, {}],
    ['a string', 'order=42', {}],
    ['strings', { order: '42', empty: '' }, { order: '42', empty: '' }],
    ['numbers and flags', { user_id: 111, vip: true }, { user_id: '111', vip: 'true' }],
    ['null among others', { order: '42', gone: null }, { order: '42' }],
    ['nested values', { cart: { items: [1] } }, { cart: '{"items":[1]}' }],
    ['names of a prototype', parsed('{"constructor":"a","__proto__":"b"}'), { constructor: 'a' }],
  ])('with %s as metadata', async (_, metadata, expected) => {
    const event = await readEntry(entry({}, { metadata }))
    expect(event.metadata).toEqual(expected)
    expect(Object.getPrototypeOf(event.metadata)).toBe(Object.prototype)
  })
})

describe('our own id', () => {
  const withId = (value: unknown): Entry =>
    entry({}, { metadata: { mailtrail_id: value, order: '42' } })

  test.each([
    ['as it was planted', own],
    ['in capitals', own.toUpperCase()],
    ['with blanks', ` ${own}\n`],
  ])('is taken from the metadata, and out of it, %s', async (_, value) => {
    expect(await readEntry(withId(value))).toMatchObject({ ownId: own, metadata: { order: '42' } })
    expect((await readEntry(withId(value))).metadata).not.toHaveProperty('mailtrail_id')
  })

  test.each([['m-1'], [111], [null], [[own]], [{ id: own }], [''], ['x'.repeat(9000)]])(
    'is not believed when it is %j',
    async (value) => {
      expect(await readEntry(withId(value))).not.toHaveProperty('ownId')
    },
  )
})

describe('an event', () => {
  test.each([
    'inbound',
    'sms_sent',
    'processed',
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
  ])('named %s is unknown, and no failure', async (name) => {
    const event = await readEntry(entry({ event: name }))
    expect(event).toMatchObject({ type: 'unknown', providerEvent: name, providerMessageId: id })
    expect(event).not.toHaveProperty('error')
  })

  test.each([[undefined], [null], [''], [{}], [['send']]])(
    'whose name is %j is unknown, with the reason',
    async (event) => {
      const error = 'it has no event name'
      expect(await readEntry(entry({ event }))).toMatchObject({ type: 'unknown', error })
    },
  )

  test('is known in any letter case', async () => {
    const event = await readEntry(entry({ event: 'Send' }))
    expect(event).toMatchObject({ type: 'accepted', providerEvent: 'Send' })
  })
})

describe('the answer of the receiving server', () => {
  const now = { ts: 1767225601, diag: '250 2.0.0 OK' }
  const before = { ts: 1767225000, diag: '421 4.7.0 Try later' }
  const after = { ts: 1767229000, diag: '451 4.3.2 Not yet' }

  test.each<[string, Entry, Entry, Entry]>([
    [
      'at the top',
      { diag: '250 OK' },
      {},
      { response: '250 OK', smtpCode: 250, discriminator: '250 OK' },
    ],
    [
      'at the top rather than below',
      { diag: '250 OK' },
      { smtp_events: [now] },
      { response: '250 OK', smtpCode: 250, discriminator: '250 OK' },
    ],
    [
      'of its own time, though the message knows later ones',
      {},
      { smtp_events: [before, now, after] },
      { response: '250 2.0.0 OK', smtpCode: 250 },
    ],
    [
      'of its own time, though that came as text',
      { ts: '1767225601' },
      { smtp_events: [before, now, after] },
      { response: '250 2.0.0 OK', smtpCode: 250 },
    ],
    ['of no attempt of another time and kind', {}, { smtp_events: [before, after] }, {}],
    [
      'without a code',
      { diag: 'timed out' },
      {},
      { response: 'timed out', discriminator: 'timed out' },
    ],
    ['nowhere', {}, {}, {}],
    ['in no list', {}, { smtp_events: 'none' }, {}],
    ['in a list of nothing', {}, { smtp_events: [null, 5, []] }, {}],
    ['of the wrong type', { diag: { code: 250 } }, { smtp_events: null }, {}],
  ])('is found %s', async (_, top, message, expected) => {
    const occurrence = {
      providerMessageId: id,
      recipient: 'ann@example.org',
      tags: [],
      metadata: {},
    }
    const occurredAt = new Date('2026-01-01T00:00:01Z')
    for (const [name, type] of [
      ['delivered', 'delivered'],
      ['deferral', 'deferred'],
    ]) {
      const { raw: _raw, ...event } = await readEntry(entry({ event: name, ...top }, message))
      expect(event).toEqual({ type, providerEvent: name, occurredAt, ...occurrence, ...expected })
    }
  })

  test.each([
    ['delivered', '250 2.0.0 OK'],
    ['deferral', '421 4.7.0 Try later'],
  ])(
    'of %s is that of the last such attempt before it, when none is of its time',
    async (name, response) => {
      const attempts = [
        { ...before, type: 'deferred' },
        { ...now, type: 'sent' },
        { ...after, type: 'deferred' },
      ]
      const event = await readEntry(
        entry({ event: name, ts: now.ts + 1 }, { smtp_events: attempts }),
      )
      expect(event).toMatchObject({ response })
    },
  )
})

test('a fact that another webhook tells later, with a newer message, is the same fact', async () => {
  const attempt = { ts: 1767225601, type: 'deferred', diag: '451 4.3.2 Not yet' }
  const ids = await Promise.all(
    [[attempt], [{ ts: 1767225000, type: 'deferred', diag: 'x' }], []].map(async (attempts) => {
      const event = await readEntry(entry({ event: 'deferral' }, { smtp_events: attempts }))
      return eventId('mandrill', event)
    }),
  )
  expect(new Set(ids).size).toBe(1)
})

test('facts that name no message are told apart by all they say', async () => {
  const [first, second] = await Promise.all(
    ['550 5.1.1 a', '550 5.1.1 b'].map((diag) =>
      readEntry({ event: 'hard_bounce', ts: 1767225601, msg: { email: 'a@example.org', diag } }),
    ),
  )
  if (!first || !second) throw new Error('there are two')
  expect(eventId('mandrill', first)).not.toBe(eventId('mandrill', second))
})

describe('a bounce', () => {
  const sent = { smtp_events: [{ ts: 1767225601, type: 'sent', diag: '250 OK' }] }
  const deferred = { smtp_events: [{ ts: 1767225601, type: 'deferred', diag: '451 no' }] }

  test.each<[string, string, Entry, Entry]>([
    ['hard_bounce', 'in the dialogue', {}, { kind: 'hard', asynchronous: false }],
    ['hard_bounce', 'after it was sent', sent, { kind: 'hard', asynchronous: true }],
    ['soft_bounce', 'after it was deferred', deferred, { kind: 'soft', asynchronous: false }],
    [
      'soft_bounce',
      'with codes',
      { diag: 'smtp;452-4.2.2 The mailbox is full' },
      { kind: 'soft', asynchronous: false, smtpCode: 452, enhancedCode: '4.2.2' },
    ],
    ['hard_bounce', 'of junk', { smtp_events: {}, diag: 5 }, { kind: 'hard', asynchronous: false }],
  ])('%s %s', async (event, _, message, bounce) => {
    expect(await readEntry(entry({ event }, message))).toMatchObject({ type: 'bounced', bounce })
  })

  test.each<[string, Entry, string | undefined]>([
    ['its text', { diag: 'smtp;550 No', bounce_description: 'bad_mailbox' }, 'smtp;550 No'],
    ['its description for an empty text', { diag: '', bounce_description: 'general' }, 'general'],
    ['nothing', { bounce_description: null }, undefined],
  ])('says %s', async (_, message, response) => {
    const event = await readEntry(entry({ event: 'soft_bounce' }, message))
    expect('response' in event ? event.response : undefined).toBe(response)
  })
})

describe('a reject', () => {
  test.each([
    ['hard-bounce', 'bounced'],
    ['hard_bounce', 'bounced'],
    ['soft-bounce', 'bounced'],
    ['spam', 'spam'],
    ['unsub', 'unsubscribed'],
    ['custom', 'blocked'],
    ['rule', 'blocked'],
    ['invalid', 'invalid'],
    ['invalid-sender', 'other'],
    ['unsigned', 'other'],
    ['test-mode-limit', 'other'],
    ['constructor', 'other'],
  ])('for %s has the reason %s, and the word itself', async (detail, reason) => {
    const message = { reject: { reason: detail, last_event_at: '2026-01-01 00:00:05' } }
    const event = await readEntry(entry({ event: 'reject' }, message))
    expect(event).toMatchObject({ type: 'rejected', reason, detail })
  })

  test.each([[null], [undefined], [[]], [{}], ['hard-bounce'], [{ reason: null }]])(
    'with %j says no reason',
    async (reject) => {
      const event = await readEntry(entry({ event: 'reject' }, { reject }))
      expect(event).toMatchObject({ type: 'rejected', reason: 'other' })
      expect(event).not.toHaveProperty('detail')
    },
  )
})

describe('an open or a click', () => {
  test.each(['open', 'click'])('%s knows no client when none is told', async (name) => {
    const nothing = { ip: null, user_agent: null, location: null, user_agent_parsed: null }
    const event = await readEntry(entry({ event: name, ...nothing }))
    expect(event).not.toHaveProperty('ip')
    expect(event).not.toHaveProperty('userAgent')
  })

  test.each([[undefined], [null], [[]], [{}]])('of the link %j is a click still', async (url) => {
    expect(await readEntry(entry({ event: 'click', url }))).toMatchObject({
      type: 'clicked',
      url: '',
    })
  })
})
