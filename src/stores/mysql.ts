import { ConfigurationError } from '../errors.js'
import type { Store } from '../store.js'
import { type Connections, isPool, lentPool, type MysqlPool, openPool } from './mysql-driver.js'
import { migrate } from './mysql-migrator.js'
import { mysqlTables } from './mysql-tables.js'
import { inTransaction, onConnection, type TransactionKind } from './mysql-transaction.js'
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
    return sqlStore(mysqlDatabase(() => openPool(connection)))
  }
  if (isPool(connection)) return sqlStore(mysqlDatabase(async () => lentPool(connection)))
  // Not quoted: there may be a password in it.
  throw new ConfigurationError(
    "mysqlStore: the connection is missing: mysqlStore('mysql://user:password@host/database'), or a pool of mysql2/promise",
  )
}

function mysqlDatabase(connect: () => Promise<Connections>): SqlDatabase {
  let connections: Connections | undefined
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
