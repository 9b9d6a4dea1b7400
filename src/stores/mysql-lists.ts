import type { MysqlValue, Query } from './mysql-transaction.js'

/** How many bytes go into one statement: written out they are twice as many, and servers bound that. */
const statementSize = 2_000_000

/**
 * How many values one list has. MariaDB makes a table of a thousand, and then goes through rows, and
 * locks them, in another order.
 */
const longestList = 500

/** How many rows one statement changes, each to something of its own. */
const changedAtOnce = 100

/** How many bytes a short text has room for. */
const shortText = 255

export type Row = readonly MysqlValue[]

/** Statements about lists: one of them, or several where the list is long, and none where it is empty. */
export interface Lists {
  /** Inserts rows, in their order. */
  insert(into: string, rows: readonly Row[], otherwise?: string): Promise<void>
  /** Runs a statement with the list as one of its values, and resolves to all the rows it gives. */
  each<Found>(sql: string, list: readonly MysqlValue[], before?: Row, after?: Row): Promise<Found[]>
  /** Sets columns of several rows, each to values of its own. */
  set(
    table: string,
    key: string,
    columns: readonly string[],
    rows: readonly { key: Buffer; values: Row }[],
    also?: string,
    alsoValues?: Row,
  ): Promise<void>
}

export function mysqlLists(query: Query): Lists {
  return {
    async insert(into, rows, otherwise = '') {
      for (const part of parts(rows)) {
        await query(`INSERT INTO ${into} VALUES ? ${otherwise}`, [part])
      }
    },

    async each<Found>(sql: string, list: Row, before: Row = [], after: Row = []) {
      const found: Found[] = []
      for (let start = 0; start < list.length; start += longestList) {
        const part = list.slice(start, start + longestList)
        found.push(...(await query<Found>(sql, [...before, part, ...after])))
      }
      return found
    },

    async set(table, key, columns, rows, also = '', alsoValues = []) {
      for (const part of parts(
        rows.map((row) => [row.key, ...row.values]),
        changedAtOnce,
      )) {
        const cases = part.map(() => 'WHEN ? THEN ?').join(' ')
        const changes = columns.map((column) => `${column} = CASE ${key} ${cases} END`)
        const values = columns.flatMap((_, index) =>
          part.flatMap(([id = null, ...row]) => [id, row[index] ?? null]),
        )
        await query(`UPDATE ${table} SET ${changes.join(', ')}${also} WHERE ${key} IN (?)`, [
          ...values,
          ...alsoValues,
          part.map(([id = null]) => id),
        ])
      }
    },
  }
}

/** @throws where a server without a strict mode would cut it off in silence */
export function short(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length > shortText) {
    throw new Error(
      `the MySQL store takes names of up to ${shortText} bytes: ${text.slice(0, 32)}…`,
    )
  }
  return bytes
}

export function optional(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text)
}

/** The rows in parts of sensible size, each of one row at least. */
function* parts(rows: readonly Row[], longest = Infinity): Generator<Row[]> {
  let part: Row[] = []
  let size = 0
  for (const row of rows) {
    const bytes = row.reduce<number>(
      (sum, value) => sum + (Buffer.isBuffer(value) ? value.length : 8),
      0,
    )
    if (part.length > 0 && (size + bytes > statementSize || part.length >= longest)) {
      yield part
      part = []
      size = 0
    }
    part.push(row)
    size += bytes
  }
  if (part.length > 0) yield part
}
