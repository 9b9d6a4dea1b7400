import { describe, expect, test } from '@jest/globals'
import { sign } from '../../../src/providers/mailgun/signature.js'
import {
  type Field,
  multipart,
  readOne,
  readPost,
  sample,
  signatureFields,
  signingKey,
  timestamp,
  token,
  urlEncoded,
} from './reading.js'

const messageId = '20160421175529.19495.89030.B3AE3728@mg.example.com'
const ownId = '0199c8d2-5a10-7c31-9d54-0f6d2b8a7e11'

/** A form about this event, with the signature at its end as Mailgun has it. */
const form = (event: string | undefined, fields: readonly Field[]): Field[] => [
  ...(event === undefined ? [] : [['event', event] as const]),
  ['recipient', 'ana@shop.test'],
  ['domain', 'mg.example.com'],
  ...fields,
  ...signatureFields(),
]

const readLegacy = (event: string | undefined, ...fields: Field[]) =>
  readOne(urlEncoded(form(event, fields)))

const headers = (...pairs: unknown[]): Field => ['message-headers', JSON.stringify(pairs)]
const withId: Field = ['Message-Id', `<${messageId}>`]

describe('a form from before 2018', () => {
  test.each<[string, Field[], object]>([
    ['delivered', [], { type: 'delivered' }],
    ['bounced', [], { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } }],
    ['complained', [], { type: 'complained' }],
    ['opened', [['ip', '192.0.2.1']], { type: 'opened', ip: '192.0.2.1' }],
    [
      'clicked',
      [
        ['url', 'https://shop.test/'],
        ['user-agent', 'Mozilla/5.0'],
      ],
      { type: 'clicked', url: 'https://shop.test/', userAgent: 'Mozilla/5.0' },
    ],
    ['unsubscribed', [['mailing-list', '']], { type: 'unsubscribed', scope: { kind: 'all' } }],
    ['a name of another time', [], { type: 'unknown' }],
    ['constructor', [], { type: 'unknown' }],
    ['__proto__', [], { type: 'unknown' }],
  ])('tells %s, urlencoded and as multipart', async (event, fields, fact) => {
    const posted = form(event, [withId, ...fields])
    const expected = {
      ...fact,
      providerEvent: event,
      recipient: 'ana@shop.test',
      providerMessageId: messageId,
      messageId: `<${messageId}>`,
      occurredAt: new Date(1760000000000),
    }
    for (const post of [urlEncoded(posted), multipart(posted)]) {
      const read = await readOne(post)
      expect(read).toMatchObject(expected)
      expect(read).not.toHaveProperty('error')
      expect(read).not.toHaveProperty('providerEventId')
    }
  })

  test.each([undefined, '', ' '])(
    'with %j for an event is unknown, and not delivered',
    async (name) => {
      expect(await readLegacy(name, withId)).toMatchObject({
        type: 'unknown',
        error: 'it has no event name',
        recipient: 'ana@shop.test',
        providerMessageId: messageId,
        raw: { domain: 'mg.example.com' },
      })
    },
  )
})

describe('a drop', () => {
  test.each<[string, Field[], object]>([
    [
      'of a bounced address',
      [
        ['code', '605'],
        ['reason', 'hardfail'],
        ['description', 'Not delivering to previously bounced address'],
      ],
      {
        type: 'rejected',
        reason: 'bounced',
        detail: 'Not delivering to previously bounced address',
      },
    ],
    ['of an unsubscribed address', [['code', '606']], { type: 'rejected', reason: 'unsubscribed' }],
    ['of who complained', [['code', '607']], { type: 'rejected', reason: 'spam' }],
    ['of a poor list', [['code', '625']], { type: 'rejected', reason: 'blocked' }],
    [
      'after a refusal',
      [
        ['reason', 'hardfail'],
        ['code', '550'],
        ['description', '5.1.1 no such user'],
      ],
      {
        type: 'bounced',
        bounce: { kind: 'hard', smtpCode: 550, enhancedCode: '5.1.1', asynchronous: false },
        response: '5.1.1 no such user',
      },
    ],
    [
      'without a connection',
      [
        ['reason', 'hardfail'],
        ['code', '499'],
      ],
      { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } },
    ],
    ['after too many tries', [['reason', 'old']], { type: 'bounced', bounce: { kind: 'soft' } }],
    ['for who knows what', [['reason', 'new']], { type: 'bounced', bounce: { kind: 'unknown' } }],
    ['without a word', [], { type: 'rejected', reason: 'other' }],
    [
      'with a description alone',
      [['description', 'no']],
      { type: 'rejected', reason: 'other', detail: 'no' },
    ],
  ])('%s is told as that', async (_, fields, fact) => {
    expect(await readLegacy('dropped', ...fields)).toMatchObject(fact)
  })
})

