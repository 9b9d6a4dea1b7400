import { describe, expect, test } from '@jest/globals'
import { querySecret } from '../../../src/index.js'
import type { ScriptedPost, SimulatedEventType } from '../../../src/testing/index.js'
import { ann, bob, startHouse } from './house.js'
import { entry } from './webhook-requests.js'

const about = (type: SimulatedEventType, recipient = ann, more = {}): ScriptedPost['events'] => [
  { type, recipient, ...more },
]

const withoutMessage = (whole: object): object => ({ ...whole, msg: [] })

describe('a message that was sent', () => {
  test('is told what became of it, for each recipient', async () => {
    const house = await startHouse([
      { events: [...about('accepted'), ...about('accepted', bob)] },
      { events: [...about('delivered'), ...about('deferred', bob)] },
      { events: [...about('opened'), ...about('bounced', bob, { bounce: 'soft' })] },
      { events: about('clicked', ann, { url: 'https://example.com/orders/42' }) },
    ])
    const trackingId = await house.send({ cc: bob, tags: ['order'], metadata: { order: '42' } })
    await house.settle()

    expect(house.provider.posted.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(house.told).toHaveLength(7)
    for (const { event, message } of house.told) {
      expect(event).toMatchObject({
        provider: 'mandrill',
        trackingId,
        correlation: { status: 'matched', via: 'own-id' },
        tags: ['order'],
        metadata: { order: '42' },
      })
      expect(message?.subject).toBe('Your order')
    }
    const [first, second] = house.provider.messages[0]?.recipients ?? []
    expect(await house.correlator.message(trackingId)).toMatchObject({
      status: 'bounced',
      recipients: [
        {
          address: ann,
          status: 'delivered',
          providerMessageId: first?.id,
          engagement: { opened: { count: 1 }, clicked: { count: 1 } },
        },
        { address: bob, status: 'bounced', providerMessageId: second?.id },
      ],
    })
    expect(house.errors).toEqual([])
  })

  test('is found by the id of the recipient when the metadata is gone', async () => {
    const events = about('delivered', bob, { withoutOwnId: true })
    const house = await startHouse([{ events, after: 1 }])
    const trackingId = await house.send({ cc: bob })
    await house.settle()
    expect(house.told.map(({ event }) => event)).toEqual([
      expect.objectContaining({
        trackingId,
        recipient: bob,
        correlation: { status: 'matched', via: 'provider-id' },
      }),
    ])
  })

  test('is found by an open that knows nothing but the id', async () => {
    const house = await startHouse([
      { events: about('opened', bob, { change: withoutMessage }), after: 1 },
    ])
    const trackingId = await house.send({ cc: bob })
    await house.settle()
    const message = await house.correlator.message(trackingId)
    expect(message?.recipients.map(({ engagement }) => engagement.opened?.count)).toEqual([
      undefined,
      1,
    ])
  })

  test('has its events though they came before the answer of the call', async () => {
    const house = await startHouse([{ events: about('delivered'), early: true }])
    const trackingId = await house.send()
    await house.settle()
    expect(house.told.map(({ event }) => event.trackingId)).toEqual([trackingId])
    expect((await house.correlator.message(trackingId))?.status).toBe('delivered')
  })

  test('has each event once, however often Mandrill comes again', async () => {
    const house = await startHouse([{ events: about('delivered'), times: 3 }])
    const trackingId = await house.send()
    await house.settle()
    expect(house.provider.posted.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(house.told).toHaveLength(1)
    expect((await house.correlator.message(trackingId))?.events).toHaveLength(1)
  })

  test('is not changed by a forged event', async () => {
    const house = await startHouse([
      { events: about('delivered') },
      { events: about('bounced'), forged: true },
    ])
    const trackingId = await house.send()
    await house.settle()
    expect(house.provider.posted.map(({ status }) => status)).toEqual([200, 403])
    expect((await house.correlator.message(trackingId))?.status).toBe('delivered')
    expect(house.errors).toEqual([expect.stringContaining('the signature fits none of the keys')])
    expect(house.provider.posted[1]?.answer).toBe('Refused')
  })

  test('that was cut off is settled by its first event', async () => {
    const house = await startHouse([{ events: about('delivered') }])
    house.provider.failNext({ kind: 'cut' })
    await expect(house.send()).rejects.toMatchObject({ outcome: 'unknown' })
    await house.settle()
    const { messages } = await house.correlator.find()
    expect(messages.map(({ status, failFlag }) => [status, failFlag])).toEqual([
      ['delivered', false],
    ])
  })
})

describe('the endpoint', () => {
  test.each(['HEAD', 'GET'])('answers %s, with which Mandrill tries a new URL', async (method) => {
    const { url } = await startHouse([])
    expect((await fetch(url, { method })).status).toBe(200)
  })

  test('takes the trial post, and nothing else by its key', async () => {
    const house = await startHouse([])
    expect(await house.post('[]', 'test-webhook')).toBe(200)
    expect(await house.post([entry()], 'test-webhook')).toBe(403)
  })

  test('takes a batch by the second key, while one replaces another', async () => {
    const house = await startHouse([])
    expect(await house.post([entry()], 'next')).toBe(200)
    expect(await house.post([entry()], 'the one after')).toBe(403)
  })

  test('takes the rest of a batch with an entry that is none', async () => {
    const house = await startHouse([])
    const trackingId = await house.send()
    const metadata = { mailtrail_id: trackingId }
    const good = entry({ event: 'delivered' }, { metadata })
    const odd = entry({ event: 'teleported' }, { metadata })
    expect(await house.post([null, good, 'text', odd])).toBe(200)
    const message = await house.correlator.message(trackingId)
    expect(message?.status).toBe('delivered')
    expect(message?.events.map(({ type }) => type).toSorted()).toEqual(['delivered', 'unknown'])
  })

  test('takes a thousand events of which one cannot be read, and tells all of them', async () => {
    const house = await startHouse([], 0)
    const deep: unknown = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`)
    const batch: unknown[] = Array.from({ length: 1000 }, (_, index) =>
      entry({ event: 'delivered', _id: `id${index}` }),
    )
    batch[500] = entry({ deep })
    expect(await house.post(batch)).toBe(200)
    await house.settle()
    const types = house.told.map(({ event }) => event.type)
    expect(types.filter((type) => type === 'delivered')).toHaveLength(999)
    expect(
      house.told.flatMap(({ event }) => (event.type === 'unknown' ? [event.error] : [])),
    ).toEqual(['it is nested too deeply'])
    expect(house.errors).toEqual([])
  })

  test('takes the events of the test button, which belong to no message', async () => {
    const house = await startHouse([], 0)
    const example = 'exampleaaaaaaaaaaaaaaaaaaaaaaaaa'
    const names = [
      'send',
      'deferral',
      'hard_bounce',
      'soft_bounce',
      'open',
      'click',
      'spam',
      'unsub',
    ]
    const batch = [...names, 'reject'].map((event, index) => {
      const _id = `${example}${index || ''}`
      const email = 'example.webhook@mandrillapp.com'
      return entry(
        { event, _id },
        { _id, email, tags: ['webhook-example'], metadata: { user_id: 1 } },
      )
    })
    expect(await house.post(batch)).toBe(200)
    await house.settle()
    expect(house.told).toHaveLength(batch.length)
    for (const { event, message } of house.told) {
      expect([event.correlation.status, message]).toEqual(['foreign', undefined])
      expect(event.providerMessageId).toMatch(/^examplea+\d?$/)
    }
    expect(house.errors).toEqual([])
  })

  test('is tried with the secret in its URL, and shut without', async () => {
    const house = await startHouse([], 0, { guards: [querySecret('hush')] })
    for (const method of ['HEAD', 'GET']) {
      expect((await fetch(`${house.url}?secret=hush`, { method })).status).toBe(200)
      expect((await fetch(house.url, { method })).status).toBe(403)
      expect((await fetch(`${house.url}?secret=guess`, { method })).status).toBe(403)
    }
    expect(await house.post([entry()])).toBe(403)
  })
})
