import { afterEach, beforeEach } from '@jest/globals'
import { createPool, type Pool, type PoolOptions } from 'mysql2/promise'
import type { Tables } from '../../src/stores/sql-tables.js'
import { mysqlTables } from '../../src/stores/mysql-tables.js'
import { onConnection, type Query } from '../../src/stores/mysql-transaction.js'
import { type Database, newMysqlDatabase } from '../databases.js'

let database: Database
const ends: (() => unknown)[] = []

beforeEach(async () => {
  database = await newMysqlDatabase()
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await database.remove()
})

/** The database of this test, which is empty. */
export const url = (): string => database.url

/** Does something when the test is over: what was asked for first comes first. */
export function atEnd(end: () => unknown): void {
  ends.push(end)
}

export function newPool(options: PoolOptions = {}): Pool {
  const pool = createPool({ uri: database.url, connectionLimit: 20, ...options })
  atEnd(() => pool.end())
  return pool
}

/** Runs one transaction, once: it rejects where a store would try again. */
export async function once<T>(pool: Pool, work: (tables: Tables) => Promise<T>): Promise<T> {
  return onConnection({ pool, lent: false }, async (query) => {
    await query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
    await query('START TRANSACTION')
    try {
      const result = await work(mysqlTables(query))
      await query('COMMIT')
      return result
    } catch (error) {
      await query('ROLLBACK')
      throw error
    }
  })
}

/** What work gives, and how many rows the server read for it. */
export async function withReads<T>(
  pool: Pool,
  work: (tables: Tables) => Promise<T>,
): Promise<{ result: T; reads: number }> {
  return onConnection({ pool, lent: false }, async (query) => {
    await query('FLUSH STATUS')
    const result = await work(mysqlTables(query))
    return { result, reads: await readsOf(query) }
  })
}

async function readsOf(query: Query): Promise<number> {
  const rows = await query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Handler_read%'")
  return rows.reduce((sum, { Value: value }) => sum + Number(value), 0)
}

export function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((item) => ({ item, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item)
}
