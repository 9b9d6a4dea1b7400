import { describe, expect, test } from '@jest/globals'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import PostalMime from 'postal-mime'
import { createCorrelator, memoryStore } from '../src/index.js'
import type { OutgoingDocument, OutgoingMail, ProviderClient } from '../src/provider-client.js'
import { createProviderTransport } from '../src/transport.js'
import type { TransportOptions } from '../src/transport-options.js'
import type { MailOptions } from '../src/transporter.js'
import { calendar, rawDocument } from './mail-fields.js'

const require = createRequire(__filename)
const versions = ['nodemailer-6', 'nodemailer-7', 'nodemailer-8', 'nodemailer-9', 'nodemailer']

const plain: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: 'Ann <ann@example.com>',
  subject: 'Hi',
  text: 'Thanks',
}

/** A client that takes both fields and documents, and what it was asked to send. */
function bothWays(lacks: string[] = []) {
  const mails: OutgoingMail[] = []
  const documents: OutgoingDocument[] = []
  const client: ProviderClient<{ keep: () => void }> = {
    buildRequest: (mail) => ({ request: { keep: () => mails.push(mail) }, lost: [] }),
    mime: {
      lacks: new Set(lacks),
      buildRequest: (mail) => ({ request: { keep: () => documents.push(mail) }, lost: [] }),
    },
    async send({ keep }) {
      keep()
      return {
        response: 'taken',
        providerMessageId: 'p-1',
        recipient: () => ({ status: 'accepted', providerStatus: 'taken' }),
      }
    },
  }
  return { client, mails, documents }
}

