import { describe, expect, test } from '@jest/globals'
import { createCorrelator, memoryStore } from '../src/index.js'
import { readStatistics } from '../src/statistics.js'
import type { Store } from '../src/store.js'
import { batchOf, recordAt, resultOf, start } from '../src/testing/store-samples.js'
import { add, answer, ingest } from '../src/testing/store-steps.js'

const day = 24 * 3600_000
const from = new Date(start)
const span = { from, to: new Date(start + 3 * day) }

const failure = {
  code: 'EAUTH',
  category: 'auth',
  message: 'no',
  retryable: false,
  outcome: 'not-sent',
} as const

/** Four messages on two days, of which one failed and one reached two of three. */
async function busyStore(): Promise<Store> {
  const store = memoryStore()
  const three = ['ann@a.example', 'bob@a.example', 'cid@b.example']
  const welcome = { ...recordAt(start + 5, ...three), tags: ['welcome'], templateId: 't-1' }
  await add(store, welcome)
  await answer(store, welcome, resultOf(welcome, 'p-1'))
  const ownId = welcome.trackingId
  await ingest(
    store,
    batchOf(
      { type: 'delivered', ownId, recipient: 'ann@a.example' },
      { type: 'delivered', ownId, recipient: 'bob@a.example' },
      { type: 'opened', ownId, recipient: 'ann@a.example' },
      { type: 'clicked', ownId, recipient: 'ann@a.example', url: 'https://shop.example/a?u=1' },
      { type: 'clicked', ownId, recipient: 'bob@a.example', url: 'https://shop.example/a?u=2' },
      { type: 'clicked', ownId, recipient: 'bob@a.example', url: 'https://shop.example/b' },
      {
        type: 'bounced',
        bounce: { kind: 'hard', asynchronous: false, enhancedCode: '5.1.1' },
        ownId,
        recipient: 'cid@b.example',
      },
    ),
  )
  const failed = { ...recordAt(start + day, 'ann@a.example'), provider: 'other', tags: [] }
  await add(store, failed)
  await answer(store, failed, {
    outcome: 'failed',
    recipients: failed.recipients.map((entry) => ({ ...entry, status: 'failed' })),
    error: failure,
  })
  return store
}

describe('statistics', () => {
  test('tell what became of the messages of a span, and what that is of all', async () => {
    const { total } = await readStatistics(await busyStore(), span)
    expect(total).toEqual({
      messages: 2,
      sent: 1,
      unsent: 1,
      recipients: 4,
      pending: 0,
      accepted: 0,
      deferred: 0,
      delivered: 2,
      bounced: 1,
      rejected: 0,
      failed: 1,
      opened: 1,
      clicked: 2,
      complained: 0,
      unsubscribed: 0,
      opens: 1,
      clicks: 3,
      rates: {
        failure: 1 / 2,
        delivery: 2 / 3,
        bounce: 1 / 3,
        open: 1 / 2,
        click: 1,
        complaint: 0,
      },
    })
  })

  test('tell it by day, provider, template, tag and domain', async () => {
    const statistics = await readStatistics(await busyStore(), span)
    const sizes = (rows: { name: string; messages: number; recipients: number }[]) =>
      rows.map(({ name, messages, recipients }) => [name, messages, recipients])
    expect(
      statistics.byDay.map(({ day: at, messages, unsent }) => [at.getTime(), messages, unsent]),
    ).toEqual([
      [start, 1, 0],
      [start + day, 1, 1],
    ])
    expect(sizes(statistics.byProvider)).toEqual([
      ['postmark', 1, 3],
      ['other', 1, 1],
    ])
    expect(sizes(statistics.byTemplate)).toEqual([['t-1', 1, 3]])
    expect(sizes(statistics.byTag)).toEqual([['welcome', 1, 3]])
    expect(sizes(statistics.byDomain)).toEqual([
      ['a.example', 0, 3],
      ['b.example', 0, 1],
    ])
  })

  test('name the reasons of what failed, and the links that were clicked most', async () => {
    const { reasons, links } = await readStatistics(await busyStore(), span)
    expect(reasons).toEqual([
      { reason: 'bounced: hard 5.1.1', count: 1 },
      { reason: 'unsent: auth', count: 1 },
    ])
    expect(links).toEqual([
      { url: 'https://shop.example/a', clicks: 2 },
      { url: 'https://shop.example/b', clicks: 1 },
    ])
  })

  test('are of one provider, and of whole days, where that is asked for', async () => {
    const store = await busyStore()
    const late = { from: new Date(start + day + 1), to: new Date(start + 2 * day) }
    expect((await readStatistics(store, { ...span, provider: 'other' })).total.messages).toBe(1)
    const statistics = await readStatistics(store, late)
    expect(statistics.from).toEqual(new Date(start + day))
    expect(statistics.total.messages).toBe(1)
    expect((await readStatistics(store, { ...span, limit: 1 })).byDomain).toHaveLength(1)
  })

  test('are of the last thirty days with today, and say nothing of shares where there is nothing', async () => {
    const correlator = createCorrelator({ store: memoryStore() })
    const { from: first, to, total } = await correlator.stats()
    expect(to.getTime() - first.getTime()).toBe(30 * day)
    expect(to.getTime()).toBeGreaterThan(Date.now())
    expect(total.rates).toEqual({})
    await correlator.record({
      provider: 'x',
      providerMessageId: 'p-1',
      recipients: ['ann@example.org'],
    })
    expect((await correlator.stats()).total).toMatchObject({ messages: 1, recipients: 1 })
  })

  test.each([
    [{ from: new Date('no') }, 'stats: from must be a date'],
    [{ from: new Date(start + day), to: from }, 'stats: from must not be after to'],
  ])('refuse a span that is none: %j', async (query, message) => {
    await expect(readStatistics(memoryStore(), query)).rejects.toThrow(message)
  })
})
