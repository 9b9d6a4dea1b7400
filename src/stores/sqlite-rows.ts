import type { SqliteDatabase, SqliteValue } from './sqlite-driver.js'

/** So many rows go into one statement, for to call SQLite costs as much as to write a row; the rest one by one. */
const together = 32

/**
 * A statement for any number of rows. Rows that are inserted by it into a table with a rowid get one after the
 * other, in their order.
 *
 * @param write the statement for rows that are written as given, such as `(?, ?), (?, ?)`
 * @returns runs it; resolves to the rowid of the last row
 */
export function prepareRows(
  database: SqliteDatabase,
  width: number,
  write: (rows: string) => string,
): (rows: readonly (readonly SqliteValue[])[]) => number {
  const row = width === 1 ? '?' : `(${Array(width).fill('?').join(', ')})`
  const one = database.prepare(write(row))
  const many = database.prepare(write(Array(together).fill(row).join(', ')))
  return (rows) => {
    let last: number | bigint = 0
    let start = 0
    for (; start + together <= rows.length; start += together) {
      last = many.run(...rows.slice(start, start + together).flat()).lastInsertRowid
    }
    for (const values of rows.slice(start)) last = one.run(...values).lastInsertRowid
    return Number(last)
  }
}
