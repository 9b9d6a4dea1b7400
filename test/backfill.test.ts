import { describe, expect, test } from '@jest/globals'
import { backfill, type BackfillOptions } from '../src/backfill.js'
import {
  createCorrelator,
  type EventHistory,
  HistoryError,
  type HistoryRequest,
  memoryStore,
  type ParsedEvent,
} from '../src/index.js'
import type { StorePage } from '../src/backfill.js'

const from = new Date('2026-01-01T00:00:00Z')
const to = new Date('2026-01-01T06:00:00Z')

const eventAt = (index: number): ParsedEvent => ({
  type: 'delivered',
  providerEvent: 'delivered',
  tags: [],
  metadata: {},
  recipient: `r${index}@example.org`,
  providerMessageId: `p-${index}`,
  occurredAt: new Date(from.getTime() + index * 1000),
  raw: { index },
})

interface Told extends EventHistory {
  asked: Omit<HistoryRequest, 'sent'>[]
}

/** Six pages of two events; `before` is called ahead of each. */
function pagedHistory(before: (page: number) => void | Promise<void> = () => {}): Told {
  const asked: Told['asked'] = []
  return {
    provider: 'plain',
    asked,
    async *read({ sent: _sent, ...request }) {
      asked.push(request)
      for (let page = Number(request.position ?? 0); page < 6; page += 1) {
        await before(page)
        yield { events: [eventAt(page * 2), eventAt(page * 2 + 1)], position: String(page + 1) }
      }
    },
  }
}

const deliveries = async (correlator: ReturnType<typeof createCorrelator>): Promise<number> => {
  let told = 0
  correlator.on('delivered', () => void (told += 1))
  await correlator.drain()
  return told
}

describe('what was missed', () => {
  test('is stored and told once, and what was known is not told again', async () => {
    const correlator = createCorrelator({ store: memoryStore(), foreignAfter: 0 })
    const progress: number[] = []
    const options = {
      from,
      to,
      onProgress: ({ events }: { events: number }) => progress.push(events),
    }
    expect(await correlator.backfill(pagedHistory(), options)).toEqual({
      provider: 'plain',
      from,
      to,
      resumed: false,
      pages: 6,
      events: 12,
      missed: 12,
    })
    expect(progress).toEqual([2, 4, 6, 8, 10, 12])
    expect(await correlator.backfill(pagedHistory(), { from, to })).toMatchObject({ missed: 0 })
    expect(await deliveries(correlator)).toBe(12)
  })

  test('joins its messages', async () => {
    const correlator = createCorrelator({ store: memoryStore() })
    const trackingId = await correlator.record({
      provider: 'plain',
      providerMessageId: 'p-3',
      recipients: ['r3@example.org'],
    })
    await correlator.backfill(pagedHistory(), { from, to })
    expect(await correlator.message(trackingId)).toMatchObject({ status: 'delivered' })
  })

  test('is taken up where a run was cut off, in another process too', async () => {
    const store = memoryStore()
    const dies = pagedHistory((page) => {
      if (page === 4) throw new Error('killed')
    })
    const first = createCorrelator({ store })
    await expect(first.backfill(dies, { from })).rejects.toThrow('killed')
    const { to: end } = dies.asked[0] ?? {}
    const goesOn = pagedHistory()
    const second = createCorrelator({ store })
    expect(await second.backfill(goesOn, { from })).toMatchObject({
      resumed: true,
      to: end,
      pages: 2,
      missed: 4,
    })
    expect(goesOn.asked).toEqual([{ from, to: end, position: '4' }])
    const again = pagedHistory()
    const { resumed, to: later } = await second.backfill(again, { from })
    expect(resumed).toBe(false)
    expect(later.getTime()).toBeGreaterThanOrEqual(end?.getTime() ?? Infinity)
    expect(again.asked).toEqual([{ from, to: later }])
  })

  test('is not taken up at the place of another span', async () => {
    const store = memoryStore()
    const correlator = createCorrelator({ store })
    const dies = pagedHistory((page) => {
      if (page === 4) throw new Error('killed')
    })
    await expect(correlator.backfill(dies, { from, to })).rejects.toThrow('killed')
    const later = new Date(to.getTime() + 1)
    const other = pagedHistory()
    expect(await correlator.backfill(other, { from, to: later })).toMatchObject({ resumed: false })
    expect(other.asked).toEqual([{ from, to: later }])
  })

  test('is not lost with a page that could not be stored', async () => {
    const store = memoryStore()
    const { ingest } = store
    let stored = 0
    store.ingest = async (...batch) => {
      stored += 1
      if (stored === 3) throw new Error('the disk is full')
      return ingest(...batch)
    }
    const correlator = createCorrelator({ store })
    await expect(correlator.backfill(pagedHistory(), { from, to })).rejects.toThrow('disk is full')
    expect(await correlator.backfill(pagedHistory(), { from, to })).toMatchObject({
      resumed: true,
      pages: 4,
      missed: 8,
    })
  })
})

