import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import {
  ConfigurationError,
  type Correlator,
  createCorrelator,
  hashedAddresses,
  memoryStore,
  type ParsedEvent,
  type Store,
  type Webhook,
} from '../src/index.js'
import { outsideClient, outsideTransport } from './outside-transport.js'

const key = 'a secret of some length'
const ann = 'ann@example.org'

/** Its webhook takes events as they are. */
const webhook: Webhook = {
  provider: 'outside',
  name: 'outside',
  maxBodyBytes: 100_000,
  answers: {},
  read: async ({ body }) => {
    const entries: Partial<ParsedEvent>[] = JSON.parse(body.toString())
    const given = {
      providerEvent: 'x',
      tags: [],
      metadata: {},
      raw: {},
      occurredAt: new Date(1e12),
    }
    const events = entries.map((entry) => ({ ...given, ...entry }) as ParsedEvent)
    return { kind: 'events', events }
  },
}

async function postEntries(entries: Partial<ParsedEvent>[]): Promise<void> {
  const body = JSON.stringify(entries)
  const request = new Request('https://example.com/outside', { method: 'POST', body })
  expect((await correlator.handler(request)).status).toBe(200)
}

let plain: Store
let correlator: Correlator

beforeEach(() => {
  plain = memoryStore()
  correlator = createCorrelator({
    store: hashedAddresses(plain, key),
    webhooks: [webhook],
  })
})
afterEach(() => correlator.close())

async function send(to = `Ann Other <${ann.toUpperCase()}>, bob@example.org`) {
  const transport = outsideTransport(outsideClient(), { correlator })
  return nodemailer.createTransport(transport).sendMail({
    from: 'Shop <shop@example.com>',
    to,
    subject: `For ${ann}`,
    text: 'Hi',
    metadata: { user: ann },
  })
}

/** All that the store itself gives, as one text. */
async function stored(): Promise<string> {
  const found = await plain.find({}, 100)
  const messages = await Promise.all(
    found.map(async ({ record }) => {
      const message = await plain.message(record.trackingId)
      return { ...message, states: [...(message?.states ?? [])] }
    }),
  )
  return JSON.stringify([messages, await plain.suppressions(100), await plain.deadLetters(100)])
}

const hard = { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } } as const

describe('a store with hashed addresses', () => {
  test('has no address of a recipient, nor a name, and finds by them all the same', async () => {
    const info = await send()
    await postEntries([
      {
        ...hard,
        ownId: info.trackingId,
        recipient: ann,
        response: `550 <${ann}> is gone`,
        raw: { ann },
      },
      { type: 'delivered', ownId: info.trackingId, recipient: 'bob@example.org' },
    ])
    const text = await stored()
    expect(text).not.toMatch(/ann@|ann other|bob@/i)
    expect(text).toContain('shop@example.com')
    const { messages } = await correlator.find({ recipient: ann, status: 'bounced' })
    expect(messages.map(({ trackingId }) => trackingId)).toEqual([info.trackingId])
    expect(messages[0]?.recipients).toMatchObject([
      { address: expect.stringMatching(/^[\da-f]{32}@example\.org$/), status: 'bounced' },
      { status: 'delivered' },
    ])
    expect(info.accepted).toEqual(
      ['ANN@EXAMPLE.ORG', 'bob@example.org'].map((a) =>
        expect.stringMatching(new RegExp(`^${a}$`, 'i')),
      ),
    )
    expect((await correlator.stats()).byDomain).toMatchObject([
      { name: 'example.org', recipients: 2 },
    ])
  })

  test('suppresses, waits and tells of health by the address', async () => {
    const { trackingId } = await send(ann)
    await postEntries([{ ...hard, ownId: trackingId, recipient: ann }])
    expect(await correlator.suppressions.get(ann)).toMatchObject([
      { address: ann, cause: 'bounced' },
    ])
    await expect(send(ann)).rejects.toThrow('suppressed since')
    expect(await correlator.waitFor(trackingId, 'bounced', { recipient: ann })).toMatchObject({
      trackingId,
    })
    expect(await correlator.recipientHealth(ann)).toMatchObject({ address: ann, failures: 2 })
    await correlator.suppressions.remove(ann)
    expect(await correlator.suppressions.get(ann)).toEqual([])
  })

  test('knows a fact that comes again', async () => {
    const { trackingId } = await send(ann)
    const entry = { type: 'opened', ownId: trackingId, recipient: ann } as const
    await postEntries([entry])
    await postEntries([entry, entry])
    expect((await correlator.message(trackingId))?.events).toHaveLength(1)
  })

  test('gives an event an id that nobody can make of its address', async () => {
    const open = memoryStore()
    const ids: string[] = []
    for (const store of [open, hashedAddresses(open, key), hashedAddresses(open, `${key}!`)]) {
      const one = createCorrelator({ store, webhooks: [webhook], foreignAfter: 0 })
      one.on('delivered', ({ id }) => void ids.push(id))
      const body = JSON.stringify([{ type: 'delivered', recipient: ann }])
      await one.handler(new Request('https://example.com/outside', { method: 'POST', body }))
      await one.drain()
      one.on('delivered', () => {})()
    }
    expect(new Set(ids).size).toBe(3)
    expect(new Set(ids.map((id) => id.slice(0, 13))).size).toBe(1)
  })

  test('forgets an address', async () => {
    await send()
    expect(await correlator.forget(ann)).toBe(1)
    expect((await correlator.find({ recipient: ann })).messages).toEqual([])
    expect((await correlator.find({ recipient: 'bob@example.org' })).messages).toHaveLength(1)
  })

  test('keeps of a received mail who wrote it alone, and that hashed', async () => {
    await postEntries([
      {
        type: 'inbound',
        recipient: 'reply@in.example.com',
        mail: {
          envelope: { from: ann, to: ['reply@in.example.com'] },
          from: { name: 'Ann', address: ann },
          to: [],
          cc: [],
          replyTo: [],
          text: `It is me, ${ann}`,
          references: [],
          attachments: [],
          inline: {},
          headers: [],
          problems: [],
        },
      },
    ])
    const mails: string[] = []
    correlator.on('inbound', (event) => void mails.push(JSON.stringify(event)))
    await correlator.drain()
    expect(mails).toEqual([expect.stringMatching(/[\da-f]{32}@example\.org/)])
    expect(mails.join()).not.toMatch(/ann|it is me/i)
  })

  test.each([undefined, '', 'short'])('needs a key: %j is none', (wrong) => {
    expect(() => hashedAddresses(memoryStore(), wrong)).toThrow(ConfigurationError)
  })
})
