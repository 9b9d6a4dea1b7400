import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ConfigurationError,
  type Correlator,
  createCorrelator,
  memoryStore,
  type Store,
  WaitError,
} from '../src/index.js'
import { type OutsideEntry, outsideWebhook, secret } from './outside-provider.js'
import { recordOf } from '../src/testing/store-samples.js'
import { collectErrors, collectTold, type Told } from './told-events.js'

const at = 1_760_000_000
const delivered: OutsideEntry = { type: 'delivered', at, to: 'ann@example.com', message: 'm-1' }

let store: Store
let correlator: Correlator
let told: Told[]

beforeEach(() => {
  store = memoryStore()
  correlator = createCorrelator({ store, webhooks: [outsideWebhook()], foreignAfter: 60_000 })
  told = collectTold(correlator)
})
afterEach(() => correlator.close())

async function post(entries: unknown, to = correlator): Promise<number> {
  const init = { method: 'POST', headers: secret, body: JSON.stringify(entries) }
  return (await to.handler(new Request('https://example.com/outside', init))).status
}

const record = (overrides: Partial<Parameters<Correlator['record']>[0]> = {}): Promise<string> =>
  correlator.record({
    provider: 'outside',
    providerMessageId: 'm-1',
    recipients: ['ann@example.com'],
    subject: 'Order',
    ...overrides,
  })

/** Waits, but not for as long as the store is left alone where nothing wakes anybody. */
async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 3000; !condition();) {
    if (Date.now() > end) throw new Error('it did not happen')
    await delay(5)
  }
}

describe('creating a correlator', () => {
  test.each<[string, object, string]>([
    ['without a store', {}, 'store is missing'],
    ['with a negative grace', { foreignAfter: -1 }, 'foreignAfter'],
    ['with a grace that is no number', { foreignAfter: Number.NaN }, 'foreignAfter'],
    ['with a grace without end', { foreignAfter: Infinity }, 'foreignAfter'],
    ['with a grace as text', { foreignAfter: '5' }, 'foreignAfter'],
    ['with something else as a store', { store: {} }, 'store is missing'],
    ['with a misspelt option', { webhook: [outsideWebhook()] }, 'there is no option "webhook"'],
    ['with one webhook and no list', { webhooks: outsideWebhook() }, 'webhooks must be a list'],
    ['with a webhook that was not made', { webhooks: [outsideWebhook] }, 'no webhook'],
    ['with a webhook that is not there', { webhooks: [undefined] }, 'no webhook'],
    [
      'with two webhooks of one name',
      { webhooks: [outsideWebhook(), outsideWebhook()] },
      'two webhooks are named "outside"',
    ],
    [
      'with a name that is no part of a path',
      { webhooks: [outsideWebhook({ name: 'a/b' })] },
      'a/b',
    ],
  ])('%s is refused at once', (_, options, message) => {
    const all = { ...(message.startsWith('store') ? {} : { store }), ...options }
    const create = () => createCorrelator(all as Parameters<typeof createCorrelator>[0])
    expect(create).toThrow(ConfigurationError)
    expect(create).toThrow(message)
  })

  test('without anything is refused at once', () => {
    const create: () => unknown = createCorrelator as () => unknown
    expect(create).toThrow(ConfigurationError)
  })

  test('takes a grace of part of a millisecond', async () => {
    const exact = createCorrelator({ store, webhooks: [outsideWebhook()], foreignAfter: 0.4 })
    expect(await post([delivered], exact)).toBe(202)
    expect(Number.isInteger(await store.nextDue())).toBe(true)
    await exact.close()
  })

  test('takes a second account of a provider under its own name', () => {
    const webhooks = [outsideWebhook(), outsideWebhook({ name: 'outside-eu' })]
    expect(() => createCorrelator({ store, webhooks })).not.toThrow()
  })
})

