import { describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { createCorrelator, memoryStore } from '../src/index.js'
import { prune } from '../src/retention.js'
import type { PruneLimits } from '../src/store.js'
import { start } from '../src/testing/store-samples.js'
import { postTo, recordNamed, signedPost, signedWebhook } from './signed-posts.js'

const hour = 3600_000
const day = 24 * hour
const at = (time: number): Date => new Date(start + time)

/** A store that has so much left to remove, and notes what it was asked. */
function asked(...left: number[]) {
  const limits: PruneLimits[] = []
  return {
    limits,
    prune: async (given: PruneLimits): Promise<number> => {
      limits.push(given)
      return left.shift() ?? 0
    },
  }
}

describe('what is kept for so long', () => {
  test('is removed step by step, until nothing is left', async () => {
    const store = asked(500, 3)
    const progress: number[] = []
    const retention = { messages: at(0), onProgress: (removed: number) => progress.push(removed) }
    expect(await prune(store, retention, start)).toBe(503)
    expect(progress).toEqual([500, 503])
  })

  test('is of each kind what is asked for; tokens go after a day and minutes after two', async () => {
    const store = asked()
    await prune(store, {}, start)
    await prune(store, { messages: at(1), events: at(2), tokens: at(3), counts: at(4) }, start)
    expect(store.limits).toEqual([
      { nonces: start - day, minutes: start - 2 * day },
      {
        messages: start + 1,
        events: start + 2,
        nonces: start + 3,
        days: start + 4,
        minutes: start - 2 * day,
      },
    ])
  })

  test('is put together, of days that are over, where it was counted in parts', async () => {
    const days: number[] = []
    const parts = [5, 2, 0]
    const mergeCounts = async (before: number): Promise<number> => {
      days.push(before)
      return parts.shift() ?? 0
    }
    expect(await prune({ ...asked(1), mergeCounts }, {}, start + 5 * hour)).toBe(1)
    expect(days).toEqual([start, start, start])
  })

  test('stays from where a signal is aborted', async () => {
    const controller = new AbortController()
    const store = asked(500, 500, 500)
    const retention = { signal: controller.signal, onProgress: () => controller.abort() }
    await expect(prune(store, retention, start)).rejects.toThrow('aborted')
    expect(store.limits).toHaveLength(1)
  })

  test.each(['messages', 'events', 'tokens', 'counts'])(
    'has a date for %s, or none',
    async (kind) => {
      const wrong = { [kind]: new Date('no') }
      await expect(prune(asked(), wrong, start)).rejects.toThrow(`prune: ${kind} must be a date`)
    },
  )

  test('is pruned by the correlator', async () => {
    const correlator = createCorrelator({ store: memoryStore() })
    const record = (sentAt: Date) =>
      correlator.record({
        provider: 'x',
        providerMessageId: `p-${sentAt.getTime()}`,
        recipients: ['ann@example.org'],
        sentAt,
      })
    await record(at(0))
    const kept = await record(at(hour))
    // The minutes in which they were sent are long ago, too.
    expect(await correlator.prune({ messages: at(1) })).toBe(3)
    const { messages } = await correlator.find()
    expect(messages.map(({ trackingId }) => trackingId)).toEqual([kept])
  })
})

test('where nobody listens what is to be told stays and grows overdue, until somebody listens, though to nothing', async () => {
  const store = memoryStore()
  const correlator = createCorrelator({ store, webhooks: [signedWebhook()], foreignAfter: 0 })
  const trackingId = await recordNamed(correlator, 'x', 1)
  await postTo(correlator, signedPost(['x', 0], ['nobody', 0]))
  const tomorrow = new Date(Date.now() + day)
  const kept = async () => [
    (await correlator.message(trackingId))?.events.length,
    ((await store.nextDue()) ?? Infinity) <= Date.now(),
  ]
  // Long enough for somebody to look for it.
  await delay(20)
  await correlator.prune({ messages: tomorrow, events: tomorrow })
  expect(await kept()).toEqual([1, true])
  correlator.onAny(() => {})
  await correlator.drain()
  expect(await kept()).toEqual([1, false])
  await correlator.prune({ messages: tomorrow, events: tomorrow })
  expect(await kept()).toEqual([undefined, false])
  await correlator.close()
})

test('an event of a message that is gone is told as foreign', async () => {
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [signedWebhook()],
    foreignAfter: 0,
  })
  const told: (string | undefined)[] = []
  correlator.on('delivered', ({ correlation }, message) => {
    told.push(correlation.status, message?.trackingId)
  })
  const trackingId = await recordNamed(correlator, 'x', 2)
  await postTo(correlator, signedPost(['x', 0]))
  await correlator.drain()
  await correlator.prune({ messages: new Date(Date.now() + day) })
  await postTo(correlator, signedPost(['x', 1]))
  await correlator.drain()
  expect(told).toEqual(['matched', trackingId, 'foreign', undefined])
  await correlator.close()
})

describe('who is forgotten', () => {
  test('stands in no answer any more, in whatever form it was written', async () => {
    const correlator = createCorrelator({ store: memoryStore() })
    const address = 'ann@bücher.example'
    const trackingId = await correlator.record({
      provider: 'x',
      providerMessageId: 'p-1',
      recipients: ['ann@xn--bcher-kva.example', 'bob@example.org'],
      subject: 'For ANN@Bücher.example',
    })
    await correlator.suppressions.add(address)
    expect(await correlator.forget(`Ann <${address}>`)).toBe(1)
    const message = await correlator.message(trackingId)
    expect(message?.subject).toMatch(/^For forgotten-[\da-f-]{36}@forgotten\.invalid$/)
    expect(message?.recipients.map((recipient) => recipient.address)).toEqual([
      message?.subject?.slice(4),
      'bob@example.org',
    ])
    expect(await correlator.suppressions.get(address)).toEqual([])
    expect((await correlator.stats()).total).toMatchObject({ messages: 1, recipients: 2 })
  })

  test('is somebody', async () => {
    const correlator = createCorrelator({ store: memoryStore() })
    await expect(correlator.forget('example')).rejects.toThrow('forget: an address is needed')
  })
})
