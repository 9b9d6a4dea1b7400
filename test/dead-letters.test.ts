import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createDeadLetters, type DeadLetters } from '../src/dead-letters.js'
import { createDispatcher, type Dispatcher } from '../src/dispatcher.js'
import { createListeners, type Listeners } from '../src/listeners.js'
import { messageKeys } from '../src/matching.js'
import type { Store } from '../src/store.js'
import { memoryStore } from '../src/stores/memory.js'
import { batchOf, recordOf } from '../src/testing/store-samples.js'

const retries = { firstWait: 1, attempts: 2, timeout: 200 }

let store: Store
let listeners: Listeners
let dispatcher: Dispatcher
let deadLetters: DeadLetters

/** A process on the store, in place of the one before. */
function start(): void {
  listeners = createListeners()
  dispatcher = createDispatcher(store, listeners, () => {}, retries)
  deadLetters = createDeadLetters(store, () => dispatcher.wakeAt(Date.now()))
}

beforeEach(() => {
  store = memoryStore()
  start()
})
afterEach(() => dispatcher.close(1000))

/** Stores one event of each type for a message, for whoever claims them. */
async function stored(types: ('accepted' | 'delivered' | 'opened')[]): Promise<string> {
  const record = recordOf('ann@example.com')
  const now = Date.now()
  await store.addMessage(record, messageKeys(record), { now, foreignAt: now })
  const events = types.map((type) => ({ type, ownId: record.trackingId }))
  await store.ingest(batchOf(...events), { now, foreignAt: now })
  return record.trackingId
}

async function tellAll(): Promise<void> {
  dispatcher.wakeAt(Date.now())
  await dispatcher.drain()
}

describe('an event that a listener does not take', () => {
  test('is listed with its message and what the listener said', async () => {
    listeners.add(
      'any',
      () => {
        throw new Error('the CRM is away')
      },
      { name: 'crm' },
    )
    const trackingId = await stored(['delivered'])
    await tellAll()
    expect(await deadLetters.list()).toEqual({
      deadLetters: [
        {
          event: expect.objectContaining({ type: 'delivered', trackingId }),
          message: expect.objectContaining({ trackingId, subject: 'Order 42 – “thanks”' }),
          failures: [{ listener: 'crm', attempts: 2, error: 'the CRM is away' }],
          givenUpAt: expect.any(Date),
        },
      ],
    })
  })

  test('is listed without a name where the listener has none', async () => {
    listeners.add('any', () => Promise.reject(new Error('no')))
    await stored(['delivered'])
    await tellAll()
    const [letter] = (await deadLetters.list()).deadLetters
    expect(letter?.failures).toEqual([{ attempts: 2, error: 'no' }])
  })

  test('keeps neither the other listeners nor the next event from being told', async () => {
    const told: string[] = []
    listeners.add('any', ({ type }) => {
      if (type === 'accepted') throw new Error('no')
      told.push(`first ${type}`)
    })
    listeners.add('any', ({ type }) => told.push(`second ${type}`))
    await stored(['accepted', 'delivered'])
    await tellAll()
    expect(told.toSorted()).toEqual(['first delivered', 'second accepted', 'second delivered'])
    expect((await deadLetters.list()).deadLetters).toHaveLength(1)
  })

  test('of several is listed page by page, the latest first', async () => {
    listeners.add('any', () => Promise.reject(new Error('no')))
    for (let count = 0; count < 5; count += 1) await stored(['delivered'])
    await tellAll()
    const first = await deadLetters.list({ limit: 3 })
    const second = await deadLetters.list({
      limit: 3,
      ...(first.cursor !== undefined && { cursor: first.cursor }),
    })
    const ids = [...first.deadLetters, ...second.deadLetters].map(({ event }) => event.id)
    expect(first.deadLetters).toHaveLength(3)
    expect(second.cursor).toBeUndefined()
    expect(ids).toEqual([...new Set(ids)].toSorted().toReversed())
    expect(ids).toHaveLength(5)
  })

  test.each([0, -1, 1.5, Number.NaN])('is not listed with a limit of %d', async (limit) => {
    await expect(deadLetters.list({ limit })).rejects.toThrow('deadLetters.list: limit')
  })
})

describe('a replay', () => {
  test('tells those alone who did not take the event, with the same event', async () => {
    let away = true
    const told: string[] = []
    const ids = new Set<string>()
    listeners.add('any', ({ id }) => {
      ids.add(id)
      if (away) throw new Error('away')
      told.push('failing')
    })
    listeners.add('any', () => told.push('other'))
    await stored(['delivered'])
    await tellAll()
    away = false
    const [letter] = (await deadLetters.list()).deadLetters
    expect(await deadLetters.replay(letter?.event.id ?? '')).toBe(1)
    await dispatcher.drain()
    expect(told).toEqual(['other', 'failing'])
    expect(ids.size).toBe(1)
    expect((await deadLetters.list()).deadLetters).toEqual([])
  })

  test('begins with new attempts, and may end as a dead letter again', async () => {
    let calls = 0
    listeners.add('any', () => {
      calls += 1
      throw new Error('still away')
    })
    await stored(['delivered'])
    await tellAll()
    await deadLetters.replay()
    await dispatcher.drain()
    expect(calls).toBe(4)
    expect((await deadLetters.list()).deadLetters).toHaveLength(1)
  })

  test('of all takes more than one turn where there are many', async () => {
    let away = true
    let told = 0
    listeners.add('any', () => {
      if (away) throw new Error('away')
      told += 1
    })
    const record = recordOf('ann@example.com')
    const now = Date.now()
    const schedule = { now, foreignAt: now }
    await store.addMessage(record, messageKeys(record), schedule)
    const events = Array.from({ length: 1100 }, (_, index) => ({
      type: 'opened' as const,
      providerMessageId: `p-${index}`,
    }))
    await store.ingest(batchOf(...events), schedule)
    await tellAll()
    away = false
    expect(await deadLetters.replay()).toBe(1100)
    await dispatcher.drain()
    expect(told).toBe(1100)
  }, 20_000)

  test('of an event that is no dead letter does nothing', async () => {
    expect(await deadLetters.replay(['018f0000-0000-7000-8000-000000000000'])).toBe(0)
  })

  test('after a restart tells the listeners of the same name, and not those who took it', async () => {
    const told: string[] = []
    const crm = (): void => {
      throw new Error('away')
    }
    listeners.add('any', crm, { name: 'crm' })
    listeners.add('any', () => told.push('log'), { name: 'log' })
    await stored(['delivered'])
    await tellAll()
    await dispatcher.close(1000)

    start()
    listeners.add('any', () => told.push('crm'), { name: 'crm' })
    listeners.add('any', () => told.push('log'), { name: 'log' })
    await deadLetters.replay()
    await dispatcher.drain()
    expect(told).toEqual(['log', 'crm'])
  })
})

describe('the name of a listener', () => {
  test.each([[''], ['#1'], [5]])('is not %j', (name) => {
    const add = (): unknown => listeners.add('any', () => {}, { name: name as string })
    expect(add).toThrow(TypeError)
  })

  test('is the name of one alone, until that is taken away', () => {
    const stop = listeners.add('any', () => {}, { name: 'crm' })
    expect(() => listeners.add('any', () => {}, { name: 'crm' })).toThrow(
      'two listeners are named "crm"',
    )
    stop()
    listeners.add('any', () => {}, { name: 'crm' })
  })
})
