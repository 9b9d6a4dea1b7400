import { describe, expect, test } from '@jest/globals'
import { UnavailableError } from '../src/errors.js'
import type { ParsedEvent } from '../src/event.js'
import { createCorrelator, memoryStore } from '../src/index.js'
import { eventOrUnknown, inboundEvent, type ReceivedMail } from '../src/inbound-mail.js'
import { outsideWebhook } from './outside-provider.js'
import { collectTold } from './told-events.js'

const received = (more: Partial<ReceivedMail> = {}): ReceivedMail => ({
  envelope: { from: 'ann@example.com', to: ['box@in.example.com'] },
  headers: [
    { name: 'From', value: 'Ann <ann@example.com>' },
    { name: 'To', value: 'box@in.example.com' },
    { name: 'Subject', value: 'Re: Order' },
    { name: 'Message-ID', value: '<reply@example.com>' },
    { name: 'Date', value: 'Thu, 01 Jan 2026 00:00:00 +0000' },
  ],
  text: 'Thanks',
  parts: [],
  ...more,
})

const origin = { providerEvent: 'inbound', raw: {} }

/** What a received mail is told as. */
async function read(more: Partial<ReceivedMail> = {}) {
  const event = await inboundEvent(received(more), origin)
  if (event.type !== 'inbound') throw new Error('it is something else')
  return event
}

describe('an inbound mail', () => {
  test('is told with what its headers say', async () => {
    expect(await read()).toMatchObject({
      type: 'inbound',
      recipient: 'box@in.example.com',
      messageId: '<reply@example.com>',
      mail: {
        envelope: { from: 'ann@example.com', to: ['box@in.example.com'] },
        from: { name: 'Ann', address: 'ann@example.com' },
        to: [{ name: '', address: 'box@in.example.com' }],
        subject: 'Re: Order',
        date: new Date('2026-01-01T00:00:00Z'),
        text: 'Thanks',
        references: [],
        attachments: [],
        problems: [],
      },
    })
  })

  test('is told with what the provider says, where its headers say nothing', async () => {
    const from = { name: '', address: 'eve@example.com' }
    const head = { from, to: [from], cc: [from], subject: 'said' }
    const { mail } = await read({ headers: [], head })
    expect(mail).toMatchObject(head)
    expect((await read({ head })).mail).toMatchObject({
      from: { address: 'ann@example.com' },
      to: [{ address: 'box@in.example.com' }],
      cc: [from],
      subject: 'Re: Order',
    })
  })

  test('has no control characters, whatever it came with', async () => {
    const { mail } = await read({ text: 'a\0b\x1b[31mc\td\r\n\uD800', html: '\x7f<p>' })
    expect([mail.text, mail.html]).toEqual(['ab[31mc\td\r\n\uFFFD', '<p>'])
  })

  test('stands without its end where it is too long, and says so', async () => {
    const long = 'ü'.repeat(600_000)
    const headers = Array.from({ length: 300 }, () => ({ name: 'X', value: 'x'.repeat(999) }))
    const { mail } = await read({ text: long, html: long, headers })
    expect([mail.text?.length, mail.html?.length]).toEqual([500_000, 500_000])
    expect(mail.headers.length).toBe(200)
    expect(mail.problems).toEqual([
      expect.stringContaining('text is longer'),
      expect.stringContaining('html is longer'),
      expect.stringContaining('the headers are longer'),
    ])
    expect(Buffer.byteLength(JSON.stringify(mail))).toBeLessThan(7_000_000)
  })

  test.each<[string, Partial<ReceivedMail>]>([
    ['text', { text: 'other' }],
    ['mailbox', { envelope: { from: 'ann@example.com', to: ['other@in.example.com'] } }],
    ['attachment', { parts: [{ contentType: 'a/b', content: Buffer.from('x') }] }],
    ['Message-ID', { headers: received().headers.filter(({ name }) => name !== 'Message-ID') }],
  ])('with another %s is another mail', async (_, change) => {
    const { told, post } = start()
    await post(await read())
    await post(await read())
    await post(await read(change))
    expect(await told()).toHaveLength(2)
  })
})

