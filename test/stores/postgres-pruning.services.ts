import { beforeEach, describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { firstTrackingId } from '../../src/matching.js'
import type { MessageRecord } from '../../src/message.js'
import type { PruneLimits, Store } from '../../src/store.js'
import type { PgQuery } from '../../src/stores/postgres.js'
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
  tell,
} from '../../src/testing/store-steps.js'
import { interposedPool, isCommit } from './interposed-pool.js'
import {
  ask,
  explained,
  newPool,
  opened,
  opening,
  pausedStore,
  waits,
  watchedPool,
} from './postgres-database.js'

let store: Store
beforeEach(async () => {
  store = await opened(newPool())
})

const all: PruneLimits = { messages: farAhead, events: farAhead, nonces: farAhead, days: farAhead }

/** A message with an event that was told. */
async function told(index = 0): Promise<MessageRecord> {
  const record = recordAt(start + index, 'ann@example.com')
  await add(store, record)
  await tell(store, idsOf((await ingest(store, opening(record))).deliveries))
  return record
}

/** An event without a message that was told. */
async function foreign(): Promise<string> {
  await ingest(store, batchOf({ type: 'opened', providerMessageId: 'p' }), {
    ...byFirst,
    foreignAt: now,
  })
  const [id = ''] = idsOf(await claim(store, first))
  await tell(store, [id])
  return id
}

/** How many rows there are in each table that has some. */
async function rowsIn(): Promise<Record<string, number>> {
  const { rows } = await ask(
    `SELECT tablename FROM pg_tables WHERE tablename LIKE 'mailtrail_%' ORDER BY tablename`,
  )
  const counts: Record<string, number> = {}
  for (const { tablename } of rows) {
    const { rowCount } = await ask(`SELECT FROM ${tablename}`)
    if (rowCount) counts[String(tablename).replace('mailtrail_', '')] = rowCount
  }
  return counts
}

/** Prunes; it looks at these rows at once, and locks what it saw only when it has slept. */
async function slowPruning(rows: string) {
  let looked = (): void => {}
  const looking = new Promise<void>((resolve) => {
    looked = resolve
  })
  const slow = interposedPool(newPool(), async (query, send) => {
    if (!query.text.includes(`FROM ${rows}`)) return send()
    const sleeping = 'WHERE (SELECT true FROM pg_sleep(0.5)) AND '
    const sent = send({ ...query, text: query.text.replace('WHERE ', sleeping) })
    looked()
    return sent
  })
  const pruning = (await opened(slow)).prune({ messages: farAhead, events: farAhead }, 10)
  return { looking: looking.then(() => delay(100)), pruning }
}

test('several that prune at once share the work, and leave nothing', async () => {
  for (let index = 0; index < 60; index += 1) {
    const record = await told(index)
    await answer(store, record, resultOf(record, `p-${index}`))
  }
  const alone = Array.from({ length: 60 }, (_, index) => ({
    type: 'delivered' as const,
    providerMessageId: `q-${index}`,
    providerEventId: `e-${index}`,
  }))
  await ingest(store, batchOf(...alone))
  expect(await rowsIn()).toMatchObject({ provider_keys: 60 })
  await tell(store, idsOf(await claim(store, first, farAhead)))
  for (let index = 0; index < 60; index += 1) {
    await store.ingest({ events: [], nonce: { token: `t-${index}`, content: 'a' } }, byFirst)
  }
  const { counts = 0 } = await rowsIn()
  const codes: unknown[] = []
  const handles = await Promise.all(Array.from({ length: 4 }, () => opened(watchedPool(codes))))
  const removed = await Promise.all(
    handles.map(async (handle) => {
      let sum = 0
      for (;;) {
        const count = await handle.prune({ ...all, minutes: farAhead }, 7)
        sum += count
        // Whatever the others are at is theirs.
        if (count === 0) return sum
      }
    }),
  )
  expect(removed.reduce((sum, one) => sum + one, 0)).toBe(180 + counts)
  expect(await rowsIn()).toEqual({ migrations: 2 })
  expect(codes).toEqual([])
}, 30_000)