describe.each(versions)('with %s', (version) => {
  const nodemailer: typeof import('nodemailer') = require(version)

  async function send(mail: MailOptions, options: TransportOptions = {}, lacks: string[] = []) {
    const { client, mails, documents } = bothWays(lacks)
    const correlator = createCorrelator({ store: memoryStore() })
    const transport = createProviderTransport('outside', client, { correlator, ...options })
    const info = await nodemailer.createTransport(transport).sendMail(mail)
    const message = await correlator.message(info.trackingId)
    const [sent] = documents
    return { mails, documents, sent, info, message, text: sent?.document.toString() ?? '' }
  }

  test('a message goes as fields as long as they say all of it', async () => {
    const { mails, documents } = await send(plain)
    expect([mails.length, documents.length]).toEqual([1, 0])
  })

  test('it goes as a document where they do not, composed by Nodemailer', async () => {
    const { mails, text, info } = await send({
      ...plain,
      html: '<p>Thanks</p>',
      icalEvent: { method: 'REQUEST', content: calendar },
      attachments: [{ filename: 'a.txt', content: Readable.from(['a', 'b']) }],
    })
    expect(mails).toEqual([])
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
    const parsed = await PostalMime.parse(text, { attachmentEncoding: 'utf8' })
    expect(parsed).toMatchObject({
      messageId: info.messageId,
      subject: 'Hi',
      html: expect.stringContaining('<p>Thanks</p>'),
      text: expect.stringContaining('Thanks'),
    })
    expect(parsed.attachments.map(({ mimeType, method }) => [mimeType, method])).toContainEqual([
      'text/calendar',
      'REQUEST',
    ])
    const file = parsed.attachments.find(({ filename }) => filename === 'a.txt')
    expect(file?.content).toBe('ab')
  })

  test('whoever is in its envelope gets it, and in no header those of Bcc', async () => {
    const { sent, text, info, message } = await send({
      ...plain,
      cc: 'carl@example.com',
      bcc: 'audit@example.com',
      envelope: { from: 'shop@example.com', to: ['ann@example.com', 'Eve <eve@example.com>'] },
    })
    expect(sent?.recipients).toEqual(['ann@example.com', 'eve@example.com'])
    expect(text).not.toMatch(/audit@/)
    expect(text).toContain('carl@example.com')
    expect(info.accepted).toEqual(['ann@example.com', 'eve@example.com'])
    expect(message?.recipients.map(({ address, kind }) => [address, kind])).toEqual([
      ['ann@example.com', 'to'],
      ['eve@example.com', 'bcc'],
    ])
  })

  test('a raw one is sent as it is, and recorded by its own head', async () => {
    const { sent, text, info, message } = await send({ raw: rawDocument })
    expect(text).toBe(rawDocument.replace('Bcc: hidden@example.org\r\n', ''))
    expect(sent?.recipients).toEqual(['ann@example.org', 'hidden@example.org'])
    expect(info.messageId).toBe('<raw-1@example.com>')
    expect(message).toMatchObject({
      messageId: '<raw-1@example.com>',
      subject: 'Raw',
      from: { name: 'Shop', address: 'shop@example.com' },
      to: [{ name: 'Ann', address: 'ann@example.org' }],
      recipients: [
        { address: 'ann@example.org', kind: 'to' },
        { address: 'hidden@example.org', kind: 'bcc' },
      ],
    })
  })

  test('a raw one without a Message-ID is given one, by which it is known', async () => {
    const raw = 'From: shop@example.com\nSubject: Old\n\nText\n'
    const { text, info } = await send({
      envelope: { from: 'shop@example.com', to: 'ann@x.org' },
      raw,
    })
    expect(text).toBe(
      `Message-ID: ${info.messageId}\r\nFrom: shop@example.com\r\nSubject: Old\r\n\r\nText\r\n`,
    )
  })

  test.each<[string, () => MailOptions]>([
    ['a Buffer', () => ({ raw: Buffer.from(rawDocument) })],
    ['a stream', () => ({ raw: Readable.from([Buffer.from(rawDocument)]) })],
  ])('a raw one may come as %s', async (_, mail) => {
    const { text } = await send(mail())
    expect(text).toContain('\r\n\r\nRaw text\r\n')
  })

  test('answers to it go to an address of its own where that is asked for', async () => {
    const { text, info } = await send(
      { ...plain, alternatives: [{ contentType: 'text/x-web-markdown', content: '*x*' }] },
      { replyAddress: 'reply@in.example.com' },
    )
    expect(text).toContain(`Reply-To: Shop <reply+${info.trackingId}@in.example.com>`)
  })

  test('what no document says is refused all the same', async () => {
    const error = await send(
      {
        ...plain,
        date: new Date(0),
        dsn: { id: 'x' },
        envelope: { from: 'b@x.org', to: 'c@x.org' },
      },
      {},
      ['date'],
    ).catch(String)
    expect(error).toContain('the outside transport cannot carry dsn, date, envelope.from:')
  })

  test.each<[string, MailOptions]>([
    ['alternatives[0].contentType', { alternatives: [{ path: __filename }] }],
    ['icalEvent.headers', { icalEvent: { content: calendar, headers: { 'X-A': 'b' } } }],
  ])('it does so for %s too', async (_, change) => {
    const { client, documents } = bothWays()
    const carries = new Set(['alternatives', 'icalEvent'])
    const transport = createProviderTransport('outside', { ...client, carries }, {})
    await nodemailer.createTransport(transport).sendMail({ ...plain, ...change })
    expect(documents).toHaveLength(1)
  })

  test('whom beforeSend refuses is not among those it goes to, nor in its head', async () => {
    const { sent, text, info } = await send(
      { ...plain, cc: 'carl@example.com', amp: '<html></html>' },
      { beforeSend: () => ({ refused: [{ address: 'carl@example.com', reason: 'left' }] }) },
    )
    expect(sent?.recipients).toEqual(['ann@example.com'])
    expect(text).not.toContain('carl@')
    expect(info).toMatchObject({ accepted: ['ann@example.com'], rejected: ['carl@example.com'] })
  })

  const unreadable: object = { ...plain, amp: '<html></html>', text: 5 }
  test.each<[string, object]>([
    ['is not there', { raw: { path: join(__dirname, 'nowhere.eml') } }],
    ['would be empty', unreadable],
  ])('one whose content %s is refused', async (_, mail) => {
    const { client, documents } = bothWays()
    const transport = createProviderTransport('outside', client, {})
    await expect(nodemailer.createTransport(transport).sendMail(mail)).rejects.toMatchObject({
      category: 'validation',
      outcome: 'not-sent',
    })
    expect(documents).toEqual([])
  })

  test('a fault on looking which way it goes ends the send, and is told', async () => {
    const { client } = bothWays()
    const beyondFields = () => {
      throw new TypeError('a fault of ours')
    }
    const transport = createProviderTransport('outside', { ...client, beyondFields }, {})
    const transporter = nodemailer.createTransport(transport)
    let told = 0
    transporter.on('sent', () => (told += 1))
    await expect(transporter.sendMail(plain)).rejects.toMatchObject({ outcome: 'not-sent' })
    expect(told).toBe(1)
  })

  test('what it lacks alone does not make a document of a message', async () => {
    const { mails } = await send({ ...plain, date: new Date(0) }, { unsupported: 'ignore' }, [
      'date',
    ])
    expect(mails).toHaveLength(1)
  })

  test('with recipientData it is refused, whatever is to be done about the unsupported', async () => {
    const mail = { ...plain, amp: '<html></html>', recipientData: { 'ann@example.com': {} } }
    const error = await send(mail, { unsupported: 'ignore' }).catch(String)
    expect(error).toContain('recipientData cannot go together with amp')
  })
})
