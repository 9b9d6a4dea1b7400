import { ConfigurationError } from '../errors.js'
import type { Store } from '../store.js'
import { sqlStore } from './sql.js'
import type { SqlDatabase, Tables } from './sql-tables.js'
import { openDatabase, type SqliteDatabase } from './sqlite-driver.js'
import { migrate } from './sqlite-migrator.js'
import { sqliteTables } from './sqlite-tables.js'
import { openWriteAheadLog, type WriteAheadLog } from './sqlite-wal.js'
import { createWriter, type Writer } from './sqlite-writer.js'

/**
 * Keeps everything in one SQLite file: for one machine, any number of processes. A commit is on
 * disk when it is acknowledged, as with `synchronous=FULL`.
 *
 * @param path the file, which is created when it is missing
 * @throws ConfigurationError when there is no path: SQLite would take a file that nobody finds again
 */
export function sqliteStore(path: string): Store {
  if (typeof path !== 'string' || path === '') {
    throw new ConfigurationError("sqliteStore: path is missing: sqliteStore('mailtrail.db')")
  }
  return sqlStore(sqliteDatabase(path))
}

interface Connection {
  database: SqliteDatabase
  tables: Tables
  log: WriteAheadLog
  writer: Writer
}

function sqliteDatabase(path: string): SqlDatabase {
  let connection: Connection | undefined

  function connected(): Connection {
    if (!connection) throw new Error('the SQLite store is closed')
    return connection
  }

  return {
    async open() {
      const database = await openDatabase(path)
      try {
        await migrate(database)
        const { tables, counts } = sqliteTables(database)
        const log = await openWriteAheadLog(database)
        connection = {
          database,
          tables,
          log,
          writer: createWriter(database, tables, counts, log.sync),
        }
      } catch (error) {
        database.close()
        throw error
      }
    },

    transaction: (work) => connected().writer.transaction(work),

    async read(work) {
      const { tables, writer } = connected()
      await writer.idle()
      return work(tables)
    },

    async close() {
      const closing = connection
      connection = undefined
      await closing?.writer.end()
      await closing?.log.close()
      closing?.database.close()
    },
  }
}