describe('a message', () => {
  test('tells what became of it', async () => {
    const trackingId = await record({
      recipients: ['ann@example.com', { address: 'bob@example.com', kind: 'cc' }],
      messageId: 'x@example.com',
      tags: ['order'],
      metadata: { order: '42' },
      sentAt: new Date(at * 1000),
    })
    await post([
      delivered,
      { ...delivered, type: 'opened', at: at + 1 },
      { ...delivered, type: 'opened', at: at + 5 },
      { ...delivered, type: 'deferred', to: 'bob@example.com' },
    ])
    const message = await correlator.message(trackingId)
    expect(message).toMatchObject({
      trackingId,
      provider: 'outside',
      providerMessageId: 'm-1',
      messageId: '<x@example.com>',
      subject: 'Order',
      tags: ['order'],
      metadata: { order: '42' },
      sentAt: new Date(at * 1000),
      failFlag: false,
      status: 'deferred',
      recipients: [
        {
          address: 'ann@example.com',
          kind: 'to',
          status: 'delivered',
          deliveredAt: new Date(at * 1000),
          engagement: {
            opened: { count: 2, first: new Date((at + 1) * 1000), last: new Date((at + 5) * 1000) },
          },
        },
        { address: 'bob@example.com', kind: 'cc', status: 'deferred', engagement: {} },
      ],
    })
    expect(message?.recipients[1]).not.toHaveProperty('deliveredAt')
    expect(message?.events).toHaveLength(4)
  })

  test('whose process died before the provider answered is unknown after a quarter of an hour', async () => {
    const sending = recordOf('ann@example.com')
    const quarter = 15 * 60_000
    const longAgo = new Date(Date.now() - quarter - 1000)
    await correlator.recordSending({ ...sending, sentAt: new Date(Date.now() - quarter + 60_000) })
    expect((await correlator.message(sending.trackingId))?.status).toBe('pending')
    await correlator.recordSending({ ...sending, sentAt: longAgo })
    expect((await correlator.message(sending.trackingId))?.status).toBe('unknown')
    expect((await correlator.find()).messages[0]?.status).toBe('unknown')
    // What is asked for is the status of a recipient, of whom nothing is known.
    expect((await correlator.find({ status: 'pending' })).messages[0]?.status).toBe('unknown')
  })

  test('that was recorded later is found where it was sent in time', async () => {
    const older = await record({ sentAt: new Date(at * 1000), providerMessageId: 'm-2' })
    const newer = await record()
    const last = await record({ sentAt: new Date(at * 1000 + 1), providerMessageId: 'm-3' })
    const ids = (await correlator.find()).messages.map(({ trackingId }) => trackingId)
    expect(ids).toEqual([newer, last, older])
  })

  test('that was never recorded is undefined', async () => {
    expect(await correlator.message('01890a5d-ac96-774b-bcce-b302099a8057')).toBeUndefined()
  })

  test.each<[string, object]>([
    ['a provider', { provider: undefined }],
    ["the provider's id", { providerMessageId: undefined }],
    ['recipients', { recipients: 'ann@example.com' }],
    ['a date of sending', { sentAt: '2026-01-01' }],
  ])('is not recorded without %s', async (_, wrong) => {
    await expect(record(wrong)).rejects.toThrow(`record: ${Object.keys(wrong)[0]} must be`)
  })

  test.each([0, 1.5, Number.NaN, Infinity, -1])(
    'is not looked for with a limit of %d',
    async (limit) => {
      await expect(correlator.find({}, { limit })).rejects.toThrow('find: limit')
    },
  )

  test.each([
    ['from', '2026-11-01'],
    ['to', new Date('the first of November')],
  ])('is not looked for with a time in %s that is no date', async (name, time) => {
    const query = { [name]: time }
    await expect(correlator.find(query)).rejects.toThrow(`find: ${name} must be a date`)
  })

  test.each([
    ['find', () => correlator.find({ recipients: 'ann@example.com' } as object)],
    ['stats', () => correlator.stats({ providers: 'outside' } as object)],
    ['prune', () => correlator.prune({ message: new Date() } as object)],
  ])('is asked for by options that are known: %s', async (where, asked) => {
    await expect(asked()).rejects.toThrow(`${where}: there is no option`)
  })

  test.each(['bounce', 'unknown', ''])(
    'is asked for by a status that there is: not %j',
    async (status) => {
      await expect(correlator.find({ status } as object)).rejects.toThrow(
        `find: a recipient is never "${status}", but pending, accepted, deferred, delivered, bounced, rejected, failed`,
      )
    },
  )

  test('is found by recipient in any letter case, page by page', async () => {
    const ids = [await record(), await record({ providerMessageId: 'm-2' })]
    await record({ providerMessageId: 'm-3', recipients: ['bob@example.com'] })
    const first = await correlator.find({ recipient: 'Ann@EXAMPLE.com' }, { limit: 1 })
    const second = await correlator.find(
      { recipient: 'ann@example.com' },
      { limit: 1, cursor: first.cursor ?? '' },
    )
    const found = [...first.messages, ...second.messages].map(({ trackingId }) => trackingId)
    expect(found).toEqual(ids.toReversed())
    expect(second.cursor).toBeUndefined()
    expect((await correlator.find()).messages).toHaveLength(3)
  })
})

