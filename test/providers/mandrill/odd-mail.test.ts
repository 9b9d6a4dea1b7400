import { expect, jest, test } from '@jest/globals'
import { eventId } from '../../../src/matching.js'
import { entry, readBatch } from './webhook-requests.js'

// A package that one mail is too much for.
jest.mock('postal-mime', () => ({
  __esModule: true,
  default: (): void => {},
  addressParser(text: string) {
    if (text.includes('odd')) throw new Error('too odd')
    return []
  },
  decodeWords: (text: string) => text,
}))

const mailFrom = (from: string) => ({
  event: 'inbound',
  ts: 1767226100,
  msg: { email: 'box@in.example.com', headers: { From: from }, text: 'Hello' },
})

test('a mail that cannot be read is unknown, with the reason, and the rest of its batch goes on', async () => {
  const read = () => readBatch([entry(), mailFrom('odd'), mailFrom('ann@example.org')])
  const events = await read()
  expect(events).toMatchObject([
    { type: 'accepted' },
    {
      type: 'unknown',
      error: 'the mail could not be read: too odd',
      providerEvent: 'inbound',
      raw: { event: 'inbound', msg: { email: 'box@in.example.com' } },
    },
    { type: 'inbound' },
  ])
  // It is the same when the batch comes again.
  const idsOf = (batch: typeof events) => batch.map((event) => eventId('mandrill', event))
  expect(idsOf(await read())).toEqual(idsOf(events))
})
