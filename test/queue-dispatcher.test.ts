import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import type { Dispatcher } from '../src/dispatcher.js'
import { QueueError, type StoreError } from '../src/errors.js'
import { queueOwner } from '../src/event-queue.js'
import { createListeners, type Listeners } from '../src/listeners.js'
import { createQueueDispatcher } from '../src/queue-dispatcher.js'
import type { Store } from '../src/store.js'
import { memoryStore } from '../src/stores/memory.js'
import {
  idsOf,
  newMessage,
  plainQueue,
  type PlainQueue,
  write,
  writeOpenings,
} from './plain-queue.js'

const pace = { leaseDuration: 200, leeway: 50 }

let store: Store
let queue: PlainQueue
let listeners: Listeners
let errors: (QueueError | StoreError)[]
let dispatcher: Dispatcher

beforeEach(() => {
  store = memoryStore()
  queue = plainQueue()
  listeners = createListeners()
  errors = []
  dispatcher = createQueueDispatcher(store, queue, listeners, (error) => errors.push(error), pace)
})
afterEach(() => dispatcher.close(1000))

async function until(isSo: () => boolean, longest = 3000): Promise<void> {
  for (const end = Date.now() + longest; !isSo() && Date.now() < end;) await delay(5)
  expect(isSo()).toBe(true)
}

const lease = () => dispatcher.lease(Date.now())

/** One that is not over before the test is, however busy the machine. */
const longLease = () => ({ owner: queueOwner, until: Date.now() + 60_000 })

/** Everything that was added in jobs is told, as workers do it. */
async function runAll(): Promise<void> {
  for (const { eventIds } of queue.waiting.splice(0)) {
    await store.settle(eventIds.map((eventId) => ({ eventId, kind: 'told' })))
  }
}

describe('what is written', () => {
  test('goes into one job, and to no listener of the process', async () => {
    let told = 0
    listeners.add('any', () => (told += 1))
    const deliveries = await writeOpenings(store, 3, lease())
    dispatcher.push(deliveries)
    await until(() => queue.added.length === 1)
    expect(queue.added).toEqual([idsOf(deliveries)])
    await delay(50)
    expect(told).toBe(0)
  })

  test('goes into several jobs where it is much', async () => {
    const deliveries = await writeOpenings(store, 1201, longLease())
    dispatcher.push(deliveries)
    await until(() => queue.added.length === 3)
    expect(queue.added.map(({ length }) => length)).toEqual([500, 500, 201])
    expect(queue.added.flat()).toEqual(idsOf(deliveries))
  })

  test('goes nowhere when it is nothing', async () => {
    dispatcher.push([])
    await delay(20)
    expect(queue.added).toEqual([])
  })

  test('by who took no lease is found and added', async () => {
    await writeOpenings(store, 2, undefined)
    dispatcher.wakeSoon()
    await until(() => queue.added.length === 1)
    expect(queue.added[0]).toHaveLength(2)
  })

  test('while others are at its message is added when they are done', async () => {
    const record = await newMessage(store)
    const [accepted = ''] = idsOf(await write(store, record, ['accepted'], lease()))
    const worker = { owner: 'a job 1', until: Date.now() + 60_000 }
    await store.claimEvents(
      { eventIds: [accepted], leftBy: ['queue'], mostEarlier: 0 },
      Date.now(),
      worker,
    )
    expect(await write(store, record, ['delivered'], lease())).toEqual([])
    dispatcher.wakeSoon()
    await delay(250)
    expect(queue.added).toEqual([])
    await store.settle([{ eventId: accepted, kind: 'told' }])
    await until(() => queue.added.length === 1)
  })
})

describe('a job that the queue does not have', () => {
  test('is added again when its lease is over, and not before', async () => {
    const written = Date.now()
    const ids = idsOf(await writeOpenings(store, 2, lease()))
    await until(() => queue.added.length === 1)
    expect(Date.now() - written).toBeGreaterThanOrEqual(pace.leaseDuration)
    expect(queue.added).toEqual([ids])
  })

  test('is added again when the queue is back, and meanwhile it is said that it is away', async () => {
    queue.away = new Error('connect ECONNREFUSED')
    const deliveries = await writeOpenings(store, 2, lease())
    dispatcher.push(deliveries)
    await until(() => errors.length > 0)
    expect(errors[0]).toBeInstanceOf(QueueError)
    expect(errors[0]?.message).toBe('the queue failed while adding events: connect ECONNREFUSED')
    await until(() => errors.some(({ message }) => message.includes('asking what waits')))
    queue.away = undefined
    await until(() => queue.added.length === 1)
    expect(queue.added).toEqual([idsOf(deliveries)])
  })
})

