import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError } from '../errors.js'
import type { Store } from '../store.js'
import { missingMigrations } from './migrations.js'
import { longestWait, openPool, type PgPool } from './postgres-driver.js'
import { lockClass, migrationLock } from './postgres-locks.js'
import { postgresMigrations } from './postgres-migrations.js'
import { createDayPruning, makeDays } from './postgres-partitions.js'
import { postgresTables } from './postgres-tables.js'
import {
  inTransaction,
  migrating,
  type Query,
  reading,
  type TransactionKind,
  writing,
} from './postgres-transaction.js'
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
    return sqlStore(
      postgresDatabase(async () => {
        const pool = await openPool(connection)
        // It hears of connections that break while they are being closed, so it is listened to for good.
        return { pool, end: () => pool.end(), ours: true }
      }, options),
    )
  }
  if (isPool(connection)) {
    return sqlStore(
      postgresDatabase(
        async () => ({
          pool: connection,
          end: async () => {},
          ours: false,
        }),
        options,
      ),
    )
  }
  // Not quoted: there may be a password in it.
  throw new ConfigurationError(
    "postgresStore: the connection is missing: postgresStore('postgres://user:password@host/database'), or a pg Pool",
  )
}

function isPool(connection: unknown): connection is PgPool {
  return (
    typeof connection === 'object' &&
    connection !== null &&
    'connect' in connection &&
    typeof connection.connect === 'function'
  )
}

interface Connections {
  pool: PgPool
  end(): Promise<void>
  /** It was made here, and is used by nobody else. */
  ours: boolean
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
  const { pool, ours } = connections
  // A server that is not there does not say good-bye.
  await Promise.race([connections.end(), delay(longestWait, undefined, { ref: false })])
  if (!ours) pool.removeListener?.('error', dropped)
}

/** Several processes may do so at once: the lock lets one after the other. */
async function migrate(pool: PgPool): Promise<void> {
  // Who may only read and write rows can start where others have migrated.
  const found = await inTransaction(pool, reading, async (query) =>
    (await hasVersions(query)) ? missing(query) : undefined,
  )
  if (found?.length === 0) return
  await inTransaction(pool, migrating, async (query) => {
    await query({ text: 'SELECT pg_advisory_xact_lock($1, $2)' }, [lockClass, migrationLock])
    // Asked for by its name, this connection might not have heard yet that it is there by now.
    await query({ text: createMigrations })
    for (const { version, statements } of await missing(query)) {
      for (const text of statements) await query({ text })
      await query({ text: addMigration }, [version])
    }
  })
}

const createMigrations =
  'CREATE TABLE IF NOT EXISTS mailtrail_migrations (version integer PRIMARY KEY)'
const addMigration = 'INSERT INTO mailtrail_migrations (version) VALUES ($1)'

async function hasVersions(query: Query): Promise<boolean> {
  const [database] = await query<{ encoding: string; migrations: string | null }>({
    text: `SELECT current_setting('server_encoding') AS encoding,
      to_regclass('mailtrail_migrations') AS migrations`,
  })
  if (database?.encoding !== 'UTF8') {
    throw new ConfigurationError(
      `postgresStore needs a database in UTF8, and this one is in ${database?.encoding}`,
    )
  }
  return database.migrations !== null
}

async function missing(query: Query): Promise<ReturnType<typeof missingMigrations>> {
  const [row] = await query<{ version: string | null }>({
    text: 'SELECT max(version) AS version FROM mailtrail_migrations',
  })
  return missingMigrations(postgresMigrations, Number(row?.version ?? 0))
}
