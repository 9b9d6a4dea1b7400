import { describe, expect, test } from '@jest/globals'
import type { ParsedEvent } from '../../../src/index.js'
import { eventId } from '../../../src/matching.js'
import { sendgridWebhook } from '../../../src/providers/sendgrid/index.js'
import { webhookRequest } from '../../webhook-request.js'
import { newKeys, signedHeaders } from './signing.js'
import { eventNames } from './event-names.js'

const { publicKey, privateKey } = newKeys()
const webhook = sendgridWebhook({ publicKey })
const trackingId = '0198b7a4-3c5e-7d21-9a43-5f2b8c6d1e70'

/** What a signed batch with these entries is read as. They go as JSON, so `__proto__` may be a key. */
async function readBatch(json: string): Promise<ParsedEvent[]> {
  const body = Buffer.from(json)
  const request = webhookRequest(signedHeaders(privateKey, body), body)
  const reading = await webhook.read(request, new Date(0))
  if (reading.kind === 'refused') throw new Error(reading.detail)
  return reading.events
}

async function readOne(entry: object): Promise<ParsedEvent> {
  const events = await readBatch(JSON.stringify([entry]))
  expect(events).toHaveLength(1)
  for (const event of events) return event
  throw new Error('it was lost')
}

const identified = { timestamp: 1_760_000_000, sg_message_id: 'Zk3vQm0pT6-xYc1hR_8LdA' }

describe('the name of an event', () => {
  test.each([
    ['processed', 'accepted'],
    ['Processed', 'accepted'],
    ['spamreport', 'complained'],
    ['spam report', 'complained'],
    ['spam_report', 'complained'],
    ['Spam Report', 'complained'],
    ['group unsubscribe', 'unsubscribed'],
    ['GROUP_RESUBSCRIBE', 'subscribed'],
  ])('%s is read as %s', async (name, type) => {
    await expect(readOne({ event: name })).resolves.toMatchObject({ type, providerEvent: name })
  })

  test.each(['account_status_change', 'machine_opened', 'constructor', '__proto__', 'toString'])(
    '%s is unknown, and no error',
    async (name) => {
      const event = await readOne({ event: name, email: 'ann@example.com' })
      expect(event).toMatchObject({
        type: 'unknown',
        providerEvent: name,
        recipient: 'ann@example.com',
      })
      expect(event).not.toHaveProperty('error')
    },
  )

  test.each([[undefined], [null], [''], [' '], [true], [{}], [['open']]])(
    '%j is none, which is said',
    async (name) => {
      await expect(readOne({ event: name })).resolves.toMatchObject({
        type: 'unknown',
        providerEvent: '',
        error: 'it has no event name',
      })
    },
  )
})

describe('the time of an event', () => {
  test.each([
    [1755427525, '2025-08-17T10:45:25.000Z'],
    ['1755427525', '2025-08-17T10:45:25.000Z'],
    [1755427525123, '2025-08-17T10:45:25.123Z'],
    ['1755427525123', '2025-08-17T10:45:25.123Z'],
    [1755427525.5, '2025-08-17T10:45:25.500Z'],
  ])('%j is %s', async (timestamp, time) => {
    const event = await readOne({ event: 'open', timestamp })
    expect(event.occurredAt?.toISOString()).toBe(time)
  })

  test.each([[undefined], [null], [''], [0], [-5], ['soon'], [1e300], [{}], [[1755427525]]])(
    '%j is none',
    async (timestamp) => {
      const event = await readOne({ event: 'open', timestamp })
      expect(event.type).toBe('opened')
      expect(event).not.toHaveProperty('occurredAt')
    },
  )
})

