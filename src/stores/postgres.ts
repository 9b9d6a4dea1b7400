import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError } from '../errors.js'
import type { Store } from '../store.js'
import {
  type Connections,
  isPool,
  lentPool,
  longestWait,
  openPool,
  type PgPool,
} from './postgres-driver.js'
import { migrate } from './postgres-migrator.js'
import { createDayPruning, makeDays } from './postgres-partitions.js'
import { postgresTables } from './postgres-tables.js'
import { inTransaction, reading, type TransactionKind, writing } from './postgres-transaction.js'
import { sqlStore } from './sql.js'
import type { SqlDatabase, Tables } from './sql-tables.js'

export type { PgClient, PgPool, PgQuery } from './postgres-driver.js'

/** How `postgresStore` keeps what it keeps. */
export interface PostgresOptions {
  /**
   * Large tables have a partition for each day, UTC, so that `prune` drops days that are over and does not remove
   * their rows one by one. Once it was asked for it is so for all who open this database.
   */
  partitions?: 'day'
}

/**
 * Keeps everything in a PostgreSQL database, from version 12 on: for any number of processes on any
 * number of machines. A commit is on disk when it is acknowledged.
 *
 * @param connection a URL such as `postgres://user:password@host/database`, or a `Pool` of the
 * package `pg`, which stays yours and is not closed; its connections may have any settings
 * @throws ConfigurationError when there is neither
 */
export function postgresStore(connection: string | PgPool, options: PostgresOptions = {}): Store {
  const { partitions } = options
  if (partitions !== undefined && partitions !== 'day') {
    throw new ConfigurationError("postgresStore: partitions can be 'day', or is left out")
  }
  if (typeof connection === 'string' && /^postgres(?:ql)?:\/\/./.test(connection)) {
    return sqlStore(postgresDatabase(() => openPool(connection), options))
  }
  if (isPool(connection)) {
    return sqlStore(postgresDatabase(async () => lentPool(connection), options))
  }
  // Not quoted: there may be a password in it.
  throw new ConfigurationError(
    "postgresStore: the connection is missing: postgresStore('postgres://user:password@host/database'), or a pg Pool",
  )
}

function postgresDatabase(
  connect: () => Promise<Connections>,
  { partitions }: PostgresOptions,
): SqlDatabase {
  let connections: Connections | undefined
  const running = new Set<Promise<unknown>>()

  const pruneDays = createDayPruning()
  /** Whether days had partitions of their own when it was opened. */
  let days = false

  async function run<T>(work: (pool: PgPool) => Promise<T>): Promise<T> {
    if (!connections) throw new Error('the PostgreSQL store is closed')
    const result = work(connections.pool)
    running.add(result)
    return result.finally(() => running.delete(result))
  }

  function transaction<T>(kind: TransactionKind, work: (tables: Tables) => Promise<T>): Promise<T> {
    return run((pool) => inTransaction(pool, kind, (query) => work(postgresTables(query))))
  }

  return {
    async open() {
      const opened = await connect()
      opened.pool.on?.('error', dropped)
      try {
        await migrate(opened.pool)
        days = await makeDays(opened.pool, partitions === 'day')
      } catch (error) {
        void end(opened)
        throw error
      }
      connections = opened
    },

    transaction: (work) => transaction(writing, work),
    read: (work) => transaction(reading, work),
    pruneDays: (limits, most) =>
      run(async (pool) => (days ? pruneDays(pool, limits, most) : { removed: 0, limits })),

    async close() {
      const closing = connections
      connections = undefined
      await Promise.allSettled(running)
      if (closing) await end(closing)
    },
  }
}

/** A connection broke while nobody used it, and the pool has dropped it: the next one is new. */
function dropped(): void {}

async function end(connections: Connections): Promise<void> {
  const { pool, lent } = connections
  // A server that is not there does not say good-bye.
  await Promise.race([connections.end(), delay(longestWait, undefined, { ref: false })])
  // Ours hears of connections that break while they are being closed, so it is listened to for good.
  if (lent) pool.removeListener?.('error', dropped)
}
