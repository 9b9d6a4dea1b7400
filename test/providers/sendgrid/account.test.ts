import { afterEach, expect, test } from '@jest/globals'
import { sendgridAccount } from '../../../src/providers/sendgrid/account.js'
import { sendgridSimulator } from '../../../src/providers/sendgrid/index.js'
import type { SuppressionEntry } from '../../../src/suppressions.js'
import { startProvider } from '../../../src/testing/index.js'
import { answering } from '../../answering.js'

const apiKey = 'SG.key-of-the-account'
let close: () => void | Promise<void> = () => {}
afterEach(() => close())

test('lists are read page by page, to their end', async () => {
  const since = new Date('2026-01-02T03:04:05Z')
  const suppressions = Array.from({ length: 1001 }, (_, index) => ({
    address: `${index}@example.com`,
    cause: 'bounced' as const,
    since,
    detail: '550 No such user',
  }))
  const provider = await startProvider(
    sendgridSimulator({ apiKey, scopes: ['suppression.read'], account: { suppressions } }),
  )
  close = () => provider.close()
  const read: SuppressionEntry[] = []
  for await (const entry of sendgridAccount({ apiKey, baseUrl: provider.url }).suppressions()) {
    read.push(entry)
  }
  expect(read.map(({ address }) => address)).toEqual(suppressions.map(({ address }) => address))
  expect(read[0]).toMatchObject({
    cause: 'bounced',
    provider: 'sendgrid',
    detail: '550 No such user',
  })
  expect(read[0]?.since?.getTime()).toBe(since.getTime())
})

test('a key that may not read them is an error, without the key', async () => {
  const provider = await startProvider(sendgridSimulator({ apiKey }))
  close = () => provider.close()
  const { suppressions } = sendgridAccount({ apiKey, baseUrl: provider.url })
  await expect(suppressions()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    name: 'AccountError',
    statusCode: 403,
    message: 'SendGrid answered 403: access forbidden',
  })
})

test('what is no answer of the API is not taken for an account without webhooks', async () => {
  const server = await answering({ '/v3/user/webhooks/event/settings/all': { hello: 'world' } })
  close = server.close
  const { webhooks, findings } = await sendgridAccount({ apiKey, baseUrl: server.url }).inspect()
  expect([webhooks, findings]).toEqual([
    undefined,
    [expect.objectContaining({ code: 'provider-unreachable', severity: 'fault' })],
  ])
})
