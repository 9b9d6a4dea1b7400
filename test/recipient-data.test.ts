import { describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { createCorrelator, type MailOptions, memoryStore } from '../src/index.js'
import { inBatches } from '../src/provider-client.js'
import { outsideClient, type OutsideRequest, outsideTransport } from './outside-transport.js'

const mail: MailOptions = {
  from: 'shop@example.com',
  to: ['Ann <Ann@example.org>', 'bob@bücher.example'],
  cc: 'carl@example.org',
  subject: 'Hi',
  text: 'Thanks',
}

async function send(
  recipientData: unknown,
  overrides: Parameters<typeof outsideClient>[0] = { carries: new Set(['recipientData']) },
) {
  const client = outsideClient(overrides)
  const correlator = createCorrelator({ store: memoryStore() })
  const transporter = nodemailer.createTransport(outsideTransport(client, { correlator }))
  const option: object = { recipientData }
  const info = await transporter.sendMail({ ...mail, ...option })
  return { info, sent: client.sent, correlator }
}

describe('what differs from recipient to recipient', () => {
  test('is found by address, in whatever form that is written', async () => {
    const { sent } = await send({
      'ann@EXAMPLE.org': { data: { name: 'Ann' }, metadata: { user: 1 } },
      'bob@bücher.example': {
        headers: { 'X-Name': 'Bücher', 'List-Unsubscribe': '<https://x.y>' },
      },
    })
    expect(sent[0]?.mail.recipientData).toEqual(
      new Map([
        ['ann@example.org', { data: { name: 'Ann' }, metadata: { user: '1' }, headers: {} }],
        [
          'bob@xn--bcher-kva.example',
          {
            data: {},
            metadata: {},
            headers: { 'X-Name': '=?UTF-8?Q?B=C3=BCcher?=', 'List-Unsubscribe': '<https://x.y>' },
          },
        ],
      ]),
    )
  })

  test('may be nothing, which still gives each a message of its own', async () => {
    expect((await send({})).sent[0]?.mail.recipientData).toEqual(new Map())
  })

  test('is absent unless it was given', async () => {
    expect((await send(undefined)).sent[0]?.mail.recipientData).toBeUndefined()
  })

  test.each<[string, unknown, string]>([
    ['no object', 5, 'must be an object, by address'],
    [
      'somebody else',
      { 'ann@example.org': {}, 'eve@example.org': {} },
      'no recipient: its entry 2',
    ],
    ['an entry that is none', { 'ann@example.org': 'Ann' }, 'an object for each address'],
    ['an unknown field', { 'ann@example.org': { subject: 'x' } }, 'and not subject'],
    ['data that is none', { 'ann@example.org': { data: [] } }, 'an object as data'],
    ['headers that are none', { 'ann@example.org': { headers: 'x' } }, 'an object as headers'],
    ['metadata that is none', { 'ann@example.org': { metadata: { a: {} } } }, 'metadata.a must be'],
    ['our id', { 'ann@example.org': { metadata: { mailtrail_id: 'x' } } }, 'mailtrail_id cannot'],
    ['a header name that is none', { 'ann@example.org': { headers: { 'a b': 'x' } } }, '"a b"'],
    [
      'a header that injects',
      { 'ann@example.org': { headers: { 'X-A': 'a\nTo: b' } } },
      'one line',
    ],
    ['To', { 'ann@example.org': { headers: { to: 'x' } } }, 'cannot change the header to'],
    ['Date', { 'ann@example.org': { headers: { Date: 'x' } } }, 'cannot change the header Date'],
    ['a header twice', { 'ann@example.org': { headers: { 'X-A': '1', 'x-a': '2' } } }, 'x-a twice'],
    ['Message-ID', { 'ann@example.org': { headers: { 'message-id': 'x' } } }, 'message-id'],
  ])('is refused where it says %s', async (_, recipientData, words) => {
    const error = await send(recipientData).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(String(error)).toContain(words)
    expect(String(error)).not.toContain('@')
  })

  test('goes out in as many calls as the provider needs, under one id', async () => {
    const ids = ['p-1', 'p-2']
    const requests: OutsideRequest[] = []
    const { info, correlator } = await send(
      {},
      {
        carries: new Set(['recipientData']),
        calls: (whole) => inBatches(whole, 2),
        async send(request) {
          requests.push(request)
          return {
            response: 'taken',
            providerMessageId: ids.shift() ?? '',
            recipient: () => ({ status: 'accepted', providerStatus: '' }),
          }
        },
      },
    )
    const groups = requests.map(({ mail: part }) =>
      [...part.to, ...part.cc].map(({ address }) => address),
    )
    expect(groups).toEqual([['Ann@example.org', 'bob@xn--bcher-kva.example'], ['carl@example.org']])
    expect(new Set(requests.map(({ trackingId }) => trackingId))).toEqual(
      new Set([info.trackingId]),
    )
    expect(info.recipients.map(({ providerMessageId }) => providerMessageId)).toEqual([
      'p-1',
      'p-1',
      'p-2',
    ])
    expect((await correlator.message(info.trackingId))?.providerMessageId).toBe('p-1')
  })
})

test('an id that several recipients share tells of none of them', async () => {
  const { messageKeys } = await import('../src/matching.js')
  const recipient = (address: string, id: string) => ({
    address,
    kind: 'to' as const,
    status: 'accepted' as const,
    providerStatus: '',
    providerMessageId: id,
  })
  const keys = messageKeys({
    trackingId: '019b2f00-0000-7000-8000-000000000000',
    provider: 'outside',
    providerMessageId: 'shared',
    recipients: [
      recipient('ann@example.org', 'shared'),
      recipient('bob@example.org', 'shared'),
      recipient('carl@example.org', 'own'),
    ],
  })
  expect(keys.slice(1)).toEqual([
    { key: 'provider-id:outside:shared' },
    { key: 'provider-id:outside:own', address: 'carl@example.org' },
  ])
})
