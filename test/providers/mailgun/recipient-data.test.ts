import { describe, expect, test } from '@jest/globals'
import type { MailOptions, TrackedMessage } from '../../../src/index.js'
import { canonicalAddress } from '../../../src/matching.js'
import type { OutgoingMail } from '../../../src/provider-client.js'
import { buildRequest } from '../../../src/providers/mailgun/request.js'
import { type RecipientData, sameAsAll } from '../../../src/recipient-data.js'
import type {
  ProviderSimulator,
  ScriptedPost,
  SimulatedMessage,
} from '../../../src/testing/index.js'
import { arrived } from './arrived.js'
import {
  domain,
  failureOf,
  mail,
  startMailgun,
  startWithWebhooks,
  transporterTo,
  withOtherIds,
} from './sending.js'

const trackingId = '0199c8d2-5a10-7c31-9d54-0f6d2b8a7e11'

const named = (address: string, name = '') => ({ name, address })

const simple: OutgoingMail = {
  envelope: { from: 'billing@mg.example.com', to: ['ana@shop.test', 'bob@shop.test'] },
  messageId: '<m-1@mg.example.com>',
  from: [named('billing@mg.example.com')],
  replyTo: [],
  to: [named('ana@shop.test', 'Ana'), named('bob@shop.test')],
  cc: [],
  bcc: [],
  subject: 'Invoice %recipient.number%',
  text: 'Hello',
  alternatives: [],
  attachments: [],
  headers: [],
  tags: [],
  metadata: {},
  templateData: {},
  own: {},
}

type Data = Readonly<Record<string, Partial<RecipientData>>>

const built = (data: Data, changes: Partial<OutgoingMail> = {}) => {
  const recipientData = new Map(
    Object.entries(data).map(([address, entry]) => [
      canonicalAddress(address),
      { ...sameAsAll, ...entry },
    ]),
  )
  return buildRequest({ ...simple, ...changes, recipientData }, trackingId, 0)
}

/** The form without what every message of this test has, and what differs by recipient. */
function partsOf(data: Data, changes: Partial<OutgoingMail> = {}) {
  const { request, lost } = built(data, changes)
  const { 'recipient-variables': variables = [], ...fields } = request.fields
  expect(variables).toHaveLength(1)
  return { lost, fields, variables: JSON.parse(variables[0] ?? '') }
}

const template = { templateId: 'invoice' }

