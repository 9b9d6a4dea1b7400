import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { createDispatcher, type Dispatcher } from '../src/dispatcher.js'
import type { ListenerError, StoreError } from '../src/errors.js'
import { createListeners, type Listeners } from '../src/listeners.js'
import { messageKeys } from '../src/matching.js'
import type { Delivery, Lease, Store } from '../src/store.js'
import { memoryStore } from '../src/stores/memory.js'
import { batchOf, recordOf } from '../src/testing/store-samples.js'

let store: Store
let listeners: Listeners
let errors: (ListenerError | StoreError)[]
let dispatcher: Dispatcher

const retries = { firstWait: 5, attempts: 3, timeout: 200 }

beforeEach(() => {
  store = memoryStore()
  listeners = createListeners()
  errors = []
  dispatcher = createDispatcher(store, listeners, (error) => errors.push(error), retries)
})
afterEach(() => dispatcher.close(1000))

/** Writes events of one message, as a webhook does, and gives those that are to be told here. */
async function written(
  types: ('accepted' | 'delivered' | 'opened')[],
  lease: Lease | undefined = leaseOf('this one', Date.now() + 30_000),
): Promise<Delivery[]> {
  const now = Date.now()
  const record = recordOf('ann@example.com')
  const schedule = { now, foreignAt: now, ...(lease && { lease }) }
  await store.addMessage(record, messageKeys(record), schedule)
  const events = types.map((type) => ({ type, ownId: record.trackingId }))
  const result = await store.ingest(batchOf(...events), schedule)
  return result.kind === 'stored' ? result.deliveries : []
}

const leaseOf = (owner: string, until: number): Lease => ({ owner, until })

describe('events are told', () => {
  test('in order for each message, one after the other', async () => {
    const told: string[] = []
    let running = 0
    listeners.add('any', async ({ type }) => {
      running += 1
      expect(running).toBe(1)
      await delay(type === 'accepted' ? 20 : 0)
      running -= 1
      told.push(type)
    })
    dispatcher.push(await written(['accepted', 'delivered', 'opened']))
    await dispatcher.drain()
    expect(told).toEqual(['accepted', 'delivered', 'opened'])
    expect(errors).toEqual([])
  })

  test('side by side for different messages', async () => {
    let waiting = 0
    let release = (): void => {}
    const both = new Promise<void>((resolve) => {
      release = resolve
    })
    listeners.add('any', async () => {
      waiting += 1
      if (waiting === 2) release()
      await both
    })
    dispatcher.push(await written(['delivered']))
    dispatcher.push(await written(['delivered']))
    await dispatcher.drain()
    expect(waiting).toBe(2)
  })

  test('with their message, only to those who asked for the type', async () => {
    const subjects: unknown[] = []
    listeners.add('delivered', (_, message) => subjects.push(message?.subject))
    listeners.add(['bounced', 'opened'], () => subjects.push('opened'))
    listeners.add('complained', () => subjects.push('never'))
    dispatcher.push(await written(['delivered', 'opened']))
    await dispatcher.drain()
    expect(subjects).toEqual(['Order 42 – “thanks”', 'opened'])
  })

  test('once, though they are pushed twice', async () => {
    let count = 0
    listeners.add('any', () => (count += 1))
    const deliveries = await written(['delivered'])
    dispatcher.push(deliveries)
    dispatcher.push(deliveries)
    await dispatcher.drain()
    expect(count).toBe(1)
  })

  test('to nobody where nobody listens: they are left to other processes, and to who comes later', async () => {
    expect(dispatcher.lease(Date.now())).toBeUndefined()
    await written(['delivered'], leaseOf('who has died', Date.now()))
    dispatcher.wakeAt(Date.now())
    await delay(20)
    await dispatcher.drain()
    expect(await store.nextDue()).toBeLessThanOrEqual(Date.now())
    const told: string[] = []
    listeners.add('any', ({ type }) => told.push(type))
    dispatcher.wakeAt(Date.now())
    await dispatcher.drain()
    expect(told).toEqual(['delivered'])
  })

  test('after whoever pushed them has gone on, and with turns for others in between', async () => {
    const order: string[] = []
    listeners.add('any', () => {
      order.push('told')
      const end = performance.now() + 10
      while (performance.now() < end);
    })
    const batches = [await written(['delivered']), await written(['delivered'])]
    batches.push(await written(['accepted', 'delivered']))
    dispatcher.push(batches.flat())
    order.push('pushed')
    const turns = setInterval(() => order.push('turn'), 1)
    await dispatcher.drain()
    clearInterval(turns)
    expect(order[0]).toBe('pushed')
    expect(order.join(' ')).not.toContain('told told')
  })
})

