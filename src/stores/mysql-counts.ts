import { digest } from '../ids.js'
import { counted, noCounts } from '../counts.js'
import type { CountChange, Counted } from '../store.js'
import { mysqlLists, type Row, short } from './mysql-lists.js'
import { countedValue } from './mysql-migrations.js'
import type { Query } from './mysql-transaction.js'
import type { Tables } from './sql-tables.js'

/**
 * Over how many rows each count is spread: who adds to a row holds it until the transaction ends,
 * and everybody adds to those of the day.
 */
const shards = 8

/** So many parts are put together at once, for a transaction has no more than some seconds. */
const mostMerged = 2000

/** A count with its key. */
interface Place {
  dimension: Buffer
  start: number
  provider: Buffer
  value_digest: Buffer
}

type Part = Place & { shard: number; value: Buffer } & Record<Counted, number>

/** What is counted of messages. */
export function mysqlCounts(query: Query): Pick<Tables, 'addCounts' | 'counts' | 'mergeCounts'> {
  const { each, insert } = mysqlLists(query)
  const mine = Math.floor(Math.random() * shards)

  return {
    async addCounts(changes) {
      const rows = changes.map(({ dimension, start, provider, value, counts }) => ({
        dimension: Buffer.from(dimension),
        start,
        provider: short(provider),
        value_digest: digest(value),
        value: Buffer.from(value).subarray(0, countedValue),
        counts,
      }))
      await add(rows, mine)
    },

    async mergeCounts(before) {
      const parts = await query<Part>(
        `SELECT * FROM mailtrail_counts FORCE INDEX (mailtrail_counts_by_shard)
         WHERE shard IN (?) AND start < ? LIMIT ${mostMerged} FOR UPDATE SKIP LOCKED`,
        [Array.from({ length: shards - 1 }, (_, index) => index + 1), before],
      )
      await each(
        `DELETE counts FROM mailtrail_counts AS counts FORCE INDEX (PRIMARY)
         WHERE (dimension, start, provider, value_digest, shard) IN (?)`,
        parts.map((part) => [...keyOf(part), part.shard]),
      )
      const rows = parts.map((part) => ({
        ...part,
        counts: Object.fromEntries(counted.map((name) => [name, Number(part[name])])),
      }))
      await add(rows, 0)
      return parts.length
    },

    async counts({ dimension, from, to, provider, by, limit }) {
      const [key, group] = by === 'value' ? ['MIN(value)', 'value_digest'] : [by, by]
      const rows = await query<Record<string, unknown>>(
        `SELECT ${key} AS place, SUM(recipients + events) AS size,
           ${counted.map((name) => `SUM(${name}) AS ${name}`).join(', ')}
         FROM mailtrail_counts FORCE INDEX (PRIMARY)
         WHERE dimension = ? AND start >= ? AND start < ?
           ${provider === undefined ? '' : 'AND provider = ?'}
         GROUP BY ${group} ORDER BY ${by === 'start' ? '' : 'size DESC,'} place LIMIT ?`,
        [
          Buffer.from(dimension),
          from,
          to,
          ...(provider === undefined ? [] : [Buffer.from(provider)]),
          limit,
        ],
      )
      return rows.map((row) => {
        const counts = { ...noCounts }
        // Sums are decimals, which come as text.
        for (const name of counted) counts[name] = Number(row[name])
        return { key: String(row['place']), counts }
      })
    },
  }

  async function add(
    rows: readonly (Place & { value: Buffer; counts: CountChange['counts'] })[],
    shard: number,
  ): Promise<void> {
    // In the order of the key, or two who change the same rows might wait for each other.
    const sorted = rows.toSorted(
      (a, b) =>
        Buffer.compare(a.dimension, b.dimension) ||
        Number(a.start) - Number(b.start) ||
        Buffer.compare(a.provider, b.provider) ||
        Buffer.compare(a.value_digest, b.value_digest),
    )
    await insert(
      `mailtrail_counts (dimension, start, provider, value_digest, shard, value, ${counted.join(', ')})`,
      sorted.map((row) => [
        ...keyOf(row),
        shard,
        row.value,
        ...counted.map((name) => row.counts[name] ?? 0),
      ]),
      `ON DUPLICATE KEY UPDATE ${counted.map((name) => `${name} = ${name} + VALUES(${name})`).join(', ')}`,
    )
  }
}

function keyOf({ dimension, start, provider, value_digest: value }: Place): Row {
  return [dimension, Number(start), provider, value]
}
