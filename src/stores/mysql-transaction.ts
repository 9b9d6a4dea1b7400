import { setTimeout as delay } from 'node:timers/promises'
import { fields } from '../payload.js'
import { createDeadline, type Deadline } from './deadline.js'
import { codeOf, connectionError } from './driver-errors.js'
import {
  type Connections,
  lentSession,
  type MysqlConnection,
  type MysqlPool,
} from './mysql-driver.js'

/** Runs one statement and resolves to its rows. Lists are written out, as in `IN (?)` and `VALUES ?`. */
export type Query = <Row>(sql: string, values?: readonly MysqlValue[]) => Promise<Row[]>

/** Text goes in as bytes: as literals they mean the same in every SQL mode and character set. */
export type MysqlValue = Buffer | number | null | readonly MysqlValue[]

export type TransactionKind = 'reading' | 'writing'

// Writing, there is a statement after every lock that looks after what it protects, and has to see
// what was committed meanwhile. Reading, all statements see the same.
const beginnings: Record<TransactionKind, readonly string[]> = {
  writing: ['SET TRANSACTION ISOLATION LEVEL READ COMMITTED', 'START TRANSACTION'],
  reading: ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', 'START TRANSACTION READ ONLY'],
}

const mostAttempts = 10

/** How long everything may take, in ms: getting a connection and trying again included. */
const longestTransaction = 2500

/** A cycle of locks, of which this transaction was undone; an event that another one has just written. */
const repeatable = new Set(['ER_LOCK_DEADLOCK', 'ER_DUP_ENTRY'])

/**
 * Runs the work as one transaction on one connection; again, when others were in its way. When the
 * answer to the commit is lost it rejects, whatever came of it.
 */
export async function inTransaction<T>(
  connections: Pick<Connections, 'pool' | 'lent'>,
  kind: TransactionKind,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const deadline = createDeadline(longestTransaction)
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await onConnection(
          connections,
          (query) => attemptTransaction(query, kind, work),
          deadline,
        )
      } catch (error) {
        if (attempt >= mostAttempts || !repeatable.has(codeOf(error) ?? '')) throw error
        // Uneven, so that two who were in each other's way do not meet again.
        await deadline.before(delay(Math.random() * 10 * attempt))
      }
    }
  } finally {
    deadline.end()
  }
}

async function attemptTransaction<T>(
  query: Query,
  kind: TransactionKind,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  for (const statement of beginnings[kind]) await query(statement)
  try {
    const result = await work(query)
    await query('COMMIT')
    return result
  } catch (error) {
    // Where that fails the connection is broken, and its transaction with it.
    await query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** Does something on one connection, which the pool gets back unless it broke. */
export async function onConnection<T>(
  { pool, lent }: Pick<Connections, 'pool' | 'lent'>,
  work: (query: Query) => Promise<T>,
  deadline = createDeadline(undefined),
): Promise<T> {
  const connection = await connect(pool, deadline)
  let broken = false
  const query: Query = async (sql, values = []) => {
    try {
      return await deadline.before(rowsOf(connection, sql, values))
    } catch (error) {
      broken ||= isBroken(error)
      // The statement is in it, with all that was to be written: no error shows that to a log.
      if (error instanceof Error) Reflect.deleteProperty(error, 'sql')
      throw error
    }
  }
  try {
    if (lent) await query(lentSession.begin)
    return await work(query)
  } finally {
    // What was committed is so, whatever becomes of the connection.
    if (lent && !broken) await query(lentSession.end).catch(() => (broken = true))
    if (broken) connection.destroy()
    else connection.release()
  }
}

// Wrong name or password, and no such database, or none for that name.
const refusals = /^ER_(?:ACCESS_DENIED|BAD_DB|DBACCESS_DENIED)_/

async function connect(pool: MysqlPool, deadline: Deadline): Promise<MysqlConnection> {
  const connecting = pool.getConnection()
  try {
    return await deadline.before(connecting)
  } catch (error) {
    // It may still come, and then nobody waits for it any more.
    connecting.then(
      (connection) => connection.release(),
      () => {},
    )
    throw connectionError('mysqlStore', error, refusals)
  }
}

async function rowsOf<Row>(
  connection: MysqlConnection,
  sql: string,
  values: readonly MysqlValue[],
): Promise<Row[]> {
  const [rows] = await connection.query({
    sql,
    values: [...values],
    // A pool that was given may have been told otherwise.
    rowsAsArray: false,
    typeCast: (_field, next) => next(),
    nestTables: false,
  })
  // The SQL decides the shape of a row, and no type can follow it.
  return (Array.isArray(rows) ? rows : []) as Row[]
}

/** Everything but an error that the server has answered with. */
function isBroken(error: unknown): boolean {
  return fields(error)['fatal'] === true || fields(error)['sqlState'] === undefined
}
