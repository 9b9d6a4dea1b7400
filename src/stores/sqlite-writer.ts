import { setImmediate as nextTurn } from 'node:timers/promises'
import { messageOf } from '../errors.js'
import type { Tables } from './sql-tables.js'
import { type SqliteDatabase, whileLocked } from './sqlite-driver.js'

/** How long one transaction takes more work in, in ms: other processes wait for it meanwhile. */
const longestTransaction = 50

/** How long it goes on before this process does something else, in ms. */
const longestTurn = 10

/** What is done beside the work itself. */
export interface WriterSteps {
  /** A piece of work has ended well. */
  keep(): void
  /** A piece of work was undone. */
  drop(): void
  /** The last thing before the commit. */
  write(): void
  /** The transaction was undone. */
  clear(): void
}

/** Resolves when every commit so far is on disk. */
export type Sync = () => Promise<void>

export interface Writer {
  /** Runs the work as one transaction. It must await nothing but the tables. */
  transaction<T>(work: (tables: Tables) => Promise<T>): Promise<T>
  /** Resolves when no transaction is open, in the turn that it does. */
  idle(): Promise<void>
  /** Resolves when everything that was asked for has ended. */
  end(): Promise<void>
}

interface Job {
  work: (tables: Tables) => Promise<unknown>
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

/**
 * Writes what is asked for at the same time in one commit, for a commit waits for the disk and
 * hardly longer for more. Each piece of work still happens whole or not at all. While the disk is waited for,
 * this thread goes on and gathers the next.
 *
 * @param now a clock that never goes back, in ms
 */
export function createWriter(
  database: SqliteDatabase,
  tables: Tables,
  steps: WriterSteps,
  sync: Sync,
  now: () => number = () => performance.now(),
): Writer {
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const save = database.prepare('SAVEPOINT work')
  const keep = database.prepare('RELEASE work')
  const undo = database.prepare('ROLLBACK TO work')
  const queue: Job[] = []
  let writing: Promise<void> | undefined
  let open = false
  let broken: Error | undefined

  async function write(): Promise<void> {
    // What comes in the same turn goes into the same commit.
    await nextTurn()
    while (queue.length > 0) {
      await writeTogether()
      await nextTurn()
    }
    writing = undefined
  }

  async function writeTogether(): Promise<void> {
    try {
      if (broken) throw broken
      await whileLocked(() => begin.run())
    } catch (error) {
      for (const { reject } of queue.splice(0)) reject(error)
      return
    }
    open = true
    // Callers hear of it after the commit alone: going on, they might read what is not there yet.
    const ended: (Job & { value: unknown })[] = []
    const failed: { job: Job; error: unknown }[] = []
    const deadline = now() + longestTransaction
    let turn = now() + longestTurn
    try {
      do {
        if (now() >= turn) {
          // What comes meanwhile is taken in, too.
          await nextTurn()
          turn = now() + longestTurn
        }
        const job = queue.shift()
        if (!job) break
        save.run()
        try {
          ended.push({ ...job, value: await job.work(tables) })
          steps.keep()
        } catch (error) {
          failed.push({ job, error })
          steps.drop()
          undoWork(error)
        }
        keep.run()
      } while (now() < deadline)
      steps.write()
      commit.run()
      open = false
    } catch (error) {
      rollBack()
      for (const { reject } of ended.splice(0)) reject(error)
    }
    for (const { job, error } of failed) job.reject(error)
    await acknowledge(ended)
  }

  async function acknowledge(ended: readonly (Job & { value: unknown })[]): Promise<void> {
    if (ended.length === 0) return
    try {
      await sync()
      for (const { resolve, value } of ended) resolve(value)
    } catch (cause) {
      // A second try may succeed without having written anything: the system has forgotten by then what it owes.
      broken = new Error(`${messageOf(cause)}: nothing is written until the store is opened anew`, {
        cause,
      })
      for (const { reject } of ended) reject(broken)
    }
  }

  /** @throws the reason, where SQLite has undone the others too, as it does when the disk is full */
  function undoWork(reason: unknown): void {
    try {
      undo.run()
    } catch {
      throw reason
    }
  }

  function rollBack(): void {
    open = false
    steps.clear()
    try {
      database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself already.
    }
  }

  return {
    transaction<T>(work: (tables: Tables) => Promise<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        queue.push({ work, resolve: resolve as Job['resolve'], reject })
        writing ??= write()
      })
    },

    async idle() {
      while (open) await nextTurn()
    },

    async end() {
      await writing
    },
  }
}