describe('a bounce', () => {
  test.each<[string, Field[], object]>([
    [
      'with an SMTP code',
      [
        ['code', '550'],
        ['error', '5.1.1 gone\r\n5.1.1 for good'],
      ],
      {
        bounce: { kind: 'hard', smtpCode: 550, enhancedCode: '5.1.1', asynchronous: false },
        response: '5.1.1 gone\r\n5.1.1 for good',
      },
    ],
    [
      'with an enhanced code in its place',
      [['code', '5.1.1']],
      { bounce: { kind: 'hard', enhancedCode: '5.1.1', asynchronous: false } },
    ],
    [
      'with words in its place',
      [['code', 'gone']],
      { bounce: { kind: 'hard', asynchronous: false } },
    ],
    [
      'with a code of Mailgun',
      [['code', '498']],
      { bounce: { kind: 'hard', asynchronous: false } },
    ],
    [
      'for policy',
      [
        ['code', '550'],
        ['error', '5.7.1 refused'],
      ],
      { bounce: { kind: 'block', smtpCode: 550, enhancedCode: '5.7.1', asynchronous: false } },
    ],
    [
      'of a full mailbox',
      [['code', '5.2.2']],
      { bounce: { kind: 'soft', enhancedCode: '5.2.2', asynchronous: false } },
    ],
    ['with a notification alone', [['notification', 'sorry']], { response: 'sorry' }],
  ])('%s is told with it', async (_, fields, fact) => {
    const event = await readLegacy('bounced', ...fields)
    expect(event).toMatchObject({ type: 'bounced', ...fact })
    if ('bounce' in fact) expect(event).toHaveProperty('bounce', fact.bounce)
  })
})

describe('the id of the message', () => {
  test.each<[string, string, Field[], string | undefined]>([
    ['Message-Id', 'delivered', [['Message-Id', '<a@b>']], 'a@b'],
    ['message-id', 'opened', [['message-id', 'a@b']], 'a@b'],
    ['its headers', 'bounced', [headers(['MESSAGE-ID', '<a@b>'])], 'a@b'],
    ['its headers, as a list', 'bounced', [headers(['Message-Id', ['<a@b>', {}]])], 'a@b'],
    [
      'Message-Id before its headers',
      'bounced',
      [headers(['Message-Id', '<c@d>']), ['Message-Id', '<a@b>']],
      'a@b',
    ],
    [
      'message-id of an opening, and no variable',
      'opened',
      [
        ['Message-Id', 'variable'],
        ['message-id', 'a@b'],
      ],
      'a@b',
    ],
    ['Message-Id of an opening that has no other', 'opened', [['Message-Id', '<a@b>']], 'a@b'],
    ['nothing', 'delivered', [], undefined],
  ])('is taken from %s', async (_, event, fields, id) => {
    expect((await readLegacy(event, ...fields)).providerMessageId).toBe(id)
  })

  test.each([
    '',
    '[',
    '{"Message-Id": "<a@b>"}',
    'null',
    '7',
    '[7, [], [8, "x"], "y", ["Message-Id"]]',
  ])('is not there in headers that are %j', async (broken) => {
    const event = await readLegacy('delivered', ['message-headers', broken])
    expect(event).toMatchObject({ type: 'delivered', metadata: {}, tags: [] })
    expect(event.providerMessageId).toBeUndefined()
  })
})

describe('the tags', () => {
  test.each<[string, Field[], string[]]>([
    [
      'tag, which repeats',
      [
        ['tag', 'invoice'],
        ['tag', 'eu'],
      ],
      ['invoice', 'eu'],
    ],
    [
      'X-Mailgun-Tag, which repeats',
      [
        ['X-Mailgun-Tag', 'invoice'],
        ['X-Mailgun-Tag', 'eu'],
      ],
      ['invoice', 'eu'],
    ],
    [
      'the headers',
      [headers(['X-Mailgun-Tag', 'invoice'], ['x-mailgun-tag', 'eu'])],
      ['invoice', 'eu'],
    ],
    [
      'both, each once',
      [
        ['X-Mailgun-Tag', 'invoice'],
        headers(['X-Mailgun-Tag', 'invoice'], ['X-Mailgun-Tag', 'eu']),
      ],
      ['invoice', 'eu'],
    ],
    ['tag alone, where it is there', [['tag', 'a'], headers(['X-Mailgun-Tag', 'b'])], ['a']],
    ['nothing', [['tag', '']], []],
  ])('are taken from %s', async (_, fields, tags) => {
    expect((await readLegacy('complained', ...fields)).tags).toEqual(tags)
  })
})

