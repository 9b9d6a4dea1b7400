import { describe, expect, test } from '@jest/globals'
import { type Fields, fields } from '../../../src/payload.js'
import type { OutgoingMail } from '../../../src/provider-client.js'
import { callsOf } from '../../../src/providers/mandrill/recipient-data.js'
import { buildRequest } from '../../../src/providers/mandrill/request.js'
import type { RecipientData } from '../../../src/recipient-data.js'
import type { RunningProvider } from '../../../src/testing/index.js'
import type { MailOptions } from '../../../src/transporter.js'
import { ann, bob, startHouse } from './house.js'
import { failureOf, mail, startMandrill, transporterTo } from './sending.js'

/** The `message` of each call, in order. */
const messagesOf = ({ requests }: RunningProvider): Fields[] =>
  requests.map(({ body }) => fields(fields(JSON.parse(body.toString()))['message']))

async function sent(changes: MailOptions): Promise<Fields[]> {
  const provider = await startMandrill()
  await transporterTo(provider).sendMail(mail(changes))
  return messagesOf(provider)
}

/** What a mail with these is refused with, before anything goes out. */
async function refusalOf(changes: MailOptions): Promise<string> {
  const provider = await startMandrill()
  const error = await failureOf(transporterTo(provider).sendMail(mail(changes)))
  expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', retryable: false })
  expect(provider.requests).toHaveLength(0)
  return error.message
}

const readers = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `reader${index}@example.org`)

/** Something for each of them. */
const named = (addresses: readonly string[]): NonNullable<MailOptions['recipientData']> =>
  Object.fromEntries(
    addresses.map((address, index) => [
      address,
      { data: { name: `Reader ${index}` }, metadata: { reader: `${index}` } },
    ]),
  )