describe('a message of which something is still to be told stays', () => {
  test('when its event is being written', async () => {
    const record = await told()
    const writer = await pausedStore(isCommit)
    const coming = ingest(writer.store, opening(record, 1), byNobody)
    await writer.reached
    const pruning = store.prune(all, 10)
    expect(await waits(pruning)).toBe(false)
    writer.resume()
    await coming
    expect(await store.prune({ messages: farAhead }, 10)).toBe(0)
    expect(await openingsIn(store, record)).toBe(2)
  })

  test('when its event was written since it was looked for', async () => {
    const record = await told()
    const { looking, pruning } = await slowPruning('mailtrail_messages AS message')
    await looking
    await ingest(store, opening(record, 1), byNobody)
    expect(await pruning).toBe(0)
    expect(await openingsIn(store, record)).toBe(2)
  })

  test('when a dead letter of none is told again since it was looked for', async () => {
    const id = await foreign()
    await ask(
      `INSERT INTO mailtrail_dead_letters SELECT id, position, '{}', 0 FROM mailtrail_events`,
    )
    const { looking, pruning } = await slowPruning('mailtrail_events AS event')
    await looking
    expect(await store.replay([id], now)).toBe(1)
    expect(await pruning).toBe(0)
    expect(idsOf(await claim(store, first))).toEqual([id])
  })

  test.each(['of a message', 'of none'])('when a dead letter %s is told again', async (whose) => {
    let id = ''
    if (whose === 'of none') id = await foreign()
    else [id = ''] = idsOf((await ingest(store, opening(await told(), 1))).deliveries)
    if (whose === 'of none') {
      await ask(
        `INSERT INTO mailtrail_dead_letters SELECT id, position, '{}', 0 FROM mailtrail_events`,
      )
    } else await giveUp(store, [id])
    const replayer = await pausedStore(isCommit)
    const replaying = replayer.store.replay([id], now)
    await replayer.reached
    const pruning = store.prune({ messages: farAhead, events: farAhead }, 10)
    expect(await waits(pruning)).toBe(whose === 'of a message')
    replayer.resume()
    expect(await replaying).toBe(1)
    expect(await pruning).toBe(0)
    expect(idsOf(await claim(store, first))).toEqual([id])
  })
})

test('a dead letter that is removed meanwhile is not told again', async () => {
  const [id = ''] = idsOf((await ingest(store, opening(await told(), 1))).deliveries)
  await giveUp(store, [id])
  const pruner = await pausedStore(isCommit)
  const pruning = pruner.store.prune({ messages: farAhead }, 10)
  await pruner.reached
  const replaying = store.replay([id], now)
  expect(await waits(replaying)).toBe(true)
  pruner.resume()
  expect(await pruning).toBe(1)
  expect(await replaying).toBe(0)
  expect(await store.nextDue()).toBeUndefined()
})

test('what comes for a message that is being removed waits, and finds none', async () => {
  const record = await told()
  const pruner = await pausedStore(isCommit)
  const pruning = pruner.store.prune({ messages: farAhead }, 10)
  await pruner.reached
  const coming = ingest(store, opening(record, 1))
  expect(await waits(coming)).toBe(true)
  pruner.resume()
  expect(await pruning).toBe(1)
  expect(await coming).toMatchObject({ trackingIds: [], waiting: 1 })
})

test('an event that joins its message meanwhile stays', async () => {
  await foreign()
  const record = recordAt(start, 'ann@example.com')
  await add(store, record)
  const writer = await pausedStore(isCommit)
  const answering = answer(writer.store, record, resultOf(record, 'p'))
  await writer.reached
  expect(await store.prune({ events: farAhead }, 10)).toBe(0)
  writer.resume()
  await answering
  expect(await store.prune({ events: farAhead }, 10)).toBe(0)
  expect((await store.message(record.trackingId))?.events).toHaveLength(1)
})

test('an id that a later message has taken over still leads to it', async () => {
  const [old, late] = [await told(0), await told(1)]
  await answer(store, old, resultOf(old, 'p'))
  await answer(store, late, resultOf(late, 'p'))
  expect(await store.prune({ messages: start + 1 }, 10)).toBe(1)
  const { trackingIds } = await ingest(
    store,
    batchOf({ type: 'delivered', providerMessageId: 'p' }),
  )
  expect(trackingIds).toEqual([late.trackingId])
})