describe('a provider that does not answer', () => {
  const run = async (history: EventHistory, options: Partial<BackfillOptions> = {}) => {
    const waits: number[] = []
    const storePage: StorePage = async () => ({ duplicates: 0 })
    const pause = async (wait: number): Promise<void> => void waits.push(wait)
    const done = await backfill(
      history,
      { from, to, ...options },
      { store: memoryStore(), storePage, pause },
    ).then(
      ({ pages }) => ({ pages }),
      (error: unknown) => ({ error }),
    )
    return { ...done, waits }
  }

  const failing = (times: number, error: Error): EventHistory => {
    let left = times
    return pagedHistory((page) => {
      if (page === 2 && left > 0) {
        left -= 1
        throw error
      }
    })
  }

  test('is asked again with growing waits, or when it says', async () => {
    expect(await run(failing(3, new HistoryError('busy', true)))).toEqual({
      pages: 6,
      waits: [1000, 2000, 4000],
    })
    expect(await run(failing(2, new HistoryError('busy', true, 77)))).toEqual({
      pages: 6,
      waits: [77, 77],
    })
  })

  test('is given up after six tries, and at once when it will not answer either way', async () => {
    const busy = new HistoryError('busy', true)
    expect(await run(failing(9, busy))).toMatchObject({ error: busy, waits: { length: 5 } })
    const wrongKey = new HistoryError('the key is wrong', false)
    expect(await run(failing(9, wrongKey))).toEqual({ error: wrongKey, waits: [] })
  })

  test('is asked no more when the signal is aborted', async () => {
    const controller = new AbortController()
    const history = pagedHistory((page) => {
      if (page === 3) controller.abort()
    })
    expect(await run(history, { signal: controller.signal })).toMatchObject({
      error: { name: 'AbortError' },
    })
  })

  test.each<[options: BackfillOptions, message: string]>([
    [{ from: to, to: from }, 'backfill: from must be before to'],
    [{ from: new Date('no') }, 'backfill: from must be a date'],
    [{ from, to: new Date('no') }, 'backfill: to must be a date'],
  ])('is not asked for a span that is none', async (options, message) => {
    expect(await run(pagedHistory(), options)).toMatchObject({ error: { message } })
  })
})

test('a history that goes by messages gets ours of the time, the newest first, page by page', async () => {
  const correlator = createCorrelator({ store: memoryStore() })
  const sentAt = (hours: number): Date => new Date(from.getTime() + hours * 3600_000)
  const record = (id: string, provider: string, hours: number) =>
    correlator.record({
      provider,
      providerMessageId: id,
      recipients: ['ann@example.org'],
      sentAt: sentAt(hours),
    })
  for (const [id, hours] of [
    ['more than a week before', -169],
    ['before', -167],
    ['in it', 1],
    ['after', 7],
  ] as const) {
    await record(id, 'plain', hours)
  }
  await record('of another', 'other', 1)
  const seen: string[][] = []
  const history: EventHistory = {
    provider: 'plain',
    async *read({ sent }) {
      let after: string | undefined
      for (;;) {
        const page = await sent(after)
        if (page.length === 0) return
        seen.push(page.flatMap(({ providerMessageIds }) => providerMessageIds))
        after = page.at(-1)?.trackingId
        yield { events: [], position: after ?? '' }
      }
    },
  }
  await correlator.backfill(history, { from, to })
  expect(seen).toEqual([['in it', 'before']])
})
