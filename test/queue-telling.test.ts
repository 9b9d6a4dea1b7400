import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { type ListenerError, StoreError } from '../src/errors.js'
import type { QueuedEvents, QueuedIds } from '../src/event-queue.js'
import { createListeners, type Listeners } from '../src/listeners.js'
import type { MessageRecord } from '../src/message.js'
import { createQueueTelling, type QueueTelling } from '../src/queue-telling.js'
import type { Store } from '../src/store.js'
import { memoryStore } from '../src/stores/memory.js'
import { idsOf, newMessage, write } from './plain-queue.js'

const leaseDuration = 300

let store: Store
let listeners: Listeners
let errors: (ListenerError | StoreError)[]
let telling: QueueTelling

beforeEach(() => {
  store = memoryStore()
  listeners = createListeners()
  errors = []
  telling = started(store)
})
afterEach(() => telling.close(1000))

function started(on: Store, own = listeners): QueueTelling {
  return createQueueTelling(on, own, (error) => errors.push(error), { leaseDuration })
}

/** Writes events of a message and leaves them to the queue. */
async function queued(
  record: MessageRecord,
  ...types: ('accepted' | 'delivered' | 'opened')[]
): Promise<string[]> {
  return idsOf(await write(store, record, types, { owner: 'queue', until: Date.now() + 60_000 }))
}

/** Has an event told by somebody else. */
async function hold(eventId: string): Promise<void> {
  const asked = { eventIds: [eventId], leftBy: ['queue'], mostEarlier: 0 }
  await store.claimEvents(asked, Date.now(), { owner: 'other', until: Date.now() + 60_000 })
}

/** The first run of a job that has more of them. */
function job(eventIds: QueuedIds, rest: Partial<QueuedEvents> = {}): QueuedEvents {
  return {
    eventIds,
    job: 'a job',
    run: 1,
    last: false,
    replayed: false,
    nextRunWithin: 1000,
    givingUp: async () => {},
    ...rest,
  }
}

/** A listener that keeps what it was told, and fails as often as is said. */
function listen(name: string, failures = 0): string[] {
  const told: string[] = []
  let left = failures
  listeners.add(
    'any',
    ({ type }) => {
      left -= 1
      if (left >= 0) throw new Error(`${name} is away`)
      told.push(type)
    },
    { name },
  )
  return told
}

