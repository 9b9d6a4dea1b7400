import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError, messageOf } from '../errors.js'

export type SqliteValue = string | number | Uint8Array | null

/** The part of Node's own `DatabaseSync` that is used here; `@photostructure/sqlite` has it too. */
export interface SqliteDatabase {
  exec(sql: string): void
  prepare(sql: string): SqliteStatement<unknown>
  close(): void
}

/** A prepared statement and the shape of its rows. */
export interface SqliteStatement<Row> {
  run(...values: SqliteValue[]): { changes: number | bigint; lastInsertRowid: number | bigint }
  get(...values: SqliteValue[]): Row | undefined
  all(...values: SqliteValue[]): Row[]
}

/** How long to try while another process holds the lock, in ms: the answer to a webhook is due in 3 s. */
const lockTimeout = 2000

// SQLite waits without letting anything else go on, so it waits for no longer than this, in ms.
const blockingWait = 5

/** How much of the file is kept in memory, in KiB. */
const cacheSize = 16 * 1024

/**
 * Opens a database with the SQLite that is in Node (from 22.13), or else with the optional package.
 * A commit is on disk when it returns, for a webhook that was answered 2xx must survive a power cut.
 */
export async function openDatabase(path: string): Promise<SqliteDatabase> {
  const builtIn: unknown = process.getBuiltinModule('node:sqlite')
  const { DatabaseSync } = isDriver(builtIn) ? builtIn : await loadDriver()
  try {
    // SQLite would make an empty file, and remove the log with what was acknowledged last.
    if (existsSync(`${path}-wal`) && !existsSync(path)) {
      throw new Error(
        `it was moved or removed, and ${path}-wal was left: put the file back, or remove that too if it is gone for good`,
      )
    }
    const database = new DatabaseSync(path)
    database.exec(`PRAGMA busy_timeout = ${blockingWait}`)
    // Several processes may open a new file at once, and only one of them can switch it.
    await whileLocked(() => database.exec('PRAGMA journal_mode = WAL'))
    database.exec('PRAGMA synchronous = FULL')
    database.exec(`PRAGMA cache_size = -${cacheSize}`)
    return database
  } catch (cause) {
    const folder = dirname(path)
    const why = existsSync(folder) ? messageOf(cause) : `make the folder ${folder} first`
    throw new ConfigurationError(`sqliteStore cannot open ${path}: ${why}`, { cause })
  }
}

/** Tries again while another process holds the lock, and lets this one go on meanwhile. */
export async function whileLocked<T>(work: () => T): Promise<T> {
  const deadline = performance.now() + lockTimeout
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isLocked(error) || performance.now() > deadline) throw error
      // Uneven, so that two who wait do not meet again and again.
      await delay(1 + Math.random() * 9)
    }
  }
}

/** SQLITE_BUSY and SQLITE_LOCKED, of which the drivers have only the text in common. */
function isLocked(error: unknown): boolean {
  return /locked|busy/i.test(messageOf(error))
}

interface Driver {
  DatabaseSync: new (path: string) => SqliteDatabase
}

function isDriver(module: unknown): module is Driver {
  return typeof module === 'object' && module !== null && 'DatabaseSync' in module
}

async function loadDriver(): Promise<Driver> {
  try {
    return await import('@photostructure/sqlite')
  } catch (cause) {
    throw new ConfigurationError(
      'sqliteStore needs Node 22.13 or later, or the package @photostructure/sqlite: npm install @photostructure/sqlite',
      { cause },
    )
  }
}
