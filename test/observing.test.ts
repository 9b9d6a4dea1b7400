import { describe, expect, jest, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { createDispatcher } from '../src/dispatcher.js'
import {
  ConfigurationError,
  createCorrelator,
  type Fact,
  failoverTransport,
  type Following,
  memoryStore,
  type Observer,
  SendError,
} from '../src/index.js'
import { createListeners } from '../src/listeners.js'
import { createObserving, kindOf } from '../src/observing.js'
import { outsideWebhook, secret } from './outside-provider.js'
import { outsideClient, outsideTransport } from './outside-transport.js'
import { newMessage, plainQueue, write } from './plain-queue.js'

const mail = { from: 'shop@example.com', to: 'ann@example.org', subject: 'Hello', text: 'Hi' }
const verify = { kind: 'verify', webhook: 'w', provider: 'p' } as const

/** An observer that keeps what it is told. */
function keeping(): { observer: Observer; facts: Fact[] } {
  const facts: Fact[] = []
  return { facts, observer: { notice: (fact) => void facts.push(fact) } }
}

const kinds = (facts: readonly Fact[]): string[] => facts.map(({ kind }) => kind)

/** What warnings the process gave while something was done. */
async function warningsOf(work: () => unknown): Promise<string[]> {
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  try {
    await work()
    return emitWarning.mock.calls.map(([warning]) => String(warning))
  } finally {
    emitWarning.mockRestore()
  }
}

describe('observers', () => {
  test('are each told, and how long it took', () => {
    const [one, other] = [keeping(), keeping()]
    const times = [1000, 1250]
    const observing = createObserving([one.observer, other.observer], () => times.shift() ?? 0)
    observing.begin(verify)?.end(verify)
    expect(one.facts).toEqual([{ ...verify, duration: 250 }])
    expect(other.facts).toEqual(one.facts)
  })

  test('stand around the work, all of them', () => {
    const said: string[] = []
    const around = (name: string): Observer => ({
      begin: () => ({
        run(work) {
          said.push(`${name} begins`)
          const result = work()
          said.push(`${name} ends`)
          return result
        },
      }),
    })
    const observing = createObserving([around('one'), around('other'), {}])
    const observed = observing.begin(verify)
    expect(observed?.run(() => said.push('work') && 42)).toBe(42)
    expect(said.toSorted()).toEqual(
      ['one begins', 'other begins', 'work', 'other ends', 'one ends'].toSorted(),
    )
    expect(said[2]).toBe('work')
  })

  test('cost nothing where there are none', () => {
    expect(createObserving([]).begin(verify)).toBeUndefined()
  })

  const throwing = (): never => {
    throw new Error('no')
  }
  test.each<[string, Observer]>([
    ['when told', { notice: throwing }],
    ['at a begin', { begin: throwing }],
    ['before the work', { begin: () => ({ run: throwing }) }],
    ['at an end', { begin: () => ({ end: throwing }) }],
    ['where it is to watch', { watch: throwing }],
    ['where it is to watch no more', { watch: () => throwing }],
  ])('that fail %s harm nobody, and are told of once', async (_, bad) => {
    const { observer, facts } = keeping()
    const worked: number[] = []
    const warnings = await warningsOf(() => {
      const observing = createObserving([bad, observer])
      for (const time of [1, 2]) {
        const observed = observing.begin(verify)
        observed?.run(() => worked.push(time))
        observed?.end(verify)
        observing.watch({ untold: () => 0, overdue: async () => 0 })()
      }
    })
    expect(worked).toEqual([1, 2])
    expect(kinds(facts)).toEqual(['verify', 'verify'])
    expect(warnings).toEqual(['an observer failed: no (only the first time is shown)'])
  })

  test('do not keep what the work throws', () => {
    const passing: Following = { run: (work) => work() }
    const observed = createObserving([{ begin: () => passing }]).begin(verify)
    let calls = 0
    const work = (): never => {
      calls += 1
      throw new RangeError('mine')
    }
    expect(() => observed?.run(work)).toThrow(RangeError)
    expect(calls).toBe(1)
  })

  test.each<[unknown]>([['x'], [[undefined]], [[{}]], [[() => {}]]])(
    'are refused at once when they are none: %j',
    (observers) => {
      const options = { store: memoryStore(), observers: observers as Observer[] }
      expect(() => createCorrelator(options)).toThrow(ConfigurationError)
      expect(() => outsideTransport(outsideClient(), options)).toThrow(ConfigurationError)
    },
  )
})

describe('the kind of an error', () => {
  test.each<[unknown, string | undefined]>([
    [Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [Object.assign(new Error('x'), { code: '57P01' }), '57P01'],
    [Object.assign(new Error('x'), { code: 'ER_LOCK_DEADLOCK' }), 'ER_LOCK_DEADLOCK'],
    [new TypeError('x'), 'TypeError'],
    [Object.assign(new TypeError('x'), { code: 'SG.key' }), 'TypeError'],
    [Object.assign(new Error('x'), { name: 'ann@example.org' }), undefined],
    [Object.assign(new Error('x'), { code: 5, name: 'KEYKEYKEY' }), undefined],
    ['ECONNREFUSED', undefined],
    [undefined, undefined],
    [
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no')
          },
        },
      ),
      undefined,
    ],
  ])('is a name that stands in code: case %#', (error, kind) => {
    expect(kindOf(error)).toBe(kind)
  })
})

