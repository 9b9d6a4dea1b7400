import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import type { SentMessage } from '../../../src/message.js'
import { mandrillTransport } from '../../../src/providers/mandrill/index.js'
import type { MailOptions } from '../../../src/transporter.js'
import { startEndpoint } from '../../endpoint.js'
import {
  apiKey,
  closing,
  failureOf,
  lastCall,
  lastMessage,
  mail,
  startMandrill,
  transporterTo,
} from './sending.js'

const id = /^[0-9a-f]{32}$/

describe('a mail with everything', () => {
  const everything = (): MailOptions =>
    mail({
      to: ['Ann <ann@example.org>', 'Zoë <zoe@example.org>'],
      cc: 'bob@example.org',
      bcc: { name: 'Audit, internal', address: 'audit@example.org' },
      replyTo: ['Help <help@example.com>', 'desk@example.com'],
      subject: 'Café: 50% off',
      html: '<p>Hi <img src="cid:logo@example.com"></p>',
      headers: { 'X-Order': '42', 'X-Name': 'Zoë' },
      inReplyTo: '<m-0@example.com>',
      references: ['<m-0@example.com>'],
      messageId: '<m-1@example.com>',
      attachments: [
        { filename: 'order.pdf', content: Buffer.from('%PDF-1.4') },
        { filename: 'note.txt', content: 'café', contentType: 'text/plain; charset=utf-8' },
        { filename: 'data.csv', content: 'YSxi', encoding: 'base64' },
        {
          filename: 'read.bin',
          content: Readable.from([Buffer.from('in '), Buffer.from('parts')]),
        },
        { filename: 'logo.png', content: Buffer.from('PNG'), cid: '<logo@example.com>' },
      ],
      tags: ['order', 'shop'],
      metadata: { order: '42', customer: 'zoë' },
    })

  test('arrives whole', async () => {
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail(everything())
    expect(lastCall(provider)).toEqual({
      key: apiKey,
      message: {
        from_email: 'shop@example.com',
        from_name: 'Shop',
        to: [
          { email: 'ann@example.org', name: 'Ann', type: 'to' },
          { email: 'zoe@example.org', name: 'Zoë', type: 'to' },
          { email: 'bob@example.org', type: 'cc' },
          { email: 'audit@example.org', name: 'Audit, internal', type: 'bcc' },
        ],
        preserve_recipients: true,
        subject: 'Café: 50% off',
        text: 'Hello',
        html: '<p>Hi <img src="cid:logo@example.com"></p>',
        headers: {
          'Reply-To': '"Help" <help@example.com>, desk@example.com',
          'Message-Id': '<m-1@example.com>',
          'In-Reply-To': '<m-0@example.com>',
          References: '<m-0@example.com>',
          'X-Order': '42',
          'X-Name': '=?UTF-8?Q?Zo=C3=AB?=',
        },
        tags: ['order', 'shop'],
        metadata: { order: '42', customer: 'zoë', mailtrail_id: info.trackingId },
        attachments: [
          { type: 'application/pdf', name: 'order.pdf', content: 'JVBERi0xLjQ=' },
          { type: 'text/plain; charset=utf-8', name: 'note.txt', content: 'Y2Fmw6k=' },
          { type: 'text/csv', name: 'data.csv', content: 'YSxi' },
          { type: 'application/octet-stream', name: 'read.bin', content: 'aW4gcGFydHM=' },
        ],
        images: [{ type: 'image/png', name: 'logo@example.com', content: 'UE5H' }],
      },
    })
  })

  test('is the same object afterwards', async () => {
    const provider = await startMandrill()
    // Without the stream, which can be read only once.
    const unread = (): MailOptions => {
      const { attachments = [], ...rest } = everything()
      const path = fileURLToPath(new URL('fixtures/send.request.json', import.meta.url))
      return { ...rest, attachments: [...attachments.filter(isNoStream), { path }] }
    }
    const given = unread()
    await transporterTo(provider).sendMail(given)
    expect(given).toEqual(unread())
    expect(lastMessage(provider)).toHaveProperty('attachments.3.name', 'send.request.json')
  })
})

