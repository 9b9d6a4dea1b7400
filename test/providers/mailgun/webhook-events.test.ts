import { describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventId } from '../../../src/matching.js'
import { type Fields, isFields } from '../../../src/payload.js'
import { readEvent } from './reading.js'

const delivered = {
  event: 'delivered',
  id: 'Zk2p9uEoQ4ynd0tVb5SL1w',
  timestamp: 1760000003.870154,
  message: { headers: { 'message-id': '20251009085320.4c1e0f9a7b2d6358@mg.example.com' } },
  recipient: 'ana@shop.test',
}

const ownId = '0199c8d2-5a10-7c31-9d54-0f6d2b8a7e11'

describe('an event', () => {
  test.each<[string, object, object]>([
    ['with a time in text', { timestamp: '1760000003.870154' }, { occurredAt: 1760000003870 }],
    ['with a time in ms', { timestamp: 1760000003870 }, { occurredAt: 1760000003870 }],
    ['with a time without fraction', { timestamp: 1760000003 }, { occurredAt: 1760000003000 }],
    ['without a time', { timestamp: null }, { occurredAt: undefined }],
    ['with a time that is none', { timestamp: 'now' }, { occurredAt: undefined }],
    ['with a time of 1970', { timestamp: 0 }, { occurredAt: undefined }],
    ['with a time that is a list', { timestamp: [1760000003] }, { occurredAt: undefined }],
  ])('%s', async (_, changes, { occurredAt }: { occurredAt?: number | undefined }) => {
    const event = await readEvent({ ...delivered, ...changes })
    expect(event).toMatchObject({ type: 'delivered', recipient: 'ana@shop.test' })
    expect(event.occurredAt?.getTime()).toBe(occurredAt)
  })

  test.each<[string, unknown, string[]]>([
    ['a list', ['invoice', 'eu'], ['invoice', 'eu']],
    ['one text', 'invoice', ['invoice']],
    ['a list with other things in it', ['invoice', null, 7, '', {}], ['invoice', '7']],
    ['null', null, []],
    ['an object', { 0: 'invoice' }, []],
  ])('takes tags from %s', async (_, tags, expected) => {
    expect((await readEvent({ ...delivered, tags })).tags).toEqual(expected)
  })

  test.each<[string, unknown, Record<string, string>]>([
    ['texts', { order_id: '1042', empty: '' }, { order_id: '1042', empty: '' }],
    [
      'typed values of a header',
      { n: 1.5, yes: true, list: [1, 'a'], object: { a: { b: null } } },
      { n: '1.5', yes: 'true', list: '[1,"a"]', object: '{"a":{"b":null}}' },
    ],
    ['null', null, {}],
    ['values of null', { order_id: null }, {}],
    ['a list, as PHP writes an empty object', [], {}],
    ['a sentence, when they were too large', 'Could not load user-variables. Sorry!', {}],
    ['a number', 7, {}],
    [
      'names of the language',
      JSON.parse('{"constructor":"c","toString":"t","__proto__":"p"}'),
      {
        constructor: 'c',
        toString: 't',
      },
    ],
  ])('takes metadata from variables that are %s', async (_, variables, expected) => {
    const event = await readEvent({ ...delivered, 'user-variables': variables })
    expect(Object.entries(event.metadata)).toEqual(Object.entries(expected))
    expect(event.ownId).toBeUndefined()
  })

  test('gives our own id apart from the metadata', async () => {
    const variables = { mailtrail_id: ownId.toUpperCase(), order_id: '1042' }
    const event = await readEvent({ ...delivered, 'user-variables': variables })
    expect([event.ownId, event.metadata]).toEqual([ownId, { order_id: '1042' }])
  })

  test.each<[unknown]>([['%recipient.mailtrail_id%'], ['1042'], [''], [null], [{}], [[ownId]]])(
    'has no own id in %j',
    async (mailtrailId) => {
      const event = await readEvent({
        ...delivered,
        'user-variables': { mailtrail_id: mailtrailId },
      })
      expect([event.type, event.ownId, event.metadata]).toEqual(['delivered', undefined, {}])
    },
  )

  test.each<[string, unknown, string | undefined]>([
    ['bare', 'a.B@mg.example.com', 'a.B@mg.example.com'],
    ['in brackets', '<a.B@mg.example.com>', 'a.B@mg.example.com'],
    ['in white space', ' a.B@mg.example.com ', 'a.B@mg.example.com'],
    ['absent', undefined, undefined],
    ['null', null, undefined],
    ['empty', '', undefined],
    ['a list', ['a@b'], undefined],
  ])('takes a message-id that is %s', async (_, messageId, bare) => {
    const message = { headers: { 'message-id': messageId } }
    const event = await readEvent({ ...delivered, message })
    expect([event.providerMessageId, event.messageId]).toEqual([bare, bare && `<${bare}>`])
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['a text', 'x'],
    ['headers that are null', { headers: null }],
    ['headers as pairs', { headers: [['message-id', 'a@b']] }],
  ])('is read with %s for a message', async (_, message) => {
    const event = await readEvent({ ...delivered, message })
    expect(event).toMatchObject({ type: 'delivered', recipient: 'ana@shop.test' })
    expect(event.providerMessageId).toBeUndefined()
  })

  test.each<[string, object, string | undefined]>([
    ['itself', { recipient: ' Ana@Shop.test ' }, 'Ana@Shop.test'],
    [
      'itself, whoever the mail was addressed to',
      { message: { headers: { to: 'bob@shop.test' } } },
      'ana@shop.test',
    ],
    [
      'the one addressee',
      { recipient: null, message: { headers: { to: 'Ana Ruiz <ana@shop.test>' } } },
      'ana@shop.test',
    ],
    [
      'the one addressee, with a comma in the name',
      { recipient: '', message: { headers: { to: '"Ruiz, \\"Ana\\"" <ana@shop.test>' } } },
      'ana@shop.test',
    ],
    [
      'nobody of several addressees',
      { recipient: undefined, message: { headers: { to: 'ana@shop.test, bob@shop.test' } } },
      undefined,
    ],
    [
      'the one recipient',
      { recipient: undefined, message: { recipients: ['ana@shop.test'] } },
      'ana@shop.test',
    ],
    [
      'nobody of several recipients',
      {
        recipient: undefined,
        message: { recipients: ['a@shop.test', 'b@shop.test'], headers: { to: 'a@shop.test' } },
      },
      undefined,
    ],
    [
      'nobody of a group',
      { recipient: undefined, message: { headers: { to: 'Team: ana@shop.test;' } } },
      undefined,
    ],
    [
      'nobody of an empty group',
      { recipient: undefined, message: { headers: { to: 'undisclosed-recipients:;' } } },
      undefined,
    ],
    ['nobody', { recipient: undefined }, undefined],
    ['nobody by an empty name', { recipient: '', message: { headers: { to: '""' } } }, undefined],
  ])('names as recipient %s', async (_, changes, recipient) => {
    expect((await readEvent({ ...delivered, ...changes })).recipient).toBe(recipient)
  })

  test.each<[string, unknown, string | undefined]>([
    ['text', 'L1', 'L1'],
    ['a number', 12, '12'],
    ['absent', undefined, undefined],
    ['an object', {}, undefined],
  ])('with an id that is %s', async (_, id, expected) => {
    expect((await readEvent({ ...delivered, id })).providerEventId).toBe(expected)
  })
})