describe('listeners', () => {
  test('are called with the event and the message it belongs to', async () => {
    const trackingId = await record()
    await post([delivered])
    await correlator.drain()
    expect(told).toMatchObject([
      {
        event: {
          type: 'delivered',
          trackingId,
          provider: 'outside',
          correlation: { status: 'matched', via: 'provider-id' },
        },
        message: { trackingId, subject: 'Order' },
      },
    ])
    const { correlation } = told[0]?.event ?? {}
    expect((await correlator.message(trackingId))?.events).toEqual([told[0]?.event])
    expect(correlation).toBeDefined()
  })

  test('are called for their types, once where asked, and no more after they left', async () => {
    await record()
    const calls: string[] = []
    const off = correlator.on('delivered', () => calls.push('on'))
    correlator.on(['opened', 'complained'], ({ type }) => calls.push(`either ${type}`))
    correlator.once('opened', () => calls.push('once'))
    const gone = (): number => calls.push('gone')
    correlator.on('opened', gone)
    correlator.off('opened', gone)
    await post([
      delivered,
      { ...delivered, type: 'opened' },
      { ...delivered, type: 'opened', at: at + 1 },
    ])
    await correlator.drain()
    expect(calls).toEqual(['on', 'either opened', 'once', 'either opened'])
    off()
    await post([{ ...delivered, at: at + 2 }])
    await correlator.drain()
    expect(calls).toHaveLength(4)
  })

  test('must be functions, for types that there are', () => {
    const wrong = { on: correlator.on, onError: correlator.onError, off: correlator.off } as {
      on(...given: unknown[]): unknown
      onError(...given: unknown[]): unknown
      off(...given: unknown[]): unknown
    }
    expect(() => wrong.on('opened')).toThrow('a listener must be a function')
    expect(() => wrong.onError('x')).toThrow('a listener must be a function')
    expect(() => wrong.on('bounce', () => {})).toThrow('no event is of type "bounce"')
    expect(() => wrong.off(['opened', 'open'], () => {})).toThrow('no event is of type "open"')
  })

  test('leave for the types that they are taken away from, one or several', async () => {
    await record()
    const heard: string[] = []
    const listener = ({ type }: { type: string }): number => heard.push(type)
    correlator.on(['delivered', 'opened', 'complained'], listener)
    correlator.off(['delivered', 'complained'], listener)
    await post([delivered, { ...delivered, type: 'opened' }, { ...delivered, type: 'complained' }])
    await correlator.drain()
    expect(heard).toEqual(['opened'])
  })

  test('come after the answer to the webhook, however long they take', async () => {
    await record()
    let answered = false
    const answeredBefore: boolean[] = []
    correlator.onAny(() => answeredBefore.push(answered))
    const status = await post([delivered, { ...delivered, type: 'opened' }])
    answered = true
    expect(status).toBe(202)
    await correlator.drain()
    expect(answeredBefore).toEqual([true, true])
  })

  test('of another process hear what a process without any has recorded first', async () => {
    const sender = createCorrelator({ store })
    await post([delivered])
    await sender.record({ provider: 'outside', providerMessageId: 'm-1', recipients: ['a@b.c'] })
    await sender.drain()
    expect(told).toEqual([])
    await correlator.drain()
    expect(told.map(({ event }) => event.type)).toEqual(['delivered'])
  })

  test('get each fact once, however often and in whatever batches it comes', async () => {
    await record()
    const events = [delivered, { ...delivered, type: 'opened' as const, id: 'e-1' }]
    const again = events.map((event) => ({ ...event, id: 'changed' }))
    await Promise.all([post(events), post(again), post(again.toReversed()), post([events[1]])])
    await correlator.drain()
    expect(told.map(({ event }) => event.type).toSorted()).toEqual(['delivered', 'opened'])
  })

  test('that fail are reported and called again, and the webhook was answered 2xx', async () => {
    await record()
    const errors = collectErrors(correlator)
    let calls = 0
    correlator.on('delivered', async () => {
      calls += 1
      if (calls === 1) throw new Error('oops')
    })
    expect(await post([delivered])).toBe(202)
    await correlator.drain()
    expect(calls).toBe(2)
    expect(errors).toEqual([expect.stringContaining('oops')])
  })

  test('are told of what an earlier process has stored and not told', async () => {
    const shared = memoryStore()
    // As if it was killed while its listener ran: it does not look after its events any more.
    const killed = createCorrelator({
      store: { ...shared, claim: async () => [], renew: async () => [] },
      webhooks: [outsideWebhook()],
    })
    killed.onAny(() => new Promise(() => {}))
    await killed.record({ provider: 'outside', providerMessageId: 'm-1', recipients: ['a@b.c'] })
    await post([delivered], killed)
    const longAfter = Date.now() + 3_600_000
    const [left] = await shared.claim(
      longAfter,
      { owner: 'who has died', until: Date.now() - 1 },
      10,
    )
    const next = createCorrelator({ store: shared })
    const retold = collectTold(next)
    await until(() => retold.length > 0)
    expect(retold.map(({ event }) => event.id)).toEqual([left?.event.id])
  })
})

