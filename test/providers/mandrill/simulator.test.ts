import { describe, expect, test } from '@jest/globals'
import { fields } from '../../../src/payload.js'
import { mandrillSimulator } from '../../../src/providers/mandrill/index.js'
import { webhookRequest } from '../../webhook-request.js'
import { verifySignature } from '../../../src/providers/mandrill/signature.js'
import type { ApiAnswer, SimulatedEventType, SimulatedMessage } from '../../../src/simulator.js'
import { read, receivedAt } from './webhook-requests.js'

const apiKey = 'md-simulated'
const url = 'https://hooks.example.com/mandrill?tenant=7'
const simulator = () => mandrillSimulator({ apiKey, webhookUrl: url })

interface Call {
  method?: string
  path?: string
  body: string
}

async function call({ method = 'POST', path = '/api/1.3/messages/send', body }: Call): Promise<{
  answer: ApiAnswer
  message?: SimulatedMessage
}> {
  return simulator().answer({ method, path, headers: {}, body: Buffer.from(body) }, receivedAt)
}

const message = (changes: object = {}): object => ({
  from_email: 'shop@example.com',
  to: [{ email: 'Ann@example.org', type: 'to' }],
  ...changes,
})

const bodyOf = (changes: object = {}): string =>
  JSON.stringify({ key: apiKey, message: message(changes) })

const item = (email: string, changes: object = {}): object => ({
  email,
  status: 'sent',
  _id: expect.stringMatching(/^[0-9a-f]{32}$/),
  reject_reason: null,
  queued_reason: null,
  ...changes,
})

async function itemsFor(changes: object): Promise<unknown> {
  const { answer } = await call({ body: bodyOf(changes) })
  expect(answer.status).toBe(200)
  return JSON.parse(answer.body)
}

const recipients = (...addresses: string[]): object => ({
  to: addresses.map((email) => ({ email, type: 'to' })),
})