describe('what differs by recipient', () => {
  test('makes a message for each of them, whatever header named them', () => {
    const { fields, variables } = partsOf(
      { 'dora@xn--mller-kva.test': { data: { name: 'Dora' } } },
      { cc: [named('carl@shop.test', 'Carl')], bcc: [named('Dora@müller.test')] },
    )
    expect(fields).toMatchObject({
      to: ['"Ana" <ana@shop.test>', 'bob@shop.test', '"Carl" <carl@shop.test>', 'Dora@müller.test'],
      cc: [],
      bcc: [],
    })
    expect(variables).toEqual({
      'ana@shop.test': { name: '' },
      'bob@shop.test': { name: '' },
      'carl@shop.test': { name: '' },
      'Dora@müller.test': { name: 'Dora' },
    })
  })

  test('makes a message for each of them though nothing does', () => {
    expect(partsOf({}).variables).toEqual({ 'ana@shop.test': {}, 'bob@shop.test': {} })
  })

  test('needs nobody in to', () => {
    const { fields } = partsOf({}, { to: [], bcc: [named('dora@shop.test')] })
    expect(fields).toMatchObject({ to: ['dora@shop.test'], bcc: [] })
  })

  test('is the data of the text, with what is the same for all', () => {
    const { fields, variables, lost } = partsOf(
      {
        'ANA@shop.test': { data: { number: 42, paid: true, 'due on': '1 May' } },
        'bob@shop.test': { data: { number: '43', name: undefined } },
      },
      { templateData: { name: 'you', paid: false, constructor: 'c' } },
    )
    expect(variables).toEqual({
      'ana@shop.test': {
        name: 'you',
        paid: 'true',
        constructor: 'c',
        number: 42,
        'due on': '1 May',
      },
      'bob@shop.test': {
        name: 'you',
        paid: 'false',
        constructor: 'c',
        number: '43',
        'due on': '',
      },
    })
    expect(fields).not.toHaveProperty('t:variables')
    expect(lost).toEqual([])
  })

  test.each<[string, Partial<OutgoingMail>]>([
    ['templateId', template],
    ['its own field', { own: { template: 'invoice' } }],
  ])('is the data of a template by %s, which has the rest as it is', (_, templated) => {
    const { fields, variables } = partsOf(
      { 'ana@shop.test': { data: { name: 'Ana', vip: true } } },
      { ...templated, templateData: { name: 'you', vip: false, lines: [{ sku: '7' }] } },
    )
    expect(fields['t:variables']).toEqual([
      '{"name":"%recipient.name%","vip":"%recipient.vip%","lines":[{"sku":"7"}]}',
    ])
    // A template takes any text but the empty one for true.
    expect(variables).toEqual({
      'ana@shop.test': { name: 'Ana', vip: 'true' },
      'bob@shop.test': { name: 'you', vip: '' },
    })
  })

  test('is metadata, which stays as it is where it does not', () => {
    const { fields, variables } = partsOf(
      {
        'ana@shop.test': { metadata: { user: '1', plan: 'pro', shop: 'eu' } },
        'bob@shop.test': { metadata: { plan: 'pro', shop: 'us' } },
      },
      { metadata: { shop: 'eu', order: '7', user: '0' } },
    )
    expect(fields).toMatchObject({
      'v:order': ['7'],
      'v:plan': ['pro'],
      'v:shop': ['%recipient.v:shop%'],
      'v:user': ['%recipient.v:user%'],
      'v:mailtrail_id': [trackingId],
    })
    expect(variables).toEqual({
      'ana@shop.test': { 'v:shop': 'eu', 'v:user': '1' },
      'bob@shop.test': { 'v:shop': 'us', 'v:user': '0' },
    })
  })

  test('is a header, whatever letters it is written in', () => {
    const { fields, variables } = partsOf(
      {
        'ana@shop.test': {
          headers: { 'x-shop': 'eu', 'List-Unsubscribe': '<https://shop.test/a>' },
        },
        'bob@shop.test': { headers: { 'X-Plan': 'pro' } },
      },
      {
        headers: [
          { name: 'X-Shop', value: 'us' },
          { name: 'X-Order', value: '7' },
        ],
      },
    )
    expect(fields).toMatchObject({
      'h:X-Order': ['7'],
      'h:X-Shop': ['%recipient.h:X-Shop%'],
      'h:X-Plan': ['%recipient.h:X-Plan%'],
      'h:List-Unsubscribe': ['%recipient.h:List-Unsubscribe%'],
    })
    expect(fields).not.toHaveProperty('h:x-shop')
    expect(variables).toEqual({
      'ana@shop.test': {
        'h:X-Shop': 'eu',
        'h:X-Plan': '',
        'h:List-Unsubscribe': '<https://shop.test/a>',
      },
      'bob@shop.test': { 'h:X-Shop': 'us', 'h:X-Plan': 'pro', 'h:List-Unsubscribe': '' },
    })
  })

  test('has its defaults also from those who are in another call', () => {
    const { fields, variables } = partsOf({
      'eve@shop.test': {
        data: { coupon: 'X' },
        metadata: { user: '9' },
        headers: { 'X-Plan': 'pro' },
      },
    })
    expect(variables).toEqual({ 'ana@shop.test': { coupon: '' }, 'bob@shop.test': { coupon: '' } })
    expect(fields['v:user']).toEqual([''])
    expect(fields).not.toHaveProperty('h:X-Plan')
  })
})

describe('refused is, with its name,', () => {
  const data = (values: Record<string, unknown>): Data => ({ 'ana@shop.test': { data: values } })

  test.each<[string, Data, Partial<OutgoingMail>, string]>([
    ['an object', data({ cart: { id: 1 } }), {}, 'cart'],
    ['a list', data({ cart: [1] }), template, 'cart'],
    ['null', data({ cart: null }), {}, 'cart'],
    ['no number', data({ cart: Number.NaN }), {}, 'cart'],
    ['an object that others have', data({ cart: 'none' }), { templateData: { cart: {} } }, 'cart'],
    ['an object of the text', {}, { templateData: { cart: {} } }, 'cart'],
    ['data by a name with a %', data({ 'a%b': 'x' }), {}, 'a%b'],
    ['data by the name of metadata', data({ 'v:user': 'x' }), {}, 'v:user'],
    ['data by the name of a header', data({ 'h:X-Plan': 'x' }), {}, 'h:X-Plan'],
    ['metadata with a %', { 'ana@shop.test': { metadata: { 'a%b': 'x' } } }, {}, 'a%b'],
    ['a header with a %', { 'ana@shop.test': { headers: { 'X-%': 'x' } } }, {}, 'X-%'],
    [
      'a header that says what metadata says',
      { 'ana@shop.test': { headers: { 'X-Mailgun-Variables': '{}' } } },
      {},
      'X-Mailgun-Variables',
    ],
  ])('%s', async (_, given, changes, name) => {
    const error = await failureOf(Promise.resolve().then(() => built(given, changes)))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(error.message).toContain(name)
  })

  test('nothing of an object that is the same for all, where a template takes it', () => {
    expect(() =>
      built(data({ name: 'Ana' }), { ...template, templateData: { cart: { id: 1 } } }),
    ).not.toThrow()
  })

  test('metadata that is too much for the events of one of them', () => {
    const lost = ['metadata of over 4096 bytes as JSON, with our id, in its events']
    const note = { note: 'x'.repeat(4100) }
    expect(built({ 'bob@shop.test': { metadata: note } }).lost).toEqual(lost)
    expect(built({}, { metadata: note }).lost).toEqual(lost)
    const halves = {
      'ana@shop.test': { metadata: { one: 'x'.repeat(3000) } },
      'bob@shop.test': { metadata: { two: 'x'.repeat(3000) } },
    }
    expect(built(halves).lost).toEqual([])
  })

  test('a message of which no call may be a document', async () => {
    const provider = await startMailgun()
    const message = mail({ date: new Date(0), recipientData: {} })
    const error = await failureOf(transporterTo(provider).sendMail(message))
    expect(error.message).toContain('recipientData cannot go together with date')
    expect(provider.requests).toEqual([])
  })
})

