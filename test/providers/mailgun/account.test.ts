import { describe, expect, test } from '@jest/globals'
import { AccountError } from '../../../src/errors.js'
import { mailgunAccount, regionThatKnows } from '../../../src/providers/mailgun/account.js'
import { mailgunSimulator } from '../../../src/providers/mailgun/index.js'
import type { SuppressionEntry } from '../../../src/suppressions.js'
import { startProvider } from '../../../src/testing/index.js'
import { answering } from '../../answering.js'

const domain = 'mg.example.com'
const us = 'https://api.mailgun.net'
const eu = 'https://api.eu.mailgun.net'
const path = `/v3/domains/${domain}/webhooks`

describe('the region that knows a domain', () => {
  const askedOf = async (baseUrl: string, known: string) => {
    const asked: string[] = []
    const found = await regionThatKnows(
      async (url) => {
        asked.push(url)
        if (url !== known + path) throw new AccountError('Domain not found', 404)
      },
      baseUrl,
      path,
    )
    return { found, asked }
  }

  test.each([
    [us, eu],
    [eu, us],
  ])('that is not at %s is found at %s', async (base, other) => {
    expect(await askedOf(base, other)).toEqual({ found: other, asked: [other + path] })
  })

  test('may be none', async () => {
    expect(await askedOf(us, 'nowhere')).toEqual({ found: undefined, asked: [eu + path] })
  })

  test('is not looked for where the key was for somebody else', async () => {
    expect(await askedOf('http://127.0.0.1:1', eu)).toEqual({ found: undefined, asked: [] })
  })
})

test('lists are read page by page, from the host that was asked, to their end', async () => {
  const since = new Date('2026-01-02T03:04:05Z')
  const suppressions = Array.from({ length: 2001 }, (_, index) => ({
    address: `bounced-${index}@example.com`,
    cause: 'bounced' as const,
    since,
    detail: 'No such user',
  }))
  const provider = await startProvider(
    mailgunSimulator({ apiKey: 'key-1', domain, account: { suppressions } }),
  )
  try {
    const account = mailgunAccount({ apiKey: 'key-1', domain, baseUrl: provider.url })
    const read: SuppressionEntry[] = []
    for await (const entry of account.suppressions()) read.push(entry)
    expect(read.map(({ address }) => address)).toEqual(suppressions.map(({ address }) => address))
    const { since: told, ...first } = read[0] ?? {}
    expect(first).toEqual({
      address: 'bounced-0@example.com',
      cause: 'bounced',
      provider: 'mailgun',
      detail: 'No such user',
    })
    expect(told?.getTime()).toBe(since.getTime())
  } finally {
    await provider.close()
  }
})

test('webhooks of the account count with those of the domain, each URL once', async () => {
  const url = 'https://example.com/mailgun'
  const server = await answering({
    [path]: { webhooks: { delivered: { urls: [url, 'https://other.example/'] } } },
    '/v1/webhooks': {
      webhooks: [{ webhook_id: 'a', url, event_types: ['delivered', 'complained'] }],
    },
    '/v5/accounts/http_signing_key': { message: 'success', http_signing_key: 'signs' },
  })
  const account = mailgunAccount({ apiKey: 'x', domain, baseUrl: server.url })
  const { webhooks } = await account.inspect()
  server.close()
  const signing = { kind: 'key', key: 'signs' }
  expect(webhooks).toEqual([
    { url, enabled: true, events: ['delivered', 'complained'], signing },
    { url: 'https://other.example/', enabled: true, events: ['delivered'], signing },
  ])
})

test('a key that may read the domain alone is enough, and a list of nothing is one', async () => {
  const server = await answering({
    [path]: { webhooks: {} },
    [`/v3/${domain}/bounces?limit=1000`]: { items: null, paging: {} },
    [`/v3/${domain}/complaints?limit=1000`]: { items: [], paging: {} },
    [`/v3/${domain}/unsubscribes?limit=1000`]: {
      items: [{ address: 'ann@example.com', tags: ['news'], created_at: 'no time' }],
      paging: {},
    },
  })
  const account = mailgunAccount({ apiKey: 'x', domain, baseUrl: server.url })
  expect(await account.inspect()).toMatchObject({ webhooks: [], findings: [] })
  const read: SuppressionEntry[] = []
  for await (const entry of account.suppressions()) read.push(entry)
  server.close()
  expect(read).toEqual([
    {
      address: 'ann@example.com',
      cause: 'unsubscribed',
      provider: 'mailgun',
      scope: { kind: 'group', id: 'news' },
    },
  ])
})