describe('data for each recipient', () => {
  test('goes over that of all, and everybody gets a mail of their own', async () => {
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail(
      mail({
        to: [ann, bob],
        cc: 'carl@example.org',
        bcc: 'audit@example.org',
        templateData: { name: 'you', shop: 'Shop' },
        metadata: { order: '42' },
        recipientData: {
          'ANN@example.org': { data: { name: 'Ann', note: null }, metadata: { user: '1' } },
          'Carl <carl@example.org>': { data: { name: 'Carl', left: undefined } },
          'audit@example.org': { metadata: { order: '43' } },
        },
      }),
    )
    expect(messagesOf(provider)).toEqual([
      {
        from_email: 'shop@example.com',
        from_name: 'Shop',
        to: [
          { email: ann, type: 'to' },
          { email: bob, type: 'to' },
          { email: 'carl@example.org', type: 'cc' },
          { email: 'audit@example.org', type: 'bcc' },
        ],
        preserve_recipients: false,
        subject: 'Your order',
        text: 'Hello',
        headers: { 'Message-Id': info.messageId },
        global_merge_vars: [
          { name: 'name', content: 'you' },
          { name: 'shop', content: 'Shop' },
        ],
        merge_vars: [
          {
            rcpt: ann,
            vars: [
              { name: 'name', content: 'Ann' },
              { name: 'note', content: '' },
            ],
          },
          { rcpt: 'carl@example.org', vars: [{ name: 'name', content: 'Carl' }] },
        ],
        metadata: { order: '42', mailtrail_id: info.trackingId },
        recipient_metadata: [
          { rcpt: ann, values: { user: '1' } },
          { rcpt: 'audit@example.org', values: { order: '43' } },
        ],
      },
    ])
  })

  test('of one recipient goes as it does for many', async () => {
    expect(await sent({ to: ann, recipientData: named([ann]) })).toMatchObject([
      {
        to: [{ email: ann, type: 'to' }],
        preserve_recipients: false,
        merge_vars: [{ rcpt: ann, vars: [{ name: 'name', content: 'Reader 0' }] }],
        recipient_metadata: [{ rcpt: ann, values: { reader: '0' } }],
      },
    ])
  })

  test('may be of nobody: everybody gets a mail of their own still', async () => {
    const [message] = await sent({ to: [ann, bob], recipientData: {} })
    expect(message).toMatchObject({ preserve_recipients: false })
    expect(message).not.toHaveProperty('merge_vars')
    expect(message).not.toHaveProperty('recipient_metadata')
  })

  test('may be sent with the word that each gets a mail of their own', async () => {
    const mandrill = { message: { preserve_recipients: false } }
    expect(await sent({ recipientData: {}, mandrill })).toMatchObject([
      { preserve_recipients: false },
    ])
  })

  test('may hold objects for handlebars', async () => {
    const items = [{ title: 'Cup' }]
    const [message] = await sent({
      recipientData: { [ann]: { data: { items } } },
      mandrill: { message: { merge_language: 'handlebars' } },
    })
    expect(message).toHaveProperty('merge_vars', [
      { rcpt: ann, vars: [{ name: 'items', content: items }] },
    ])
  })

  test('may fill a template', async () => {
    const provider = await startMandrill()
    await transporterTo(provider).sendMail(
      mail({ templateId: 'order-shipped', recipientData: named([ann]) }),
    )
    expect(provider.requests.map(({ path }) => path)).toEqual(['/api/1.3/messages/send-template'])
  })

  const forEach =
    'mandrill.message.preserve_recipients can only be false together with recipientData, which gives each recipient a mail of its own'

  test.each<[string, MailOptions, string]>([
    [
      'that everybody is to see',
      { recipientData: {}, mandrill: { message: { preserve_recipients: true } } },
      forEach,
    ],
    [
      'that everybody may see, by a setting of the account',
      // As from JSON, where the types say nothing.
      { recipientData: {}, ...JSON.parse('{"mandrill":{"message":{"preserve_recipients":null}}}') },
      forEach,
    ],
    ['for nobody', { to: '', recipientData: {} }, 'Mandrill needs at least one recipient'],
    [
      'with a name that begins with _',
      { recipientData: { [ann]: { data: { _name: 'x' } } } },
      'Mandrill takes no recipientData.data whose name begins with _: _name',
    ],
    [
      'with a name in two spellings',
      { recipientData: { [ann]: { data: { Name: '1', name: '2' } } } },
      'Mandrill takes recipientData.data.Name and recipientData.data.name for the same',
    ],
    [
      'with a name that is spelt otherwise for all',
      { templateData: { Name: '1' }, recipientData: { [ann]: { data: { name: '2' } } } },
      'Mandrill takes templateData.Name and recipientData.data.name for the same',
    ],
    [
      'that is an object for the language of Mailchimp',
      { recipientData: { [ann]: { data: { items: [] } } } },
      "recipientData.data.items is an object, which Mandrill takes with mandrill.message.merge_language 'handlebars' only",
    ],
    [
      'that is no JSON',
      { recipientData: { [ann]: { data: { n: 1n } } } },
      'recipientData cannot be written as JSON',
    ],
    [
      'whose metadata begins with _',
      { recipientData: { [ann]: { metadata: { _user: '1' } } } },
      'Mandrill takes no metadata whose name begins with _: _user',
    ],
    [
      'whose metadata is too much with that of all',
      {
        metadata: { a: 'x'.repeat(90) },
        recipientData: { [ann]: { metadata: { b: 'y'.repeat(92) } } },
      },
      'Mandrill takes 250 bytes of metadata as JSON, and with our id these of one recipient are 251',
    ],
    [
      'that goes together with what only a document says',
      { headers: { 'X-Trace': ['a', 'b'] }, recipientData: named([ann]) },
      "the mandrill transport cannot carry a second X-Trace header: leave it out, or send without it with unsupported: 'warn' or 'ignore'",
    ],
  ])('%s is refused', async (_, changes, message) => {
    expect(await refusalOf(changes)).toBe(message)
  })

  test('whose metadata is as much as there may be is sent', async () => {
    const changes: MailOptions = {
      metadata: { a: 'x'.repeat(90) },
      recipientData: { [ann]: { metadata: { b: 'y'.repeat(91) } } },
    }
    expect(await sent(changes)).toHaveLength(1)
  })
})