describe('the variables of a message', () => {
  test.each<[string, string, Field[], Record<string, string>]>([
    [
      'stand in its headers, and are merged',
      'delivered',
      [
        headers(
          ['X-Mailgun-Variables', '{"a": "1", "b": "2"}'],
          ['X-Mailgun-Variables', '{"b": {"c": 3}}'],
        ),
        ['a', '9'],
      ],
      { a: '1', b: '{"c":3}' },
    ],
    [
      'stand in its headers as an object',
      'delivered',
      [headers(['X-Mailgun-Variables', { a: 1 }])],
      { a: '1' },
    ],
    [
      'are all fields that the event does not have, where it has no headers',
      'opened',
      [
        ['order_id', '1042'],
        ['code', '550'],
        ['reason', 'why not'],
        ['ip', '192.0.2.1'],
        ['h', 'x'],
      ],
      { order_id: '1042', code: '550', reason: 'why not' },
    ],
    [
      'are all fields that the event does not have, where its headers bear none',
      'delivered',
      [
        ['order_id', '1042'],
        ['ip', 'variable'],
        headers(['X-Mailgun-Variables', '{']),
        ['X-Mailgun-Sid', 'sid'],
      ],
      { order_id: '1042', ip: 'variable' },
    ],
    [
      'come last under a name that the event has',
      'clicked',
      [
        ['url', 'https://shop.test/'],
        ['url', 'variable'],
        ['event', 'bounced'],
        ['recipient', 'eve@shop.test'],
      ],
      { url: 'variable', event: 'bounced', recipient: 'eve@shop.test' },
    ],
    [
      'come last where one repeats',
      'opened',
      [
        ['a', '1'],
        ['a', '2'],
      ],
      { a: '2' },
    ],
    [
      'come first under the names of the signature',
      'clicked',
      [
        ['timestamp', 'variable 1'],
        ['token', 'variable 2'],
        ['signature', 'variable 3'],
      ],
      { timestamp: 'variable 1', token: 'variable 2', signature: 'variable 3' },
    ],
    [
      'are never tags',
      'clicked',
      [
        ['tag', 'a'],
        ['tag', 'b'],
        ['X-Mailgun-Tag', 'a'],
      ],
      {},
    ],
    [
      'may have any name, but for one that changes what an object is',
      'opened',
      [
        ['__proto__', 'x'],
        ['constructor', 'y'],
        ['a[b]', 'z'],
      ],
      { constructor: 'y', 'a[b]': 'z' },
    ],
    ['are none of what an event of another name has', 'new', [['country', 'ES']], {}],
  ])('%s', async (_, event, fields, variables) => {
    const { metadata, type, recipient, raw } = await readLegacy(event, ...fields)
    expect(Object.entries(metadata).toSorted()).toEqual(Object.entries(variables).toSorted())
    expect([type, recipient]).toEqual([event === 'new' ? 'unknown' : event, 'ana@shop.test'])
    expect(Object.getPrototypeOf(raw)).toBe(Object.prototype)
    expect(Object.keys(Object(raw))).not.toContain('__proto__')
  })

  test('say nothing of the event by their names', async () => {
    const event = await readLegacy('delivered', ['code', '550'], ['error', 'no'], ['ip', 'x'])
    expect(event).not.toHaveProperty('smtpCode')
    expect(event).not.toHaveProperty('response')
    expect(event).toMatchObject({ metadata: { code: '550', error: 'no', ip: 'x' } })
  })

  test.each<[string, Field]>([
    ['headers', headers(['X-Mailgun-Variables', `{"mailtrail_id": "${ownId}"}`])],
    ['fields', ['mailtrail_id', ownId]],
  ])('hold our own id, in %s', async (_, field) => {
    const { ownId: own, metadata } = await readLegacy('delivered', field)
    expect([own, metadata]).toEqual([ownId, {}])
  })

  test('that are nested too deeply to be written again make it unknown, and no failure', async () => {
    const deep = '['.repeat(20_000) + ']'.repeat(20_000)
    const event = await readLegacy('delivered', [
      'message-headers',
      `[["X-Mailgun-Variables", {"a": ${deep}}]]`,
    ])
    expect(event).toMatchObject({ type: 'unknown', error: expect.any(String) })
  })
})

