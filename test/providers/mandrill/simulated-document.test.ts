import { describe, expect, test } from '@jest/globals'
import { fields } from '../../../src/payload.js'
import { mandrillSimulator } from '../../../src/providers/mandrill/index.js'
import type { SimulatedMessage } from '../../../src/simulator.js'
import { receivedAt } from './webhook-requests.js'

const apiKey = 'md-simulated'
const simulator = mandrillSimulator({ apiKey, webhookUrl: 'https://hooks.example.com/mandrill' })

/** A document with these lines more in its head. */
const document = (...lines: string[]): string =>
  [
    ...lines,
    'From: "Shop, a@b" <shop@example.com>',
    'To: "Ann, A." <Ann@example.org>, bob@example.org',
    'Cc: carl@example.org',
    'Bcc: audit@example.org',
    'Subject: =?UTF-8?Q?Gr=C3=B6=C3=9Fe?=',
    'Message-ID: <m-1@example.com>',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'Hello',
    '',
  ].join('\r\n')

async function call(body: object): Promise<{
  status: number
  body: unknown
  message?: SimulatedMessage
}> {
  const { answer, message } = await simulator.answer(
    {
      method: 'POST',
      path: '/api/1.4/messages/send-raw.json',
      headers: {},
      body: Buffer.from(JSON.stringify({ key: apiKey, ...body })),
    },
    receivedAt,
  )
  return { status: answer.status, body: JSON.parse(answer.body), ...(message && { message }) }
}

const item = (email: string, changes: object = {}): object => ({
  email,
  status: 'sent',
  _id: expect.stringMatching(/^[0-9a-f]{32}$/),
  reject_reason: null,
  queued_reason: null,
  ...changes,
})

describe('the simulated call with a document', () => {
  test('goes to everybody in its head, and reads the rest there too', async () => {
    const raw_message = document(
      'X-MC-Tags: order, eu west',
      'X-MC-Metadata: {"order": "42",\r\n "total": 7}',
    )
    const { status, body, message } = await call({ raw_message, async: false })
    expect(status).toBe(200)
    expect(body).toEqual([
      item('ann@example.org'),
      item('bob@example.org'),
      item('carl@example.org'),
      item('audit@example.org'),
    ])
    expect(message).toMatchObject({
      subject: 'Größe',
      tags: ['order', 'eu west'],
      metadata: { order: '42', total: '7' },
      messageId: 'm-1@example.com',
      request: { raw_message, async: false },
    })
    expect(message?.request).not.toHaveProperty('key')
  })

  test('goes to those beside it alone, where they are named', async () => {
    const { body } = await call({
      raw_message: document(),
      to: ['reject@test.mandrillapp.com', 'no@such@address', 'dora@example.org'],
    })
    expect(body).toEqual([
      item('reject@test.mandrillapp.com', { status: 'rejected', reject_reason: 'hard-bounce' }),
      item('no@such@address', { status: 'invalid', reject_reason: 'invalid' }),
      item('dora@example.org'),
    ])
  })

  test('is told of with its sender', async () => {
    const { message } = await call({ raw_message: document() })
    if (!message) throw new Error('it was refused')
    const event = { type: 'delivered', recipient: 'ann@example.org' } as const
    expect(fields(simulator.entry(message, event, receivedAt)['msg'])).toMatchObject({
      sender: 'shop@example.com',
      subject: 'Größe',
      _id: message.recipients[0]?.id,
    })
  })

  test('is queued with files, and scheduled for later', async () => {
    const withFile = document().replace(
      'Content-Type: text/plain; charset=utf-8',
      'Content-Disposition: attachment; filename=a.bin\r\nContent-Type: application/x-a',
    )
    const to = ['ann@example.org']
    expect((await call({ raw_message: withFile, to })).body).toEqual([
      item('ann@example.org', { status: 'queued', queued_reason: 'attachments' }),
    ])
    expect(
      (await call({ raw_message: withFile, to, send_at: '2026-12-31 00:00:00' })).body,
    ).toEqual([item('ann@example.org', { status: 'scheduled' })])
  })

  test('takes metadata that is no JSON for none', async () => {
    const { message } = await call({ raw_message: document('X-MC-Metadata: order=42') })
    expect(message?.metadata).toEqual({})
  })

  test.each<[string, object, object]>([
    ['no document', {}, { raw_message: 'Please enter a value' }],
    ['a document in parts', { raw_message: ['a'] }, { raw_message: 'Please enter a value' }],
    [
      'no sender',
      { raw_message: document().replace(/^From/m, 'X-From') },
      { from_email: 'An email address must contain a single @' },
    ],
    [
      'no recipients',
      { raw_message: document().replace(/^(To|Cc|Bcc)/gm, 'X-$1') },
      { to: 'Please provide at least one recipient' },
    ],
    [
      'a reserved tag',
      { raw_message: document('X-MC-Tags: a,_b') },
      { tags: 'Tags may not begin with an underscore' },
    ],
    [
      'a time that is none',
      { raw_message: document(), send_at: 'now' },
      { send_at: 'Please enter a date in the format YYYY-MM-DD HH:MM:SS' },
    ],
  ])('refuses %s', async (_, body, fault) => {
    expect(await call(body)).toEqual({
      status: 400,
      body: {
        status: 'error',
        code: -2,
        name: 'ValidationError',
        message: `Validation error: ${JSON.stringify(fault)}`,
      },
    })
  })

  test('refuses a wrong key', async () => {
    expect(await call({ key: 'md-other', raw_message: document() })).toMatchObject({
      status: 401,
      body: { name: 'Invalid_Key' },
    })
  })
})
