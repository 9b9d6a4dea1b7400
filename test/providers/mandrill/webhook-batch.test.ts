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

describe('a change of a list of addresses', () => {
  test.each([
    ['blacklist', 'reject'],
    ['denylist', 'reject'],
    ['blocklist', 'reject'],
    ['whitelist', 'allow'],
    ['allowlist', 'allow'],
    ['safelist', 'allow'],
  ])('of the %s is one of those to %s', async (type, list) => {
    const event = await readEntry(change({ type }))
    expect(event).toMatchObject({ type: 'suppression', list, providerEvent: `${type}_add` })
  })

  test.each([
    ['add', 'added'],
    ['change', 'changed'],
    ['remove', 'removed'],
  ])('by %s means %s', async (action, expected) => {
    expect(await readEntry(change({ action }))).toMatchObject({ action: expected })
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

  test.each([[null], [undefined], ['soon'], [5], [{}]])(
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

  test('may mix events of messages, of lists, and inbound mail', async () => {
    const list = { type: 'whitelist', action: 'add', entry: { email: 'vip@example.org' }, ts: 1 }
    const inbound = { event: 'inbound', ts: 1767226100, msg: { email: 'reply@example.com' } }
    const events = await readBatch([entry(), list, inbound])
    expect(events.map(({ type }) => type)).toEqual(['accepted', 'suppression', 'unknown'])
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
