import { ConfigurationError } from '../errors.js'
import type { Store } from '../store.js'
import { missingMigrations } from './migrations.js'
import { sqlStore } from './sql.js'
import type { SqlDatabase, Tables } from './sql-tables.js'
import { openDatabase, type SqliteDatabase, whileLocked } from './sqlite-driver.js'
import { sqliteMigrations } from './sqlite-migrations.js'
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

/** Several processes may do so at once: the lock lets one after the other. */
async function migrate(database: SqliteDatabase): Promise<void> {
  await whileLocked(() => database.exec('BEGIN IMMEDIATE'))
  try {
    database.exec(
      'CREATE TABLE IF NOT EXISTS mailtrail_migrations (version INTEGER PRIMARY KEY) STRICT',
    )
    const row = database.prepare('SELECT max(version) AS version FROM mailtrail_migrations').get()
    const applied = Number(Reflect.get(Object(row), 'version') ?? 0)
    for (const { version, statements } of missingMigrations(sqliteMigrations, applied)) {
      for (const statement of statements) database.exec(statement)
      database.prepare('INSERT INTO mailtrail_migrations (version) VALUES (?)').run(version)
    }
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