describe('the simulated send call', () => {
  test.each(['/api/1.0/messages/send', '/api/1.3/messages/send', '/api/1.4/messages/send.json'])(
    'is served at %s',
    async (path) => {
      const { answer } = await call({ path, body: bodyOf() })
      expect(answer).toMatchObject({
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
      })
      expect(JSON.parse(answer.body)).toEqual([item('ann@example.org')])
    },
  )

  test.each([
    ['another path', { path: '/api/1.3/messages/sent' }],
    ['no path', { path: '/' }],
    ['another method', { method: 'GET' }],
  ])('answers %s with a page', async (_, changes) => {
    const { answer, message: accepted } = await call({ body: bodyOf(), ...changes })
    expect(answer).toMatchObject({ status: 404, headers: { 'content-type': 'text/html' } })
    expect(answer.body).toMatch(/^<html>/)
    expect(accepted).toBeUndefined()
  })

  test.each([
    ['a wrong key', JSON.stringify({ key: 'md-other', message: message() })],
    ['no key', JSON.stringify({ message: message() })],
    ['a body that is no object', '[]'],
  ])('refuses %s', async (_, body) => {
    const { answer, message: accepted } = await call({ body })
    expect(answer.status).toBe(401)
    expect(JSON.parse(answer.body)).toEqual({
      status: 'error',
      code: -1,
      name: 'Invalid_Key',
      message: 'Invalid API key',
    })
    expect(accepted).toBeUndefined()
  })

  const attachment = { type: 'text/plain', name: 'a.txt', content: 'YQ==' }
  const buffer = { ...attachment, content: { type: 'Buffer', data: [97] } }

  test.each<[string, object, object]>([
    [
      'a sender with two @',
      { from_email: 'shop@example@com' },
      { from_email: 'An email address must contain a single @' },
    ],
    [
      'no sender',
      { from_email: undefined },
      { from_email: 'An email address must contain a single @' },
    ],
    ['no recipients', { to: [] }, { to: 'Please provide at least one recipient' }],
    [
      'recipients in no list',
      { to: 'ann@example.org' },
      { to: 'Please provide at least one recipient' },
    ],
    [
      'a Buffer as JSON writes it',
      { attachments: [attachment, buffer] },
      { attachments: 'Please provide base64-encoded content' },
    ],
    [
      'an image that is none',
      { images: [attachment] },
      { images: 'The type of an image must start with image/' },
    ],
    ['a reserved tag', { tags: ['a', '_b'] }, { tags: 'Tags may not begin with an underscore' }],
    [
      'a reserved merge variable',
      { global_merge_vars: [{ name: '_a', content: '1' }] },
      { global_merge_vars: 'Names of merge variables may not begin with an underscore' },
    ],
    [
      'a merge variable without a name',
      { global_merge_vars: [{ content: '1' }] },
      { global_merge_vars: 'Names of merge variables may not begin with an underscore' },
    ],
    [
      'an object in a merge variable',
      { global_merge_vars: [{ name: 'a', content: {} }] },
      { global_merge_vars: 'The content of a merge variable must be a string' },
    ],
    [
      'a reserved merge variable of one recipient',
      { merge_vars: [{ rcpt: 'ann@example.org', vars: [{ name: '_a', content: '1' }] }] },
      { merge_vars: 'Names of merge variables may not begin with an underscore' },
    ],
  ])('refuses %s', async (_, changes, fault) => {
    const { answer, message: accepted } = await call({ body: bodyOf(changes) })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toEqual({
      status: 'error',
      code: -2,
      name: 'ValidationError',
      message: `Validation error: ${JSON.stringify({ message: fault })}`,
    })
    expect(accepted).toBeUndefined()
  })

  test('refuses what is no JSON', async () => {
    const { answer } = await call({ body: 'key=md-simulated' })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({ code: -2, name: 'ValidationError' })
  })

  test('answers for each recipient, and with status 200 when it refuses one', async () => {
    const addresses = ['ann@example.org', 'reject@test.mandrillapp.com', 'no@such@address']
    expect(await itemsFor(recipients(...addresses))).toEqual([
      item('ann@example.org'),
      item('reject@test.mandrillapp.com', { status: 'rejected', reject_reason: 'hard-bounce' }),
      item('no@such@address', { status: 'invalid', reject_reason: 'invalid' }),
    ])
  })

  test('gives each recipient an id of its own', async () => {
    const { message: accepted } = await call({ body: bodyOf(recipients('a@b.c', 'd@b.c')) })
    const [first, second] = accepted?.recipients ?? []
    expect(first?.id).not.toBe(second?.id)
    expect(accepted?.id).toBe(first?.id)
  })

  test('has accepted nothing when it refused everybody', async () => {
    const { message: accepted } = await call({ body: bodyOf(recipients('reject@example.org')) })
    expect(accepted).toBeUndefined()
  })

  test('has accepted a message for those that it did not refuse', async () => {
    const body = bodyOf(recipients('reject@example.org', 'ann@example.org'))
    const { message: accepted } = await call({ body })
    expect(accepted?.recipients.map(({ address }) => address)).toEqual(['ann@example.org'])
  })

  test('queues what has attachments', async () => {
    expect(await itemsFor({ attachments: [attachment] })).toEqual([
      item('ann@example.org', { status: 'queued', queued_reason: 'attachments' }),
    ])
  })

  test('queues what has more than ten recipients, and refuses none of them at once', async () => {
    const ten = Array.from({ length: 10 }, (_, index) => `reader${index}@example.org`)
    expect(await itemsFor(recipients(...ten))).toEqual(ten.map((address) => item(address)))
    const eleven = [...ten, 'reject@example.org']
    expect(await itemsFor(recipients(...eleven))).toEqual(
      eleven.map((address) =>
        item(address, { status: 'queued', queued_reason: 'multiple-recipients' }),
      ),
    )
  })
})

