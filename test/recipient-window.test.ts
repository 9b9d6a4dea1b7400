import { afterEach, describe, expect, test } from '@jest/globals'
import { type Correlator, createCorrelator, memoryStore } from '../src/index.js'
import { type OutsideEntry, outsideWebhook, secret } from './outside-provider.js'
import { collectTold, type Told } from './told-events.js'

const day = 24 * 60 * 60_000
const at = 1_760_000_000
const sent = new Date(at * 1000 - 60_000)

let correlator: Correlator
let told: Told[]

function start(recipientWindow?: number): void {
  correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [outsideWebhook()],
    ...(recipientWindow !== undefined && { recipientWindow }),
  })
  told = collectTold(correlator)
}
afterEach(() => correlator.close())

const record = (sentAt: Date, providerMessageId: string, recipient = 'Ann@example.com') =>
  correlator.record({ provider: 'outside', providerMessageId, recipients: [recipient], sentAt })

/** A complaint, as it comes long after the message and without any id of it. */
const complaint: OutsideEntry = { type: 'complained', at, to: 'ann@example.com' }

async function correlationOf(entry: OutsideEntry) {
  const init = { method: 'POST', headers: secret, body: JSON.stringify([entry]) }
  await correlator.handler(new Request('https://example.com/outside', init))
  await correlator.drain()
  const event = told.at(-1)?.event
  return { ...event?.correlation, trackingId: event?.trackingId }
}

describe('an event without any id', () => {
  test('is matched by its recipient and the time, and says so, where that was asked for', async () => {
    start(7 * day)
    await record(new Date(sent.getTime() - 8 * day), 'm-0')
    await record(sent, 'm-1', 'bob@example.com')
    const trackingId = await record(sent, 'm-2')
    await record(new Date(at * 1000 + day), 'm-3')
    expect(await correlationOf(complaint)).toEqual({
      status: 'matched',
      via: 'recipient',
      trackingId,
    })
    const [recipient] = (await correlator.message(trackingId))?.recipients ?? []
    expect(recipient?.engagement.complained?.count).toBe(1)
  })

  test('is foreign where it was not asked for', async () => {
    start()
    await record(sent, 'm-1')
    expect(await correlationOf(complaint)).toEqual({ status: 'foreign', trackingId: undefined })
  })

  test('is foreign where two messages fit, for nobody can tell which it was', async () => {
    start(7 * day)
    await record(sent, 'm-1')
    await record(new Date(sent.getTime() - day), 'm-2')
    expect(await correlationOf(complaint)).toEqual({ status: 'foreign', trackingId: undefined })
  })

  test('is foreign where nothing was sent to its recipient', async () => {
    start(7 * day)
    await record(sent, 'm-1', 'bob@example.com')
    expect(await correlationOf(complaint)).toEqual({ status: 'foreign', trackingId: undefined })
  })
})

test('an event with an id that nobody knows is not guessed at', async () => {
  start(7 * day)
  await record(sent, 'm-1')
  const init = {
    method: 'POST',
    headers: secret,
    body: JSON.stringify([{ ...complaint, message: 'of another application' }]),
  }
  await correlator.handler(new Request('https://example.com/outside', init))
  expect(told).toEqual([])
  const { messages } = await correlator.find()
  expect(messages[0]?.recipients[0]?.engagement).toEqual({})
})

test.each([0, -1, Number.NaN, Infinity, '7d'])('a window of %j is refused', (recipientWindow) => {
  const create = (): unknown =>
    createCorrelator({ store: memoryStore(), recipientWindow: recipientWindow as number })
  expect(create).toThrow('recipientWindow')
  start()
})
