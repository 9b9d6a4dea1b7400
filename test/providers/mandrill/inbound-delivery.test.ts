import { describe, expect, test } from '@jest/globals'
import { ann, bob, startHouse } from './house.js'

describe('an inbound mail', () => {
  const mailTo = (email: string, ...headers: string[]): object => ({
    event: 'inbound',
    ts: 1767226100,
    msg: { raw_msg: [...headers, '', 'Thanks!'].join('\n'), email, from_email: ann },
  })

  test.each<[string, string, (messageId: string, trackingId: string) => object]>([
    [
      'In-Reply-To',
      'message-id',
      (messageId) => mailTo('box@in.example.com', `In-Reply-To: ${messageId}`),
    ],
    [
      'the last of its References',
      'message-id',
      (messageId) => mailTo('box@in.example.com', `References: <0@example.com> ${messageId}`),
    ],
    ['our id in its address', 'own-id', (_, own) => mailTo(`reply+${own}@in.example.com`, 'A: b')],
  ])('is told with the message that it answers, by %s', async (_, via, replyTo) => {
    const house = await startHouse([])
    const trackingId = await house.send()
    const messageId = (await house.correlator.message(trackingId))?.messageId ?? ''
    expect(await house.post([replyTo(messageId, trackingId)])).toBe(200)
    await house.settle()
    expect(house.told).toEqual([
      expect.objectContaining({
        event: expect.objectContaining({
          type: 'inbound',
          trackingId,
          correlation: { status: 'matched', via },
          mail: expect.objectContaining({ text: 'Thanks!\n' }),
        }),
        message: expect.objectContaining({ subject: 'Your order' }),
      }),
    ])
    // It says nothing of what became of the message.
    expect((await house.correlator.message(trackingId))?.status).toBe('accepted')
  })

  test('that reports a failed delivery is told with its message, by the id in its address', async () => {
    const house = await startHouse([])
    const trackingId = await house.send({ cc: bob })
    const { recipients } = (await house.correlator.message(trackingId)) ?? {}
    const address = `bounce-md_30123456.695f0ab1.v1-${recipients?.[1]?.providerMessageId}@in.example.com`
    expect(await house.post([mailTo(address, 'Return-Path: <>', 'Subject: Undelivered')])).toBe(200)
    await house.settle()
    expect(house.told.map(({ event }) => event)).toEqual([
      expect.objectContaining({
        trackingId,
        correlation: { status: 'matched', via: 'provider-id' },
        mail: expect.objectContaining({
          envelope: { from: '', to: [address] },
          subject: 'Undelivered',
        }),
      }),
    ])
  })

  test('that answers nothing is told at once, and once, however often it comes', async () => {
    const house = await startHouse([])
    const posted = mailTo('box@in.example.com', 'Message-Id: <9@example.org>')
    expect([await house.post([posted]), await house.post([posted])]).toEqual([200, 200])
    await house.settle()
    expect(house.told.map(({ event, message }) => [event.correlation.status, message])).toEqual([
      ['foreign', undefined],
    ])
  })

  test('that could not be kept comes again', async () => {
    const kept: (() => Promise<string>)[] = [
      () => Promise.reject(new Error('the disk is full')),
      () => Promise.resolve('bucket/a'),
    ]
    const attachments = (): Promise<string> => kept.shift()?.() ?? Promise.reject(new Error('more'))
    const house = await startHouse([], 0, { inbound: { attachments } })
    const files = { 'a.txt': { name: 'a.txt', type: 'text/plain', content: 'a', base64: false } }
    const posted = { event: 'inbound', msg: { email: 'box@in.example.com', attachments: files } }
    expect([await house.post([posted]), await house.post([posted])]).toEqual([503, 200])
    await house.settle()
    expect(house.told).toHaveLength(1)
    expect(house.errors).toEqual([expect.stringContaining('the disk is full')])
  })
})
