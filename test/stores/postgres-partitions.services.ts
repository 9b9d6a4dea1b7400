import { describe, expect, jest, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { firstTrackingId } from '../../src/matching.js'
import type { MessageRecord } from '../../src/message.js'
import type { PruneLimits, Store } from '../../src/store.js'
import { postgresStore } from '../../src/stores/postgres.js'
import { cutDays, lockDays, missingCuts } from '../../src/stores/postgres-days.js'
import { daysLock, lockClass } from '../../src/stores/postgres-locks.js'
import { altering, inTransaction } from '../../src/stores/postgres-transaction.js'
import { batchOf, recordAt, resultOf, start } from '../../src/testing/store-samples.js'
import {
  add,
  answer,
  byFirst,
  byNobody,
  claim,
  farAhead,
  first,
  giveUp,
  idsOf,
  ingest,
  now,
  openingsIn,
  second,
  tell,
} from '../../src/testing/store-steps.js'
import { interposedPool, isCommit } from './interposed-pool.js'
import {
  ask,
  atEnd,
  cutAt,
  newPool,
  open,
  opened,
  pausedStore,
  url,
  urlOfWriter,
  waits,
} from './postgres-database.js'

const day = 24 * 3600_000

jest.setTimeout(30_000)

/** The day that is pruned is the first one of the samples; it ends with this. */
const over: PruneLimits = { messages: start + day, events: start + day }

/** Statements that were sent. */
function recordedPool(texts: string[]) {
  return interposedPool(newPool(), async (query, send) => {
    texts.push(query.text)
    return send()
  })
}

/** A store whose tables are cut at the beginning of the first day of the samples, and of those that follow. */
async function byDay(texts: string[] = []): Promise<Store> {
  const whole = await opened(newPool())
  await cutAt(start - day)
  await whole.close()
  return opened(recordedPool(texts))
}

/** The partitions of a table, by what follows its name, in the order of time. */
async function partitionsOf(table: string): Promise<string[]> {
  const { rows } = await ask(
    `SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
     WHERE inhparent = 'mailtrail_${table}'::regclass`,
  )
  return rows.map(({ relname }) => String(relname).replace(`mailtrail_${table}_`, '')).toSorted()
}

const timed = ['events', 'provider_keys', 'messages', 'recipients', 'labels', 'keys']

async function rowsOf(table: string): Promise<number> {
  return (await ask(`SELECT FROM mailtrail_${table}`)).rowCount ?? 0
}

/** Everything that can be removed is, and how much that was. */
async function pruned(store: Store, limits = over, most = 100): Promise<number> {
  let sum = 0
  for (;;) {
    const count = await store.prune(limits, most)
    if (count === 0) return sum
    sum += count
  }
}

const openedAt = (record: MessageRecord, time: number, reportedAs = time) =>
  batchOf({
    type: 'opened',
    ownId: record.trackingId,
    recipient: 'ann@example.com',
    occurredAt: new Date(reportedAs),
    providerEventId: `e-${record.trackingId}-${time}`,
  })

/** A message that is known by the provider's id, and opened. */
async function sent(store: Store, sentAt: number, openedAfter = 1000): Promise<MessageRecord> {
  const record = recordAt(sentAt, 'ann@example.com')
  await add(store, record)
  await answer(store, record, resultOf(record, `p-${record.trackingId}`))
  const { deliveries } = await ingest(store, openedAt(record, sentAt + openedAfter))
  await tell(store, idsOf(deliveries))
  return record
}

/** An event without a message that was told. */
async function foreign(store: Store, time: number): Promise<string> {
  const batch = batchOf({
    type: 'delivered',
    providerMessageId: `q-${time}`,
    occurredAt: new Date(time),
  })
  await ingest(store, batch, { ...byFirst, foreignAt: now })
  const ids = idsOf(await claim(store, first, now))
  await tell(store, ids)
  return ids[0] ?? ''
}

describe('a day that is over', () => {
  test('is dropped with all that is in it, and none of its rows is removed', async () => {
    const texts: string[] = []
    const store = await byDay(texts)
    for (let index = 0; index < 20; index += 1) await sent(store, start + index)
    await foreign(store, start + 100)
    const young = await sent(store, start + day)
    texts.splice(0)
    expect(await pruned(store)).toBe(21)
    for (const table of timed) {
      const partitions = await partitionsOf(table)
      expect(partitions.slice(0, 2)).toEqual(['before_20260102', 'from_20260102'])
      expect(partitions).not.toContain('first')
      const { rows } = await ask(
        `SELECT relname FROM pg_class WHERE relname ~ '^mailtrail_${table}_(first|from_20260101)$'`,
      )
      expect(rows).toEqual([])
    }
    const removed = texts.filter((text) =>
      new RegExp(`DELETE FROM mailtrail_(?:${timed.join('|')})\\s`).test(text),
    )
    expect(removed).toEqual([])
    expect(await rowsOf('waiting')).toBe(0)
    expect(await openingsIn(store, young)).toBe(1)
    expect(await store.find({ address: 'ann@example.com' }, 10)).toHaveLength(1)
    // It is found to be done, and the next day is dropped as soon as it is over.
    expect(await pruned(store)).toBe(0)
    expect(await pruned(store, { messages: start + 2 * day, events: start + 2 * day })).toBe(1)
    expect(await partitionsOf('messages')).toContain('before_20260103')
  })

  test('leaves what is still to be told of it, which is told, and removed the next time', async () => {
    const store = await byDay()
    for (let index = 0; index < 5; index += 1) await sent(store, start + index)
    const kept = await sent(store, start + 10)
    await ingest(store, openedAt(kept, start + day + 5), byNobody)
    const alone = batchOf({
      type: 'delivered',
      providerMessageId: 'q',
      occurredAt: new Date(start),
    })
    await ingest(store, alone)
    expect(await pruned(store)).toBe(5)
    expect(await partitionsOf('messages')).not.toContain('from_20260101')
    expect(await openingsIn(store, kept)).toBe(2)
    expect(
      await store.find({ address: 'ann@example.com', labels: ['tag:order'] }, 10),
    ).toHaveLength(1)
    // The time of one may differ by a little when it is reported again.
    for (const reportedAs of [start + 1010, start + 1011]) {
      const again = await ingest(store, openedAt(kept, start + 1010, reportedAs))
      expect(again).toMatchObject({ duplicates: 1 })
    }
    const byKey = batchOf({ type: 'complained', providerMessageId: `p-${kept.trackingId}` })
    expect(await ingest(store, byKey, byNobody)).toMatchObject({ trackingIds: [kept.trackingId] })
    const late = await claim(store, second, farAhead)
    expect(late.map(({ event: { type }, message }) => [type, message?.trackingId])).toEqual(
      expect.arrayContaining([
        ['opened', kept.trackingId],
        ['complained', kept.trackingId],
        ['delivered', undefined],
      ]),
    )
    await tell(store, idsOf(late))
    expect(await pruned(store)).toBe(2)
    for (const table of [...timed, 'waiting', 'untold']) expect(await rowsOf(table)).toBe(0)
  })

  test('leaves what is being written when it is dropped', async () => {
    const store = await byDay()
    const record = await sent(store, start)
    const writer = await pausedStore(isCommit)
    const coming = ingest(writer.store, openedAt(record, start + 2), byNobody)
    await writer.reached
    const pruning = store.prune(over, 100)
    expect(await waits(pruning)).toBe(true)
    writer.resume()
    await coming
    await pruning
    expect(await partitionsOf('messages')).not.toContain('from_20260101')
    expect(await openingsIn(store, record)).toBe(2)
    expect(await claim(store, first, farAhead)).toHaveLength(1)
  })

  test('takes nothing more once it is known what has to be kept', async () => {
    const store = await byDay()
    const record = await sent(store, start)
    const pruner = await pausedStore(({ text }) => text.includes(' DETACH PARTITION '))
    const pruning = pruner.store.prune(over, 100)
    await pruner.reached
    const coming = ingest(store, openedAt(record, start + 2), byNobody)
    expect(await waits(coming)).toBe(true)
    pruner.resume()
    await Promise.all([pruning, coming])
    expect(await partitionsOf('messages')).not.toContain('from_20260101')
    expect(await claim(store, first, farAhead)).toHaveLength(1)
  })

  test('that another process drops meanwhile is dropped, and the next one is', async () => {
    const store = await byDay()
    await sent(store, start)
    const next = await sent(store, start + day)
    const pruner = await pausedStore(({ text }) =>
      text.includes('count(*) FROM mailtrail_messages_'),
    )
    const until = { messages: start + 2 * day, events: start + 2 * day }
    const pruning = pruner.store.prune(until, 100)
    await pruner.reached
    expect(await pruned(store)).toBe(1)
    pruner.resume()
    await pruning
    while ((await store.prune(until, 100)) > 0);
    expect(await store.message(next.trackingId)).toBeUndefined()
    expect((await partitionsOf('messages')).slice(0, 2)).toEqual([
      'before_20260103',
      'from_20260103',
    ])
  })

  test.each([1, 100])(
    'leaves nothing elsewhere, removed by %d: later events, dead letters, what waited',
    async (most) => {
      const store = await byDay()
      const record = await sent(store, start, day + 7)
      const [letter = ''] = idsOf((await ingest(store, openedAt(record, start + 3))).deliveries)
      const [late = ''] = idsOf((await ingest(store, openedAt(record, start + day + 9))).deliveries)
      await giveUp(store, [letter, late])
      await foreign(store, start + 5)
      expect(await rowsOf('waiting')).toBe(1)
      expect(await pruned(store, over, most)).toBeGreaterThan(0)
      for (const table of [...timed, 'waiting', 'dead_letters']) expect(await rowsOf(table)).toBe(0)
    },
  )

  test('leaves events of it whose message is of another day', async () => {
    const store = await byDay()
    const young = await sent(store, start + day, -5000)
    expect(await pruned(store)).toBe(0)
    expect(await openingsIn(store, young)).toBe(1)
  })

  test('is left as it is while it is not wholly over', async () => {
    const store = await byDay()
    const record = await sent(store, start)
    const within = { messages: start + day - 1, events: start + day - 1 }
    expect(await pruned(store, within)).toBe(0)
    expect(await openingsIn(store, record)).toBe(1)
    expect(await pruned(store)).toBe(1)
  })

  test.each(['messages', 'events'] as const)(
    'is removed row by row where only %s are',
    async (kind) => {
      const store = await byDay()
      await sent(store, start)
      await foreign(store, start + 1)
      expect(await pruned(store, { [kind]: start + day })).toBe(1)
      expect(await partitionsOf('events')).toContain('from_20260101')
      expect(await rowsOf('events')).toBe(1)
    },
  )

  test('is removed up to the very time where only messages are', async () => {
    const store = await byDay()
    await sent(store, start)
    await sent(store, start + 2)
    expect(await pruned(store, { messages: start + 1 })).toBe(1)
    expect(await rowsOf('messages')).toBe(1)
  })

  test.each<[string, PruneLimits, messages: number]>([
    ['events', { messages: start, events: start + day }, 1],
    ['messages', { messages: start + day, events: start }, 0],
    ['messages within a day', { messages: start + 1, events: start }, 0],
  ])(
    'is removed row by row where it is over for %s, and not yet for the others',
    async (_, limits, messages) => {
      const store = await byDay()
      await sent(store, start)
      await foreign(store, start + 1)
      expect(await pruned(store, limits)).toBe(1)
      expect(await partitionsOf('events')).toContain('from_20260101')
      expect([await rowsOf('messages'), await rowsOf('events')]).toEqual([messages, 1])
    },
  )

  test('is removed row by row where it lies before the first cut, or after the last one', async () => {
    const store = await byDay()
    await sent(store, start - 3 * day)
    await sent(store, start - 2 * day)
    const oldest = { messages: start - 3 * day + 1, events: start - 3 * day + 1 }
    expect(await pruned(store, oldest)).toBe(1)
    expect(await rowsOf('messages')).toBe(1)
    expect(await partitionsOf('messages')).toContain('first')
    const distant = start + 10_000 * day
    await sent(store, distant)
    await sent(store, distant + 2)
    expect(await pruned(store, { messages: distant + 1, events: distant + 1 })).toBe(2)
    expect(await rowsOf('messages')).toBe(1)
  })

  test('is removed row by row while somebody is at its tables for long', async () => {
    const store = await byDay()
    await sent(store, start)
    const reader = await newPool().connect()
    await reader.query('BEGIN; SELECT count(*) FROM mailtrail_messages')
    expect(await pruned(store)).toBe(1)
    expect(await partitionsOf('messages')).toContain('from_20260101')
    await reader.query('COMMIT')
    reader.release()
    // It is tried again by others, and after a minute by itself.
    expect(await pruned(store)).toBe(0)
    expect(await partitionsOf('messages')).toContain('from_20260101')
    expect(await pruned(await opened(newPool()))).toBe(0)
    expect(await partitionsOf('messages')).not.toContain('from_20260101')
  }, 30_000)

  test('is dropped when who is at its tables is soon done', async () => {
    const store = await byDay()
    await sent(store, start)
    const reader = await newPool().connect()
    await reader.query('BEGIN; SELECT count(*) FROM mailtrail_messages')
    const pruning = pruned(store)
    expect(await waits(pruning)).toBe(true)
    // Longer than it waits for once.
    await delay(150)
    await reader.query('COMMIT')
    reader.release()
    expect(await pruning).toBe(1)
    expect(await partitionsOf('messages')).not.toContain('from_20260101')
  })

  test('is removed row by row where to drop it would take too long', async () => {
    await sent(await byDay(), start)
    const slow = interposedPool(newPool(), async (query, send) => {
      if (query.text.includes(' DETACH PARTITION ')) await send({ text: 'SELECT pg_sleep(5)' })
      return send()
    })
    expect(await pruned(await opened(slow))).toBe(1)
    expect(await rowsOf('messages')).toBe(0)
    expect(await partitionsOf('messages')).toContain('from_20260101')
  })

  const untoldEvents = (count: number) =>
    batchOf(
      ...Array.from({ length: count }, (_, index) => ({
        type: 'delivered' as const,
        providerMessageId: `q-${index}`,
        occurredAt: new Date(start),
      })),
    )

  /** A day with a message that is told of, and so many events that are not. */
  async function dayWithUntold(count: number): Promise<Store> {
    const store = await byDay()
    await sent(store, start)
    await ingest(store, untoldEvents(count))
    return store
  }

  test('is removed row by row where very much of it is still to be told, and when that is told just now', async () => {
    const store = await dayWithUntold(501)
    expect(await pruned(store)).toBe(1)
    expect(await partitionsOf('events')).toContain('from_20260101')
    const untold = await claim(store, first, farAhead)
    expect(untold).toHaveLength(501)
    await tell(store, idsOf(untold))
    expect(await pruned(store)).toBe(501)
    expect(await partitionsOf('events')).toContain('from_20260101')
  })

  test('is removed row by row where too much of it is to be told by the time it could be dropped', async () => {
    const store = await byDay()
    await sent(store, start)
    let droppings = 0
    // The first one is of what lies before that day, where there is nothing.
    const pruner = await pausedStore(({ text }) => text === lockDays.text && ++droppings === 2)
    const pruning = pruned(pruner.store)
    await pruner.reached
    await ingest(store, untoldEvents(501), byNobody)
    pruner.resume()
    expect(await pruning).toBe(1)
    expect(await partitionsOf('events')).toContain('from_20260101')
    expect(await claim(store, first, farAhead)).toHaveLength(501)
  })

  test('is dropped where just not too much of it is still to be told', async () => {
    const store = await dayWithUntold(500)
    expect(await pruned(store)).toBe(1)
    expect(await partitionsOf('events')).not.toContain('from_20260101')
    expect(await claim(store, first, farAhead)).toHaveLength(500)
  })

  test('is dropped the next time where the server fails, and who prunes is told', async () => {
    await sent(await byDay(), start)
    let failures = 0
    const failing = interposedPool(newPool(), async (query, send) => {
      if (query.text.includes(' DETACH PARTITION ') && failures++ === 0) {
        return send({ text: 'SELECT 1 / 0' })
      }
      return send()
    })
    const store = await opened(failing)
    await expect(store.prune(over, 100)).rejects.toThrow('division by zero')
    expect(await rowsOf('messages')).toBe(1)
    expect(await pruned(store)).toBe(1)
    expect(await partitionsOf('messages')).not.toContain('from_20260101')
  })
})

describe('partitions of days', () => {
  const today = Date.now() - (Date.now() % day)
  const suffixOf = (time: number) =>
    `from_${new Date(time).toISOString().slice(0, 10).replaceAll('-', '')}`

  test.each([0, 1, 12 * 3600_000, day - 1])('begin at midnight, %d ms after one', (time) => {
    const cuts = Array.from({ length: 8 }, (_, index) => start + (index + 1) * day)
    expect(missingCuts([], start + time)).toEqual(cuts)
    const spans = [{ suffix: 'first' }, { suffix: 'last', from: firstTrackingId(start + 3 * day) }]
    expect(missingCuts(spans, start + time)).toEqual(cuts.slice(3))
  })

  test('are made for the coming week by whoever opens a database where they were asked for once', async () => {
    const whole = open(url())
    const record = await sent(whole, Date.now())
    expect(await partitionsOf('events')).toEqual(['first'])
    const asked = postgresStore(url(), { partitions: 'day' })
    atEnd(() => asked.close())
    await asked.open()
    const week = Array.from({ length: 8 }, (_, index) => suffixOf(today + (index + 1) * day))
    for (const table of timed) expect(await partitionsOf(table)).toEqual(['first', ...week])
    expect(await openingsIn(asked, record)).toBe(1)
    expect(await openingsIn(whole, record)).toBe(1)
  })

  test.each(['opens', 'prunes'])(
    'are made ahead again by whoever %s later, with what has come since',
    async (what) => {
      await opened(newPool())
      await cutAt(today - 12 * day)
      // Somebody is at a table, so whoever opens now leaves it for the next time.
      const busy = await newPool().connect()
      await busy.query('BEGIN; LOCK TABLE ONLY mailtrail_messages IN ACCESS SHARE MODE')
      const store = await opened(newPool())
      expect(await partitionsOf('messages')).not.toContain(suffixOf(today + 8 * day))
      await busy.query('COMMIT')
      busy.release()
      const record = await sent(store, today)
      const far = await sent(store, today + 400 * day)
      if (what === 'opens') await opened(newPool())
      else await store.prune({}, 10)
      const partitions = await partitionsOf('messages')
      expect(partitions).toContain(suffixOf(today - 4 * day))
      expect(partitions).not.toContain(suffixOf(today))
      expect(partitions).toContain(suffixOf(today + 8 * day))
      const { rows } = await ask(
        `SELECT tableoid::regclass::text AS place FROM mailtrail_messages ORDER BY tracking_id`,
      )
      expect(rows.map(({ place }) => place)).toEqual([
        `mailtrail_messages_${suffixOf(today - 4 * day)}`,
        `mailtrail_messages_${suffixOf(today + 8 * day)}`,
      ])
      for (const one of [record, far]) expect(await openingsIn(store, one)).toBe(1)
    },
  )

  test('that are there are not made again, and who opens the database locks nothing', async () => {
    await (await byDay()).close()
    const before = await partitionsOf('events')
    const texts: string[] = []
    const store = await opened(recordedPool(texts))
    expect(texts.filter((text) => text.includes(`${lockClass}, ${daysLock}`))).toEqual([])
    // As where another one has made them since they were looked for.
    await inTransaction(newPool(), altering, (query) => cutDays(query, Date.now()))
    expect(await partitionsOf('events')).toEqual(before)
    await store.close()
  })

  test('take an event of any time', async () => {
    const store = await byDay()
    const times = ['1999-12-31', '2026-01-01', '2099-01-01'].map((date) => Date.parse(date))
    const record = await sent(store, start)
    for (const time of times) await ingest(store, openedAt(record, time))
    await sent(store, Date.parse('1999-01-01'))
    await sent(store, Date.parse('2099-01-01'))
    expect(await openingsIn(store, record)).toBe(4)
    await pruned(store)
    for (const time of times) {
      const batch = batchOf({
        type: 'delivered',
        providerMessageId: 'q',
        occurredAt: new Date(time),
      })
      expect(await ingest(store, batch)).toMatchObject({ waiting: 1 })
      expect(await ingest(store, batch)).toMatchObject({ duplicates: 1 })
    }
  })

  test('are made and dropped by many at once while others write, and nobody fails or loses anything', async () => {
    const store = await byDay()
    for (let index = 0; index < 3; index += 1) await sent(store, start + index * day)
    // Of days that are dropped meanwhile and of those that stay, each with something that is still to be told.
    const records: MessageRecord[] = []
    for (let index = 0; index < 6; index += 1) {
      const record = recordAt(start + index * day, 'ann@example.com')
      await add(store, record)
      await ingest(store, openedAt(record, start + index * day + 1), byNobody)
      records.push(record)
    }
    let allPruned = false
    let written = 6
    const writing = Array.from({ length: 3 }, async () => {
      const writer = await opened(newPool())
      while (written < 100 || !allPruned) {
        written += 1
        const index = written % 6
        const [record] = records.slice(index)
        if (record) await ingest(writer, openedAt(record, start + index * day + written), byNobody)
      }
    })
    const opening = Array.from({ length: 2 }, async () => {
      for (let index = 0; index < 5; index += 1) await opened(newPool())
    })
    const pruning = Array.from({ length: 2 }, async () => {
      const pruner = await opened(newPool())
      const limits = { messages: start + 3 * day, events: start + 3 * day }
      return pruned(pruner, limits)
    })
    const counts = await Promise.all(pruning)
    await Promise.all(opening)
    allPruned = true
    await Promise.all(writing)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3)
    expect(await partitionsOf('messages')).toContain('before_20260104')
    const openings = await Promise.all(records.map((record) => openingsIn(store, record)))
    expect(openings.reduce((sum, count) => sum + count, 0)).toBe(written)
    expect(await claim(store, first, farAhead, 10_000)).toHaveLength(written)
  }, 60_000)

  test('are used by who may not make them', async () => {
    await byDay()
    const store = open(await urlOfWriter())
    const record = await sent(store, start)
    expect(await openingsIn(store, record)).toBe(1)
    expect(await pruned(store)).toBe(1)
  })

  test('are not begun by who may not make them, and who asks is told', async () => {
    await opened(newPool())
    const store = postgresStore(await urlOfWriter(), { partitions: 'day' })
    await expect(store.open()).rejects.toThrow('must be owner')
    await store.close()
  })

  test('are not begun by pruning', async () => {
    const store = await opened(newPool())
    await sent(store, start)
    expect(await pruned(store)).toBe(1)
    expect(await partitionsOf('messages')).toEqual(['first'])
  })

  test('can be asked for by day alone', () => {
    expect(() => postgresStore(url(), JSON.parse('{"partitions":"week"}'))).toThrow("'day'")
  })
})