describe('a queue that does not answer, as BullMQ while Redis is away', () => {
  test('is reported once, however much waits for it, and once more when it falls silent again', async () => {
    for (const time of [1, 2]) {
      let answer = (): void => {}
      queue.silence = new Promise((resolve) => (answer = resolve))
      for (let count = 0; count < 3; count += 1) {
        dispatcher.push(await writeOpenings(store, 1, longLease()))
      }
      await until(() => errors.length === time)
      await delay(3 * pace.leeway)
      expect(errors).toHaveLength(time)
      expect(errors.at(-1)).toBeInstanceOf(QueueError)
      expect(errors.at(-1)?.message).toBe(
        'the queue failed while adding events: it has not answered for 0.05 s',
      )
      answer()
      await until(() => queue.added.length === 3 * time)
    }
  })

  test('is reported by who only looks for what it has lost', async () => {
    await writeOpenings(store, 1, undefined)
    queue.silence = new Promise(() => {})
    dispatcher.wakeSoon()
    await until(() => errors.length === 1)
    expect(errors[0]?.message).toBe(
      'the queue failed while asking what waits: it has not answered for 0.05 s',
    )
  })

  test('that answers in time is not reported', async () => {
    queue.silence = delay(pace.leeway / 2)
    dispatcher.push(await writeOpenings(store, 1, lease()))
    await until(() => queue.added.length === 1)
    await delay(2 * pace.leeway)
    expect(errors).toEqual([])
  })
})

describe('a queue that is behind', () => {
  test('gets nothing twice', async () => {
    for (let count = 0; count < 5; count += 1) {
      dispatcher.push(await writeOpenings(store, 2, lease()))
      await delay(20)
    }
    await delay(1500)
    expect(queue.added).toHaveLength(5)
    await runAll()
    await delay(1200)
    expect(queue.added).toHaveLength(5)
  })

  test('gets what it has lost as soon as it has come to what was added later', async () => {
    const ids = idsOf(await writeOpenings(store, 2, lease()))
    await delay(pace.leeway + 20)
    dispatcher.push(await writeOpenings(store, 1, lease()))
    await until(() => queue.added.length > 1)
    expect(queue.added[1]).toEqual(ids)
    await delay(1200)
    expect(queue.added).toHaveLength(2)
  })
})

describe('a look that finds nothing and takes long', () => {
  test('is not made again at once, however much is written meanwhile', async () => {
    const record = await newMessage(store)
    const [accepted = ''] = idsOf(await write(store, record, ['accepted'], lease()))
    const worker = { owner: 'a job 1', until: Date.now() + 60_000 }
    await store.claimEvents(
      { eventIds: [accepted], leftBy: ['queue'], mostEarlier: 0 },
      Date.now(),
      worker,
    )
    let looks = 0
    const { claim } = store
    store.claim = async (...args) => {
      looks += 1
      await delay(100)
      return claim(...args)
    }
    for (let count = 0; count < 100; count += 1) {
      await write(store, record, ['opened'], lease())
      dispatcher.wakeSoon()
      await delay(15)
    }
    expect(looks).toBeGreaterThan(0)
    expect(looks).toBeLessThan(4)
  })
})

describe('while the queue does not answer', () => {
  test('so much waits for it and no more: the rest stays in the store', async () => {
    let release = (): void => {}
    const answered = new Promise<void>((resolve) => {
      release = resolve
    })
    const add = queue.add.bind(queue)
    queue.add = async (jobs) => {
      await answered
      await add(jobs)
    }
    const deliveries = await writeOpenings(store, 1000, {
      owner: 'queue',
      until: Date.now() + 60_000,
    })
    for (let count = 0; count < 10; count += 1) {
      expect(lease()).toBeDefined()
      dispatcher.push(deliveries)
    }
    expect(lease()).toBeUndefined()
    release()
    await until(() => queue.added.length === 20)
    expect(lease()).toBeDefined()
  })
})

describe('draining', () => {
  test('ends where nobody listens when the queue has everything', async () => {
    dispatcher.push(await writeOpenings(store, 1, lease()))
    await dispatcher.drain()
    expect(queue.added).toHaveLength(1)
  })

  test('ends where somebody listens when everything is told', async () => {
    listeners.add('any', () => {})
    dispatcher.push(await writeOpenings(store, 1, lease()))
    let drained = false
    const draining = dispatcher.drain().then(() => (drained = true))
    await delay(100)
    expect(drained).toBe(false)
    await runAll()
    await draining
  })

  test('is refused when it is closed', async () => {
    await dispatcher.close(0)
    await expect(dispatcher.drain()).rejects.toThrow('closed')
  })
})

describe('closing', () => {
  test('waits for what is on its way into the queue, and takes nothing more', async () => {
    const add = queue.add.bind(queue)
    queue.add = async (jobs) => {
      await delay(50)
      await add(jobs)
    }
    dispatcher.push(await writeOpenings(store, 1, lease()))
    await dispatcher.close(1000)
    expect(queue.added).toHaveLength(1)
    expect(lease()).toBeUndefined()
    queue.waiting = []
    await delay(400)
    expect(queue.added).toHaveLength(1)
  })

  test('does not wait for longer than it may', async () => {
    queue.add = () => new Promise(() => {})
    dispatcher.push(await writeOpenings(store, 1, lease()))
    const begun = Date.now()
    await dispatcher.close(50)
    expect(Date.now() - begun).toBeLessThan(500)
  })
})