const isNoStream = ({ content }: { content?: unknown }): boolean => !(content instanceof Readable)

test('a plain mail has nothing in it that was not given', async () => {
  const provider = await startMandrill()
  const info = await transporterTo(provider).sendMail({
    from: 'shop@example.com',
    to: 'ann@example.org',
    html: '<p>Hi</p>',
  })
  expect(lastMessage(provider)).toEqual({
    from_email: 'shop@example.com',
    to: [{ email: 'ann@example.org', type: 'to' }],
    preserve_recipients: true,
    html: '<p>Hi</p>',
    headers: { 'Message-Id': info.messageId },
    metadata: { mailtrail_id: info.trackingId },
  })
})

describe('the call', () => {
  test.each([
    ['', '/api/1.3/messages/send'],
    ['/', '/api/1.3/messages/send'],
    ['/api/1.0', '/api/1.0/messages/send'],
    ['/api/1.4/', '/api/1.4/messages/send'],
  ])('with the base URL ending in %j goes to %s', async (end, path) => {
    const provider = await startMandrill()
    await transporterTo({ url: provider.url + end }).sendMail(mail())
    const [request] = provider.requests
    expect(request).toMatchObject({ method: 'POST', path })
    expect(request?.headers['content-type']).toMatch(/^application\/json/)
    expect(request?.headers['user-agent']).toMatch(/^MailchimpTransactional-JS/)
  })

  test.each(['', 'mandrillapp.com', 'ftp://mandrillapp.com', 'https://', 'http://a b'])(
    'cannot go to %j, so there is no start',
    (baseUrl) => {
      expect(() => mandrillTransport({ apiKey, baseUrl })).toThrow(
        /baseUrl is not an http or https URL/,
      )
    },
  )

  test('can be as large as an attachment of 15 MB makes it', async () => {
    const provider = await startMandrill()
    const content = Buffer.alloc(15_000_000, 'x')
    await transporterTo(provider).sendMail(mail({ attachments: [{ filename: 'a.bin', content }] }))
    expect(lastMessage(provider)).toMatchObject({
      attachments: [{ content: content.toString('base64') }],
    })
  })

  test('of each transport has its own key, host and timeout', async () => {
    const one = await startMandrill({}, 'md-one')
    const slow = closing(
      await startEndpoint((request, response) => {
        request.resume()
        setTimeout(() => response.end('[{"email":"ann@example.org","status":"sent"}]'), 150)
      }),
    )
    const hasty = transporterTo(slow, { apiKey: 'md-hasty', timeout: 30 })
    const patient = transporterTo(slow, { apiKey: 'md-patient', timeout: 5000 })
    const first = transporterTo(one, { apiKey: 'md-one', timeout: 5000 })
    const [late, inTime, info] = await Promise.all([
      failureOf(hasty.sendMail(mail())),
      patient.sendMail(mail()),
      first.sendMail(mail()),
    ])
    expect(late.category).toBe('timeout')
    expect(inTime.accepted).toEqual(['ann@example.org'])
    expect(info.providerMessageId).toMatch(id)
    expect(lastCall(one)).toMatchObject({ key: 'md-one' })
  })
})

function setKey(key: string | undefined): void {
  if (key === undefined) delete process.env['MANDRILL_API_KEY']
  else process.env['MANDRILL_API_KEY'] = key
}

/** Does the work with this key in the environment. */
function withKey<T>(key: string | undefined, work: () => T): T {
  const before = process.env['MANDRILL_API_KEY']
  setKey(key)
  try {
    return work()
  } finally {
    setKey(before)
  }
}

describe('the API key', () => {
  test('can come from the environment', async () => {
    const key = 'md-from-the-environment'
    const provider = await startMandrill({}, key)
    const transport = withKey(key, () => mandrillTransport({ baseUrl: provider.url }))
    const info = await nodemailer.createTransport(transport).sendMail(mail())
    expect(info.accepted).toEqual(['ann@example.org'])
  })

  test.each([[undefined], ['']])('must be there: with %j there is no start', (key) => {
    withKey(key, () => {
      expect(() => mandrillTransport()).toThrow(/pass { apiKey }, or set MANDRILL_API_KEY/)
      expect(() => mandrillTransport({ apiKey: '' })).toThrow(
        expect.objectContaining({ code: 'ECONFIG' }),
      )
    })
  })
})

