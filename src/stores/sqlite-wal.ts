import { type FileHandle, open } from 'node:fs/promises'
import type { SqliteDatabase } from './sqlite-driver.js'

/** The file that commits are written to. */
export interface WriteAheadLog {
  /** Resolves when every commit so far is on disk. */
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * Has commits return before they are on disk, so that this thread goes on while the disk is waited for; whoever
 * commits has to `sync` before it is acknowledged. SQLite itself still waits for the disk where the order of writes
 * matters: `synchronous=NORMAL` promises that a file is never broken, and a synced log that nothing of it is lost
 * (sqlite.org/wal.html, section 2.2). Where there is no such log, each commit waits by itself and `sync` has nothing
 * to do.
 */
export async function openWriteAheadLog(database: SqliteDatabase): Promise<WriteAheadLog> {
  const file = await openLog(database)
  if (!file) return { sync: async () => {}, close: async () => {} }
  database.exec('PRAGMA synchronous = NORMAL')
  return { sync: () => file.datasync(), close: () => file.close() }
}

/** SQLite has made it by now, and leaves it where it is as long as the database is open. */
async function openLog(database: SqliteDatabase): Promise<FileHandle | undefined> {
  const mode: unknown = database.prepare('PRAGMA journal_mode').get()
  if (Reflect.get(Object(mode), 'journal_mode') !== 'wal') return undefined
  const main: unknown = database.prepare('PRAGMA database_list').get()
  // With links followed, as SQLite does.
  const path: unknown = Reflect.get(Object(main), 'file')
  // Windows brings to disk only what could be written to.
  return open(`${String(path)}-wal`, 'r+').catch(() => undefined)
}