describe('the id of the message', () => {
  test.each([
    ['sCm0pfDPRjy-HyhHB_5Tuw.recvd-69cbc48b94-n2vpp-1-67D30649-1.0', 'sCm0pfDPRjy-HyhHB_5Tuw'],
    ['-CfDBhVRTy_aMJfpMQ0D2A.recvd-69cbc48b94-n2vpp-1-67D30649-1.12', '-CfDBhVRTy_aMJfpMQ0D2A'],
    [
      'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0',
      'LRzXl_NHStOGhQ4kofSm_A',
    ],
    ['kuVHpy2mRp6vGJzQLr5G1g.filter0361p1las1-11880-5978131E-23.0', 'kuVHpy2mRp6vGJzQLr5G1g'],
    ['kuVHpy2mRp6vGJzQLr5G1g.filter0425p1mdw1.13037.57168B4A1D.0', 'kuVHpy2mRp6vGJzQLr5G1g'],
    ['14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0', '14c5d75ce93.dfd.64b469'],
    ['5lFl7Fr1Rjme_EyzNNB_5A.stfilter-015.5185.55F883172.0', '5lFl7Fr1Rjme_EyzNNB_5A'],
    ['14c583da911.2c36.1c804d.filter-406.22375.55148AA99.0', '14c583da911.2c36.1c804d'],
    [' 14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0', '14c5d75ce93.dfd.64b469'],
    ['14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.000000000000', '14c5d75ce93.dfd.64b469'],
    ['LRzXl_NHStOGhQ4kofSm_A.something-new-1-67D30649-1.0', 'LRzXl_NHStOGhQ4kofSm_A'],
    ['LRzXl_NHStOGhQ4kofSm_A', 'LRzXl_NHStOGhQ4kofSm_A'],
  ])('of %s is %s', async (sgMessageId, id) => {
    const event = await readOne({ event: 'open', sg_message_id: sgMessageId })
    expect(event.providerMessageId).toBe(id)
  })

  test.each([
    ['filter0093p1las1.9128.5717FB8127.0'],
    ['recvd-69cbc48b94-n2vpp-1-67D30649-1.0'],
    ['.filter0093p1las1.9128.5717FB8127.0'],
    [''],
    [' '],
    [null],
    [undefined],
    [{}],
    [['a.b']],
  ])('of %j is none', async (sgMessageId) => {
    const event = await readOne({ event: 'open', sg_message_id: sgMessageId })
    expect(event).not.toHaveProperty('providerMessageId')
  })

  test.each([
    ['<order-42@example.com>', '<order-42@example.com>'],
    ['order-42@example.com', '<order-42@example.com>'],
    [' <order-42@example.com> ', '<order-42@example.com>'],
    ['', undefined],
    ['<>', undefined],
    [null, undefined],
    [{}, undefined],
  ])('in the mail, %j, is %j', async (smtpId, messageId) => {
    const event = await readOne({ event: 'processed', 'smtp-id': smtpId })
    expect(event.messageId).toBe(messageId)
  })
})

describe('our own id', () => {
  test.each<[string, object]>([
    ['beside the known keys', { mailtrail_id: trackingId }],
    ['in upper case', { mailtrail_id: trackingId.toUpperCase() }],
    ['in custom_args, as documents have it', { custom_args: { mailtrail_id: trackingId } }],
    ['in unique_args', { unique_args: { mailtrail_id: trackingId } }],
  ])('is found %s', async (_, args) => {
    const event = await readOne({ event: 'open', order: '42', ...args })
    expect(event.ownId).toBe(trackingId)
    expect(event.metadata).toEqual({ order: '42' })
  })

  test.each([['42'], [''], [42], [null], [{}], [[trackingId]], [`${trackingId}0`]])(
    'is not %j',
    async (value) => {
      const event = await readOne({ event: 'open', mailtrail_id: value })
      expect(event).not.toHaveProperty('ownId')
      expect(event.metadata).toEqual({})
    },
  )
})

