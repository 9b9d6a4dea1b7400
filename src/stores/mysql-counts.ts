import { digest } from '../ids.js'
import { counted, noCounts } from '../counts.js'
import { mysqlLists, short } from './mysql-lists.js'
import { countedValue } from './mysql-migrations.js'
import type { Query } from './mysql-transaction.js'
import type { Tables } from './sql-tables.js'

/**
 * Over how many rows each count is spread: who adds to a row holds it until the transaction ends,
 * and everybody adds to those of the day.
 */
const shards = 8

/** What is counted of messages. */
export function mysqlCounts(query: Query): Pick<Tables, 'addCounts' | 'counts'> {
  const { insert } = mysqlLists(query)
  const shard = Math.floor(Math.random() * shards)

  return {
    async addCounts(changes) {
      const rows = changes.map(({ dimension, start, provider, value, counts }) => ({
        dimension: Buffer.from(dimension),
        start,
        provider: short(provider),
        valueDigest: digest(value),
        rest: [
          shard,
          Buffer.from(value).subarray(0, countedValue),
          ...counted.map((name) => counts[name] ?? 0),
        ],
      }))
      // In the order of the key, or two who change the same rows might wait for each other.
      const sorted = rows.toSorted(
        (a, b) =>
          Buffer.compare(a.dimension, b.dimension) ||
          a.start - b.start ||
          Buffer.compare(a.provider, b.provider) ||
          Buffer.compare(a.valueDigest, b.valueDigest),
      )
      await insert(
        `mailtrail_counts (dimension, start, provider, value_digest, shard, value, ${counted.join(', ')})`,
        sorted.map((row) => [row.dimension, row.start, row.provider, row.valueDigest, ...row.rest]),
        `ON DUPLICATE KEY UPDATE ${counted.map((name) => `${name} = ${name} + VALUES(${name})`).join(', ')}`,
      )
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
}