describe('the name of an event', () => {
  test.each([
    'list_member_uploaded',
    'list_member_upload_error',
    'list_uploaded',
    'email_validation',
    'a name of the future',
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
  ])('%s is unknown, and no error', async (name) => {
    const event = await readEvent({ ...delivered, event: name })
    expect(event).toMatchObject({
      type: 'unknown',
      providerEvent: name,
      recipient: 'ana@shop.test',
    })
    expect(event).not.toHaveProperty('error')
  })

  test.each<[unknown]>([[undefined], [null], [''], [{}], [['delivered']], [true]])(
    'that is %j is an error',
    async (name) => {
      expect(await readEvent({ ...delivered, event: name })).toMatchObject({
        type: 'unknown',
        providerEvent: '',
        error: 'it has no event name',
      })
    },
  )

  test('may come in other letter case', async () => {
    expect(await readEvent({ ...delivered, event: 'Delivered' })).toMatchObject({
      type: 'delivered',
      providerEvent: 'Delivered',
    })
  })
})

const failed = { ...delivered, event: 'failed' }
const status = (code: unknown, message = '', rest: object = {}): object => ({
  'delivery-status': { code, message, ...rest },
})

describe('a failure', () => {
  test.each<[string, object, object]>([
    [
      'for a bounced address',
      { reason: 'suppress-bounce' },
      { type: 'rejected', reason: 'bounced' },
    ],
    [
      'for an unsubscribed address',
      { reason: 'suppress-unsubscribe' },
      { type: 'rejected', reason: 'unsubscribed' },
    ],
    [
      'for an address that complained',
      { reason: 'suppress-complaint' },
      { type: 'rejected', reason: 'spam' },
    ],
    [
      'for a list of a new name',
      { reason: 'suppress-list' },
      { type: 'rejected', reason: 'other' },
    ],
    [
      'for a bounced address, whatever its code',
      { reason: 'suppress-bounce', ...status(550) },
      { type: 'rejected', reason: 'bounced' },
    ],
    ['with code 605', status(605, 'no'), { type: 'rejected', reason: 'bounced', detail: 'no' }],
    ['with code 606 as text', status('606'), { type: 'rejected', reason: 'unsubscribed' }],
    ['with code 607', status(607), { type: 'rejected', reason: 'spam' }],
    ['with code 625', status(625), { type: 'rejected', reason: 'blocked' }],
  ])('%s is a rejection, for nothing was tried', async (_, changes, expected) => {
    const event = await readEvent({ ...failed, severity: 'permanent', ...changes })
    expect(event).toMatchObject({ providerEvent: 'failed', ...expected })
  })

  test.each<[string, object, object]>([
    [
      'with the word for it',
      { severity: 'temporary', ...status(451, 'later', { 'attempt-no': '2' }) },
      { smtpCode: 451, response: 'later', attempt: 2 },
    ],
    ['with the word in other letter case', { severity: 'Temporary' }, {}],
    ['without a status', { severity: 'temporary', 'delivery-status': null }, {}],
    ['with a code against the word', { severity: 'temporary', ...status(550) }, { smtpCode: 550 }],
    ['of a new severity, by its code', { severity: 'internal', ...status(421) }, { smtpCode: 421 }],
    ['without a severity, by its code', status(499), {}],
    ['by its enhanced code', status(550, '4.2.2 full'), { smtpCode: 550 }],
  ])('%s is a deferral', async (_, changes, expected) => {
    const event = await readEvent({ ...failed, ...changes })
    expect(event).toMatchObject({ type: 'deferred', providerEvent: 'failed', ...expected })
  })

  test.each<[string, object, object]>([
    ['by its reason', { reason: 'bounce' }, { kind: 'hard' }],
    ['by its other reason', { reason: 'hardfail' }, { kind: 'hard' }],
    ['by its code', status(550), { kind: 'hard', smtpCode: 550 }],
    [
      'by the enhanced code in the answer',
      status(450, '450 5.1.1 no such user'),
      { kind: 'hard', smtpCode: 450, enhancedCode: '5.1.1' },
    ],
    [
      'by its bounce code, when the enhanced code is empty',
      status(550, '', { 'enhanced-code': '', 'bounce-code': '5.1.3' }),
      { kind: 'hard', smtpCode: 550, enhancedCode: '5.1.3' },
    ],
    [
      'by its bounce type',
      status(550, '', { 'bounce-type': 'soft' }),
      { kind: 'soft', smtpCode: 550 },
    ],
    [
      'by its bounce type in other letter case, before its reason',
      { reason: 'bounce', ...status(550, '', { 'bounce-type': 'Soft' }) },
      { kind: 'soft', smtpCode: 550 },
    ],
    [
      'of a full mailbox, whatever its bounce type',
      status(552, '5.2.2 mailbox full', { 'bounce-type': 'hard' }),
      { kind: 'soft', smtpCode: 552, enhancedCode: '5.2.2' },
    ],
    [
      'for policy, whatever its bounce type',
      { reason: 'bounce', ...status(550, '5.7.1 refused', { 'bounce-type': 'hard' }) },
      { kind: 'block', smtpCode: 550, enhancedCode: '5.7.1' },
    ],
    [
      'for a block list, whatever its code',
      { reason: 'espblock', ...status(550, '5.1.1 gone') },
      { kind: 'block', smtpCode: 550, enhancedCode: '5.1.1' },
    ],
    ['with a code as text', status('550'), { kind: 'hard', smtpCode: 550 }],
    ['with a code of a connection of its own', status(680), { kind: 'unknown' }],
    [
      'after acceptance, with the code of the report',
      {
        reason: 'generic',
        flags: { 'is-delayed-bounce': true },
        ...status(550, 'smtp; 550-5.1.1 gone', { 'bounce-code': '5.1.1' }),
      },
      { kind: 'hard', smtpCode: 550, enhancedCode: '5.1.1', asynchronous: true },
    ],
    [
      'by an enhanced code in place of the other',
      status('5.1.1'),
      { kind: 'hard', enhancedCode: '5.1.1' },
    ],
    ['by a code for now', status(421), { kind: 'soft', smtpCode: 421 }],
    [
      'by an enhanced code for now',
      status(550, '4.2.2 full'),
      { kind: 'soft', smtpCode: 550, enhancedCode: '4.2.2' },
    ],
    [
      'for policy',
      status(550, '5.7.1 refused'),
      { kind: 'block', smtpCode: 550, enhancedCode: '5.7.1' },
    ],
    [
      'for a block list',
      { reason: 'blacklisted', ...status(550) },
      { kind: 'block', smtpCode: 550 },
    ],
    ['for the provider', { reason: 'espblock' }, { kind: 'block' }],
    ['without a connection', { reason: 'generic', ...status(499) }, { kind: 'unknown' }],
    ['without an MX', { reason: 'generic', ...status(498) }, { kind: 'unknown' }],
    ['without a word', { reason: null, 'delivery-status': null }, { kind: 'unknown' }],
    ['when retries are over', { reason: 'old', ...status(602, 'Too old') }, { kind: 'soft' }],
    [
      'when retries are over, whatever its severity',
      { severity: 'temporary', reason: 'old' },
      { kind: 'soft' },
    ],
    [
      'when retries are over by the code alone',
      { severity: 'temporary', ...status(602) },
      { kind: 'soft' },
    ],
    [
      'after acceptance',
      { flags: { 'is-delayed-bounce': true } },
      { kind: 'unknown', asynchronous: true },
    ],
    ['after none', { flags: { 'is-delayed-bounce': null } }, { kind: 'unknown' }],
    ['without flags', { flags: null }, { kind: 'unknown' }],
  ])('%s is a bounce', async (_, changes, bounce) => {
    const event = await readEvent({ ...failed, severity: 'permanent', ...changes })
    expect(event).toHaveProperty('bounce', { asynchronous: false, ...bounce })
  })

  test.each([
    ['without a severity', { severity: null, ...status(550) }],
    ['of a new severity', { severity: 'unknown', ...status(550) }],
    ['without anything', {}],
  ])('%s is a bounce, unless its codes say otherwise', async (_, changes) => {
    expect(await readEvent({ ...failed, ...changes })).toHaveProperty('type', 'bounced')
  })
})

