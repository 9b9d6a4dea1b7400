import { describe, expect, test } from '@jest/globals'
import { eventId } from '../../../src/matching.js'
import {
  entry,
  type Entry,
  formOf,
  id,
  read,
  readBatch,
  readEntry,
  signedRequest,
} from './webhook-requests.js'

/** A change of the denylist, with other fields in it and in its details. */
const change = (changes: Entry, details: Entry = {}): Entry => ({
  type: 'blacklist',
  action: 'add',
  reject: { email: 'gone@example.org', reason: 'spam', expires_at: null, ...details },
  ts: 1767225605,
  ...changes,
})

const listNames: [string, string][] = [
  ['blacklist', 'reject'],
  ['denylist', 'reject'],
  ['blocklist', 'reject'],
  ['whitelist', 'allow'],
  ['allowlist', 'allow'],
  ['safelist', 'allow'],
]

const actions: [string, string][] = [
  ['add', 'added'],
  ['change', 'changed'],
  ['remove', 'removed'],
]

describe('a change of a list of addresses', () => {
  test.each(
    listNames.flatMap(([type, list]) =>
      actions.map(([action, done]) => [type, action, list, done]),
    ),
  )('%s %s is of the addresses to %s, and means %s', async (type, action, list, done) => {
    expect(await readEntry(change({ type, action }))).toMatchObject({
      type: 'suppression',
      list,
      action: done,
      address: 'gone@example.org',
      recipient: 'gone@example.org',
      providerEvent: `${type}_${action}`,
    })
  })

  test.each([
    ['under entry, as it comes', { entry: { email: 'vip@example.org', detail: null } }],
    ["under reject, as Djrill's document has it", { reject: { email: 'vip@example.org' } }],
    ['under both', { entry: { detail: 'by hand' }, reject: { email: 'vip@example.org' } }],
    ['beside a list of nothing', { entry: { email: 'vip@example.org' }, reject: [] }],
  ])('has the address %s', async (_, details) => {
    const event = await readEntry({ type: 'whitelist', action: 'add', ts: 1767289790, ...details })
    expect(event).toMatchObject({ type: 'suppression', list: 'allow', address: 'vip@example.org' })
  })

  test('is known in any letter case, and has an empty name for an event', async () => {
    const event = await readEntry(change({ event: '', type: 'Blacklist', action: 'ADD' }))
    expect(event).toMatchObject({ type: 'suppression', list: 'reject', action: 'added' })
  })

  test.each([
    ['2026-01-02 00:00:05', '2026-01-02T00:00:05.000Z'],
    ['2026-12-31 23:59:59', '2026-12-31T23:59:59.000Z'],
  ])('that ends at %s does so in UTC', async (expires_at, expiresAt) => {
    const event = await readEntry(change({}, { expires_at }))
    expect(event).toMatchObject({ expiresAt: new Date(expiresAt) })
  })

  test.each([
    ['greylist', 'add'],
    ['constructor', 'add'],
    ['blacklist', 'toString'],
  ])('is unknown as %s %s', async (type, action) => {
    expect(await readEntry(change({ type, action }))).toMatchObject({ type: 'unknown' })
  })

  test.each<[string, Entry]>([
    ['no details', { reject: null }],
    ['an empty list for details', { reject: [] }],
    ['no address', { reject: { reason: 'spam' } }],
  ])('is unknown with %s', async (_, changes) => {
    const error = 'it names no address'
    expect(await readEntry(change(changes))).toMatchObject({ type: 'unknown', error })
  })

  test.each([[null], [undefined], ['soon'], [5], [{}], ['0000-00-00 00:00:00']])(
    'that ends at %j has no end',
    async (expires_at) => {
      const event = await readEntry(change({}, { expires_at }))
      expect(event.type).toBe('suppression')
      expect(event).not.toHaveProperty('expiresAt')
    },
  )
})