/** A correlator that is posted events directly. */
function start() {
  let next: ParsedEvent | undefined
  const readNext = async () => ({ kind: 'events' as const, events: next ? [next] : [] })
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [
      outsideWebhook({ read: readNext }),
      outsideWebhook({ name: 'inside', provider: 'inside' }),
    ],
  })
  const collected = collectTold(correlator)
  return {
    correlator,
    async post(event: ParsedEvent) {
      next = event
      await correlator.handler(new Request('https://x/outside', { method: 'POST', body: '' }))
    },
    async told() {
      await correlator.drain()
      return collected
    },
  }
}

describe('a mail that cannot be read', () => {
  const unread = { providerEvent: 'inbound', raw: { a: 1 }, discriminator: 'd' }
  const readAs = (error: unknown) =>
    eventOrUnknown(
      () => Promise.reject(error),
      () => unread,
    )

  test('is told as unknown, with the reason', async () => {
    expect(await readAs(new Error('too odd'))).toEqual({
      type: 'unknown',
      error: 'the mail could not be read: too odd',
      tags: [],
      metadata: {},
      ...unread,
    })
  })

  test('for a failure of ours is to come again', async () => {
    const failure = new UnavailableError('the disk is full')
    await expect(readAs(failure)).rejects.toBe(failure)
    const parts = [{ contentType: 'a/b', content: Buffer.from('x') }]
    const attachments = () => Promise.reject(new Error('the disk is full'))
    const kept = () => inboundEvent(received({ parts }), origin, { attachments })
    await expect(eventOrUnknown(kept, () => unread)).rejects.toBeInstanceOf(UnavailableError)
  })
})

describe('a reply', () => {
  const header = (name: string, value: string): Partial<ReceivedMail> => ({
    headers: [...received().headers, { name, value }],
  })
  const answering = (id: string): [change: Partial<ReceivedMail>, via: string][] => [
    [header('In-Reply-To', '<sent@example.com>'), 'message-id'],
    [header('References', '<sent@example.com> <between@example.com>'), 'message-id'],
    [
      { envelope: { from: '', to: ['other@in.example.com', `reply+${id}@in.example.com`] } },
      'own-id',
    ],
    [{ envelope: { from: '', to: [`REPLY+${id.toUpperCase()}@in.example.com`] } }, 'own-id'],
  ]

  test.each([
    ['In-Reply-To', 0],
    ['References', 1],
    ['the address it went to', 2],
    ['that address in capitals', 3],
  ])('finds the message that it answers by %s', async (_, way) => {
    const { correlator, post, told } = start()
    const trackingId = await correlator.record({
      // Through another provider than the one it comes back by.
      provider: 'inside',
      providerMessageId: 'p-1',
      messageId: '<sent@example.com>',
      recipients: ['ann@example.com'],
    })
    const [change = {}, via] = answering(trackingId)[way] ?? []
    await post(await read(change))
    expect(await told()).toMatchObject([
      {
        event: { type: 'inbound', trackingId, correlation: { status: 'matched', via } },
        message: { trackingId },
      },
    ])
    const found = await correlator.message(trackingId)
    expect(found?.events).toMatchObject([
      { type: 'inbound', mail: { date: new Date('2026-01-01T00:00:00Z') } },
    ])
    // It says nothing of how the message fared.
    expect(found?.recipients).toMatchObject([{ address: 'ann@example.com', status: 'accepted' }])
  })

  test('finds mail that was sent by other means by the provider’s id, where that is its Message-ID', async () => {
    const { correlator, post, told } = start()
    const trackingId = await correlator.record({
      provider: 'inside',
      providerMessageId: 'sent@example.com',
      recipients: ['ann@example.com'],
    })
    await post(await read(header('In-Reply-To', '<sent@example.com>')))
    expect(await told()).toMatchObject([
      { event: { trackingId, correlation: { via: 'provider-id' } } },
    ])
  })

  test('to nothing of ours is told at once', async () => {
    const { post, told } = start()
    await post(await read(header('In-Reply-To', '<unknown@example.com>')))
    expect(await told()).toMatchObject([
      { event: { correlation: { status: 'foreign' } }, message: undefined },
    ])
  })

  test('is matched to what it answers rather than to what that answered', async () => {
    const { correlator, post, told } = start()
    const record = (messageId: string) =>
      correlator.record({
        provider: 'inside',
        providerMessageId: messageId,
        messageId,
        recipients: ['ann@example.com'],
      })
    await record('<first@example.com>')
    const second = await record('<second@example.com>')
    await post(await read(header('References', '<first@example.com> <second@example.com>')))
    expect(await told()).toMatchObject([{ event: { trackingId: second } }])
  })
})
