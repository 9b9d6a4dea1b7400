import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { createCorrelator, memoryStore } from '../src/index.js'
import { outsideClient, outsideTransport } from './outside-transport.js'
import { plainQueue } from './plain-queue.js'
import { postTo, recordNamed, signedPost, signedWebhook } from './signed-posts.js'

const second = 1000
const minute = 60 * second

/** What the documents say of times holds where nothing else is asked for. */
describe('where nothing else is said', () => {
  beforeEach(() => {
    jest.useFakeTimers()
    jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  })
  afterEach(() => {
    jest.useRealTimers()
    jest.restoreAllMocks()
  })

  /** A correlator that has been posted an event, of its own message or of none. */
  async function posted(listener: () => unknown, { ours }: { ours: boolean }) {
    const store = memoryStore()
    const correlator = createCorrelator({ store, webhooks: [signedWebhook()] })
    correlator.onError(() => {})
    const start = Date.now()
    const calls: number[] = []
    correlator.on('delivered', () => {
      calls.push(Date.now() - start)
      return listener()
    })
    if (ours) await recordNamed(correlator, 'x', 1)
    expect(await postTo(correlator, signedPost(['x', 0]))).toBe(200)
    return { store, correlator, calls }
  }

  const never = new Promise<void>(() => {})

  test('an event without a message is told as foreign after five minutes', async () => {
    const { calls, correlator } = await posted(() => {}, { ours: false })
    await jest.advanceTimersByTimeAsync(5 * minute - 1)
    expect(calls).toEqual([])
    await jest.advanceTimersByTimeAsync(2 * second)
    expect(calls).toHaveLength(1)
    await correlator.close()
  })

  test('a listener that fails is told again after 1, 2, 4 … 256 seconds, ten times in all', async () => {
    const fails = () => {
      throw new Error('no')
    }
    const { calls, correlator } = await posted(fails, { ours: true })
    await jest.advanceTimersByTimeAsync(20 * minute)
    const waits = calls.slice(1).map((time, index) => time - (calls[index] ?? 0))
    const seconds = waits.map((wait) => Math.round(wait / second))
    expect(seconds).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256])
    const { deadLetters } = await correlator.deadLetters.list()
    expect(deadLetters.map(({ failures }) => failures[0]?.attempts)).toEqual([10])
    await correlator.close()
  })

  test('a listener that takes longer than five minutes counts as failed', async () => {
    const { calls, correlator } = await posted(() => never, { ours: true })
    await jest.advanceTimersByTimeAsync(5 * minute)
    expect(calls).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(2 * second)
    expect(calls).toHaveLength(2)
    await correlator.close({ timeout: 0 })
  })

  test('a provider has 30 seconds to answer', async () => {
    let asked = (): void => {}
    const calling = new Promise<void>((resolve) => (asked = resolve))
    const client = outsideClient({
      send: () => {
        asked()
        return new Promise(() => {})
      },
    })
    const ended: unknown[] = []
    const mail = { from: 'shop@example.com', to: 'ann@example.org', subject: 'x', text: 'x' }
    nodemailer
      .createTransport(outsideTransport(client))
      .sendMail(mail)
      .catch((error: unknown) => ended.push(error))
    await jest.advanceTimersByTimeAsync(10)
    await calling
    await jest.advanceTimersByTimeAsync(30 * second - 20)
    expect(ended).toEqual([])
    await jest.advanceTimersByTimeAsync(2 * second)
    expect(ended).toMatchObject([{ category: 'timeout', outcome: 'unknown' }])
  })

  test('the body of a request has a minute to come', async () => {
    const { correlator } = await posted(() => {}, { ours: true })
    const statuses: number[] = []
    const { headers } = signedPost(['x', 0])
    const body = new ReadableStream({ pull: () => new Promise(() => {}) })
    const request = new Request('https://example.com/sendgrid', {
      method: 'POST',
      headers,
      body,
      duplex: 'half',
    })
    void correlator.handler(request).then(({ status }) => statuses.push(status))
    await jest.advanceTimersByTimeAsync(minute - 1)
    expect(statuses).toEqual([])
    await jest.advanceTimersByTimeAsync(second)
    expect(statuses).toEqual([408])
    await correlator.close()
  })

  test('a queue that does not answer is told after five seconds, and its events are overdue after 30', async () => {
    const store = memoryStore()
    const queue = plainQueue()
    const correlator = createCorrelator({ store, queue, webhooks: [signedWebhook()] })
    const errors: string[] = []
    correlator.onError(({ message }) => void errors.push(message))
    queue.silence = never
    await recordNamed(correlator, 'x', 1)
    expect(await postTo(correlator, signedPost(['x', 0]))).toBe(200)
    const overdue = async () => Date.now() - ((await store.nextDue()) ?? NaN)
    await jest.advanceTimersByTimeAsync(5 * second - 10)
    expect(errors).toEqual([])
    await jest.advanceTimersByTimeAsync(20)
    expect(errors).toEqual(['the queue failed while adding events: it has not answered for 5 s'])
    await jest.advanceTimersByTimeAsync(24 * second)
    expect(await overdue()).toBeLessThan(0)
    await jest.advanceTimersByTimeAsync(31 * second)
    expect(await overdue()).toBeGreaterThan(29 * second)
    expect(errors).toHaveLength(1)
    await correlator.close({ timeout: 0 })
  })

  test('a process that dies leaves its events to others after 30 seconds', async () => {
    const { store, calls } = await posted(() => never, { ours: true })
    await jest.advanceTimersByTimeAsync(1)
    expect(calls).toHaveLength(1)
    // Its timers are gone with it.
    jest.clearAllTimers()
    const told: number[] = []
    const dead = Date.now()
    const other = createCorrelator({ store })
    other.on('delivered', () => void told.push(Date.now() - dead))
    await jest.advanceTimersByTimeAsync(29 * second)
    expect(told).toEqual([])
    await jest.advanceTimersByTimeAsync(2 * second)
    expect(told).toHaveLength(1)
    await other.close()
  })
})
