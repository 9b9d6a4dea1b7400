import { describe, expect, test } from '@jest/globals'
import { firstTrackingId } from '../../src/matching.js'
import type { StoreQuery } from '../../src/store.js'
import { digestId } from '../../src/stores/postgres-values.js'
import { recordAt, start } from '../../src/testing/store-samples.js'
import { add } from '../../src/testing/store-steps.js'
import { ask, cutAt, explained, newPool, opened, type PlanNode } from './postgres-database.js'

const messages = 20_000
const minute = 60_000

/** One message a minute; every second one is of the one provider, every fifth one has bounced. */
async function fill(): Promise<void> {
  const label = (name: string) => `'${digestId(`tag:${name}`)}'::uuid`
  await ask(
    `CREATE TEMPORARY TABLE sent AS SELECT number,
       (lpad(to_hex(${start} + number * ${minute}), 12, '0') || '70008000' ||
         lpad(to_hex(number), 12, '0'))::uuid AS tracking_id
     FROM generate_series(0::bigint, ${messages - 1}) AS number;
     INSERT INTO mailtrail_messages (tracking_id, provider, record)
     SELECT tracking_id, 'p' || number % 2, '{"sentAt":' || ${start} + number * ${minute} || '}' FROM sent;
     INSERT INTO mailtrail_recipients (tracking_id, address_digest, address, status, state)
     SELECT tracking_id, '${digestId('ann@example.com')}', 'ann@example.com',
       CASE WHEN number % 5 = 0 THEN 'bounced' ELSE 'delivered' END, '{}' FROM sent;
     INSERT INTO mailtrail_labels (label, tracking_id)
     SELECT ${label('each')}, tracking_id FROM sent UNION ALL
     SELECT ${label('third')}, tracking_id FROM sent WHERE number % 3 = 0 UNION ALL
     SELECT ${label('rare')}, tracking_id FROM sent WHERE number % 5000 = 0`,
  )
  // Each partition by itself, as the server does: it never counts what a partitioned table holds in all.
  const { rows } = await ask(
    `SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
     WHERE relkind = 'r' AND relname LIKE 'mailtrail_%'`,
  )
  await ask(`VACUUM ANALYZE ${rows.map(({ relname }) => relname).join(', ')}`)
}

const address = 'ann@example.com'
const span = { from: start + 5000 * minute, to: start + 9000 * minute }
const third = { labels: ['tag:third'] }

/** What is asked for, which messages fit, and one of how many does. */
const queries: [StoreQuery, fits: (number: number) => boolean, every: number][] = [
  [{}, () => true, 1],
  [third, (number) => number % 3 === 0, 3],
  [{ labels: ['tag:each', 'tag:third'] }, (number) => number % 3 === 0, 3],
  [{ labels: ['tag:rare', 'tag:each', 'tag:third'] }, (number) => number % 15_000 === 0, 15_000],
  [{ ...third, status: 'bounced' }, (number) => number % 15 === 0, 15],
  [{ ...third, provider: 'p0' }, (number) => number % 6 === 0, 6],
  [{ ...third, address, provider: 'p0', status: 'bounced' }, (number) => number % 30 === 0, 30],
  [{ address, provider: 'p0' }, (number) => number % 2 === 0, 2],
]

/** The tables that a question needs, and that are read for it. */
const tablesOf = ({ labels = [], provider, ...recipient }: StoreQuery): string[] => {
  const asked = recipient.address ?? recipient.status
  return [
    ...(labels.length > 0 ? ['mailtrail_labels'] : []),
    ...(provider !== undefined || (labels.length === 0 && !asked) ? ['mailtrail_messages'] : []),
    ...(asked ? ['mailtrail_recipients'] : []),
  ]
}

const tablesIn = (nodes: readonly PlanNode[]): string[] =>
  [
    ...new Set(nodes.flatMap(({ relation = '' }) => /^mailtrail_[a-z]+/.exec(relation) ?? [])),
  ].toSorted()

test('messages are found by their own address and labels', async () => {
  const store = await opened(newPool())
  const ann = { ...recordAt(start, 'ann@example.com'), tags: ['order'] }
  const bob = { ...recordAt(start + 1, 'bob@example.com'), tags: ['order', 'rare'] }
  await add(store, ann)
  await add(store, bob)
  const found = async (query: StoreQuery): Promise<string[]> =>
    (await store.find(query, 10)).map(({ record: { trackingId } }) => trackingId)
  expect(await found({ address: 'ann@example.com' })).toEqual([ann.trackingId])
  expect(await found({ labels: ['tag:order'] })).toEqual([bob.trackingId, ann.trackingId])
  expect(await found({ labels: ['tag:rare'] })).toEqual([bob.trackingId])
  expect(await found({ labels: ['tag:rare'], address: 'ann@example.com' })).toEqual([])
})

describe.each(['whole', 'by day'])('in tables that are %s', (how) => {
  test.each(queries)(
    'the newest that fit %j are found in a walk along an index, from the cursor or a bound on',
    async (query, fits, every) => {
      await opened(newPool())
      if (how === 'by day') await cutAt(start)
      await fill()
      const { store, nodes } = await explained(({ text }) => text.includes('DISTINCT tracking_id'))
      const cursor = firstTrackingId(start + 7000 * minute)
      for (const [bounds, before, from, to] of [
        [{}, undefined, 0, messages],
        [{}, cursor, 0, 7000],
        [{ from: span.from }, undefined, 5000, messages],
        [{ to: span.to }, undefined, 0, 9000],
        [span, undefined, 5000, 9000],
        [span, cursor, 5000, 7000],
      ] as const) {
        nodes.splice(0)
        const found = await store.find({ ...query, ...bounds }, 10, before)
        const numbers = Array.from({ length: to - from }, (_, index) => to - 1 - index)
        expect(found.map(({ record: { sentAt } }) => sentAt.getTime())).toEqual(
          numbers
            .filter(fits)
            .slice(0, 10)
            .map((number) => start + number * minute),
        )
        expect(nodes.some(({ index }) => index !== undefined)).toBe(true)
        if (how === 'whole') expect(tablesIn(nodes)).toEqual(tablesOf(query))
        // Of a few rows in many partitions PostgreSQL thinks that all others cost less than to look them up.
        if (how === 'by day' && every > 1000) continue
        expect(nodes.map(({ kind }) => kind)).not.toContain('Sort')
        for (const { rows } of nodes)
          expect(rows).toBeLessThan(Math.min(60 * every, 100 + to - from))
      }
    },
    30_000,
  )
})
