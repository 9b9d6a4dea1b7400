import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { createDispatcher, type Dispatcher, type Pace } from '../src/dispatcher.js'
import { createListeners } from '../src/listeners.js'
import { messageKeys } from '../src/matching.js'
import type { MessageRecord } from '../src/message.js'
import type { Store } from '../src/store.js'
import { memoryStore } from '../src/stores/memory.js'
import { batchOf, recordOf } from '../src/testing/store-samples.js'

let store: Store
let processes: Process[]

interface Process {
  dispatcher: Dispatcher
  listen: ReturnType<typeof createListeners>['add']
  errors: string[]
  ingest(record: MessageRecord, type: 'accepted' | 'delivered' | 'opened'): Promise<void>
}

beforeEach(() => {
  store = memoryStore()
  processes = []
})
afterEach(async () => {
  for (const { dispatcher } of processes) await dispatcher.close(1000)
})

/** What one process of several does with the store they share. */
function start(pace: Partial<Pace> = {}, own: Store = store): Process {
  const listeners = createListeners()
  const errors: string[] = []
  const quick = { firstWait: 5, attempts: 3, timeout: 500, ...pace }
  const dispatcher = createDispatcher(own, listeners, ({ message }) => errors.push(message), quick)
  const process: Process = {
    dispatcher,
    listen: listeners.add,
    errors,
    async ingest(record, type) {
      const now = Date.now()
      const lease = dispatcher.lease(now)
      const schedule = { now, foreignAt: now, ...(lease && { lease }) }
      const result = await store.ingest(batchOf({ type, ownId: record.trackingId }), schedule)
      if (result.kind === 'replayed') return
      dispatcher.push(result.deliveries)
      if (result.left > 0) dispatcher.wakeSoon()
    },
  }
  processes.push(process)
  return process
}

async function newMessage(): Promise<MessageRecord> {
  const record = recordOf('ann@example.com')
  const now = Date.now()
  await store.addMessage(record, messageKeys(record), { now, foreignAt: now })
  return record
}

describe('events of one message that come to several processes', () => {
  test('are told in the order they came, one after the other', async () => {
    const told: string[] = []
    let running = 0
    const listener =
      (name: string) =>
      async ({ type }: { type: string }): Promise<void> => {
        running += 1
        expect(running).toBe(1)
        await delay(type === 'accepted' ? 30 : 1)
        running -= 1
        told.push(`${type} at ${name}`)
      }
    const one = start()
    const other = start()
    one.listen('any', listener('one'))
    other.listen('any', listener('the other'))
    const record = await newMessage()
    await one.ingest(record, 'accepted')
    await other.ingest(record, 'delivered')
    await one.ingest(record, 'opened')
    await one.dispatcher.drain()
    expect(told.map((line) => line.split(' ')[0])).toEqual(['accepted', 'delivered', 'opened'])
  })

  test('wait for one that is told again, also at another process', async () => {
    const told: string[] = []
    let failures = 2
    const one = start({ firstWait: 60 })
    const other = start()
    one.listen('any', ({ type }) => {
      failures -= 1
      if (failures >= 0) throw new Error('not yet')
      told.push(type)
    })
    other.listen('any', ({ type }) => told.push(type))
    const record = await newMessage()
    await one.ingest(record, 'accepted')
    await delay(20)
    await other.ingest(record, 'delivered')
    await one.dispatcher.drain()
    expect(told).toEqual(['accepted', 'delivered'])
  })

  test('do not wait for those of other messages', async () => {
    const told: string[] = []
    const one = start()
    const other = start()
    let release = (): void => {}
    one.listen('any', () => new Promise<void>((resolve) => (release = resolve)))
    other.listen('any', ({ type }) => told.push(type))
    await one.ingest(await newMessage(), 'accepted')
    await other.ingest(await newMessage(), 'delivered')
    await delay(30)
    expect(told).toEqual(['delivered'])
    release()
    await one.dispatcher.drain()
  })
})