describe('tags and metadata', () => {
  test.each([
    ['order', ['order']],
    [
      ['order', 'spring'],
      ['order', 'spring'],
    ],
    [[], []],
    [undefined, []],
    [null, []],
    ['', []],
    [
      ['order', null, 5, {}, '', ['a']],
      ['order', '5'],
    ],
    [{ name: 'order' }, []],
  ])('the category %j is the tags %j', async (category, tags) => {
    await expect(readOne({ event: 'open', category })).resolves.toHaveProperty('tags', tags)
  })

  test.each<[string, object, Record<string, string>]>([
    ['texts', { order: '42', 'with space': '' }, { order: '42', 'with space': '' }],
    ['other values', { n: 5, yes: true, list: [1] }, { n: '5', yes: 'true', list: '[1]' }],
    ['nulls', { order: null }, {}],
    [
      'the names of Object.prototype',
      { constructor: 'a', toString: 'b' },
      { constructor: 'a', toString: 'b' },
    ],
    [
      'what SendGrid writes',
      { sg_content_type: 'html', mc_stats: 'singlesend', tls: 1, pool: {} },
      {},
    ],
    ['nested arguments', { custom_args: { order: '42' }, unique_args: 'none' }, { order: '42' }],
  ])('%s among the keys', async (_, keys, metadata) => {
    const event = await readOne({ event: 'open', email: 'ann@example.com', ...keys })
    expect(event.metadata).toEqual(metadata)
  })

  test('a key __proto__ changes nothing', async () => {
    const [event] = await readBatch(
      '[{"event":"open","__proto__":{"mailtrail_id":"x","order":"42"}}]',
    )
    expect(event?.metadata).toEqual({})
    expect(event).not.toHaveProperty('ownId')
    expect(Object.getPrototypeOf(event?.metadata)).toBe(Object.prototype)
  })
})

describe('what an event tells more', () => {
  test.each<[string, object, object]>([
    ['a deferral its attempt, as text', { event: 'deferred', attempt: '5' }, { attempt: 5 }],
    ['a deferral its attempt, as a number', { event: 'deferred', attempt: 2 }, { attempt: 2 }],
    [
      'a deferral its reason, where it has no response',
      { event: 'deferred', reason: '451 try later' },
      { response: '451 try later', smtpCode: 451 },
    ],
    ['an open by a machine', { event: 'open', sg_machine_open: true }, { machine: true }],
    [
      'an open by a machine, as text',
      { event: 'open', sg_machine_open: 'true' },
      { machine: true },
    ],
    [
      'an open by a person, as SendGrid says, whatever fetched the image',
      { event: 'open', sg_machine_open: false, useragent: 'Mozilla/5.0 (via GoogleImageProxy)' },
      { machine: false },
    ],
    ['a click without its link', { event: 'click' }, { url: '' }],
    [
      'a click where its link stands',
      { ...identified, event: 'click', url_offset: { index: 3, type: 'text' } },
      { discriminator: 'text 3' },
    ],
    [
      'a group, as a number',
      { event: 'group_resubscribe', asm_group_id: 7 },
      { type: 'subscribed', scope: { kind: 'group', id: '7' } },
    ],
    [
      'a group, as text',
      { event: 'group_unsubscribe', asm_group_id: '7' },
      { scope: { kind: 'group', id: '7' } },
    ],
    ['a group without id', { event: 'group_unsubscribe' }, { scope: { kind: 'group' } }],
  ])('%s', async (_, entry, told) => {
    await expect(readOne(entry)).resolves.toMatchObject(told)
  })

  test.each<[string, object, string]>([
    ['attempt', { event: 'deferred', attempt: 'first' }, 'attempt'],
    ['answer', { event: 'delivered', response: { code: 250 } }, 'response'],
    ['machine', { event: 'open' }, 'machine'],
    ['machine', { event: 'open', sg_machine_open: 'maybe' }, 'machine'],
    ['IP address', { event: 'open', ip: null }, 'ip'],
    ['user agent', { event: 'open', useragent: {} }, 'userAgent'],
    ['position', { ...identified, event: 'click', url_offset: 3 }, 'discriminator'],
    ['position', { ...identified, event: 'click', url_offset: { type: 'html' } }, 'discriminator'],
    ['recipient', { event: 'open', email: null }, 'recipient'],
    ['recipient', { event: 'open', email: ' ' }, 'recipient'],
    ['event id', { event: 'open', sg_event_id: '' }, 'providerEventId'],
  ])('is without %s in %j', async (_, entry, name) => {
    await expect(readOne(entry)).resolves.not.toHaveProperty(name)
  })
})