/** The answer to a call with these beside its message; the time is that of `receivedAt`. */
async function answerTo(changes: object, path = '/api/1.3/messages/send'): Promise<Answered> {
  const body = JSON.stringify({ key: apiKey, message: message(), ...changes })
  const { answer } = await call({ path, body })
  return { status: answer.status, body: JSON.parse(answer.body) }
}

interface Answered {
  status: number
  body: unknown
}

const validationError = (fault: object): Answered => ({
  status: 400,
  body: {
    status: 'error',
    code: -2,
    name: 'ValidationError',
    message: `Validation error: ${JSON.stringify(fault)}`,
  },
})

test('the simulated send call takes objects in merge variables for handlebars', async () => {
  const global_merge_vars = [{ name: 'a', content: {} }]
  expect(await itemsFor({ merge_language: 'handlebars', global_merge_vars })).toEqual([
    item('ann@example.org'),
  ])
})

describe('the simulated call with a template', () => {
  const path = '/api/1.3/messages/send-template'
  const template = { template_name: 'order-shipped', template_content: [] }

  test('sends it', async () => {
    expect(await answerTo(template, path)).toEqual({ status: 200, body: [item('ann@example.org')] })
  })

  test.each(['unknown', '42-days'])('does not know %j', async (template_name) => {
    expect(await answerTo({ ...template, template_name }, path)).toEqual({
      status: 404,
      body: {
        status: 'error',
        code: 5,
        name: 'Unknown_Template',
        message: `No such template "${template_name}"`,
      },
    })
  })

  test.each<[string, object, object]>([
    ['no name', { template_content: [] }, { template_name: 'Please enter a value' }],
    ['no content', { template_name: 'a' }, { template_content: 'Please enter an array' }],
    [
      'no message',
      { ...template, message: {} },
      { message: { from_email: 'An email address must contain a single @' } },
    ],
  ])('refuses one with %s', async (_, changes, fault) => {
    expect(await answerTo(changes, path)).toEqual(validationError(fault))
  })
})

describe('the simulated send call at a later time', () => {
  const inFuture = { send_at: '2026-12-31 23:59:59' }

  test('is scheduled for everybody, and refusals come later', async () => {
    const body = JSON.stringify({
      key: apiKey,
      message: message(recipients('ann@example.org', 'reject@example.org')),
      ...inFuture,
    })
    const { answer, message: accepted } = await call({ body })
    expect(JSON.parse(answer.body)).toEqual([
      item('ann@example.org', { status: 'scheduled' }),
      item('reject@example.org', { status: 'scheduled' }),
    ])
    expect(accepted?.recipients).toHaveLength(2)
  })

  test.each(['2020-01-01 00:00:00', null])('sends at once at %j', async (send_at) => {
    expect(await answerTo({ send_at })).toEqual({ status: 200, body: [item('ann@example.org')] })
  })

  const format = 'Please enter a date in the format YYYY-MM-DD HH:MM:SS'

  test.each([
    ['2026-12-31T23:59:59Z', format],
    ['2026-13-31 23:59:59', format],
    [1_800_000_000, format],
    ['2099-01-01 00:00:00', 'Messages can be scheduled up to one year ahead'],
  ])('refuses %j', async (send_at, fault) => {
    expect(await answerTo({ send_at })).toEqual(validationError({ send_at: fault }))
  })
})

describe('the simulated check of a key', () => {
  const path = '/api/1.3/users/ping2'

  test('has an answer of its own', async () => {
    expect(await answerTo({}, path)).toEqual({ status: 200, body: { PING: 'PONG!' } })
    const { message: accepted } = await call({ path, body: bodyOf() })
    expect(accepted).toBeUndefined()
  })

  test('refuses a wrong one', async () => {
    const { status, body } = await answerTo({ key: 'md-other' }, path)
    expect({ status, body }).toMatchObject({ status: 401, body: { name: 'Invalid_Key' } })
  })
})

