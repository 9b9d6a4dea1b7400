import type { CountDimension, CountQuery, CountRow, Store } from '../store.js'
import { batchOf, recordAt, resultOf, start } from './store-samples.js'
import { same } from './comparing.js'
import { add, answer, type Checks, ingest } from './store-steps.js'

const day = 24 * 3600_000

/** What was counted, without what is nothing. */
async function counted(
  store: Store,
  dimension: CountDimension,
  query: Partial<CountQuery> = {},
): Promise<[key: string, counts: Record<string, number>][]> {
  const rows = await store.counts({
    dimension,
    from: 0,
    to: start + 1000 * day,
    by: 'value',
    limit: 100,
    ...query,
  })
  return rows.map(({ key, counts }: CountRow) => [
    key,
    Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
  ])
}

const hard = { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } } as const

/** What is counted of messages, recipients and events. */
export const countChecks: Checks = {
  async 'a message is counted when it is written, and otherwise when it is answered'({
    store,
    other,
  }) {
    const record = recordAt(start, 'ann@example.com', 'bob@example.org')
    await add(store, record)
    const written = { messages: 1, recipients: 2, pending: 2 }
    same(await counted(other, 'all'), [['', written]])
    await add(store, record)
    same(await counted(other, 'all'), [['', written]])
    await answer(store, record, resultOf(record, 'p-1'))
    same(await counted(other, 'all'), [['', { messages: 1, sent: 1, recipients: 2, accepted: 2 }]])
  },

  async 'a message that failed is counted with its reason'({ store }) {
    const record = recordAt(start, 'ann@example.com')
    await add(store, record)
    await answer(store, record, {
      outcome: 'failed',
      recipients: record.recipients.map((entry) => ({ ...entry, status: 'failed' })),
      error: {
        code: 'EAUTH',
        category: 'auth',
        message: 'no',
        retryable: false,
        outcome: 'not-sent',
      },
    })
    same(await counted(store, 'all'), [['', { messages: 1, unsent: 1, recipients: 1, failed: 1 }]])
    same(await counted(store, 'reason'), [['unsent: auth', { events: 1 }]])
  },

  async 'a recipient is counted under what became of it, each fact once'({ store, other }) {
    const record = recordAt(start, 'ann@example.com', 'bob@example.org')
    await add(store, record)
    const of = { ownId: record.trackingId, recipient: 'ann@example.com' }
    const batch = batchOf(
      { type: 'delivered', ...of },
      { type: 'opened', ...of },
      { type: 'opened', ...of, ip: '203.0.113.1' },
      { type: 'clicked', url: 'https://example.com/a?for=ann', ...of },
      { ...hard, ownId: record.trackingId, recipient: 'bob@example.org' },
    )
    await Promise.all([ingest(store, batch), ingest(other, batch), ingest(store, batch)])
    const ann = { recipients: 1, delivered: 1, opened: 1, clicked: 1, opens: 2, clicks: 1 }
    same(await counted(store, 'domain'), [
      ['example.com', ann],
      ['example.org', { recipients: 1, bounced: 1 }],
    ])
    same(await counted(store, 'all'), [['', { messages: 1, ...ann, recipients: 2, bounced: 1 }]])
    same(await counted(store, 'reason'), [['bounced: hard', { events: 1 }]])
    same(await counted(store, 'link'), [['https://example.com/a', { events: 1 }]])
  },

  async 'an event that waited is counted with its message, once however often that is written'({
    store,
  }) {
    const record = recordAt(start, 'ann@example.com')
    await ingest(store, batchOf({ ...hard, ownId: record.trackingId }))
    same(await counted(store, 'all'), [])
    for (let written = 0; written < 2; written += 1) {
      await add(store, record)
      same(await counted(store, 'all'), [['', { messages: 1, recipients: 1, bounced: 1 }]])
      same(await counted(store, 'reason'), [['bounced: hard', { events: 1 }]])
    }
  },

  async 'what is sent again by another provider is counted there alone'({ store }) {
    const record = recordAt(start, 'ann@example.com')
    await add(store, record)
    await ingest(store, batchOf({ type: 'delivered', ownId: record.trackingId }))
    await add(store, { ...record, provider: 'other', tags: ['late'], templateId: 't-1' })
    const counts = { messages: 1, recipients: 1, delivered: 1 }
    same(
      (await counted(store, 'all', { by: 'provider' })).filter(
        ([, row]) => Object.keys(row).length > 0,
      ),
      [['other', counts]],
    )
    const others = (rows: [string, object][]): [string, object][] =>
      rows.filter(([, row]) => Object.keys(row).length > 0)
    same(others(await counted(store, 'tag')), [['late', counts]])
    same(others(await counted(store, 'template')), [['t-1', counts]])
  },

  async 'counts are added up by day, provider and value, in the span that is asked for'({ store }) {
    for (const [time, provider, address] of [
      [start, 'a', 'ann@example.com'],
      [start + day - 1, 'b', 'bob@example.org'],
      [start + day, 'b', 'cid@example.org'],
      [start + 2 * day, 'b', 'eve@example.net'],
    ] as const) {
      await add(store, { ...recordAt(time, address), provider })
    }
    const one = { messages: 1, recipients: 1, pending: 1 }
    const two = { messages: 2, recipients: 2, pending: 2 }
    const span = { from: start, to: start + 2 * day }
    same(await counted(store, 'all', { ...span, by: 'start' }), [
      [String(start), two],
      [String(start + day), one],
    ])
    same(await counted(store, 'all', { ...span, by: 'provider' }), [
      ['b', two],
      ['a', one],
    ])
    same(await counted(store, 'all', { ...span, provider: 'a' }), [['', one]])
    same(await counted(store, 'domain', { from: start + day }), [
      ['example.net', { recipients: 1, pending: 1 }],
      ['example.org', { recipients: 1, pending: 1 }],
    ])
    same(await counted(store, 'domain', { limit: 1 }), [
      ['example.org', { recipients: 2, pending: 2 }],
    ])
    same(await counted(store, 'minute', { by: 'start', from: start + day, to: start + day + 1 }), [
      [String(start + day), one],
    ])
  },

  async 'counts come in the order of their times, and values with what was seen most often first'({
    store,
  }) {
    for (const days of [2, 0, 2, 1]) {
      await add(store, recordAt(start + days * day, 'ann@example.com'))
    }
    same(
      (await counted(store, 'all', { by: 'start' })).map(([key]) => Number(key)),
      [start, start + day, start + 2 * day],
    )
    const record = recordAt(start, 'ann@example.com')
    await add(store, record)
    const clicks = ['a', 'b', 'b', 'c', 'c', 'c', 'b', 'b'].map((page, index) => ({
      type: 'clicked' as const,
      url: `https://example.com/${page}`,
      ip: `203.0.113.${index}`,
      ownId: record.trackingId,
    }))
    await ingest(store, batchOf(...clicks))
    same(
      (await counted(store, 'link')).map(([key]) => key),
      ['b', 'c', 'a'].map((page) => `https://example.com/${page}`),
    )
  },

  async 'many at once are all counted'({ store, other }) {
    const records = Array.from({ length: 40 }, () => recordAt(start, 'ann@example.com'))
    await Promise.all(
      records.map(async (record, index) => {
        const mine = index % 2 === 0 ? store : other
        await add(mine, record)
        await answer(index % 3 === 0 ? store : other, record, resultOf(record, `p-${index}`))
        await ingest(mine, batchOf({ type: 'delivered', ownId: record.trackingId }))
      }),
    )
    same(await counted(store, 'all'), [
      ['', { messages: 40, sent: 40, recipients: 40, delivered: 40 }],
    ])
  },

  async 'parts of counts are put together, of what is before the given time, and nothing is lost'({
    store,
    other,
  }) {
    const records = Array.from({ length: 24 }, (_, index) =>
      recordAt(start + (index % 2) * day, 'ann@example.com'),
    )
    await Promise.all(records.map((record, index) => add(index % 3 === 0 ? other : store, record)))
    const span = { by: 'start' } as const
    const before = await counted(store, 'all', span)
    const merge = async (time: number): Promise<void> => {
      while (((await store.mergeCounts?.(time)) ?? 0) > 0);
    }
    await Promise.all([
      merge(start + day),
      other.mergeCounts?.(start + day),
      merge(start + 2 * day),
    ])
    same(await counted(store, 'all', span), before)
    same(
      before.map(([, { messages }]) => messages),
      [12, 12],
    )
    await Promise.all(
      records.map((record) => answer(store, record, resultOf(record, record.trackingId))),
    )
    same(
      (await counted(other, 'all', span)).map(([, { sent }]) => sent),
      [12, 12],
    )
  },

  async 'what values look like does not matter'({ store }) {
    const odd = ["it's", '%_"', 'x'.repeat(5000), 'Straße', 'STRASSE', 'a', 'A']
    await add(store, { ...recordAt(start, 'ann@example.com'), tags: odd })
    const rows = await counted(store, 'tag')
    same(
      rows.map(([value]) => value).toSorted(),
      odd.map((value) => value.slice(0, 200)).toSorted(),
    )
  },
}