describe('sends', () => {
  const failing = (category: 'auth' | 'server') =>
    outsideClient({
      async send() {
        throw new SendError('no', { category, retryable: false, outcome: 'not-sent' })
      },
    })

  test('are told without a correlator, too', async () => {
    const { observer, facts } = keeping()
    const transport = outsideTransport(outsideClient(), { observers: [observer] })
    const { trackingId } = await nodemailer.createTransport(transport).sendMail(mail)
    const duration = expect.any(Number)
    const told = { kind: 'send', provider: 'outside', trackingId, outcome: 'sent', passedOn: [] }
    expect(facts).toEqual([{ ...told, duration }])
  })

  test('are told once, with whom they were tried before', async () => {
    const { observer, facts } = keeping()
    const correlator = createCorrelator({ store: memoryStore(), observers: [observer] })
    const options = { correlator, observers: [observer] }
    const transport = failoverTransport([
      outsideTransport(failing('auth'), options),
      outsideTransport(outsideClient(), options),
    ])
    await nodemailer.createTransport(transport).sendMail(mail)
    expect(facts).toEqual([
      expect.objectContaining({
        outcome: 'sent',
        passedOn: [{ provider: 'outside', category: 'auth' }],
      }),
    ])
    await correlator.close()
  })

  test('that must not fail are told as alarms, while somebody listens to those', async () => {
    const { observer, facts } = keeping()
    const correlator = createCorrelator({ store: memoryStore(), observers: [observer] })
    const transport = outsideTransport(failing('server'), { correlator })
    const sendCritical = () =>
      nodemailer
        .createTransport(transport)
        .sendMail({ ...mail, tags: ['critical'] })
        .catch(() => {})
    await sendCritical()
    expect(kinds(facts)).toEqual(['send'])
    correlator.on('alarm', () => {})
    await sendCritical()
    await correlator.close()
    expect(facts.filter(({ kind }) => kind === 'alarm')).toEqual([
      {
        kind: 'alarm',
        alarm: 'critical-message',
        state: 'raised',
        provider: 'outside',
        trackingId: expect.any(String),
      },
    ])
  })
})

test('a delivery is timed when it comes after its message, and not when its message comes later', async () => {
  const { observer, facts } = keeping()
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [outsideWebhook()],
    observers: [observer],
  })
  const sentAt = new Date(1_760_000_000_000)
  for (const message of ['early', 'late']) {
    const record = {
      provider: 'outside',
      providerMessageId: message,
      recipients: ['a@b.c'],
      sentAt,
    }
    if (message === 'late') await correlator.record(record)
    const body = JSON.stringify([{ type: 'delivered', at: 1_760_000_007, message, to: 'a@b.c' }])
    const init = { method: 'POST', headers: secret, body }
    await correlator.handler(new Request('https://example.com/outside', init))
    if (message === 'early') await correlator.record(record)
  }
  await correlator.close()
  const times = facts.flatMap((fact) => (fact.kind === 'ingest' ? [fact.deliveryTimes] : []))
  expect(times).toEqual([[], [7000]])
})

