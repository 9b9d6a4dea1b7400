import { describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type BeforeSend,
  ConfigurationError,
  createCorrelator,
  type MailOptions,
  memoryStore,
  type MessageChange,
  type MessageDraft,
  SendError,
} from '../src/index.js'
import { outsideClient, outsideTransport } from './outside-transport.js'

const mail: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: ['Ann <ann@example.org>', 'bob@example.org'],
  cc: 'carl@example.org',
  subject: 'Order 42',
  text: 'Thanks',
  tags: ['order'],
  metadata: { order: '42' },
}

async function send(beforeSend: BeforeSend, change: MailOptions = {}) {
  const client = outsideClient()
  const correlator = createCorrelator({ store: memoryStore() })
  const transport = outsideTransport(client, { beforeSend, correlator, timeout: 50 })
  const transporter = nodemailer.createTransport(transport)
  let failFlags = 0
  transporter.on('sent', (_message, failFlag) => (failFlags += failFlag ? 1 : 0))
  const ended = await transporter.sendMail({ ...mail, ...change }).then(
    (info) => ({ info, error: undefined }),
    (error: unknown) => ({ info: undefined, error }),
  )
  await delay(0)
  const [message] = (await correlator.find()).messages
  return { ...ended, sent: client.sent[0]?.mail, message, failFlags }
}

const addresses = (list: { address: string }[] | undefined) => list?.map(({ address }) => address)