describe('headers for each recipient', () => {
  const leave = (name: string) => ({ 'List-Unsubscribe': `<https://example.com/u/${name}>` })

  test('go over those of the message, in a call for all who have the same', async () => {
    const messages = await sent({
      to: [ann, bob],
      cc: ['carl@example.org', 'dora@example.org'],
      bcc: 'eve@example.org',
      headers: { 'X-Order': '42', 'list-unsubscribe': '<https://example.com/u>' },
      recipientData: {
        [ann]: { headers: { ...leave('one'), 'X-Group': 'a' } },
        [bob]: { headers: leave('bob'), data: { name: 'Bob' } },
        'carl@example.org': { headers: { 'x-group': 'a', ...leave('one') } },
        'eve@example.org': { headers: leave('bob') },
      },
    })
    const all = { 'Message-Id': expect.any(String), 'X-Order': '42' }
    expect(
      messages.map(({ to, headers, merge_vars }) => ({
        to,
        headers,
        ...(merge_vars ? { merge_vars } : {}),
      })),
    ).toEqual([
      {
        to: [
          { email: ann, type: 'to' },
          { email: 'carl@example.org', type: 'cc' },
        ],
        headers: { ...all, ...leave('one'), 'X-Group': 'a' },
      },
      {
        to: [
          { email: bob, type: 'to' },
          { email: 'eve@example.org', type: 'bcc' },
        ],
        headers: { ...all, ...leave('bob') },
        merge_vars: [{ rcpt: bob, vars: [{ name: 'name', content: 'Bob' }] }],
      },
      {
        to: [{ email: 'dora@example.org', type: 'cc' }],
        headers: { ...all, 'List-Unsubscribe': '<https://example.com/u>' },
      },
    ])
  })

  test('share the text of large files between their calls', () => {
    const content = Buffer.alloc(1_000_000, 'x')
    const recipients = readers(300)
    const outgoing: OutgoingMail = {
      envelope: { from: 'shop@example.com', to: recipients },
      messageId: '<m-1@example.com>',
      from: [{ name: '', address: 'shop@example.com' }],
      replyTo: [],
      to: recipients.map((address) => ({ name: '', address })),
      cc: [],
      bcc: [],
      alternatives: [],
      attachments: [{ filename: 'a.bin', contentType: 'application/octet-stream', content }],
      headers: [],
      tags: [],
      metadata: {},
      templateData: {},
      own: {},
      recipientData: new Map(
        recipients.map((address): [string, RecipientData] => [
          address,
          { data: {}, metadata: {}, headers: leave(address) },
        ]),
      ),
    }
    const before = process.memoryUsage()
    const bodies = callsOf(outgoing).map((call) => buildRequest(call, 'id', Date.now()))
    const after = process.memoryUsage()
    expect(bodies).toHaveLength(300)
    // Some 400 MB, were it anew for each.
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(1e8)
  })
})