describe('telling', () => {
  test('is told with how it ended, and a dead letter once', async () => {
    const { observer, facts } = keeping()
    const store = memoryStore()
    const listeners = createListeners()
    const pace = { firstWait: 1, attempts: 2, observing: createObserving([observer]) }
    const dispatcher = createDispatcher(store, listeners, () => {}, pace)
    listeners.add('delivered', () => Promise.reject(new TypeError('no')), { name: 'orders' })
    listeners.add('delivered', () => {})
    const lease = dispatcher.lease(Date.now())
    const deliveries = await write(store, await newMessage(store), ['delivered'], lease)
    dispatcher.push(deliveries)
    expect(dispatcher.untold()).toBe(1)
    await dispatcher.drain()
    expect(dispatcher.untold()).toBe(0)
    await dispatcher.close(1000)
    const [{ event } = {}] = deliveries
    const outcomes = facts.flatMap((fact) => (fact.kind === 'listener' ? fact : []))
    expect(
      outcomes.map(({ listener, outcome, attempt, cause }) => [listener, outcome, attempt, cause]),
    ).toEqual([
      ['orders', 'failed', 1, 'TypeError'],
      [undefined, 'taken', 1, undefined],
      ['orders', 'given-up', 2, 'TypeError'],
    ])
    expect(facts.at(-1)).toEqual({ kind: 'dead-letter', eventId: event?.id })
    expect(kinds(facts)).toEqual(['listener', 'listener', 'listener', 'dead-letter'])
  })

  test('by the jobs of a queue is told alike, and that the queue is away', async () => {
    const { observer, facts } = keeping()
    const queue = plainQueue()
    const correlator = createCorrelator({
      store: memoryStore(),
      queue,
      webhooks: [outsideWebhook()],
      observers: [observer],
      foreignAfter: 0,
    })
    correlator.onError(() => {})
    correlator.on('delivered', () => Promise.reject(new Error('no')))
    const post = async (id: string): Promise<void> => {
      const body = JSON.stringify([{ type: 'delivered', at: 1_760_000_000, id, to: `${id}@b.c` }])
      const init = { method: 'POST', headers: secret, body }
      await correlator.handler(new Request('https://example.com/outside', init))
    }
    await post('a')
    queue.away = Object.assign(new Error('no'), { code: 'ECONNREFUSED' })
    await post('b')
    await new Promise((resolve) => setImmediate(resolve))
    const [{ eventIds = [] } = {}] = queue.waiting
    const job = { job: 'job', run: 1, last: true, replayed: false, nextRunWithin: 0 }
    await correlator.tellQueued({ ...job, eventIds, givingUp: async () => {} })
    await correlator.close({ timeout: 100 })
    const expected = { kind: 'failure', of: 'queue', doing: 'adding events', cause: 'ECONNREFUSED' }
    expect(facts).toContainEqual(expected)
    const told = facts.filter(({ kind }) => kind === 'listener' || kind === 'dead-letter')
    expect(told).toEqual([
      expect.objectContaining({ kind: 'listener', outcome: 'given-up', eventId: eventIds[0] }),
      { kind: 'dead-letter', eventId: eventIds[0] },
    ])
  })
})

test('what a store cannot do is told with what was being done, and no more', async () => {
  const { observer, facts } = keeping()
  const open = () => Promise.reject(new Error('no password for ann@example.org'))
  const correlator = createCorrelator({
    store: { ...memoryStore(), open },
    observers: [observer],
  })
  correlator.onError(() => {})
  await new Promise((resolve) => setImmediate(resolve))
  await correlator.close()
  expect(facts).toEqual([{ kind: 'failure', of: 'store', doing: 'opening', cause: 'Error' }])
})
