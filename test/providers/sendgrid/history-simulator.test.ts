import { afterEach, describe, expect, test } from '@jest/globals'
import type { RunningProvider } from '../../../src/testing/index.js'
import { event, sentMessage, startHistory } from './history-provider.js'
import { apiKey } from './sending.js'

const running: RunningProvider[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()))
})

async function start(options?: Parameters<typeof startHistory>[0]) {
  const { provider } = await startHistory(options)
  running.push(provider)
  return provider
}

async function get(
  { url }: RunningProvider,
  path: string,
  init: RequestInit = { headers: { authorization: `Bearer ${apiKey}` } },
) {
  const response = await fetch(url + path, init)
  return { status: response.status, body: JSON.parse(await response.text()) }
}

const noon = new Date('2025-08-17T12:00:00Z')
const later = (seconds: number): Date => new Date(noon.getTime() + seconds * 1000)
const between = (from: string, to: string): string =>
  encodeURIComponent(`last_event_time BETWEEN TIMESTAMP "${from}" AND TIMESTAMP "${to}"`)

describe('the list of messages', () => {
  test('has the last ones first, ten of them unless more are asked for', async () => {
    const provider = await start()
    for (let index = 0; index < 12; index += 1) {
      await provider.post(sentMessage(`m${index}`), { events: [event('delivered', later(index))] })
    }
    const { body } = await get(provider, '/v3/messages')
    expect(body.messages).toHaveLength(10)
    expect(body.messages[0]).toEqual({
      from_email: 'shop@example.com',
      msg_id: expect.stringMatching(/^m11\.recvd-/),
      subject: 'Your order',
      to_email: 'ann@example.com',
      status: 'delivered',
      opens_count: 0,
      clicks_count: 0,
      last_event_time: '2025-08-17T12:00:11Z',
    })
    expect((await get(provider, '/v3/messages?limit=1000')).body.messages).toHaveLength(12)
  })

  test('has those of the times that are asked for, both ends included', async () => {
    const provider = await start()
    for (let index = 0; index < 4; index += 1) {
      await provider.post(sentMessage(`m${index}`), { events: [event('opened', later(index))] })
    }
    const query = between('2025-08-17T12:00:01Z', '2025-08-17T12:00:02.000Z')
    const { body } = await get(provider, `/v3/messages?query=${query}`)
    expect(body.messages.map((one: { msg_id: string }) => one.msg_id.slice(0, 2))).toEqual([
      'm2',
      'm1',
    ])
  })

  test.each([
    ['limit=0', /limit/],
    ['limit=1001', /limit/],
    ['limit=x', /limit/],
    ['query=bad_field%3D1', /invalid syntax/],
    [`query=${between('a', 'b')}`, /invalid syntax/],
  ])('refuses %s', async (query, message) => {
    const { status, body } = await get(await start(), `/v3/messages?${query}`)
    expect(status).toBe(400)
    expect(body).toEqual({ errors: [{ field: null, message: expect.stringMatching(message) }] })
  })

  test.each([
    ['accepted', 'processed'],
    ['delivered', 'delivered'],
    ['bounced', 'not_delivered'],
    ['rejected', 'not_delivered'],
  ] as const)('tells of what was %s that it is %s', async (type, status) => {
    const provider = await start()
    await provider.post(sentMessage('a'), { events: [event(type, noon)] })
    expect((await get(provider, '/v3/messages')).body.messages).toMatchObject([{ status }])
  })
})

describe('a message', () => {
  test('is one for each recipient', async () => {
    const provider = await start()
    const addresses = ['ann@example.com', 'bob@example.com']
    await provider.post(sentMessage('a', addresses), {
      events: ['ann@example.com', 'Ann@Example.com', 'bob@example.com'].map((recipient) =>
        event('opened', noon, { recipient }),
      ),
    })
    const { body } = await get(provider, '/v3/messages')
    expect(body.messages).toMatchObject([
      { to_email: 'ann@example.com', opens_count: 2 },
      { to_email: 'bob@example.com', opens_count: 1 },
    ])
  })

  test('is not known under another id', async () => {
    const provider = await start()
    await provider.post(sentMessage('a'), { events: [event('delivered', noon)] })
    for (const path of ['/v3/messages/a', '/v3/logs/a']) {
      expect(await get(provider, path)).toEqual({
        status: 404,
        body: { errors: [{ field: null, message: 'not found' }] },
      })
    }
  })

  test('has a hundred events at most in Email Logs, the last ones', async () => {
    const provider = await start()
    await provider.post(sentMessage('a'), {
      events: Array.from({ length: 105 }, (_, index) => event('opened', later(index))),
    })
    const [{ msg_id: id }] = (await get(provider, '/v3/messages')).body.messages
    const { body } = await get(provider, `/v3/logs/${id}`)
    expect(body.events).toHaveLength(100)
    expect(body.events[0].timestamp).toBe(noon.getTime() / 1000 + 5)
    expect(body.custom_args).toEqual(sentMessage('a').metadata)
  })

  test('has no bounce that bears none of its ids, and nothing that is no event', async () => {
    const provider = await start()
    await provider.post(sentMessage('a'), {
      events: [
        event('bounced', noon, { bounce: 'later' }),
        event('opened', noon, { change: () => 'nothing' }),
        event('opened', noon, { change: () => ({ sg_message_id: 'a.recvd-1' }) }),
        event('opened', noon, {
          change: (entry) => ({ ...entry, sg_message_id: 'filter0093p1las1.9128.5717FB8127.0' }),
        }),
      ],
    })
    expect((await get(provider, '/v3/messages')).body).toEqual({ messages: [] })
  })

  test('is in Email Activity without the ids of its events', async () => {
    const provider = await start()
    await provider.post(sentMessage('a'), { events: [event('bounced', noon)] })
    const [{ msg_id: id }] = (await get(provider, '/v3/messages')).body.messages
    const { body } = await get(provider, `/v3/messages/${id}`)
    expect(body).toMatchObject({
      msg_id: id,
      categories: ['order', 'spring'],
      unique_args: JSON.stringify(sentMessage('a').metadata),
      events: [
        {
          event_name: 'bounced',
          processed: '2025-08-17T12:00:00Z',
          bounce_type: 'hard',
          reason: '550 5.1.1 No such user',
        },
      ],
    })
  })
})

describe('a call', () => {
  test.each(['/v3/messages', '/v3/messages/a', '/v3/logs/a'])('of %s needs a key', async (path) => {
    expect((await get(await start(), path, {})).status).toBe(401)
    expect((await get(await start({ scopes: ['mail.send'] }), path)).status).toBe(403)
    expect((await get(await start({ scopes: ['messages.read'] }), path)).status).toBe(403)
    expect((await get(await start(), path, { method: 'POST' })).status).toBe(405)
  })

  test.each(['/v3/logs', '/v3/logs/%', '/v3/messages/', '/v3/messages/a/b', '/v3/messagesa', '//'])(
    'of %s finds nothing',
    async (path) => {
      expect((await get(await start(), path)).status).toBe(404)
    },
  )
})
