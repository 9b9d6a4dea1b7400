import { expect, test } from '@jest/globals'
import { openingsOf } from '../../src/testing/store-samples.js'
import {
  added,
  first,
  idsOf,
  ingest,
  leaseOf,
  now,
  scheduleOf,
} from '../../src/testing/store-steps.js'
import { isNamed } from './interposed-pool.js'
import { ask, explained } from './postgres-database.js'

test('what is asked for by its ids is found by them, however much else is to be told', async () => {
  const { store, nodes } = await explained((query) =>
    ['earlier_events', 'untold_events', 'first_others'].some((one) => isNamed(one)(query)),
  )
  // A message with a long backlog among them, of which some are asked for.
  const record = await added(store)
  const { deliveries } = await ingest(store, openingsOf(record, 20), scheduleOf('queue'))
  await ask(
    `WITH others AS (
       INSERT INTO mailtrail_events (id, event)
       SELECT gen_random_uuid(), '{}' FROM generate_series(1, 20000) RETURNING id, position)
     INSERT INTO mailtrail_untold (event_id, position, lane, due_at, owner)
     SELECT id, position, CASE WHEN position % 2 = 0 THEN id ELSE '${record.trackingId}' END, 0, NULL
     FROM others`,
  )
  await ask('ANALYZE')
  const eventIds = idsOf(deliveries)
  const asked = { eventIds, leftBy: ['queue'], mostEarlier: 100 }
  const { blocked } = await store.claimEvents(asked, now, leaseOf(first))
  expect(blocked).toEqual([])
  const indexes = nodes.flatMap(({ index }) => index ?? [])
  expect(indexes).toEqual(
    expect.arrayContaining(['mailtrail_untold_pkey', 'mailtrail_untold_by_lane']),
  )
  expect(nodes.some(({ kind }) => kind === 'Seq Scan')).toBe(false)
  expect(Math.max(...nodes.map(({ rows }) => rows))).toBeLessThanOrEqual(eventIds.length + 1)
})