describe('an event that comes before its message was recorded', () => {
  test('waits, and is told with the message when that is recorded', async () => {
    expect(await post([delivered])).toBe(202)
    await delay(20)
    expect(told).toEqual([])
    const trackingId = await record()
    await correlator.drain()
    expect(told).toMatchObject([
      {
        event: { trackingId, correlation: { status: 'matched', via: 'provider-id' } },
        message: { trackingId },
      },
    ])
    expect((await correlator.message(trackingId))?.status).toBe('delivered')
  })

  test('that never comes is told as foreign after the grace, and still joins later', async () => {
    const own = memoryStore()
    const impatient = createCorrelator({
      store: own,
      webhooks: [outsideWebhook()],
      foreignAfter: 30,
    })
    const foreign = collectTold(impatient)
    await post([delivered], impatient)
    expect(foreign).toEqual([])
    await impatient.drain()
    expect(foreign).toMatchObject([
      { event: { correlation: { status: 'foreign' } }, message: undefined },
    ])
    expect('trackingId' in (foreign[0]?.event ?? {})).toBe(false)
    const trackingId = await impatient.record({
      provider: 'outside',
      providerMessageId: 'm-1',
      recipients: ['ann@example.com'],
    })
    expect((await impatient.message(trackingId))?.status).toBe('delivered')
    await impatient.drain()
    expect(foreign).toHaveLength(1)
  })

  test('is told as foreign when the grace is over, though nobody asks', async () => {
    const own = memoryStore()
    const webhooks = [outsideWebhook()]
    const impatient = createCorrelator({ store: own, webhooks, foreignAfter: 30 })
    const foreign = collectTold(impatient)
    // Its first look at the store is over, and would not see what comes now.
    await delay(20)
    await post([delivered], impatient)
    await until(() => foreign.length > 0)
    expect(foreign[0]?.event.correlation.status).toBe('foreign')
    await impatient.close()
  })

  test('is told at once as foreign without a grace', async () => {
    const hasty = createCorrelator({
      store: memoryStore(),
      webhooks: [outsideWebhook()],
      foreignAfter: 0,
    })
    const foreign = collectTold(hasty)
    await post([delivered], hasty)
    await hasty.drain()
    expect(foreign.map(({ event }) => event.correlation)).toEqual([{ status: 'foreign' }])
  })

  test('without any id is told as foreign at once, for there is nothing to wait for', async () => {
    const { message: _, ...nameless } = delivered
    await post([nameless])
    await correlator.drain()
    expect(told.map(({ event }) => event.correlation)).toEqual([{ status: 'foreign' }])
  })
})