describe('the info', () => {
  test('has an id for each recipient, and the first one for the message', async () => {
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail(
      mail({ cc: 'bob@example.org', bcc: 'audit@example.org', messageId: '<m-1@example.com>' }),
    )
    const [message] = provider.messages
    const ids = message?.recipients.map((recipient) => recipient.id) ?? []
    expect(new Set(ids).size).toBe(3)
    const answer = { status: 'accepted', providerStatus: 'sent' }
    expect(info).toEqual({
      envelope: {
        from: 'shop@example.com',
        to: ['ann@example.org', 'bob@example.org', 'audit@example.org'],
      },
      messageId: '<m-1@example.com>',
      accepted: ['ann@example.org', 'bob@example.org', 'audit@example.org'],
      rejected: [],
      pending: [],
      response: 'sent',
      trackingId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      provider: 'mandrill',
      providerMessageId: ids[0],
      recipients: [
        { address: 'ann@example.org', kind: 'to', providerMessageId: ids[0], ...answer },
        { address: 'bob@example.org', kind: 'cc', providerMessageId: ids[1], ...answer },
        { address: 'audit@example.org', kind: 'bcc', providerMessageId: ids[2], ...answer },
      ],
    })
  })

  test('says who was refused, when somebody was not', async () => {
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail(
      mail({ to: ['reject@test.mandrillapp.com', 'ann@example.org'] }),
    )
    expect(info).toMatchObject({
      accepted: ['ann@example.org'],
      rejected: ['reject@test.mandrillapp.com'],
      response: 'rejected, sent',
      recipients: [
        { status: 'rejected', providerStatus: 'rejected', reason: 'hard-bounce' },
        { status: 'accepted', providerStatus: 'sent' },
      ],
    })
    expect(info.providerMessageId).toBe(info.recipients[1]?.providerMessageId)
  })
})

describe('the events of a send', () => {
  async function listenAndSend(to: string): Promise<Map<string, [SentMessage, boolean][]>> {
    const provider = await startMandrill()
    const transport = mandrillTransport({ apiKey, baseUrl: provider.url })
    const transporter = nodemailer.createTransport(transport)
    const heard = new Map<string, [SentMessage, boolean][]>()
    const hear =
      (name: string) =>
      (...values: [SentMessage, boolean]): void => {
        heard.set(name, [...(heard.get(name) ?? []), values])
      }
    transporter.on('sent', hear('sent'))
    transporter.on('emailSent', hear('emailSent'))
    transport.on('emailSent', hear('emailSent of the transport'))
    await transporter.sendMail(mail({ to, tags: ['order'] })).catch(() => {})
    return heard
  }

  test('come once on the transporter and once on the transport', async () => {
    const heard = await listenAndSend('ann@example.org')
    expect([...heard.keys()]).toEqual(['sent', 'emailSent', 'emailSent of the transport'])
    for (const calls of heard.values()) {
      expect(calls).toHaveLength(1)
      const [message, failFlag] = calls[0] ?? []
      expect(failFlag).toBe(false)
      expect(message).toMatchObject({
        provider: 'mandrill',
        providerMessageId: expect.stringMatching(id),
        tags: ['order'],
        recipients: [{ address: 'ann@example.org', status: 'accepted' }],
        failFlag: false,
      })
    }
  })

  test('come for a send that failed too, with what became of it', async () => {
    const heard = await listenAndSend('reject@test.mandrillapp.com')
    expect([...heard.values()].map((calls) => calls.map(([, failFlag]) => failFlag))).toEqual([
      [true],
      [true],
      [true],
    ])
    const [message] = heard.get('sent')?.[0] ?? []
    expect(message).toMatchObject({
      error: { code: 'EENVELOPE', category: 'rejected', outcome: 'not-sent' },
      recipients: [{ status: 'rejected', reason: 'hard-bounce' }],
    })
  })
})