describe('a message to many', () => {
  test.each([
    [1000, [1000]],
    [1001, [1000, 1]],
    [2500, [1000, 1000, 500]],
  ])('goes to %i in calls of %j, under one id', async (count, sizes) => {
    const addresses = readers(count)
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail(
      mail({ to: addresses, recipientData: named(addresses) }),
    )
    const messages = messagesOf(provider)
    const listed = (name: string) =>
      messages.map(({ [name]: list }) => (Array.isArray(list) ? list.map(fields) : []))
    expect(listed('to').map((list) => list.length)).toEqual(sizes)
    expect(listed('to').flatMap((list) => list.map(({ email }) => email))).toEqual(addresses)
    expect(listed('merge_vars').flat()).toEqual(
      addresses.map((rcpt, index) => ({
        rcpt,
        vars: [{ name: 'name', content: `Reader ${index}` }],
      })),
    )
    expect(listed('recipient_metadata').flat()).toEqual(
      addresses.map((rcpt, index) => ({ rcpt, values: { reader: `${index}` } })),
    )
    expect(new Set(messages.map(({ metadata }) => fields(metadata)['mailtrail_id']))).toEqual(
      new Set([info.trackingId]),
    )
    expect(info.accepted).toEqual(addresses)
    const ids = info.recipients.map(({ providerMessageId }) => providerMessageId)
    expect(new Set(ids).size).toBe(count)
    expect(ids).not.toContain(undefined)
  })

  test('without data for each goes in one call, however many they are', async () => {
    const messages = await sent({ to: readers(1001) })
    expect(messages).toHaveLength(1)
    expect(messages).toMatchObject([{ preserve_recipients: true }])
  })

  test('is sent to those before a call that fails, and no further', async () => {
    const addresses = readers(2500)
    const provider = await startMandrill()
    const transporter = transporterTo(provider)
    provider.failNext({ kind: 'answer', ...accepted(addresses.slice(0, 1000)) })
    provider.failNext({
      kind: 'answer',
      status: 500,
      headers: { 'content-type': 'application/json' },
      body: '{"status":"error","code":12,"name":"Unknown_Subaccount","message":"No subaccount"}',
    })
    const info = await transporter.sendMail(
      mail({ to: addresses, recipientData: named(addresses) }),
    )
    expect(provider.requests).toHaveLength(2)
    expect(info.accepted).toEqual(addresses.slice(0, 1000))
    expect(info.rejected).toEqual(addresses.slice(1000))
    const statuses = info.recipients.map(({ status }) => status)
    expect(statuses.slice(0, 1000)).toEqual(Array.from({ length: 1000 }, () => 'accepted'))
    expect(statuses.slice(1000)).toEqual(Array.from({ length: 1500 }, () => 'failed'))
    expect(info.recipients[1000]?.reason).toContain('Unknown_Subaccount')
    expect(info.recipients[2499]?.reason).toContain('an earlier call of it failed')
  })

  test('has events for recipients of each call, all of one message', async () => {
    const addresses = readers(2500)
    const chosen = [addresses[0], addresses[999], addresses[1000], addresses[2499]].flatMap(
      (address) => address ?? [],
    )
    const house = await startHouse(({ recipients }) => [
      {
        events: recipients
          .filter(({ address }) => chosen.includes(address))
          .flatMap(({ address }) => [
            { type: 'delivered', recipient: address },
            { type: 'opened', recipient: address, withoutOwnId: true },
          ]),
      },
    ])
    const trackingId = await house.send({ to: addresses, recipientData: named(addresses) })
    await house.settle()
    expect(house.provider.requests).toHaveLength(3)
    const told = house.told.map(({ event, message }) => ({
      type: event.type,
      recipient: event.recipient,
      via: event.correlation.via,
      metadata: event.metadata,
      message: message?.trackingId,
    }))
    expect(told).toHaveLength(8)
    expect(told).toEqual(
      expect.arrayContaining(
        chosen.flatMap((recipient) => [
          {
            type: 'delivered',
            recipient,
            via: 'own-id',
            metadata: { reader: recipient.replace(/\D/g, '') },
            message: trackingId,
          },
          {
            type: 'opened',
            recipient,
            via: 'provider-id',
            metadata: {},
            message: trackingId,
          },
        ]),
      ),
    )
    const message = await house.correlator.message(trackingId)
    const statuses = new Map(message?.recipients.map(({ address, status }) => [address, status]))
    expect(chosen.map((address) => statuses.get(address))).toEqual(chosen.map(() => 'delivered'))
    expect(statuses.get('reader500@example.org')).toBe('accepted')
  })
})

/** The answer to a call that was taken for all of these. */
const accepted = (addresses: readonly string[]) => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(addresses.map((email) => ({ email, status: 'sent', _id: `id-${email}` }))),
})
