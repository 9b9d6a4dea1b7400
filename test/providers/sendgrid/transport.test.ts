import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { ConfigurationError, type SentMessage } from '../../../src/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  type SendgridTransportOptions,
} from '../../../src/providers/sendgrid/index.js'
import { type RunningProvider, startProvider } from '../../../src/testing/index.js'
import { apiKey, mail, sentBodies, startSendgrid } from './sending.js'

const uuid = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/
const png = Buffer.from('iVBORw0KGgo=', 'base64')

const running: RunningProvider[] = []

async function start(options?: SendgridTransportOptions) {
  const started = await startSendgrid(options)
  running.push(started.provider)
  return started
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()))
})

/** A mail with whatever a careless transport would write into. */
const mailOfObjects = () => ({
  from: { name: 'Shop', address: 'shop@example.com' },
  to: [{ name: 'Ann', address: 'ann@bücher.example' }],
  replyTo: ['Help <help@example.com>'],
  subject: 'Your order',
  text: Buffer.from('Thanks'),
  html: '<p>Thanks',
  attachments: [{ content: Buffer.from('a') }, { content: 'YQ==', encoding: 'base64' }],
  headers: { 'X-Order': ['42'] },
  tags: ['order', 'order'],
  metadata: { order: '42' },
})

describe('what arrives', () => {
  test('is everything that was given', async () => {
    const { provider, transporter } = await start()
    const folder = mkdtempSync(join(tmpdir(), 'sendgrid-'))
    writeFileSync(join(folder, 'invoice.pdf'), '%PDF-1.7')
    const info = await transporter.sendMail({
      from: { name: 'Shöp, the one', address: 'shop@example.com' },
      to: ['Ann Ö <ann@example.com>', { name: '', address: 'bob@bücher.example' }],
      cc: 'carl@example.com, "Doe, Jane" <jane@example.com>',
      bcc: 'audit@example.com',
      replyTo: 'Help <help@example.com>, desk@example.com',
      subject: 'Ihre Bestellung – 42',
      text: 'Danke',
      html: '<p>Danke <img src="cid:logo@example.com">',
      attachments: [
        { path: join(folder, 'invoice.pdf') },
        { filename: 'a.csv', content: 'ä;b', contentType: 'text/csv' },
        { filename: 'b.bin', content: 'AAEC/w==', encoding: 'base64' },
        { filename: 'c.txt', content: Readable.from(['str', 'eam']) },
        { filename: 'logo.png', content: png, cid: 'logo@example.com' },
      ],
      headers: { 'X-Order': '42', 'X-Place': 'Köln' },
      list: { unsubscribe: 'https://example.com/u/1' },
      inReplyTo: '<before@example.com>',
      references: ['<first@example.com>', '<before@example.com>'],
      priority: 'high',
      messageId: '<order-42@example.com>',
      tags: ['order', 'spring sale', 'order'],
      metadata: { order: '42', customerID: 'c-7', 'with space': 'ü' },
    })
    rmSync(folder, { recursive: true })
    expect(sentBodies(provider)).toEqual([
      {
        personalizations: [
          {
            to: [
              { email: 'ann@example.com', name: 'Ann Ö' },
              { email: 'bob@xn--bcher-kva.example' },
            ],
            cc: [{ email: 'carl@example.com' }, { email: 'jane@example.com', name: 'Doe, Jane' }],
            bcc: [{ email: 'audit@example.com' }],
            custom_args: {
              order: '42',
              customerID: 'c-7',
              'with space': 'ü',
              mailtrail_id: info.trackingId,
            },
          },
        ],
        from: { email: 'shop@example.com', name: 'Shöp, the one' },
        reply_to_list: [{ email: 'help@example.com', name: 'Help' }, { email: 'desk@example.com' }],
        subject: 'Ihre Bestellung – 42',
        content: [
          { type: 'text/plain', value: 'Danke' },
          { type: 'text/html', value: '<p>Danke <img src="cid:logo@example.com">' },
        ],
        attachments: [
          file('invoice.pdf', 'application/pdf', '%PDF-1.7'),
          file('a.csv', 'text/csv', 'ä;b'),
          file('b.bin', 'application/octet-stream', Buffer.from([0, 1, 2, 255])),
          file('c.txt', 'text/plain', 'stream'),
          {
            ...file('logo.png', 'image/png', png),
            disposition: 'inline',
            content_id: 'logo@example.com',
          },
        ],
        headers: expect.objectContaining({
          'X-Order': '42',
          'X-Place': '=?UTF-8?Q?K=C3=B6ln?=',
          'List-Unsubscribe': '<https://example.com/u/1>',
          'In-Reply-To': '<before@example.com>',
          References: '<first@example.com> <before@example.com>',
          'X-Priority': '1 (Highest)',
          'Message-ID': '<order-42@example.com>',
        }),
        categories: ['order', 'spring sale'],
      },
    ])
  })

  test('is asked for with the key, and with no header of the mail', async () => {
    const { provider, transporter } = await start()
    const headers = { Authorization: 'Bearer stolen', 'X-Order': '42', Accept: 'text/html' }
    await transporter.sendMail({ ...mail, headers })
    const [request] = provider.requests
    expect(request).toMatchObject({ method: 'POST', path: '/v3/mail/send' })
    expect(request?.headers).toMatchObject({
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      accept: 'application/json',
    })
    expect(request?.headers).not.toHaveProperty('x-order')
    expect(sentBodies(provider)).toEqual([
      expect.objectContaining({ headers: expect.objectContaining(headers) }),
    ])
  })

  test('has each address once, wherever it was given', async () => {
    const { provider, transporter } = await start()
    await transporter.sendMail({
      ...mail,
      to: ['ann@example.com', 'Ann@Example.com'],
      cc: 'ANN@example.com, bob@example.com',
      bcc: 'bob@example.com, ann@example.com',
    })
    const [{ personalizations }] = sentBodies(provider)
    expect(personalizations).toEqual([
      expect.objectContaining({
        to: [{ email: 'ann@example.com' }],
        cc: [{ email: 'bob@example.com' }],
      }),
    ])
    expect(personalizations[0]).not.toHaveProperty('bcc')
  })

  test('has no header that somebody put into a name or the subject', async () => {
    const { provider, transporter } = await start()
    await transporter.sendMail({
      ...mail,
      from: { name: 'Shop\r\nX-Evil: 1', address: 'shop@example.com' },
      subject: 'Your\r\nX-Evil: order',
    })
    const [{ from, subject }] = sentBodies(provider)
    expect(from.name).toBe('Shop X-Evil: 1')
    expect(subject).toBe('Your X-Evil: order')
  })

  test('leaves the mail as the caller wrote it', async () => {
    const { transporter } = await start()
    const given = mailOfObjects()
    await transporter.sendMail(given)
    expect(given).toStrictEqual(mailOfObjects())
  })
})

