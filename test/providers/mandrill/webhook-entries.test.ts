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

describe('what else a message may hold', () => {
  const hollow = { ts: null, subject: null, state: null, _version: null, resends: null }

  test.each<[string, Entry]>([
    ['nothing of what it had, long after it was sent', hollow],
    ['no opens, clicks and attempts', { opens: null, clicks: null, smtp_events: null }],
    ['other things for lists', { opens: {}, clicks: 'none', smtp_events: 5, tags: {} }],
    ['a version that is a number', { _version: 1 }],
    ['a number for a subject', { subject: 42 }],
    ['the time as text', { ts: '1767225600' }],
    ['keys that nobody knows', { mc_template: null, newer: { than: ['this'] } }],
  ])('%s', async (_, message) => {
    for (const [event, type] of Object.entries({ open: 'opened', deferral: 'deferred' })) {
      expect(await readEntry(entry({ event }, message))).toMatchObject({
        type,
        providerMessageId: id,
        recipient: 'ann@example.org',
        occurredAt: new Date('2026-01-01T00:00:01Z'),
      })
    }
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
    'sms_processing',
    'sms_queued',
    'sms_sent',
    'sms_delivered',
    'sms_canceled',
    'sms_failed',
    'sms_open',
    'sms_click',
    'sms_unsub',
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
    [
      'hard_bounce',
      'that came back as a mail, though the message does not say that it was sent',
      { diag: 'X-Postfix; unknown user: "gone"' },
      { kind: 'hard', asynchronous: true },
    ],
    [
      'hard_bounce',
      'that came back from another kind of server',
      { diag: ' x-unix ; 550 5.1.1 user unknown' },
      { kind: 'hard', asynchronous: true, smtpCode: 550, enhancedCode: '5.1.1' },
    ],
    [
      'hard_bounce',
      'whose text speaks of such a header',
      { diag: 'smtp;550 X-Spam; no' },
      { kind: 'hard', asynchronous: false },
    ],
  ])('%s %s', async (event, _, message, bounce) => {
    expect(await readEntry(entry({ event }, message))).toMatchObject({ type: 'bounced', bounce })
  })

  test.each<[string, Entry, string]>([
    ['4.7.1', { diag: 'smtp;451 4.7.1 Greylisted' }, 'block'],
    ['5.7.606', { diag: 'smtp;550 5.7.606 Access denied, banned sending IP' }, 'block'],
    ['5.2.2', { diag: 'smtp;552 5.2.2 Over Quota', bgtools_code: 22 }, 'soft'],
    ['5.1.7', { diag: 'smtp;550 5.1.7 Bad sender' }, 'soft'],
    ['spam_detected', { bounce_description: 'spam_detected' }, 'block'],
    ['Mail Block', { bounce_description: 'Mail Block - General' }, 'block'],
    ['policy_related', { bounce_description: 'policy_related' }, 'block'],
    ['general', { bounce_description: 'general', bgtools_code: 40 }, 'soft'],
    ['the code before a block', { bgtools_code: 49 }, 'soft'],
    ['the first code of a block', { bgtools_code: 50 }, 'block'],
    ['a code of a block as text', { bgtools_code: '52' }, 'block'],
    ['the last code of a block', { bgtools_code: 54 }, 'block'],
    ['the code after a block', { bgtools_code: 55 }, 'soft'],
    ['junk', { bounce_description: ['spam'], bgtools_code: {} }, 'soft'],
  ])('that was given up, with %s', async (_, message, kind) => {
    const soft = await readEntry(entry({ event: 'soft_bounce' }, message))
    expect(soft).toMatchObject({ type: 'bounced', bounce: { kind } })
    // What Mandrill calls hard it does not send to any more.
    const hard = await readEntry(entry({ event: 'hard_bounce' }, message))
    expect(hard).toMatchObject({ type: 'bounced', bounce: { kind: 'hard' } })
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
    ['Hard Bounce', 'bounced'],
    ['soft-bounce', 'bounced'],
    ['soft_bounce', 'bounced'],
    ['spam', 'spam'],
    ['unsub', 'unsubscribed'],
    ['custom', 'blocked'],
    ['rule', 'blocked'],
    ['invalid', 'invalid'],
    ['invalid-sender', 'other'],
    ['unsigned', 'other'],
    ['test', 'other'],
    ['test-mode-limit', 'other'],
    ['recipient-domain-mismatch', 'other'],
    ['hourly-quota-exhausted', 'other'],
    ['daily limit', 'other'],
    ['monthly-limit-reached', 'other'],
    ['free-trial-sends-exhausted', 'other'],
    ['manual edit', 'other'],
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

  test.each<[unknown, boolean | undefined]>([
    [{ type: 'Robot', ua_family: 'Googlebot' }, true],
    [{ type: 'robot' }, true],
    [{ type: 'Spam robot or scanner' }, true],
    [{ type: 'Email Client' }, undefined],
    [{ type: 'Browser', ua_family: 'Robotic browser' }, undefined],
    [{ type: 'unknown' }, undefined],
    [{ type: null }, undefined],
    [{ type: ['Robot'] }, undefined],
    [null, undefined],
    [[], undefined],
    ['Robot', undefined],
    [undefined, undefined],
  ])('by the client %j is told of a machine as %j', async (user_agent_parsed, machine) => {
    for (const event of ['open', 'click']) {
      const visit = await readEntry(entry({ event, user_agent_parsed }))
      expect('machine' in visit ? visit.machine : undefined).toBe(machine)
    }
  })

  test.each([
    ['a text', 'invalid ip'],
    ['numbers as text', { country: 'US', latitude: 'invalid ip', longitude: '0' }],
    ['the other name of the country', { country_long: 'United States' }],
    ['an empty list', []],
  ])('from %s for a location is kept as it came', async (_, location) => {
    const event = await readEntry(entry({ event: 'open', ip: '203.0.113.80', location }))
    expect(event).toMatchObject({ type: 'opened', ip: '203.0.113.80', raw: { location } })
  })

  test.each([[undefined], [null], [[]], [{}]])('of the link %j is a click still', async (url) => {
    expect(await readEntry(entry({ event: 'click', url }))).toMatchObject({
      type: 'clicked',
      url: '',
    })
  })
})