test('a token that comes again while it is removed is taken, whatever its content', async () => {
  const nonce = { token: 't', content: 'a' }
  await store.ingest({ events: [], nonce }, byFirst)
  const pruner = await pausedStore(isCommit)
  const pruning = pruner.store.prune({ nonces: farAhead }, 10)
  await pruner.reached
  const coming = store.ingest({ events: [], nonce: { ...nonce, content: 'b' } }, byFirst)
  expect(await waits(coming)).toBe(true)
  pruner.resume()
  expect(await pruning).toBe(1)
  expect((await coming).kind).toBe('stored')
})

describe('among very much a chunk alone is read', () => {
  const messages = 20_000

  /** A message a minute with its events, as many events without one, and as many tokens. */
  async function fill(): Promise<void> {
    const id = (table: number) =>
      `(lpad(to_hex(${start} + number * 60000), 12, '0') || '7000' || '800${table}' ||
         lpad(to_hex(number), 12, '0'))::uuid`
    const numbers = `generate_series(0::bigint, ${messages - 1}) AS number`
    const record = JSON.stringify(recordAt(start, 'ann@example.com'))
    await ask(
      `INSERT INTO mailtrail_messages SELECT ${id(0)}, 'p', '${record}' FROM ${numbers};
       INSERT INTO mailtrail_recipients
       SELECT ${id(0)}, md5('ann')::uuid, 'ann', 'accepted', '{}' FROM ${numbers};
       INSERT INTO mailtrail_labels SELECT md5('tag')::uuid, ${id(0)} FROM ${numbers};
       INSERT INTO mailtrail_keys SELECT md5(number::text)::uuid, ${id(0)} FROM ${numbers};
       INSERT INTO mailtrail_events (id, tracking_id, event)
       SELECT ${id(1)}, ${id(0)}, '{}' FROM ${numbers};
       INSERT INTO mailtrail_events (id, event) SELECT ${id(2)}, '{}' FROM ${numbers};
       INSERT INTO mailtrail_waiting
       SELECT md5(number::text)::uuid, ${id(2)}, 'provider-id' FROM ${numbers};
       INSERT INTO mailtrail_dead_letters SELECT id, position, '{}', 0 FROM mailtrail_events;
       INSERT INTO mailtrail_untold
       SELECT id, position, coalesce(tracking_id, id), 0 FROM mailtrail_events
       WHERE id >= '${firstTrackingId(start + (messages / 2) * 60_000)}';
       INSERT INTO mailtrail_nonces
       SELECT md5(number::text)::uuid, md5('')::uuid, number FROM ${numbers};
       INSERT INTO mailtrail_counts (dimension, start, value_digest, shard, provider, value)
       SELECT dimension, number, md5(number::text)::uuid, 0, 'p', number::text
       FROM unnest('{tag,link}'::text[]) AS dimension, ${numbers}`,
    )
  }

  const isWork = ({ text }: PgQuery): boolean => /mailtrail_(?!migrations)/.test(text)

  test.each(['known', 'not known'])(
    'where it is %s how much there is',
    async (what) => {
      await fill()
      if (what === 'known') await ask('VACUUM ANALYZE')
      const pruner = await explained(isWork)
      const removed = await pruner.store.prune({ ...all, days: 50 }, 100)
      expect(removed).toBe(400)
      expect(pruner.nodes.length).toBeGreaterThan(20)
      expect(pruner.nodes.map(({ kind }) => kind)).not.toContain('Seq Scan')
      expect(pruner.nodes.filter(({ rows }) => rows > 200)).toEqual([])
      expect(pruner.nodes.map(({ index }) => index)).toEqual(
        expect.arrayContaining([
          'mailtrail_messages_first_pkey',
          'mailtrail_events_first_id_idx',
          'mailtrail_nonces_by_time',
          'mailtrail_counts_pkey',
          'mailtrail_waiting_by_event',
        ]),
      )
      const left = await rowsIn()
      expect(left).toMatchObject({ messages: messages - 100, recipients: messages - 100 })
      expect(left).toMatchObject({ events: 2 * messages - 200, dead_letters: 2 * messages - 200 })
      expect(left).toMatchObject({ waiting: messages - 100, labels: messages - 100 })
    },
    30_000,
  )
})
