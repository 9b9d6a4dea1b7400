import { ConfigurationError } from '../errors.js'
import { hasMethods } from '../has-methods.js'

/** The part of a pool of `mysql2/promise` that is used here. */
export interface MysqlPool {
  /** Lends a connection. */
  getConnection(): Promise<MysqlConnection>
}

/** The part of a connection of such a pool that is used here. */
export interface MysqlConnection {
  /** Runs a statement; resolves to rows or a result, and to fields. */
  query(options: MysqlQuery): Promise<[unknown, unknown]>
  /** Gives it back to the pool. */
  release(): void
  /** The pool parts with the connection. */
  destroy(): void
}

/** One statement as `mysql2` takes it. */
export interface MysqlQuery {
  sql: string
  values: unknown[]
  rowsAsArray: boolean
  /** How values are read. */
  typeCast(field: unknown, next: () => unknown): unknown
  nestTables: boolean
}

/** Where connections come from. */
export interface Connections {
  pool: MysqlPool
  /** The pool is somebody else's: it gets its connections back as they were, and stays open. */
  lent: boolean
  end(): Promise<void>
}

/** How long a lock, a statement or a connection is waited for, in ms: the answer to a webhook is due in 3 s. */
const longestWait = 2000

const lockWait = `SESSION innodb_lock_wait_timeout = ${longestWait / 1000}`

/**
 * What a connection of somebody else's pool is told for the time of one transaction: without it the
 * server would go on waiting for a lock, and hold all others, long after nobody waits for the answer.
 */
export const lentSession = {
  begin: `SET @mailtrail_lock_wait = @@SESSION.innodb_lock_wait_timeout, ${lockWait}`,
  end: 'SET SESSION innodb_lock_wait_timeout = @mailtrail_lock_wait, @mailtrail_lock_wait = NULL',
}

/** A pool of ours for the database of this URL, made with the optional peer `mysql2`. */
export async function openPool(url: string): Promise<Connections> {
  const { createPool } = await loadDriver()
  const pool = createPool({ uri: url, connectTimeout: longestWait, connectionLimit: 10 })
  pool.on('connection', (connection) => {
    // Where it fails there is no connection, and the next statement says so.
    connection.query(`SET ${lockWait}`, () => {})
  })
  const own = pool.promise()
  return { pool: own, lent: false, end: () => own.end() }
}

/** A pool that is somebody else's. */
export function lentPool(pool: MysqlPool): Connections {
  return { pool, lent: true, end: async () => {} }
}

export function isPool(connection: unknown): connection is MysqlPool {
  return hasMethods(connection, 'getConnection')
}

async function loadDriver(): Promise<typeof import('mysql2')> {
  try {
    return await import('mysql2')
  } catch (cause) {
    throw new ConfigurationError('mysqlStore needs the package mysql2: npm install mysql2', {
      cause,
    })
  }
}