describe('what no field of a form says', () => {
  test('makes no document of it: a message to blind copies alone is one for each', async () => {
    const provider = await startMailgun()
    const bcc = ['ana@shop.test', 'bob@shop.test']
    const info = await transporterTo(provider).sendMail(mail({ to: '', bcc, recipientData: {} }))
    const [call] = await Promise.all(provider.requests.map(arrived))
    expect(call?.fields).toMatchObject({
      to: bcc,
      'recipient-variables': ['{"ana@shop.test":{},"bob@shop.test":{}}'],
    })
    expect(info.recipients.map(({ kind }) => kind)).toEqual(['bcc', 'bcc'])
  })

  test('is lost, or refused', async () => {
    const provider = await startMailgun()
    const message = mail({ headers: { 'X-Trace': ['a', 'b'] }, recipientData: {} })
    const error = await failureOf(transporterTo(provider).sendMail(message))
    expect(error.message).toContain('cannot carry a second X-Trace header')
    expect(provider.requests).toEqual([])
    await transporterTo(provider, { unsupported: 'ignore' }).sendMail(message)
    const [call] = await Promise.all(provider.requests.map(arrived))
    expect(call?.fields['h:X-Trace']).toEqual(['a'])
  })

  test('is not what arrives with quotes around it', async () => {
    const provider = await startMailgun()
    const message = mail({ to: '"Ruíz, Ana" <ana@shop.test>', recipientData: {} })
    await transporterTo(provider).sendMail(message)
    const [call] = await Promise.all(provider.requests.map(arrived))
    expect(call?.fields['to']).toEqual(['"Ruíz, Ana" <ana@shop.test>'])
  })

  test('nobody to send to is refused', async () => {
    const provider = await startMailgun()
    const error = await failureOf(
      transporterTo(provider).sendMail(mail({ to: '', recipientData: {} })),
    )
    expect(error.message).toBe('Mailgun needs at least one recipient')
  })
})

/** A message in which each of so many recipients has something of its own. */
function mailTo(count: number): MailOptions {
  const to = Array.from({ length: count }, (_, index) => `r${index}@shop.test`)
  return mail({
    to,
    text: 'Hello %recipient.name%',
    metadata: { order: '42' },
    recipientData: Object.fromEntries(
      to.map((address, index) => [
        address,
        { data: { name: `N${index}` }, metadata: { user: String(index) } },
      ]),
    ),
  })
}

/** An event of every fiftieth recipient of a call. */
const delivered =
  (how: { withoutOwnId?: boolean } = {}) =>
  ({ recipients }: SimulatedMessage): ScriptedPost[] => [
    {
      events: recipients
        .filter((_, index) => index % 50 === 49)
        .map(({ address }) => ({ type: 'delivered', recipient: address, ...how })),
    },
  ]

const everyFiftieth = (count: number): string[] =>
  Array.from({ length: count / 50 }, (_, index) => `r${index * 50 + 49}@shop.test`)

const addressesOf = (message: TrackedMessage | undefined, wanted: string): string[] =>
  (message?.recipients ?? [])
    .filter(({ status }) => status === wanted)
    .map(({ address }) => address)

function withSecondCallFailing(simulator: ProviderSimulator): ProviderSimulator {
  let calls = 0
  return {
    ...simulator,
    async answer(request, now) {
      calls += 1
      if (calls === 2) return { answer: { status: 503, headers: {}, body: '' } }
      return simulator.answer(request, now)
    },
  }
}