test('greylisting is a deferral, though no severity says so', async () => {
  expect(await readEvent({ ...failed, reason: 'greylisted' })).toHaveProperty('type', 'deferred')
})

describe('mail that Mailgun received and routed on', () => {
  const variables = { 'user-variables': { mailtrail_id: ownId } }

  test.each([
    ['is routed', { 'is-routed': true }],
    ['did not come from the account', { 'is-authenticated': false }],
  ])('bears no id of ours when it %s', async (_, flags) => {
    const event = await readEvent({ ...failed, ...variables, flags })
    expect(event).not.toHaveProperty('ownId')
    expect(event).not.toHaveProperty('providerMessageId')
    expect(event).not.toHaveProperty('messageId')
  })

  test.each([[{ 'is-routed': false, 'is-authenticated': true }], [{}], [null]])(
    'is not what has the flags %j',
    async (flags) => {
      expect(await readEvent({ ...failed, ...variables, flags })).toHaveProperty('ownId', ownId)
    },
  )
})

test('facts that name no message are told apart by all they say', async () => {
  const nameless = { ...delivered, message: {} }
  const idOf = async (entry: object): Promise<string> => eventId('mailgun', await readEvent(entry))
  const other = { ...nameless, 'delivery-status': { message: 'OK 2' } }
  expect(await idOf(other)).not.toBe(await idOf(nameless))
  expect(await idOf({ ...nameless })).toBe(await idOf(nameless))
})