describe('a simulated webhook', () => {
  async function accepted(): Promise<SimulatedMessage> {
    const body = bodyOf({ subject: 'Café / 50% (off)*', tags: ['a'], metadata: { order: '42' } })
    const { message: taken } = await call({ body })
    if (taken === undefined) throw new Error('it was refused')
    return taken
  }

  test('is signed with the key and the URL of the webhook', async () => {
    const mandrill = simulator()
    const entry = mandrill.entry(
      await accepted(),
      { type: 'delivered', recipient: 'Ann@example.org' },
      receivedAt,
    )
    const [request] = mandrill.webhooks([entry], receivedAt)
    const [forged] = mandrill.webhooks([entry], receivedAt, true)
    const isBy = (signed: typeof request): boolean =>
      verifySignature(
        mandrill.webhookKey,
        url,
        new URLSearchParams(signed?.body.toString()),
        signed?.headers['x-mandrill-signature'] ?? '',
      )
    expect([isBy(request), isBy(forged)]).toEqual([true, false])
  })

  test('is written as PHP writes it, in ASCII', async () => {
    const mandrill = simulator()
    const entry = mandrill.entry(
      await accepted(),
      { type: 'accepted', recipient: 'ann@example.org' },
      receivedAt,
    )
    const [request] = mandrill.webhooks([entry], receivedAt)
    const body = request?.body.toString() ?? ''
    expect(body).toMatch(/^mandrill_events=[\w%+.-]+$/)
    expect(new URLSearchParams(body).get('mandrill_events')).toContain(
      '"subject":"Caf\\u00e9 \\/ 50% (off)*"',
    )
    expect(request?.headers['content-type']).toBe('application/x-www-form-urlencoded')
  })

  test('has the metadata of its recipient over that of all', async () => {
    const { message: taken } = await call({
      body: bodyOf({
        ...recipients('Ann@example.org', 'bob@example.org'),
        metadata: { order: '42', user: '0' },
        recipient_metadata: [{ rcpt: 'ANN@example.org', values: { user: 1 } }],
      }),
    })
    if (taken === undefined) throw new Error('it was refused')
    const metadataOf = (recipient: string): unknown => {
      const { msg } = simulator().entry(taken, { type: 'opened', recipient }, receivedAt)
      return fields(msg)['metadata']
    }
    expect(metadataOf('ann@example.org')).toEqual({ order: '42', user: '1' })
    expect(metadataOf('bob@example.org')).toEqual({ order: '42', user: '0' })
  })

  test.each<[SimulatedEventType, string, object]>([
    ['accepted', 'send', {}],
    ['deferred', 'deferral', { smtpCode: 451 }],
    ['delivered', 'delivered', { smtpCode: 250 }],
    ['bounced', 'hard_bounce', { bounce: { kind: 'hard', smtpCode: 550 } }],
    ['rejected', 'reject', { reason: 'bounced' }],
    ['opened', 'open', { ip: '203.0.113.80' }],
    ['clicked', 'click', { url: 'https://example.com/' }],
    ['complained', 'spam', {}],
    ['unsubscribed', 'unsub', { scope: { kind: 'all' } }],
  ])('tells %s as %s, which is read as such', async (type, providerEvent, details) => {
    const mandrill = simulator()
    const sent = await accepted()
    const entry = mandrill.entry(sent, { type, recipient: 'Ann@example.org' }, receivedAt)
    const [request] = mandrill.webhooks([entry], receivedAt)
    const posted = webhookRequest(request?.headers ?? {}, request?.body ?? '')
    expect(await read(posted, { key: mandrill.webhookKey, url })).toMatchObject({
      events: [
        {
          type,
          providerEvent,
          ...details,
          recipient: 'Ann@example.org',
          providerMessageId: sent.id,
          occurredAt: new Date('2026-01-02T03:04:05Z'),
          tags: ['a'],
          metadata: { order: '42' },
        },
      ],
    })
  })
})