describe('several listeners', () => {
  test('are told each in its own time: one that fails holds up nothing of the others', async () => {
    const told: string[] = []
    let failures = 2
    const one = start({ firstWait: 30 })
    one.listen('any', ({ type }) => {
      failures -= 1
      if (failures >= 0) throw new Error('not yet')
      told.push(`slow ${type}`)
    })
    one.listen('any', ({ type }) => told.push(`quick ${type}`))
    const record = await newMessage()
    await one.ingest(record, 'accepted')
    await one.ingest(record, 'delivered')
    await one.dispatcher.drain()
    expect(told).toEqual(['quick accepted', 'quick delivered', 'slow accepted', 'slow delivered'])
  })

  test('that hang keep the others going, and count as failed when their time is over', async () => {
    const told: string[] = []
    const one = start({ timeout: 20, attempts: 2 })
    one.listen('any', () => new Promise(() => {}))
    one.listen('any', ({ type }) => told.push(type))
    for (let count = 0; count < 70; count += 1) await one.ingest(await newMessage(), 'delivered')
    await one.dispatcher.drain()
    expect(told).toHaveLength(70)
    expect(one.errors[0]).toContain('it did not end within 20 ms')
    expect(await store.deadLetters(100)).toHaveLength(70)
  })

  test('that have taken an event are not told again by the process that takes over, if they have names', async () => {
    const told: string[] = []
    const one = start({ firstWait: 60_000 })
    one.listen('any', () => told.push('log'), { name: 'log' })
    one.listen('any', () => Promise.reject(new Error('away')), { name: 'crm' })
    await one.ingest(await newMessage(), 'delivered')
    await delay(30)
    await one.dispatcher.close(1000)
    const [, attempts] = told
    expect(attempts).toBeUndefined()

    const next = start()
    next.listen('any', () => told.push('log again'), { name: 'log' })
    next.listen('any', () => told.push('crm'), { name: 'crm' })
    const later = Date.now() + 120_000
    next.dispatcher.push(await store.claim(later, { owner: 'next', until: later }, 10))
    await delay(30)
    expect(told).toEqual(['log', 'crm'])
  })
})

describe('a lease', () => {
  test('is prolonged for as long as a listener takes', async () => {
    const one = start({ leaseDuration: 60, timeout: 60_000 })
    let release = (): void => {}
    one.listen('any', () => new Promise<void>((resolve) => (release = resolve)))
    await one.ingest(await newMessage(), 'accepted')
    await delay(200)
    expect(await store.claim(Date.now(), { owner: 'another', until: 0 }, 10)).toEqual([])
    release()
    await one.dispatcher.drain()
  })

  test('that another has taken over in the meantime ends what is still to be told here', async () => {
    const told: string[] = []
    const one = start({ leaseDuration: 60, timeout: 60_000 })
    let release = (): void => {}
    one.listen('any', async ({ type }) => {
      told.push(type)
      await new Promise<void>((resolve) => (release = resolve))
    })
    const record = await newMessage()
    await one.ingest(record, 'accepted')
    await one.ingest(record, 'delivered')
    // As if this process had stood still for longer than its lease.
    const until = Date.now() + 60_000
    expect(await store.claim(until, { owner: 'another', until: until + 1 }, 10)).toHaveLength(2)
    await delay(60)
    release()
    await delay(20)
    expect(told).toEqual(['accepted'])
  })

  test('that cannot be prolonged is reported', async () => {
    const failing = { ...store, renew: () => Promise.reject(new Error('it is locked')) }
    const one = start({ leaseDuration: 30 }, failing)
    one.listen('any', () => delay(60))
    await one.ingest(await newMessage(), 'accepted')
    await delay(40)
    expect(one.errors[0]).toContain('prolonging leases: it is locked')
    await one.dispatcher.drain()
  })
})

describe('a process that ends', () => {
  test('leaves what it has not told to others at once', async () => {
    const told: string[] = []
    const one = start()
    let began = (): void => {}
    const beginning = new Promise<void>((resolve) => (began = resolve))
    one.listen('any', async () => {
      began()
      await delay(20)
    })
    const record = await newMessage()
    await one.ingest(record, 'accepted')
    await one.ingest(record, 'delivered')
    await beginning
    await one.dispatcher.close(1000)
    const other = start()
    other.listen('any', ({ type }) => told.push(type))
    other.dispatcher.wakeAt(Date.now())
    await other.dispatcher.drain()
    expect(told).toEqual(['delivered'])
  })

  test('waits for a listener no longer than it is told to, and leaves its event to others', async () => {
    const told: string[] = []
    const one = start({ timeout: 60_000 })
    one.listen('any', () => new Promise(() => {}))
    await one.ingest(await newMessage(), 'accepted')
    await delay(10)
    const before = performance.now()
    await one.dispatcher.close(50)
    expect(performance.now() - before).toBeLessThan(1000)
    const other = start()
    other.listen('any', ({ type }) => told.push(type))
    other.dispatcher.wakeAt(Date.now())
    await other.dispatcher.drain()
    expect(told).toEqual(['accepted'])
  })

  test('takes no lease for what comes afterwards', async () => {
    const one = start()
    one.listen('any', () => {})
    expect(one.dispatcher.lease(Date.now())).toBeDefined()
    await one.dispatcher.close(1000)
    expect(one.dispatcher.lease(Date.now())).toBeUndefined()
  })
})