describe('waiting for an event', () => {
  test('ends at once when it is there already', async () => {
    const trackingId = await record()
    await post([delivered])
    const event = await correlator.waitFor(trackingId, 'delivered')
    expect(event).toMatchObject({ type: 'delivered', trackingId })
  })

  test('ends when it comes', async () => {
    const trackingId = await record()
    const waiting = correlator.waitFor(trackingId, 'delivered', { timeout: 5000 })
    await post([{ ...delivered, type: 'accepted' }, delivered])
    expect((await waiting).type).toBe('delivered')
  })

  test('ends before listeners are told of it, while they are at an earlier one', async () => {
    const trackingId = await record()
    let goOn = (): void => {}
    const types: string[] = []
    correlator.onAny(({ type }) => {
      types.push(type)
      return new Promise<void>((resolve) => (goOn = resolve))
    })
    await post([
      { ...delivered, type: 'opened' },
      { ...delivered, at: at + 1 },
    ])
    expect(await correlator.waitFor(trackingId, 'delivered')).toMatchObject({ type: 'delivered' })
    await until(() => types.length > 0)
    expect(types).toEqual(['opened'])
    goOn()
    await until(() => types.length > 1)
    goOn()
    await correlator.drain()
  })

  test('ends when another process has stored it', async () => {
    const trackingId = await record()
    const waiting = correlator.waitFor(trackingId, 'delivered', { timeout: 5000 })
    const other = createCorrelator({ store, webhooks: [outsideWebhook()] })
    await post([delivered], other)
    expect((await waiting).type).toBe('delivered')
  })

  test('can be for one recipient', async () => {
    const trackingId = await record({ recipients: ['ann@example.com', 'bob@example.com'] })
    const waiting = correlator.waitFor(trackingId, 'delivered', { recipient: 'BOB@example.com' })
    await post([delivered])
    await post([{ ...delivered, to: 'bob@example.com' }])
    expect((await waiting).recipient).toBe('bob@example.com')
  })

  test('fails when the time is over', async () => {
    const trackingId = await record()
    const waiting = correlator.waitFor(trackingId, 'delivered', { timeout: 20 })
    await expect(waiting).rejects.toMatchObject({ name: 'WaitError', code: 'ETIMEDOUT' })
  })

  test.each([Number.NaN, -1])('is refused with a timeout of %d', async (timeout) => {
    const waiting = correlator.waitFor(await record(), 'delivered', { timeout })
    await expect(waiting).rejects.toThrow('waitFor: timeout')
  })

  test('is refused for a type that there is not', async () => {
    const waitFor = correlator.waitFor as (id: string, type: string) => Promise<unknown>
    await expect(waitFor(await record(), 'sent')).rejects.toThrow('no event is of type "sent"')
  })

  test('ends with the event, long before the next look at the store', async () => {
    const trackingId = await record()
    const began = performance.now()
    const waiting = correlator.waitFor(trackingId, 'delivered')
    await delay(20)
    await post([delivered])
    await waiting
    expect(performance.now() - began).toBeLessThan(500)
  })

  test('fails for a message that is not there', async () => {
    const waiting = correlator.waitFor('01890a5d-ac96-774b-bcce-b302099a8057', 'delivered')
    await expect(waiting).rejects.toMatchObject({ code: 'ENOMESSAGE' })
  })

  test('fails for an address that the message did not go to', async () => {
    const trackingId = await record()
    const waiting = correlator.waitFor(trackingId, 'delivered', { recipient: 'bob@example.com' })
    await expect(waiting).rejects.toMatchObject({ code: 'ERULEDOUT' })
  })

  test('is given up by a signal', async () => {
    const trackingId = await record()
    const controller = new AbortController()
    const waiting = correlator.waitFor(trackingId, 'delivered', { signal: controller.signal })
    controller.abort(new Error('never mind'))
    await expect(waiting).rejects.toThrow('never mind')
    const again = correlator.waitFor(trackingId, 'delivered', { signal: controller.signal })
    await expect(again).rejects.toThrow('never mind')
  })

  test('fails as soon as every recipient has failed for good', async () => {
    const bouncing = createCorrelator({
      store,
      webhooks: [
        outsideWebhook({
          read: async () => ({
            kind: 'events',
            events: [
              {
                type: 'bounced',
                bounce: { kind: 'hard', asynchronous: false },
                providerEvent: 'bounce',
                providerMessageId: 'm-1',
                tags: [],
                metadata: {},
                raw: {},
              },
            ],
          }),
        }),
      ],
    })
    const trackingId = await record()
    const waiting = bouncing.waitFor(trackingId, 'delivered', { timeout: 5000 })
    await post([], bouncing)
    const error = await waiting.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(WaitError)
    expect(error).toMatchObject({ code: 'ERULEDOUT' })
    expect((await bouncing.waitFor(trackingId, 'bounced')).bounce.kind).toBe('hard')
  })
})