function file(filename: string, type: string, content: string | Buffer) {
  const base64 = Buffer.from(content).toString('base64')
  return { content: base64, filename, type, disposition: 'attachment' }
}

describe('what sendMail resolves with', () => {
  test('has the ids, and each recipient', async () => {
    const { provider, transporter } = await start()
    const info = await transporter.sendMail({
      ...mail,
      messageId: '<order-42@example.com>',
      cc: 'carl@example.com',
      bcc: 'audit@example.com',
    })
    const [message] = provider.messages
    expect(message?.id).toMatch(/^[\w-]{22}$/)
    expect(info).toStrictEqual({
      envelope: {
        from: 'shop@example.com',
        to: ['ann@example.com', 'carl@example.com', 'audit@example.com'],
      },
      messageId: '<order-42@example.com>',
      accepted: ['ann@example.com', 'carl@example.com', 'audit@example.com'],
      rejected: [],
      pending: [],
      response: '202 Accepted',
      trackingId: expect.stringMatching(uuid),
      provider: 'sendgrid',
      providerMessageId: message?.id,
      recipients: [
        { address: 'ann@example.com', kind: 'to', status: 'accepted', providerStatus: 'queued' },
        { address: 'carl@example.com', kind: 'cc', status: 'accepted', providerStatus: 'queued' },
        { address: 'audit@example.com', kind: 'bcc', status: 'accepted', providerStatus: 'queued' },
      ],
    })
  })

  test('is without the id that SendGrid at times leaves out', async () => {
    const { provider, transporter } = await start()
    provider.failNext({ kind: 'answer', status: 202 })
    const info = await transporter.sendMail(mail)
    expect(info).toMatchObject({ accepted: ['ann@example.com'], response: '202 Accepted' })
    expect(info).not.toHaveProperty('providerMessageId')
  })

  test('is accepted too in the sandbox, which answers 200', async () => {
    const { provider, transporter } = await start()
    provider.failNext({ kind: 'answer', status: 200 })
    await expect(transporter.sendMail(mail)).resolves.toMatchObject({ response: '200' })
  })

  test('comes by a callback as well', async () => {
    const { transporter } = await start()
    const info = await new Promise((resolve) => {
      transporter.sendMail(mail, (error, given) => resolve({ error, given }))
    })
    expect(info).toEqual({ error: null, given: expect.objectContaining({ provider: 'sendgrid' }) })
  })
})