describe('a delivery', () => {
  test.each<[string, unknown, string | undefined]>([
    ['a code of its own', { code: 498 }, undefined],
    ['the code of the test mode', { code: 650, message: 'Test mode' }, 'Test mode'],
    ['a description for want of a message', { message: null, description: 'done' }, 'done'],
    ['no status', null, undefined],
    ['wrong types', { code: 'x', message: {}, 'attempt-no': 1.5 }, undefined],
  ])('with %s tells no SMTP code', async (_, deliveryStatus, response) => {
    const event = await readEvent({ ...delivered, 'delivery-status': deliveryStatus })
    expect(event).toHaveProperty('type', 'delivered')
    expect('response' in event ? event.response : undefined).toBe(response)
    expect(event).not.toHaveProperty('smtpCode')
    expect(event).not.toHaveProperty('attempt')
  })
})

describe('a visit', () => {
  test.each<[unknown, boolean | undefined]>([
    ['', false],
    ['apple', true],
    ['gmail', true],
    ['generic', true],
    [undefined, undefined],
    [null, undefined],
    [1, undefined],
  ])('with %j for a bot is by a machine: %s', async (bot, machine) => {
    const event = await readEvent({ ...delivered, event: 'opened', 'client-info': { bot } })
    expect(event).toHaveProperty('type', 'opened')
    expect('machine' in event ? event.machine : undefined).toBe(machine)
  })

  test('is read without anything about the visitor', async () => {
    const visit = { ip: null, 'client-info': null, url: null }
    expect(await readEvent({ ...delivered, ...visit, event: 'clicked' })).toMatchObject({
      type: 'clicked',
      url: '',
    })
    expect(await readEvent({ ...delivered, ...visit, event: 'opened' })).not.toHaveProperty('ip')
  })
})