describe('a batch', () => {
  test('reads the good entries, whatever is between them', async () => {
    const good = JSON.stringify(entry())
    const deep = `{"event":"send","msg":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    const bad = ['null', '5', '"text"', '[]', '{}', '{"event":"new"}', deep]
    const events = await readBatch(`[${bad.map((one) => `${one},${good}`).join(',')}]`)
    expect(events.map(({ type }) => type)).toEqual(bad.flatMap(() => ['unknown', 'accepted']))
  })

  test('may be empty', async () => {
    expect(await readBatch([])).toEqual([])
  })

  test('may mix events of messages, of lists, inbound mail, and what is none of these', async () => {
    const list = { type: 'whitelist', action: 'add', entry: { email: 'vip@example.org' }, ts: 1 }
    const inbound = { event: 'inbound', ts: 1767226100, msg: { email: 'reply@example.com' } }
    const nothing = { event: 'inbound', ts: 1767226100 }
    const events = await readBatch([inbound, null, entry(), nothing, list, 'text', inbound])
    expect(events.map((event) => ('error' in event ? event.error : event.type))).toEqual([
      'inbound',
      'it is not an object',
      'accepted',
      'it holds no mail',
      'suppression',
      'it is not an object',
      'inbound',
    ])
  })

  test('may hold a thousand entries, and more', async () => {
    const body = formOf(Array.from({ length: 1500 }, (_, index) => entry({ _id: `id${index}` })))
    const reading = await read(signedRequest(body))
    expect(reading).toHaveProperty('events.length', 1500)
  })
})

describe('the identity of an event', () => {
  const identity = async (one: Entry): Promise<string> => eventId('mandrill', await readEntry(one))
  const opened = entry({ event: 'open', ip: '203.0.113.80', user_agent: 'Mozilla' })
  const clicked = entry({ event: 'click', ip: '203.0.113.80', url: 'https://example.com/1' })
  const attempts = { smtp_events: [{ ts: 1767225601, diag: '451 a' }] }
  const later = { smtp_events: [...attempts.smtp_events, { ts: 1767225901, diag: '451 b' }] }
  const deny = { type: 'blacklist', action: 'add', ts: 1767225605 }

  test.each<[string, Entry, Entry]>([
    [
      'the message has more opens by now',
      opened,
      { ...opened, msg: { email: 'ann@example.org', opens: [{}] } },
    ],
    [
      'the message has been deferred again',
      entry({ event: 'deferral' }, attempts),
      entry({ event: 'deferral' }, later),
    ],
    ['the id has the account in front', opened, { ...opened, _id: `1773449.${id}` }],
    ['the address is in another letter case', entry(), entry({}, { email: 'ANN@example.org' })],
    ['the time is a string', entry(), entry({ ts: '1767225601' })],
  ])('is the same when %s', async (_, one, other) => {
    expect(await identity(one)).toBe(await identity(other))
  })

  test.each<[string, Entry, Entry]>([
    ['links', clicked, { ...clicked, url: 'https://example.com/2' }],
    ['clients', opened, { ...opened, user_agent: 'Thunderbird' }],
    ['seconds', opened, { ...opened, ts: 1767225602 }],
    ['names', entry({ event: 'hard_bounce' }), entry({ event: 'soft_bounce' })],
    ['recipients', entry(), entry({ _id: 'a2' }, { email: 'bob@example.org' })],
    [
      'subaccounts',
      { ...deny, reject: { email: 'x@example.org', subaccount: 'shop' } },
      { ...deny, reject: { email: 'x@example.org', subaccount: null } },
    ],
    [
      'senders',
      { ...deny, reject: { email: 'x@example.org', sender: 'a@example.com' } },
      { ...deny, reject: { email: 'x@example.org', sender: 'b@example.com' } },
    ],
  ])('is another one for other %s', async (_, one, other) => {
    expect(await identity(one)).not.toBe(await identity(other))
  })
})