describe('before a message is sent', () => {
  test('the hook sees who and what it is about', async () => {
    const seen: MessageDraft[] = []
    const { info, message } = await send((draft) => void seen.push(draft))
    expect(seen).toEqual([
      {
        trackingId: info?.trackingId,
        provider: 'outside',
        from: { name: 'Shop', address: 'shop@example.com' },
        to: [
          { name: 'Ann', address: 'ann@example.org' },
          { name: '', address: 'bob@example.org' },
        ],
        cc: [{ name: '', address: 'carl@example.org' }],
        bcc: [],
        subject: 'Order 42',
        tags: ['order'],
        metadata: { order: '42' },
      },
    ])
    expect(message?.status).toBe('accepted')
  })

  test('what it does to what it sees changes nothing', async () => {
    const { sent } = await send((draft) => {
      draft.to.length = 0
      draft.tags.push('more')
    })
    expect(addresses(sent?.to)).toEqual(['ann@example.org', 'bob@example.org'])
    expect(sent?.tags).toEqual(['order'])
  })

  test('it may change the message, and the change is what is recorded', async () => {
    const { sent, message, info } = await send(async ({ tags, metadata }) => ({
      to: [{ name: 'Test, Inbox', address: 'test@example.com' }],
      cc: [],
      bcc: [{ name: '', address: 'audit@example.com' }],
      subject: 'Größe',
      tags: [...tags, 'staging'],
      metadata: { ...metadata, to: 'ann' },
    }))
    expect(sent).toMatchObject({
      to: [{ name: 'Test, Inbox', address: 'test@example.com' }],
      cc: [],
      bcc: [{ address: 'audit@example.com' }],
      subject: 'Größe',
      tags: ['order', 'staging'],
      metadata: { order: '42', to: 'ann' },
      envelope: { from: 'shop@example.com', to: ['test@example.com', 'audit@example.com'] },
    })
    expect(info?.accepted).toEqual(['test@example.com', 'audit@example.com'])
    expect(message).toMatchObject({ subject: 'Größe', tags: ['order', 'staging'] })
  })

  test('it may refuse some recipients: they are rejected, and the others get the message', async () => {
    const { sent, info, message } = await send(() => ({
      refused: [
        { address: 'BOB@example.org', reason: 'hard bounce on 2026-03-01' },
        { address: 'nobody@example.org', reason: 'is no recipient' },
      ],
    }))
    expect(addresses(sent?.to)).toEqual(['ann@example.org'])
    expect(sent?.envelope.to).toEqual(['ann@example.org', 'carl@example.org'])
    expect(info).toMatchObject({
      accepted: ['ann@example.org', 'carl@example.org'],
      rejected: ['bob@example.org'],
    })
    expect(info?.recipients.at(-1)).toEqual({
      address: 'bob@example.org',
      kind: 'to',
      status: 'rejected',
      providerStatus: '',
      reason: 'hard bounce on 2026-03-01',
    })
    expect(message?.recipients.map(({ address, status }) => [address, status])).toEqual([
      ['ann@example.org', 'accepted'],
      ['carl@example.org', 'accepted'],
      ['bob@example.org', 'rejected'],
    ])
  })

  test('those it refuses are not in an envelope of its own either', async () => {
    const { sent } = await send(
      () => ({ refused: [{ address: 'bob@example.org', reason: 'no' }] }),
      {
        envelope: {
          from: 'shop@example.com',
          to: ['ann@example.org', 'bob@example.org', 'carl@example.org'],
        },
      },
    )
    expect(sent?.envelope.to).toEqual(['ann@example.org', 'carl@example.org'])
  })

  test('when it refuses everybody nothing is sent, and the error says why', async () => {
    const { error, sent, message, failFlags } = await send(({ to, cc }) => ({
      refused: [...to, ...cc].map(({ address }) => ({ address, reason: 'suppressed since March' })),
    }))
    expect(error).toMatchObject({ category: 'rejected', code: 'EENVELOPE', outcome: 'not-sent' })
    expect(String(error)).toContain('every recipient was rejected: suppressed since March')
    expect(sent).toBeUndefined()
    expect(message).toMatchObject({ status: 'rejected', failFlag: true })
    expect(failFlags).toBe(1)
  })

  test.each<[string, () => never]>([
    [
      'an error',
      () => {
        throw new Error('not on Sundays')
      },
    ],
    [
      'anything',
      () => {
        throw 'not on Sundays'
      },
    ],
  ])('it may cancel the message by throwing %s', async (_, cancel) => {
    const { error, sent, message, failFlags } = await send(cancel)
    expect(error).toBeInstanceOf(SendError)
    expect(error).toMatchObject({
      message: 'cancelled before it was sent: not on Sundays',
      category: 'rejected',
      retryable: false,
      outcome: 'not-sent',
    })
    expect([sent, message?.status, failFlags]).toEqual([undefined, 'failed', 1])
  })

  test('a SendError that it throws is what sendMail rejects with', async () => {
    const own = new SendError('later', {
      category: 'rate-limit',
      retryable: true,
      outcome: 'not-sent',
    })
    expect((await send(() => Promise.reject(own))).error).toBe(own)
  })

  test('one that never ends is not waited for without end', async () => {
    const { error } = await send(() => new Promise(() => {}))
    expect(error).toMatchObject({ category: 'timeout', outcome: 'not-sent', retryable: true })
  })

  test('it is not asked about what could not be sent anyway', async () => {
    let asked = 0
    await send(() => void (asked += 1), { messageId: '<a b>' })
    await send(() => void (asked += 1), { raw: { path: '/nowhere/at/all' } })
    expect(asked).toBe(0)
  })

  const wrong: [string, object][] = [
    ['tags', { tags: 'x' }],
    ['metadata', { metadata: 5 }],
    ['subject', { subject: 5 }],
    ['to', { to: 'ann@example.org' }],
    ['cc', { cc: [{ name: 'Ann' }] }],
  ]
  test.each(wrong)('a change that is none is refused: %s', async (name, change) => {
    const answer: MessageChange = change
    const { error, sent } = await send(() => answer)
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(String(error)).toContain(name)
    expect(sent).toBeUndefined()
  })

  test('the hook must be a function', () => {
    const options = { beforeSend: JSON.parse('5') }
    expect(() => outsideTransport(outsideClient(), options)).toThrow(ConfigurationError)
  })
})
