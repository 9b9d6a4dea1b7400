import { type FileHandle, open, stat } from 'node:fs/promises'
import type { SqliteDatabase } from './sqlite-driver.js'

/** The file that commits are written to. */
export interface WriteAheadLog {
  /** Resolves when every commit so far is on disk; rejects too where the file is no longer at its place. */
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
  const path = pathOf(database)
  const file = await openLog(database, path)
  if (!file) return { sync: async () => {}, close: async () => {} }
  database.exec('PRAGMA synchronous = NORMAL')
  const opened = await stat(path, { bigint: true })
  // Without a log SQLite looks by itself before it commits (SQLITE_READONLY_DBMOVED), and with one it does not: what
  // is written then goes to a file that nobody finds again.
  const isInPlace = (): Promise<boolean> =>
    stat(path, { bigint: true }).then(
      ({ dev, ino }) => dev === opened.dev && ino === opened.ino,
      // Whoever has given up rights since may not look there any more.
      (error: unknown) => Reflect.get(Object(error), 'code') !== 'ENOENT',
    )
  return {
    async sync() {
      const [inPlace] = await Promise.all([isInPlace(), file.datasync()])
      if (!inPlace) throw new Error(`${path} was moved or removed while it was open`)
    },
    close: () => file.close(),
  }
}

/** With links followed, as SQLite does; empty of a database in memory. */
function pathOf(database: SqliteDatabase): string {
  const main: unknown = database.prepare('PRAGMA database_list').get()
  return String(Reflect.get(Object(main), 'file'))
}

/** SQLite has made it by now, and leaves it where it is as long as the database is open. */
async function openLog(database: SqliteDatabase, path: string): Promise<FileHandle | undefined> {
  const mode: unknown = database.prepare('PRAGMA journal_mode').get()
  if (Reflect.get(Object(mode), 'journal_mode') !== 'wal') return undefined
  // Windows brings to disk only what could be written to.
  return open(`${path}-wal`, 'r+').catch(() => undefined)
}
