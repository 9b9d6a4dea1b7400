import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError, messageOf } from '../errors.js'

type Value = string | number | null

/** The part of Node's own `DatabaseSync` that is used here; `@photostructure/sqlite` has it too. */
export interface SqliteDatabase {
  exec(sql: string): void
  prepare(sql: string): SqliteStatement<unknown>
  close(): void
}

/** A prepared statement and the shape of its rows. */
export interface SqliteStatement<Row> {
  run(...values: Value[]): { changes: number | bigint; lastInsertRowid: number | bigint }
  get(...values: Value[]): Row | undefined
  all(...values: Value[]): Row[]
}

// Whoever holds the lock for longer is taken for stuck: the event loop stands still meanwhile.
const busyTimeout = 1000

/**
 * Opens a database with the SQLite that is in Node (from 22.13), or else with the optional package.
 * A commit is on disk when it returns, for a webhook that was answered 2xx must survive a power cut.
 */
export async function openDatabase(path: string): Promise<SqliteDatabase> {
  const builtIn: unknown = process.getBuiltinModule('node:sqlite')
  const { DatabaseSync } = isDriver(builtIn) ? builtIn : await optionalDriver()
  try {
    const database = new DatabaseSync(path)
    await switchToWal(database)
    database.exec(`PRAGMA busy_timeout = ${busyTimeout}`)
    database.exec('PRAGMA synchronous = FULL')
    return database
  } catch (cause) {
    throw new ConfigurationError(`sqliteStore cannot open ${path}: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Several processes may open a new file at once. SQLite does not always wait for its lock here, and
 * where it does nothing else goes on meanwhile.
 */
async function switchToWal(database: SqliteDatabase): Promise<void> {
  const deadline = Date.now() + busyTimeout
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(10)
    }
  }
}

/** Runs the work as one transaction, which takes the write lock at once. */
export function inTransaction<T>(database: SqliteDatabase, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    rollBack(database)
    throw error
  }
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK')
  } catch {
    // SQLite has rolled back by itself already, as it does when the disk is full.
  }
}

interface Driver {
  DatabaseSync: new (path: string) => SqliteDatabase
}

function isDriver(module: unknown): module is Driver {
  return typeof module === 'object' && module !== null && 'DatabaseSync' in module
}

async function optionalDriver(): Promise<Driver> {
  try {
    return await import('@photostructure/sqlite')
  } catch (cause) {
    throw new ConfigurationError(
      'sqliteStore needs Node 22.13 or later, or the package @photostructure/sqlite: npm install @photostructure/sqlite',
      { cause },
    )
  }
}
