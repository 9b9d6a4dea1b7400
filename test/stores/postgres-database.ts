import { afterEach, beforeEach } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, Pool, type PoolConfig } from 'pg'
import type { MessageRecord } from '../../src/message.js'
import { fields } from '../../src/payload.js'
import type { IncomingBatch, Store } from '../../src/store.js'
import { type PgPool, type PgQuery, postgresStore } from '../../src/stores/postgres.js'
import { cutDays } from '../../src/stores/postgres-days.js'
import { altering, inTransaction } from '../../src/stores/postgres-transaction.js'
import { batchOf } from '../../src/testing/store-samples.js'
import { type Database, newPostgresDatabase } from '../databases.js'
import { interposedPool, pausedPool } from './interposed-pool.js'

let database: Database
let admin: Client
const ends: (() => unknown)[] = []

beforeEach(async () => {
  database = await newPostgresDatabase()
  admin = new Client(database.url)
  await admin.connect()
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await admin.end()
  await database.remove()
})

/** The database of this test. */
export const url = (): string => database.url

export const name = (): string => new URL(database.url).pathname.slice(1)

/** Asks it on a connection beside those of stores. */
export const ask = (sql: string) => admin.query(sql)

/** Does something when the test is over: what was asked for first comes first. */
export function atEnd(end: () => unknown): void {
  ends.push(end)
}

export function newPool(settings: PoolConfig = {}): Pool {
  const pool = new Pool({ connectionString: database.url, ...settings })
  atEnd(() => {
    // Its connections close in their own time, and the database does not wait for that.
    pool.on('error', () => {})
    return pool.end()
  })
  return pool
}

export function open(connection: string | PgPool): Store {
  const store = postgresStore(connection)
  atEnd(() => store.close())
  return store
}

/** Another process. */
export async function opened(connection: PgPool): Promise<Store> {
  const store = open(connection)
  await store.open()
  return store
}

/** Another process, which stops before the first statement that fits. */
export async function pausedStore(fits: (query: PgQuery) => boolean) {
  const { pool, arm, ...pause } = pausedPool(newPool(), fits)
  const store = await opened(pool)
  arm()
  return { ...pause, store }
}

/** The URL of the database for somebody who may read and write rows, and make no tables. */
export async function urlOfWriter(): Promise<string> {
  const role = `${name()}_writer`
  await ask(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`)
  await ask('REVOKE CREATE ON SCHEMA public FROM PUBLIC')
  const tables = 'SELECT, INSERT, UPDATE, DELETE ON ALL TABLES'
  await ask(`GRANT ${tables} IN SCHEMA public TO ${role}`)
  atEnd(() => ask(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
  const other = new URL(url())
  other.username = role
  other.password = 'secret'
  return other.href
}

/** Has days cut, as if it had been asked for at this time: the next day is the first one that is. */
export async function cutAt(time: number): Promise<void> {
  await inTransaction(newPool(), altering, (query) => cutDays(query, time))
}

/** Resolves to whether what is done waits for a lock, when it either does or is over. */
export async function waits(doing: Promise<unknown>): Promise<boolean> {
  let over = false
  const end = (): void => {
    over = true
  }
  doing.then(end, end)
  for (;;) {
    const { rows } = await ask(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    // In this order, for it may have waited for a moment and be over.
    if (over) return false
    if (rows.length > 0) return true
    await delay(5)
  }
}

/** One opening of a message; another one with another index. */
export const opening = (record: MessageRecord, index = 0): IncomingBatch =>
  batchOf({
    type: 'opened',
    ownId: record.trackingId,
    recipient: 'ann@example.com',
    occurredAt: new Date(index),
  })

/** In another order each time. */
export function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

/** A pool that keeps the codes of the errors that PostgreSQL answered with. */
export function watchedPool(codes: unknown[]): PgPool {
  return interposedPool(newPool(), async (_query, send) => {
    try {
      return await send()
    } catch (error) {
      codes.push(fields(error)['code'])
      throw error
    }
  })
}

/** A step of a plan, as it was run. */
export interface PlanNode {
  kind: unknown
  index: unknown
  /** What bounds the index. */
  bounds: string
  /** How many rows it has read, or passed on. */
  rows: number
  /** What it reads, if it was run. */
  relation?: string
  /** The name of the statement, or else its text. */
  statement: string
  /** Which one it was of all that were run. */
  run: number
}

/** Opens a store, and keeps how its statements that fit were run. */
export async function explained(fits: (query: PgQuery) => boolean) {
  const nodes: PlanNode[] = []
  let runs = 0
  const pool = interposedPool(newPool(), async (query, send) => {
    if (fits(query)) {
      const text = `EXPLAIN (ANALYZE, FORMAT JSON) ${query.text}`
      // It is run for that, which must change nothing.
      await send({ text: 'SAVEPOINT explained' })
      const explanation = await send({ text, values: query.values ?? [] })
      await send({ text: 'ROLLBACK TO explained' })
      runs += 1
      for (const row of listOf(fields(explanation)['rows'])) {
        for (const { Plan: plan } of listOf(row['QUERY PLAN'])) {
          nodes.push(...nodesOf(plan, query.name ?? query.text, runs))
        }
      }
    }
    return send()
  })
  return { store: await opened(pool), nodes }
}

function nodesOf(plan: unknown, statement: string, run: number): PlanNode[] {
  const node = fields(plan)
  const passed = Number(node['Actual Rows']) + Number(node['Rows Removed by Filter'] ?? 0)
  return [
    {
      kind: node['Node Type'],
      index: node['Index Name'],
      bounds: String(node['Index Cond'] ?? ''),
      rows: passed * Number(node['Actual Loops']),
      ...(node['Actual Loops'] !== 0 &&
        node['Relation Name'] !== undefined && { relation: String(node['Relation Name']) }),
      statement,
      run,
    },
    ...listOf(node['Plans']).flatMap((one) => nodesOf(one, statement, run)),
  ]
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(fields) : []
}
