import { afterEach, expect, test } from '@jest/globals'
import { mandrillAccount } from '../../../src/providers/mandrill/account.js'
import type { SuppressionEntry } from '../../../src/suppressions.js'
import { answering } from '../../answering.js'

let close: () => void | Promise<void> = () => {}
afterEach(() => close())

const entry = {
  email: 'ann@example.com',
  reason: 'hard-bounce',
  detail: null,
  created_at: '2026-01-02 03:04:05',
  last_event_at: '2026-01-02 03:04:05',
  expires_at: null,
  expired: false,
  subaccount: null,
  sender: null,
}

async function listed(...entries: object[]): Promise<SuppressionEntry[]> {
  const server = await answering({ '/api/1.3/rejects/list.json': entries })
  close = server.close
  const read: SuppressionEntry[] = []
  for await (const one of mandrillAccount({ apiKey: 'x', baseUrl: server.url }).suppressions()) {
    read.push(one)
  }
  return read
}

test.each([
  ['hard-bounce', 'bounced'],
  ['spam', 'complained'],
  ['unsub', 'unsubscribed'],
  ['custom', 'listed'],
  ['something new', 'listed'],
])('an entry for %s is %s', async (reason, cause) => {
  const [found] = await listed({ ...entry, reason })
  expect(found).toMatchObject({ address: 'ann@example.com', cause, provider: 'mandrill' })
  expect(found?.since?.toISOString()).toBe('2026-01-02T03:04:05.000Z')
})

test('what ends, and for whom, comes along', async () => {
  const expires_at = '2026-02-02 00:00:00'
  const [found] = await listed({ ...entry, expires_at, detail: 'no', subaccount: 'shop' })
  expect(found).toMatchObject({ detail: 'no', scope: { kind: 'group', id: 'shop' } })
  expect(found?.expiresAt?.toISOString()).toBe('2026-02-02T00:00:00.000Z')
})

test('what says nothing of the address for good, or has ended, is left out', async () => {
  expect(await listed({ ...entry, reason: 'soft-bounce' }, { ...entry, expired: true })).toEqual([])
})

test('what is no answer of the API is not taken for an account without webhooks', async () => {
  const server = await answering({ '/api/1.3/webhooks/list.json': { hello: 'world' } })
  close = server.close
  const { webhooks, findings } = await mandrillAccount({
    apiKey: 'x',
    baseUrl: server.url,
  }).inspect()
  expect([webhooks, findings]).toEqual([
    undefined,
    [expect.objectContaining({ code: 'provider-unreachable' })],
  ])
})
