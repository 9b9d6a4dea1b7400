import { describe, expect, test } from '@jest/globals'
import { mailgunSimulator } from '../../../src/providers/mailgun/index.js'
import type { SimulatedEvent, ToldEvent } from '../../../src/simulator.js'

const apiKey = 'key-test'
const domain = 'mg.example.com'
const simulator = mailgunSimulator({ apiKey, domain })
const now = new Date('2025-10-09T09:00:00.000Z')
const recipient = 'ana@shop.test'
const message = {
  id: '1@mg.example.com',
  recipients: [{ address: recipient, id: '1@mg.example.com' }],
  subject: 'Invoice',
  metadata: { order: '1042' },
  tags: [],
  messageId: '1@mg.example.com',
  request: undefined,
}

/** What was told so many minutes ago. */
function told(minutes: number, changes: Partial<SimulatedEvent> = {}): ToldEvent {
  const at = new Date(now.getTime() - minutes * 60_000)
  const event: SimulatedEvent = { type: 'delivered', recipient, at, ...changes }
  return { message, event, entry: simulator.entry(message, event, now), at }
}

/** What the API answers. */
async function ask(
  body: unknown,
  events: readonly ToldEvent[] = [],
  { key = `api:${apiKey}`, path = '/v1/analytics/logs', method = 'POST' } = {},
) {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const headers = { authorization: `Basic ${btoa(key)}`, 'content-type': 'application/json' }
  const { answer, message: taken } = await simulator.answer(
    { method, path, headers, body: bytes },
    now,
    events,
  )
  expect(taken).toBeUndefined()
  return { status: answer.status, body: answer.body }
}

async function page(body: object, events: readonly ToldEvent[]) {
  const answer = await ask(body, events)
  expect(answer.status).toBe(200)
  return JSON.parse(answer.body)
}

const timesIn = ({ items }: { items: Record<string, unknown>[] }) =>
  items.map((item) => item['@timestamp'])

describe('the simulated log', () => {
  test('has the items as Mailgun writes them, and what was asked', async () => {
    const start = 'Thu, 09 Oct 2025 08:00:00 +0000'
    const end = 'Thu, 09 Oct 2025 09:00:00 +0000'
    const bounce = told(10, { type: 'bounced', bounce: 'later' })
    const answer = await page({ start, end }, [bounce])
    expect(answer).toMatchObject({ start, end, pagination: {}, aggregates: {} })
    expect(answer.items).toMatchObject([
      {
        event: 'failed',
        '@timestamp': '2025-10-09T08:50:00.000Z',
        'user-variables': '{"order":"1042"}',
        flags: { 'is-authenticated': false, 'is-routed': false, 'is-delayed-bounce': true },
        envelope: {},
      },
    ])
    for (const name of ['timestamp', 'tags', 'campaigns']) {
      expect(answer.items[0]).not.toHaveProperty(name)
    }
  })

  test('goes back by a day, the newest first, unless it is asked otherwise', async () => {
    const events = [told(20), told(25 * 60), told(10), told(-10)]
    expect(timesIn(await page({}, events))).toEqual([
      '2025-10-09T08:50:00.000Z',
      '2025-10-09T08:40:00.000Z',
    ])
    const pagination = { sort: 'timestamp:asc' }
    expect(timesIn(await page({ pagination }, events))).toEqual([
      '2025-10-09T08:40:00.000Z',
      '2025-10-09T08:50:00.000Z',
    ])
  })

  test.each(['asc', 'desc'])('is told in pages, %s, also of what came meanwhile', async (order) => {
    const events = [told(30), told(20), told(20), told(10)]
    const pagination = { sort: `timestamp:${order}`, limit: 2 }
    const first = await page({ pagination }, events)
    const rest = { pagination: { ...pagination, token: first.pagination.next } }
    const second = await page(rest, [...events, told(15), told(15)])
    const ids = [...first.items, ...second.items].map(({ id }) => id)
    expect(new Set(ids).size).toBe(4)
    const again = await page(
      { pagination: { ...pagination, token: first.pagination.first } },
      events,
    )
    expect(again.items).toEqual(first.items)
    const last = await page({ pagination: { ...pagination, limit: 5 } }, events)
    expect([last.items.length, last.pagination.next]).toEqual([4, undefined])
  })

  test('has the events and the domain that are asked for', async () => {
    const events = [told(10), told(5, { type: 'opened' })]
    const filter = (...names: string[]) => ({
      AND: [
        {
          attribute: 'domain',
          comparator: '=',
          values: names.map((name) => ({ label: name, value: name })),
        },
      ],
    })
    expect((await page({ events: ['opened'] }, events)).items).toMatchObject([{ event: 'opened' }])
    expect((await page({ filter: filter('x.test', domain) }, events)).items).toHaveLength(2)
    expect((await page({ filter: filter('x.test') }, events)).items).toEqual([])
  })

  test('knows nothing of what is no event', async () => {
    expect((await page({}, [{ ...told(1), entry: 'x' }])).items).toEqual([])
  })

  test('is told with the key of the account alone', async () => {
    expect(await ask({}, [told(1)], { key: 'api:other' })).toEqual({
      status: 401,
      body: '{"message":"Invalid private key"}',
    })
  })

  test.each<[unknown, string]>([
    ['{', 'request body is not valid JSON'],
    [[], 'request body is not valid JSON'],
    [{ start: '2025-10-09T08:00:00Z' }, 'time is not RFC 2822'],
    [{ end: 7 }, 'time is not RFC 2822'],
    [{ start: 'Thu, 09 Oct 2025 09:00:01 +0000' }, 'start is after end'],
    [{ filter: { AND: {} } }, 'invalid filter'],
    [{ filter: { AND: [{ attribute: 'x', comparator: '=', values: [] }] } }, 'invalid filter'],
    [{ filter: { AND: [{ attribute: 'domain', comparator: '<' }] } }, 'invalid filter'],
    [{ pagination: { sort: 'recipient:asc' } }, 'invalid sort'],
    [{ pagination: { limit: 101 } }, 'limit must be between 1 and 100'],
    [{ pagination: { limit: 0 } }, 'limit must be between 1 and 100'],
    [{ pagination: { limit: 'many' } }, 'limit must be between 1 and 100'],
    [{ pagination: { token: 'x' } }, 'invalid page token'],
    [{ pagination: { token: 7 } }, 'invalid page token'],
  ])('is not told for %j', async (body, words) => {
    const answer = await ask(body)
    expect([answer.status, JSON.parse(answer.body)]).toEqual([400, { message: words }])
  })

  test.each([
    { method: 'GET' },
    { path: '/v1/analytics/logs/' },
    { path: '/v3/v1/analytics/logs' },
  ])('is nowhere else: %j', async (call) => {
    expect((await ask({}, [], call)).body).toBe('Mailgun Magnificent API')
  })
})