describe('events that another process left untold', () => {
  test('are told when their lease is over', async () => {
    const told: string[] = []
    listeners.add('any', ({ type }) => told.push(type))
    await written(['accepted', 'delivered'], leaseOf('who has died', Date.now() + 30))
    dispatcher.wakeAt(Date.now() + 30)
    await dispatcher.drain()
    expect(told).toEqual(['accepted', 'delivered'])
  })

  test('without a message are told as foreign', async () => {
    const told: unknown[] = []
    listeners.add('any', (event, message) => told.push([event.correlation, message]))
    const foreignAt = Date.now() + 20
    await store.ingest(batchOf({ type: 'delivered', providerMessageId: 'p-1' }), {
      now: Date.now(),
      foreignAt,
    })
    dispatcher.wakeAt(foreignAt)
    await dispatcher.drain()
    expect(told).toEqual([[{ status: 'foreign' }, undefined]])
  })
})

describe('a listener that fails', () => {
  test('is told again, with the same event, before the next event of the message', async () => {
    const told: string[] = []
    let failures = 2
    listeners.add('any', async ({ type, id }) => {
      if (type === 'accepted' && failures > 0) {
        failures -= 1
        told.push(`failed ${id}`)
        throw new Error('database is away')
      }
      told.push(`${type} ${id}`)
    })
    const deliveries = await written(['accepted', 'delivered'])
    const [accepted, delivered] = deliveries.map(({ event }) => event.id)
    dispatcher.push(deliveries)
    await dispatcher.drain()
    expect(told).toEqual([
      `failed ${accepted}`,
      `failed ${accepted}`,
      `accepted ${accepted}`,
      `delivered ${delivered}`,
    ])
    expect(errors).toMatchObject([
      { name: 'ListenerError', eventId: accepted, attempts: 1, final: false },
      { name: 'ListenerError', eventId: accepted, attempts: 2, final: false },
    ])
    expect(errors[0]?.message).toContain('database is away')
  })

  test('does not keep the others from it, nor have them told again', async () => {
    const told: string[] = []
    let failed = false
    listeners.add('any', () => {
      if (!failed) {
        failed = true
        throw new Error('first')
      }
      told.push('failing')
    })
    listeners.add('any', () => told.push('other'))
    dispatcher.push(await written(['delivered']))
    await dispatcher.drain()
    expect(told).toEqual(['other', 'failing'])
  })

  test('does not keep other messages waiting', async () => {
    const told: string[] = []
    const [poison] = await written(['delivered'])
    listeners.add('any', ({ id }) => {
      if (id === poison?.event.id) throw new Error('poison')
      told.push(id)
    })
    dispatcher.push(poison ? [poison] : [])
    const rest = [...(await written(['delivered'])), ...(await written(['delivered']))]
    dispatcher.push(rest)
    await dispatcher.drain()
    expect(told).toEqual(rest.map(({ event }) => event.id))
  })

  test('for good is given up in the end, and the next event goes on', async () => {
    const told: string[] = []
    listeners.add('any', ({ type }) => {
      if (type === 'accepted') throw new Error('never')
      told.push(type)
    })
    dispatcher.push(await written(['accepted', 'delivered']))
    await dispatcher.drain()
    expect(errors.map((error) => Reflect.get(error, 'final'))).toEqual([false, false, true])
    expect(told).toEqual(['delivered'])
  })

  test('with what cannot even be written is told again too', async () => {
    let calls = 0
    listeners.add('any', () => {
      calls += 1
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      return calls === 1 ? Promise.reject(Object.create(null)) : undefined
    })
    dispatcher.push(await written(['delivered']))
    await dispatcher.drain()
    expect(calls).toBe(2)
    expect(errors).toHaveLength(1)
  })

  test('is not told again once it was taken away', async () => {
    let calls = 0
    const stop = listeners.add('any', () => {
      calls += 1
      stop()
      throw new Error('no more of this')
    })
    listeners.add('any', () => {})
    dispatcher.push(await written(['delivered']))
    await dispatcher.drain()
    expect(calls).toBe(1)
    expect(await store.nextDue()).toBeUndefined()
  })

  test('for one time is still told that one event', async () => {
    let calls = 0
    listeners.add(
      'any',
      () => {
        calls += 1
        if (calls === 1) throw new Error('not yet')
      },
      { once: true },
    )
    dispatcher.push(await written(['accepted', 'delivered']))
    await dispatcher.drain()
    expect(calls).toBe(2)
  })
})

