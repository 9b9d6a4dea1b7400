import { expect, test } from '@jest/globals'
import { spansOf } from '../../src/stores/postgres-days.js'
import type { Query } from '../../src/stores/postgres-transaction.js'

const [first, second] = [1, 2].map((day) => `0199000${day}-0000-0000-0000-000000000000`)

test('days are in the order of time, in whatever order the server names them', async () => {
  const partitions = [
    { name: 'mailtrail_events_last', bound: `FOR VALUES FROM ('${second}') TO (MAXVALUE)` },
    { name: 'mailtrail_events_day', bound: `FOR VALUES FROM ('${first}') TO ('${second}')` },
    { name: 'mailtrail_events_first', bound: `FOR VALUES FROM (MINVALUE) TO ('${first}')` },
  ]
  const expected = [
    { suffix: 'first', from: undefined, to: first },
    { suffix: 'day', from: first, to: second },
    { suffix: 'last', from: second, to: undefined },
  ]
  for (const rows of [partitions, partitions.toReversed()]) {
    const query: Query = <Row>() => Promise.resolve(rows as Row[])
    expect(await spansOf(query)).toEqual(expected)
  }
})