describe('values of the wrong kind, in every field at once,', () => {
  const known = [
    'email timestamp sg_event_id sg_message_id smtp-id category asm_group_id send_at pool response',
    'attempt domain from reason status type bounce_classification tls cert_err ip useragent url',
    'url_offset sg_machine_open sg_content_type custom_args unique_args mailtrail_id',
  ].flatMap((line) => line.split(' '))

  test.each<[unknown]>([[null], [''], [' '], [{}], [[]], [[null]], [true], [-1], [1e300]])(
    '%j, are no reason not to tell what happened',
    async (value) => {
      for (const event of eventNames) {
        const entry = Object.fromEntries(known.map((key) => [key, value]))
        const bare = await readOne({ event })
        const told = await readOne({ ...entry, event })
        expect(told).toMatchObject({ type: bare.type, providerEvent: event })
        expect(told).not.toHaveProperty('ownId')
        expect(told).not.toHaveProperty('error')
        expect(told.metadata).toEqual({})
      }
    },
  )
})

describe('a field that is written in more than one way', () => {
  const delivered = { ...identified, event: 'delivered', email: 'ann@example.com' }

  test.each<[string, unknown[]]>([
    ['tls', [1, 0, true, '1', 'true']],
    ['cert_err', [0, 1, false]],
    ['pool', [{ name: 'a', id: 210 }, { name: 'a', id: '210' }, 'a']],
    ['send_at', [0, '1755427525']],
  ])('%s makes no other event of it, and is no metadata', async (key, values) => {
    const { raw: _raw, ...expected } = await readOne(delivered)
    for (const value of values) {
      const { raw, ...event } = await readOne({ ...delivered, [key]: value })
      expect(event).toEqual(expected)
      expect(raw).toHaveProperty(key, value)
    }
  })
})

test('one bad entry harms none of the others', async () => {
  const good = { event: 'delivered', email: 'ann@example.com', timestamp: 1755427525 }
  let deep: unknown = 'x'
  for (let level = 0; level < 100; level += 1) deep = [deep]
  const bad = [null, 'text', 5, [], {}, { event: 'account_status_change' }, { deep }]
  const events = await readBatch(JSON.stringify(bad.flatMap((entry) => [entry, good])))
  expect(events).toHaveLength(14)
  for (const [index, event] of events.entries()) {
    if (index % 2 === 0) expect(event.type).toBe('unknown')
    else expect(event).toMatchObject({ type: 'delivered', recipient: 'ann@example.com' })
  }
})

describe('a fact that names no message', () => {
  const bounce = {
    event: 'bounce',
    email: 'ann@example.com',
    timestamp: 1_760_000_000,
    sg_event_id: 'e-1',
    reason: '550 5.1.1 unknown',
  }
  const idOf = async (entry: object): Promise<string> => eventId('sendgrid', await readOne(entry))

  test('is another fact when it says anything else', async () => {
    expect(await idOf({ ...bounce, reason: '550 5.7.1 blocked' })).not.toBe(await idOf(bounce))
  })

  test('is the same fact when it comes again under another event id', async () => {
    expect(await idOf({ ...bounce, sg_event_id: 'e-2' })).toBe(await idOf(bounce))
  })

  test.each([undefined, null, 'soon'])(
    'nor a time, %j, is told apart as well',
    async (timestamp) => {
      const opened = { ...identified, event: 'open', email: 'ann@example.com', timestamp }
      expect(await idOf({ ...opened, n: 1 })).not.toBe(await idOf({ ...opened, n: 2 }))
    },
  )
})