describe('the payload', () => {
  test('is the fields as they came, a list where a name repeats, without what proves the post', async () => {
    const { raw } = await readLegacy('clicked', ['event', 'mine'], ['country', 'ES'], ['url', 'u'])
    expect(raw).toEqual({
      event: ['clicked', 'mine'],
      recipient: 'ana@shop.test',
      domain: 'mg.example.com',
      country: 'ES',
      url: 'u',
      timestamp,
    })
  })

  test('has nothing of the mail that came back', async () => {
    const post = sample('legacy-bounced.request.multipart')
    expect(post.body.includes('filename="message.mime"')).toBe(true)
    const event = await readOne(post)
    expect(event).toMatchObject({ type: 'bounced', raw: { 'attachment-count': '1' } })
    expect(JSON.stringify(event)).not.toContain('message.mime')
    expect(JSON.stringify(event)).not.toContain('Hello')
  })

  test('is bounded, whatever is posted', async () => {
    const long: Field[] = Array.from({ length: 20 }, (_, at) => [`v${at}`, 'ü'.repeat(200_000)])
    const event = await readOne(multipart(form('opened', [['country', 'ES'], ...long])))
    expect(event).toMatchObject({ type: 'opened', raw: { country: 'ES', v0: 'ü'.repeat(100_000) } })
    expect(JSON.stringify(event.raw).length).toBeLessThan(1_001_000)
    const names = Array.from({ length: 1900 }, (_, at): Field => [`${'n'.repeat(900)}${at}`, ''])
    const named = await readOne(multipart(form('opened', names)))
    expect(JSON.stringify(named.raw).length).toBeLessThan(1_010_000)
  })
})

describe('the signature of a form', () => {
  const body = (...fields: Field[]) => urlEncoded([['event', 'opened'], ...fields])
  const [time, once, signature] = signatureFields()
  if (!time || !once || !signature) throw new Error('it is not whole')

  test.each<[string, Field[], string]>([
    ['of its own', [time, once, signature], 'events'],
    ['behind variables of the same names', [['token', 'x'], time, once, signature], 'events'],
    ['behind two such', [['token', 'x'], ['token', 'y'], time, once, signature], 'events'],
    ['before fields of the same names', [time, once, signature, ['signature', 'x']], 'events'],
    ['in parts, wherever they stand', [signature, ['token', 'x'], once, time], 'events'],
    ['that is not whole', [time, once], 'unsigned'],
    ['without a token', [time, ['token', ''], signature], 'unsigned'],
    ['of a time that is none', [['timestamp', 'now'], once, signature], 'unsigned'],
    ['of another time', [['timestamp', '1760000001'], once, signature], 'bad-signature'],
    ['of nothing', [], 'unsigned'],
    [
      'of the token first',
      [
        time,
        once,
        ['signature', '7f09379f79ecb689f410d28e8fc555af57c5479fdd74f3969275451fcf20bda3'],
      ],
      'bad-signature',
    ],
    [
      'with a dot',
      [
        time,
        once,
        ['signature', '114e05ca9c394729925b3bd9f754f4733faf1d365d6c21a37e48d89f189df45d'],
      ],
      'bad-signature',
    ],
    [
      'of a subaccount',
      [time, once, ['signature', 'x'], ['parent-signature', sign(signingKey, timestamp, token)]],
      'events',
    ],
  ])('%s: %s', async (_, fields, outcome) => {
    const reading = await readPost(body(...fields))
    expect(reading.kind === 'refused' ? reading.reason : reading.kind).toBe(outcome)
  })

  test('is looked for in few of the fields, however many there are', async () => {
    const many = ['timestamp', 'token', 'signature'].flatMap((name) =>
      Array.from({ length: 600 }, (_, at): Field => [name, String(at)]),
    )
    const began = performance.now()
    expect(await readPost(body(...many))).toHaveProperty('reason', 'bad-signature')
    expect(performance.now() - began).toBeLessThan(1000)
  })
})