describe('the events of sending', () => {
  async function told(subject: string) {
    const { transport, transporter } = await start()
    const events: [string, SentMessage, boolean][] = []
    transporter.on('sent', (message, failFlag) => events.push(['sent', message, failFlag]))
    transporter.on('emailSent', (message, failFlag) =>
      events.push(['emailSent', message, failFlag]),
    )
    transport.on('emailSent', (message, failFlag) => events.push(['transport', message, failFlag]))
    const ending = await transporter.sendMail({ ...mail, subject, tags: ['order'] }).catch(String)
    return { ending, events }
  }

  test('are told once each, with the message', async () => {
    const { ending, events } = await told('Your order')
    expect(events.map(([name, , failFlag]) => [name, failFlag])).toEqual([
      ['sent', false],
      ['emailSent', false],
      ['transport', false],
    ])
    for (const [, message] of events) {
      expect(message).toMatchObject({
        provider: 'sendgrid',
        subject: 'Your order',
        tags: ['order'],
        failFlag: false,
        recipients: [{ address: 'ann@example.com', status: 'accepted' }],
      })
      const { trackingId, providerMessageId } = message
      expect(ending).toMatchObject({ trackingId, providerMessageId })
    }
  })

  test('are told once each when nothing could be sent', async () => {
    const { ending, events } = await told('')
    expect(ending).toMatch(/needs a subject/)
    expect(events.map(([name, , failFlag]) => [name, failFlag])).toEqual([
      ['sent', true],
      ['emailSent', true],
      ['transport', true],
    ])
    for (const [, message] of events) {
      expect(message).toMatchObject({
        failFlag: true,
        error: { code: 'EMESSAGE', category: 'validation', outcome: 'not-sent' },
        recipients: [{ address: 'ann@example.com', status: 'failed' }],
      })
    }
  })
})

const usedKeys = ({ requests }: RunningProvider) =>
  requests.map(({ headers }) => headers['authorization'])

describe('an API key', () => {
  test('belongs to one transport, also beside another', async () => {
    const otherKey = 'SG.key-of-the-second-account.fedcba9876543210'
    const first = await start()
    const second = await start({ apiKey: otherKey })
    const transporters = [first.transporter, second.transporter, first.transporter]
    await Promise.all(transporters.map((transporter) => transporter.sendMail(mail)))
    expect(usedKeys(first.provider)).toEqual([`Bearer ${apiKey}`, `Bearer ${apiKey}`])
    expect(usedKeys(second.provider)).toEqual([`Bearer ${otherKey}`])
  })

  test('comes from the environment when none is given', async () => {
    const provider = await startProvider(sendgridSimulator({ apiKey }))
    running.push(provider)
    const before = process.env['SENDGRID_API_KEY']
    process.env['SENDGRID_API_KEY'] = `${apiKey}\n`
    try {
      const transport = sendgridTransport({ baseUrl: `${provider.url}/` })
      await nodemailer.createTransport(transport).sendMail(mail)
    } finally {
      if (before === undefined) delete process.env['SENDGRID_API_KEY']
      else process.env['SENDGRID_API_KEY'] = before
    }
    expect(provider.messages).toHaveLength(1)
  })

  test.each([
    ['is empty', '', /apiKey is missing/],
    ['is blank', ' ', /apiKey is missing/],
    ['is two lines', 'SG.a\nSG.b', /apiKey is not one/],
    ['is shortened with an ellipsis', 'SG.abc…', /apiKey is not one/],
  ])('that %s is refused at the start', (_, given, message) => {
    expect(() => sendgridTransport({ apiKey: given })).toThrow(ConfigurationError)
    expect(() => sendgridTransport({ apiKey: given })).toThrow(message)
    if (given.trim() !== '') {
      expect(() => sendgridTransport({ apiKey: given })).not.toThrow(given)
    }
  })

  test.each(['', 'api.sendgrid.com', 'localhost:3000', 'ftp://example.com', 'http://'])(
    'and the base URL %j is refused at the start',
    (baseUrl) => {
      expect(() => sendgridTransport({ apiKey, baseUrl })).toThrow(ConfigurationError)
      expect(() => sendgridTransport({ apiKey, baseUrl })).toThrow(/baseUrl is not/)
    },
  )
})