test.each<[string, unknown, object]>([
  ['a list', { address: 'news@mg.example.com' }, { kind: 'list', id: 'news@mg.example.com' }],
  ['everything', undefined, { kind: 'all' }],
  ['everything, with a list that is null', null, { kind: 'all' }],
  ['everything, with a list without an address', { address: '' }, { kind: 'all' }],
])('an unsubscription is from %s', async (_, list, scope) => {
  const event = await readEvent({ ...delivered, event: 'unsubscribed', 'mailing-list': list })
  expect(event).toMatchObject({ type: 'unsubscribed', scope })
})

test.each<[string, unknown, string | undefined]>([
  ['its reason', { reason: 'r', description: 'd' }, 'r'],
  ['its description', { reason: '', description: 'd' }, 'd'],
  ['nothing', null, undefined],
])('a rejection gives as detail %s', async (_, reject, detail) => {
  const event = await readEvent({ ...delivered, event: 'rejected', reject })
  expect(event).toMatchObject({ type: 'rejected', reason: 'other' })
  expect('detail' in event ? event.detail : undefined).toBe(detail)
})

describe('any field of any sample', () => {
  const samples = readdirSync(join(__dirname, 'fixtures'))
    .filter((file) => file.endsWith('.request.json'))
    .map((file): [string, Fields] => {
      const sent = JSON.parse(readFileSync(join(__dirname, 'fixtures', file), 'utf8'))
      return [file, sent['event-data'] ?? sent]
    })
  const others = [null, '', [], {}, 'text', 7, -1.5, true, [null], { __proto__: null, x: {} }]

  /** The value with each of its fields, at any depth, replaced once. */
  function* replaced(value: Fields, by: unknown): Generator<Fields> {
    for (const [name, inner] of Object.entries(value)) {
      yield { ...value, [name]: by }
      if (isFields(inner)) {
        for (const one of replaced(inner, by)) yield { ...value, [name]: one }
      }
    }
  }

  test.each(samples)('may be anything, or not be there, in %s', async (_, eventData) => {
    for (const other of [undefined, ...others]) {
      for (const changed of replaced(eventData, other)) {
        const event = await readEvent(changed)
        expect(event.raw).toEqual(JSON.parse(JSON.stringify(changed)))
        // All that is needed to know what happened is the name.
        if (changed['event'] === eventData['event']) expect(event).not.toHaveProperty('error')
        expect(() => eventId('mailgun', event)).not.toThrow()
      }
    }
  })

  test.each<[string, object]>([
    ['a storage with several URLs', { storage: { url: ['https://a', 'https://b'], key: 'k' } }],
    ['fields that nobody knows', { 'i-delivery-optimizer': {}, 'delivered-at': 1, newer: [{}] }],
    ['a route', { routes: [{ id: 'r', expression: 'match', match: { recipient: 'x' } }] }],
  ])('may be more than it was: %s', async (_, more) => {
    const event = await readEvent({ ...delivered, ...more })
    expect(event).toMatchObject({ type: 'delivered', recipient: 'ana@shop.test', raw: more })
  })
})