describe('a run', () => {
  test('tells the events of a message in order, one after the other', async () => {
    const told: string[] = []
    let running = 0
    listeners.add('any', async ({ type }) => {
      running += 1
      expect(running).toBe(1)
      await delay(type === 'accepted' ? 20 : 0)
      running -= 1
      told.push(type)
    })
    const ids = await queued(await newMessage(store), 'accepted', 'delivered', 'opened')
    expect(await telling.run(job(ids))).toEqual({ told: 3, failures: [], later: [] })
    expect(told).toEqual(['accepted', 'delivered', 'opened'])
    expect(await store.nextDue()).toBeUndefined()
  })

  test('tells those of different messages side by side', async () => {
    let waiting = 0
    const [both, release] = gate()
    listeners.add('any', async () => {
      waiting += 1
      if (waiting === 2) release()
      await both
    })
    const ids = [
      ...(await queued(await newMessage(store), 'delivered')),
      ...(await queued(await newMessage(store), 'delivered')),
    ]
    expect(await telling.run(job(ids))).toMatchObject({ told: 2 })
  })

  test('tells 64 messages at a time, and no more', async () => {
    let running = 0
    const most: number[] = []
    listeners.add('any', async () => {
      running += 1
      most.push(running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
    })
    const ids: string[] = []
    for (let count = 0; count < 70; count += 1) {
      ids.push(...(await queued(await newMessage(store), 'delivered')))
    }
    expect(await telling.run(job(ids))).toMatchObject({ told: 70 })
    expect(Math.max(...most)).toBe(64)
  })

  test('gives others their turn between two events', async () => {
    const order: string[] = []
    listeners.add('any', () => {
      order.push('told')
      block(10)
    })
    const ids = await queued(await newMessage(store), 'accepted', 'delivered', 'opened')
    const turns = setInterval(() => order.push('turn'), 1)
    await telling.run(job(ids))
    clearInterval(turns)
    expect(order.join(' ')).not.toContain('told told')
  })

  test('tells nothing twice that is told', async () => {
    const told = listen('log')
    const ids = await queued(await newMessage(store), 'delivered')
    await telling.run(job(ids))
    expect(await telling.run(job(ids, { job: 'the same again' }))).toEqual({
      told: 0,
      failures: [],
      later: [],
    })
    expect(told).toEqual(['delivered'])
  })

  test('leaves for later what somebody else is at, and what comes after it', async () => {
    const told = listen('log')
    const record = await newMessage(store)
    const [accepted = ''] = await queued(record, 'accepted')
    const [delivered = ''] = await queued(record, 'delivered')
    await hold(accepted)
    const free = await queued(await newMessage(store), 'opened')
    expect(await telling.run(job([delivered, ...free]))).toEqual({
      told: 1,
      failures: [],
      later: [delivered],
    })
    expect(told).toEqual(['opened'])
    await store.settle([{ eventId: accepted, kind: 'told' }])
    expect(await telling.run(job([delivered, ...free], { run: 2 }))).toMatchObject({ told: 1 })
    expect(told).toEqual(['opened', 'delivered'])
  })

  test('keeps what has to be told later in the queue', async () => {
    listen('log')
    const record = await newMessage(store)
    const [accepted = ''] = await queued(record, 'accepted')
    const until = Date.now() + 50
    const [delivered = ''] = idsOf(
      await write(store, record, ['delivered'], { owner: 'queue', until }),
    )
    await hold(accepted)
    await telling.run(job([delivered]))
    expect(await store.nextDue()).toBeGreaterThanOrEqual(until + leaseDuration - 50)
  })

  test('takes earlier events of its messages along that are still in the queue', async () => {
    const told = listen('log')
    const record = await newMessage(store)
    const first = await queued(record, 'accepted')
    const second = await queued(record, 'delivered')
    expect(await telling.run(job(second))).toMatchObject({ told: 2, later: [] })
    expect(await telling.run(job(first, { job: 'another' }))).toMatchObject({ told: 0, later: [] })
    expect(told).toEqual(['accepted', 'delivered'])
  })

  test('tells nobody but later where nobody listens yet', async () => {
    const ids = await queued(await newMessage(store), 'delivered')
    expect(await telling.run(job(ids))).toEqual({ told: 0, failures: [], later: ids })
    const told = listen('log')
    await telling.run(job(ids, { run: 2 }))
    expect(told).toEqual(['delivered'])
  })

  test('keeps its events while a listener takes longer than a lease', async () => {
    listeners.add('any', () => delay(leaseDuration * 2))
    telling = createQueueTelling(store, listeners, (error) => errors.push(error), {
      leaseDuration,
    })
    const ids = await queued(await newMessage(store), 'accepted', 'delivered')
    const running = telling.run(job(ids))
    await delay(leaseDuration * 1.5)
    const now = Date.now()
    const asked = { eventIds: ids, leftBy: [], mostEarlier: 0 }
    const other = { owner: 'another', until: now + 1 }
    expect(await store.claimEvents(asked, now, other)).toEqual({ deliveries: [], blocked: ids })
    expect(await running).toMatchObject({ told: 2, later: [] })
  })
})

describe('a listener that fails', () => {
  test('is told again in the next run, and who has taken the event is not', async () => {
    const log = listen('log')
    const crm = listen('crm', 1)
    const ids = await queued(await newMessage(store), 'accepted', 'delivered')
    const { told, failures, later } = await telling.run(job(ids))
    expect([told, later]).toEqual([0, ids.slice(1)])
    expect(failures.map(({ eventId, listener }) => [eventId, listener])).toEqual([[ids[0], 'crm']])
    expect(errors).toEqual(failures)
    expect([log, crm]).toEqual([['accepted'], []])
    expect(await telling.run(job(ids, { run: 2 }))).toMatchObject({ told: 2, failures: [] })
    expect([log, crm]).toEqual([
      ['accepted', 'delivered'],
      ['accepted', 'delivered'],
    ])
  })

  test('hears nothing more of the message meanwhile, from other jobs neither', async () => {
    const crm = listen('crm', 1)
    const record = await newMessage(store)
    const first = await queued(record, 'accepted')
    const second = await queued(record, 'delivered')
    await telling.run(job(first))
    expect(await telling.run(job(second, { job: 'another' }))).toMatchObject({ later: second })
    expect(crm).toEqual([])
    await telling.run(job(first, { run: 2 }))
    await telling.run(job(second, { job: 'another', run: 2 }))
    expect(crm).toEqual(['accepted', 'delivered'])
  })

  test('leaves the event to its job until the next run has to have come', async () => {
    listen('crm', 9)
    const ids = await queued(await newMessage(store), 'delivered')
    const begun = Date.now()
    await telling.run(job(ids, { nextRunWithin: 5000 }))
    const due = (await store.nextDue()) ?? 0
    expect(due - begun).toBeGreaterThanOrEqual(5000 + leaseDuration)
    expect(due - Date.now()).toBeLessThanOrEqual(5000 + leaseDuration)
  })

  test('for one event alone is told of the next one', async () => {
    let calls = 0
    listeners.add(
      'any',
      () => {
        calls += 1
        if (calls === 1) throw new Error('not yet')
      },
      { once: true },
    )
    listen('log')
    const ids = await queued(await newMessage(store), 'accepted', 'delivered')
    await telling.run(job(ids))
    await telling.run(job(ids, { run: 2 }))
    expect(calls).toBe(2)
  })
})

describe('in the last run', () => {
  test('what is not taken is given up, after that was said, and what comes after it is for anybody', async () => {
    listen('crm', 9)
    const ids = await queued(await newMessage(store), 'accepted', 'delivered')
    const said: unknown[] = []
    const { failures } = await telling.run(
      job(ids, {
        last: true,
        async givingUp(eventIds) {
          said.push(eventIds, await store.deadLetters(10))
        },
      }),
    )
    expect(failures).toMatchObject([{ eventId: ids[0], final: true }])
    expect(said).toEqual([ids.slice(0, 1), []])
    expect(await store.deadLetters(10)).toMatchObject([
      { event: { id: ids[0] }, progress: { crm: { attempts: 1, ended: 'given-up' } } },
    ])
    const now = Date.now()
    const claimed = await store.claim(now, { owner: 'anybody', until: now + 1 }, 10)
    expect(idsOf(claimed)).toEqual(ids.slice(1))
  })

  test('what came along is not given up: it gets a job of its own', async () => {
    listen('crm', 9)
    const record = await newMessage(store)
    const first = await queued(record, 'accepted')
    const second = await queued(record, 'delivered')
    expect(await telling.run(job(second, { last: true }))).toMatchObject({ told: 0, failures: [] })
    expect(await store.deadLetters(10)).toEqual([])
    const now = Date.now()
    const claimed = await store.claim(now, { owner: 'anybody', until: now + 1 }, 10)
    expect(idsOf(claimed)).toEqual([...first, ...second])
  })

  test('what was given up is told again when it is replayed, to who did not take it', async () => {
    const log = listen('log')
    const crm = listen('crm', 1)
    const ids = await queued(await newMessage(store), 'accepted')
    await telling.run(job(ids, { last: true }))
    expect(await telling.run(job(ids, { run: 2, last: true }))).toMatchObject({ told: 0 })
    const replay = job(ids, { run: 3, last: true, replayed: true })
    expect(await telling.run(replay)).toMatchObject({ told: 1, failures: [] })
    expect([log, crm]).toEqual([['accepted'], ['accepted']])
    expect(await store.deadLetters(10)).toEqual([])
  })
})

describe('a run that hangs', () => {
  test('is taken over by the next run of its job at once, and tells nothing more', async () => {
    const told: string[] = []
    const [hanging, release] = gate()
    const [slow, goOn] = gate()
    const hung = createListeners()
    hung.add('any', async ({ type }) => {
      told.push(`first ${type}`)
      await hanging
    })
    const first = started(store, hung)
    const ids = await queued(await newMessage(store), 'accepted', 'delivered')
    const running = first.run(job(ids))
    await delay(20)
    listeners.add('any', async ({ type }) => {
      told.push(`second ${type}`)
      await slow
    })
    expect(await telling.run(job(ids, { run: 2, job: 'another' }))).toMatchObject({ later: ids })
    const second = telling.run(job(ids, { run: 2 }))
    // The first one hears of it when it prolongs its leases.
    await delay(leaseDuration)
    release()
    expect(await running).toMatchObject({ failures: [] })
    expect(told).toEqual(['first accepted', 'second accepted'])
    goOn()
    expect(await second).toMatchObject({ told: 2, later: [] })
    expect(told).toEqual(['first accepted', 'second accepted', 'second delivered'])
    await first.close(1000)
  })

  test('sees for itself, when it goes on, that others have its events', async () => {
    const told: string[] = []
    const ids = await queued(await newMessage(store), 'accepted', 'delivered')
    listeners.add('any', async ({ type }) => {
      told.push(type)
      block(leaseDuration + 20)
      const now = Date.now()
      const asked = { eventIds: ids, leftBy: [], mostEarlier: 0 }
      await store.claimEvents(asked, now, { owner: 'another', until: now + 60_000 })
    })
    const { renew } = store
    const slow: Store = {
      ...store,
      async renew(...args) {
        await delay(20)
        return renew(...args)
      },
    }
    const held = started(slow)
    await held.run(job(ids))
    expect(told).toEqual(['accepted'])
    await held.close(1000)
  })
})

/** Keeps the event loop for so many ms. */
function block(time: number): void {
  const end = performance.now() + time
  while (performance.now() < end);
}

/** Something to wait for, and what opens it. */
function gate(): [Promise<void>, () => void] {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return [opened, () => open()]
}

describe('when it is to end', () => {
  test('a signal ends it before the next event, which stays with the job', async () => {
    const controller = new AbortController()
    const told: string[] = []
    listeners.add('any', ({ type }) => {
      told.push(type)
      controller.abort(new Error('cancelled'))
    })
    const ids = await queued(await newMessage(store), 'accepted', 'delivered')
    const { signal } = controller
    await expect(telling.run(job(ids, { signal }))).rejects.toThrow('cancelled')
    expect(told).toEqual(['accepted'])
    await telling.run(job(ids, { run: 2 }))
    expect(told).toEqual(['accepted', 'delivered'])
  })

  test('closing waits for the listeners that are being told, and leaves the rest', async () => {
    const told: string[] = []
    listeners.add('any', async ({ type }) => {
      await delay(50)
      told.push(type)
    })
    const ids = await queued(await newMessage(store), 'accepted', 'delivered')
    const running = telling.run(job(ids))
    await delay(10)
    await telling.close(1000)
    expect(told).toEqual(['accepted'])
    expect(await running).toEqual({ told: 1, failures: [], later: ids.slice(1) })
    expect(await telling.run(job(ids))).toEqual({ told: 0, failures: [], later: ids })
    const next = started(store)
    await next.run(job(ids, { run: 2 }))
    expect(told).toEqual(['accepted', 'delivered'])
    await next.close(1000)
  })

  test('what the store cannot say comes later, and is no failure of a listener', async () => {
    const told = listen('log')
    const ids = await queued(await newMessage(store), 'delivered')
    const away: Store = {
      ...store,
      claimEvents: () => Promise.reject(new Error('connection refused')),
    }
    const cut = started(away)
    expect(await cut.run(job(ids))).toEqual({ told: 0, failures: [], later: ids })
    expect(errors).toMatchObject([{ name: 'StoreError' }])
    expect(told).toEqual([])
    await cut.close(1000)
  })
})