test('closing waits for the listener that is running, and tells no further', async () => {
  const told: string[] = []
  let began = (): void => {}
  const running = new Promise<void>((resolve) => {
    began = resolve
  })
  listeners.add('any', async ({ type }) => {
    began()
    await delay(20)
    told.push(type)
  })
  dispatcher.push(await written(['accepted', 'delivered']))
  await running
  await dispatcher.close(1000)
  expect(told).toEqual(['accepted'])
  expect(await store.nextDue()).toBeDefined()
})

test('draining after closing is refused, for it would never end', async () => {
  await dispatcher.close(1000)
  await expect(dispatcher.drain()).rejects.toThrow('closed')
})

test.each([0, 1, 2, 3, 4, 5])(
  'an event that is told %i turns after others were settled is settled too',
  async (turns) => {
    const [first] = await written(['delivered'])
    const [second] = await written(['delivered'])
    if (!first || !second) throw new Error('there are two')
    let pushed = false
    listeners.add('any', () => {})
    const own: Store = {
      ...store,
      async settle(settlements) {
        await store.settle(settlements)
        if (pushed) return
        pushed = true
        void (async () => {
          for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
          other.push([second])
        })()
      },
    }
    const other = createDispatcher(own, listeners, (error) => errors.push(error), retries)
    other.push([first])
    await other.drain()
    await other.close(1000)
    expect(await store.nextDue()).toBeUndefined()
  },
)

test.each([0, 1, 2, 3, 4, 5, 6])(
  'an event that comes %i turns after another began is told too',
  async (turns) => {
    const [first] = await written(['delivered'])
    const [second] = await written(['delivered'])
    if (!first || !second) throw new Error('there are two')
    const told: string[] = []
    listeners.add('any', ({ id }) => {
      told.push(id)
      if (id !== first.event.id) return
      void (async () => {
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
        dispatcher.push([second])
      })()
    })
    dispatcher.push([first])
    await delay(50)
    expect(told).toEqual([first.event.id, second.event.id])
  },
)

test('an ending that the store did not take is written again', async () => {
  let refused = 0
  const own: Store = {
    ...store,
    settle: async (settlements) => {
      refused += 1
      if (refused === 1) throw new Error('it is locked')
      return store.settle(settlements)
    },
  }
  const other = createDispatcher(own, listeners, (error) => errors.push(error), retries)
  let calls = 0
  listeners.add('any', () => (calls += 1))
  other.push(await written(['delivered']))
  await other.drain()
  await other.close(1000)
  expect(calls).toBe(1)
  expect(refused).toBe(2)
  expect(errors).toMatchObject([{ name: 'StoreError' }])
})
