import { ConfigurationError } from '../errors.js'
import type { Store } from '../store.js'
import { missingMigrations } from './migrations.js'
import { type MysqlPool, openPool } from './mysql-driver.js'
import { mysqlMigrations } from './mysql-migrations.js'
import { mysqlTables } from './mysql-tables.js'
import {
  type Connections,
  inTransaction,
  onConnection,
  type Query,
  type TransactionKind,
} from './mysql-transaction.js'
import { sqlStore } from './sql.js'
import type { SqlDatabase, Tables } from './sql-tables.js'

export type { MysqlConnection, MysqlPool, MysqlQuery } from './mysql-driver.js'

/**
 * Keeps everything in a MySQL (8.0.16 or later) or MariaDB (10.6 or later) database: for any number
 * of processes on any number of machines. A commit is on disk when it is acknowledged, as long as the
 * server has `innodb_flush_log_at_trx_commit` at 1, which it has unless it was changed.
 *
 * @param connection a URL such as `mysql://user:password@host/database`, or a pool of
 * `mysql2/promise`, which stays yours and is not closed
 * @throws ConfigurationError when there is neither
 */
export function mysqlStore(connection: string | MysqlPool): Store {
  if (typeof connection === 'string' && /^mysql:\/\/./.test(connection)) {
    // Where it is read later, the error would show it whole.
    if (!URL.canParse(connection)) {
      throw new ConfigurationError(
        'mysqlStore: the URL cannot be read: special characters of a user or password are written as encodeURIComponent does',
      )
    }
    return sqlStore(
      mysqlDatabase(async () => {
        const pool = await openPool(connection)
        return { pool, lent: false, end: () => pool.end() }
      }),
    )
  }
  if (isPool(connection)) {
    return sqlStore(
      mysqlDatabase(async () => ({ pool: connection, lent: true, end: async () => {} })),
    )
  }
  // Not quoted: there may be a password in it.
  throw new ConfigurationError(
    "mysqlStore: the connection is missing: mysqlStore('mysql://user:password@host/database'), or a pool of mysql2/promise",
  )
}

function isPool(connection: unknown): connection is MysqlPool {
  return (
    typeof connection === 'object' &&
    connection !== null &&
    'getConnection' in connection &&
    typeof connection.getConnection === 'function'
  )
}

function mysqlDatabase(
  connect: () => Promise<Connections & { end: () => Promise<void> }>,
): SqlDatabase {
  let connections: Awaited<ReturnType<typeof connect>> | undefined
  const running = new Set<Promise<unknown>>()

  async function run<T>(kind: TransactionKind, work: (tables: Tables) => Promise<T>): Promise<T> {
    if (!connections) throw new Error('the MySQL store is closed')
    const result = inTransaction(connections, kind, (query) => work(mysqlTables(query)))
    running.add(result)
    return result.finally(() => running.delete(result))
  }

  return {
    async open() {
      const opened = await connect()
      try {
        await onConnection(opened, migrate)
      } catch (error) {
        await opened.end()
        throw error
      }
      connections = opened
    },

    transaction: (work) => run('writing', work),
    read: (work) => run('reading', work),

    async close() {
      const closing = connections
      connections = undefined
      await Promise.allSettled(running)
      await closing?.end()
    },
  }
}

// Tied to the database, for the server has one set of names.
const migrationLock = "CONCAT('mailtrail ', MD5(DATABASE()))"

/** @throws ConfigurationError for servers that would only fail later, at the first claim */
async function checkServer(query: Query): Promise<void> {
  const [row] = await query<{ version: string }>('SELECT VERSION() AS version')
  const version = String(row?.version)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [least, leastMinor] = /mariadb/i.test(version) ? [10, 6] : [8, 0]
  if (major < least || (major === least && minor < leastMinor)) {
    throw new ConfigurationError(
      `mysqlStore needs MySQL 8.0.16 or MariaDB 10.6, or later, and the server is of version ${version}`,
    )
  }
}

/** Several processes may do so at once: the lock lets one after the other. */
async function migrate(query: Query): Promise<void> {
  await checkServer(query)
  const [lock] = await query<{ held: number | null }>(
    `SELECT GET_LOCK(${migrationLock}, 2) AS held`,
  )
  if (Number(lock?.held) !== 1) {
    throw new Error('another process migrates the MySQL store, or there is no database in its URL')
  }
  try {
    await query(
      `CREATE TABLE IF NOT EXISTS mailtrail_migrations (
        version INT NOT NULL, PRIMARY KEY (version)) ENGINE=InnoDB`,
    )
    const [row] = await query<{ version: number | null }>(
      'SELECT MAX(version) AS version FROM mailtrail_migrations',
    )
    const missing = missingMigrations(mysqlMigrations, Number(row?.version ?? 0))
    for (const { version, statements } of missing) {
      for (const statement of statements) await query(statement)
      await query('INSERT INTO mailtrail_migrations (version) VALUES (?)', [version])
    }
  } finally {
    await query(`SELECT RELEASE_LOCK(${migrationLock})`)
  }
}