test('what goes wrong is a process warning when nobody listens, once for each kind', async () => {
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const init = { method: 'POST', headers: { 'x-secret': 'guess' }, body: '[]' }
  for (let time = 0; time < 3; time += 1) {
    await correlator.handler(new Request('https://example.com/outside', init))
  }
  const warnings = emitWarning.mock.calls.map(([warning]) => String(warning))
  emitWarning.mockRestore()
  expect(warnings).toEqual([
    expect.stringContaining('outside: webhook refused: the secret is wrong'),
  ])
})

test('an onError listener that fails in any way harms nobody', async () => {
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  correlator.onError(() => {
    throw new Error('first')
  })
  correlator.onError(async () => {
    throw new Error('second')
  })
  const errors = collectErrors(correlator)
  const init = { method: 'POST', headers: { 'x-secret': 'guess' }, body: '[]' }
  await correlator.handler(new Request('https://example.com/outside', init))
  await delay(0)
  const warnings = emitWarning.mock.calls.map(([warning]) => String(warning))
  emitWarning.mockRestore()
  expect(errors).toHaveLength(1)
  expect(warnings).toEqual([expect.stringContaining('first'), expect.stringContaining('second')])
})

test('a store that cannot be opened is told at the start', async () => {
  const broken: Store = { ...memoryStore(), open: () => Promise.reject(new Error('no such disk')) }
  const errors = collectErrors(createCorrelator({ store: broken }))
  await delay(0)
  expect(errors).toEqual(['the store failed while opening: no such disk'])
})

test('after closing, nothing more is told', async () => {
  await record()
  await correlator.close()
  expect(await post([delivered])).toBe(503)
  await delay(20)
  expect(told).toEqual([])
  await expect(correlator.drain()).rejects.toThrow('closed')
  await expect(correlator.find()).rejects.toMatchObject({ code: 'ESTORE' })
  await expect(correlator.waitFor('x', 'opened')).rejects.toMatchObject({ code: 'ESTORE' })
})