describe('a message to', () => {
  test.each([
    [1, [1]],
    [2, [2]],
    [1000, [1000]],
    [2500, [1000, 1000, 500]],
  ])('%i arrives in calls for %j', async (count, sizes) => {
    const provider = await startMailgun()
    const info = await transporterTo(provider).sendMail(mailTo(count))
    const calls = await Promise.all(provider.requests.map(arrived))
    expect(calls.map(({ fields }) => fields['to']?.length)).toEqual(sizes)
    expect(calls.flatMap(({ fields }) => fields['to'])).toEqual(
      Array.from({ length: count }, (_, index) => `r${index}@shop.test`),
    )
    const variables = Object.assign(
      {},
      ...calls.map(({ fields }) => JSON.parse(fields['recipient-variables']?.[0] ?? '')),
    )
    expect(variables[`r${count - 1}@shop.test`]).toEqual({
      name: `N${count - 1}`,
      ...(count > 1 && { 'v:user': String(count - 1) }),
    })
    for (const { fields } of calls) {
      expect(fields).toMatchObject({
        'v:mailtrail_id': [info.trackingId],
        'h:Message-Id': [info.messageId],
        'v:order': ['42'],
      })
    }
    expect(info.accepted).toHaveLength(count)
    expect(info.response).toBe('Queued. Thank you.')
  })

  test.each([
    ['our id', {}, 'own-id'],
    ["its call's id", { withoutOwnId: true }, 'provider-id'],
  ])(
    '2,500 is one message, whose events are known by %s',
    async (_, how, via) => {
      const { correlator, told, provider, transporter } = await startWithWebhooks(
        { script: delivered(how) },
        // As if it had not taken our Message-ID.
        (simulator) => {
          const other = withOtherIds(simulator)
          return {
            ...other,
            entry: (message, event, now) =>
              other.entry({ ...message, messageId: message.id }, event, now),
          }
        },
      )
      const { trackingId: id, recipients } = await transporter.sendMail(mailTo(2500))
      expect([0, 999, 1000, 1999, 2000, 2499].map((index) => recipients[index])).toMatchObject(
        [1, 1, 2, 2, 3, 3].map((call) => ({
          status: 'accepted',
          providerMessageId: `other-${call}@${domain}`,
        })),
      )
      await provider.settled()
      await correlator.drain()
      expect(provider.posted.filter(({ status }) => status !== 200)).toEqual([])
      expect(told.map(({ event }) => event.recipient).toSorted()).toEqual(
        everyFiftieth(2500).toSorted(),
      )
      expect(told.filter(({ event }) => event.trackingId !== id)).toEqual([])
      expect(new Set(told.map(({ event }) => event.correlation.via))).toEqual(new Set([via]))
      const message = await correlator.message(id)
      expect(addressesOf(message, 'delivered')).toEqual(everyFiftieth(2500))
      expect(addressesOf(message, 'accepted')).toHaveLength(2450)
      if (via === 'own-id') {
        for (const { event } of told) {
          expect([event.recipient, event.metadata]).toEqual([
            `r${event.metadata['user']}@shop.test`,
            { order: '42', user: expect.any(String) },
          ])
        }
      }
    },
    60_000,
  )

  test('2,500 goes on as far as it comes: what a later call was for has failed', async () => {
    const { correlator, provider, transporter } = await startWithWebhooks(
      { script: delivered() },
      withSecondCallFailing,
    )
    const info = await transporter.sendMail(mailTo(2500))
    expect(provider.requests).toHaveLength(2)
    expect(info.accepted).toHaveLength(1000)
    expect(info.accepted.at(-1)).toBe('r999@shop.test')
    expect(info.rejected).toHaveLength(1500)
    expect(info.rejected[0]).toBe('r1000@shop.test')
    expect(info.recipients.slice(1000, 2000)).toEqual(
      Array.from({ length: 1000 }, (_, index) => ({
        address: `r${index + 1000}@shop.test`,
        kind: 'to',
        status: 'failed',
        providerStatus: '',
        reason: 'Mailgun answered 503: Service Unavailable',
      })),
    )
    expect(info.recipients.at(-1)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('not sent, for an earlier call of it failed'),
    })
    await provider.settled()
    await correlator.drain()
    const message = await correlator.message(info.trackingId)
    expect(addressesOf(message, 'delivered')).toEqual(everyFiftieth(1000))
    expect(addressesOf(message, 'accepted')).toHaveLength(980)
    expect(addressesOf(message, 'failed')).toHaveLength(1500)
  }, 30_000)
})
