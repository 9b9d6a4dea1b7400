import { expect, test } from '@jest/globals'
import { mandrillSimulator } from '../../../src/providers/mandrill/index.js'
import type {
  ApiAnswer,
  SimulatedEvent,
  SimulatedMessage,
  ToldEvent,
} from '../../../src/simulator.js'
import { apiKey } from './sending.js'

const simulator = mandrillSimulator({ apiKey, webhookUrl: 'https://example.com/mandrill' })
const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
const ts = (second: number): number => at(second).getTime() / 1000

const message: SimulatedMessage = {
  id: 'a1',
  recipients: [
    { address: 'ann@example.org', id: 'a1' },
    { address: 'bob@example.org', id: 'b2' },
  ],
  subject: 'Your order',
  metadata: { user: '42' },
  tags: ['order'],
  messageId: 'm-1@example.com',
  request: { from_email: 'shop@example.com' },
}

function told(...events: Omit<SimulatedEvent, 'recipient'>[]): ToldEvent[] {
  return events.map((given) => {
    const event = { recipient: 'Ann@example.org', ...given }
    return { message, event, entry: simulator.entry(message, event, at(0)), at: at(0) }
  })
}

async function ask(body: object, events: ToldEvent[] = []): Promise<ApiAnswer> {
  const request = {
    method: 'POST',
    path: '/api/1.3/messages/info.json',
    headers: {},
    body: Buffer.from(JSON.stringify({ key: apiKey, ...body })),
  }
  const { answer, message: accepted } = await simulator.answer(request, at(0), events)
  expect(accepted).toBeUndefined()
  return answer
}

async function infoOf(
  id: string,
  ...events: Omit<SimulatedEvent, 'recipient'>[]
): Promise<unknown> {
  const { status, body } = await ask({ id }, told(...events))
  expect(status).toBe(200)
  return JSON.parse(body)
}

test('the simulated call tells of a message what was told of it', async () => {
  expect(
    await infoOf(
      'a1',
      { type: 'clicked', at: at(4), url: 'https://example.com/a' },
      { type: 'accepted', at: at(1) },
      { type: 'delivered', at: at(2) },
      { type: 'opened', at: at(3) },
    ),
  ).toEqual({
    ts: ts(1),
    _id: 'a1',
    sender: 'shop@example.com',
    template: null,
    subject: 'Your order',
    email: 'Ann@example.org',
    tags: ['order'],
    opens: 1,
    opens_detail: [{ ts: ts(3), ip: '203.0.113.80', location: null, ua: 'Mozilla/5.0' }],
    clicks: 1,
    clicks_detail: [
      {
        ts: ts(4),
        url: 'https://example.com/a',
        ip: '203.0.113.80',
        location: null,
        ua: 'Mozilla/5.0',
      },
    ],
    state: 'sent',
    metadata: { user: '42' },
    reject: null,
    smtp_events: [
      { ts: ts(2), type: 'delivered', diag: '250 2.0.0 OK', source_ip: '198.2.128.10', size: 4120 },
    ],
    resends: [],
  })
})

test.each<[string, Omit<SimulatedEvent, 'recipient'>, object]>([
  ['bounced', { type: 'bounced' }, { bounce_description: 'bad_mailbox' }],
  ['soft-bounced', { type: 'bounced', bounce: 'soft' }, { bounce_description: 'mailbox_full' }],
  ['bounced', { type: 'bounced', bounce: 'later' }, { smtp_events: [] }],
  ['rejected', { type: 'rejected' }, { reject: { reason: 'hard-bounce' } }],
  [
    'deferred',
    { type: 'deferred' },
    { smtp_events: [expect.objectContaining({ type: 'deferred' })] },
  ],
  ['spam', { type: 'complained' }, {}],
  ['unsub', { type: 'unsubscribed' }, {}],
  ['queued', { type: 'opened' }, {}],
])('it has the state %s', async (state, event, details) => {
  expect(await infoOf('a1', event)).toMatchObject({ state, ...details })
})

test('it tells of each recipient its own', async () => {
  expect(await infoOf('b2', { type: 'delivered' })).toMatchObject({
    _id: 'b2',
    email: 'bob@example.org',
    state: 'queued',
    smtp_events: [],
  })
})

test('it does not know what it has told nothing of', async () => {
  const { status, body } = await ask({ id: 'c3' }, told({ type: 'accepted' }))
  expect(status).toBe(404)
  expect(JSON.parse(body)).toMatchObject({ status: 'error', code: 11, name: 'Unknown_Message' })
  expect((await ask({ id: 'a1' })).status).toBe(404)
})

test('it refuses a wrong key, and no id', async () => {
  expect((await ask({ id: 'a1', key: 'md-other' }, told({ type: 'accepted' }))).status).toBe(401)
  expect((await ask({}, told({ type: 'accepted' }))).status).toBe(400)
})
