import { setTimeout as delay } from 'node:timers/promises'
import { fields } from '../payload.js'
import { createDeadline, type Deadline } from './deadline.js'
import { codeOf, connectionError, plainError } from './driver-errors.js'
import { longestWait, type PgClient, type PgPool, type PgQuery } from './postgres-driver.js'

/** A statement and the shape of its rows, in which every value is text or null. */
export interface Statement<Row> {
  name?: string
  text: string
  /** Never there: a statement only bears the type. */
  rows?: Row
}

/** A statement that does not depend on what is asked: each connection prepares it once. */
export function prepared<Row = never>(name: string, text: string): Statement<Row> {
  return { name: `mailtrail_${name}`, text }
}

/** Runs one statement and resolves to its rows. */
export type Query = <Row>(statement: Statement<Row>, values?: readonly unknown[]) => Promise<Row[]>

/** What a transaction is, and how long it may take. */
export interface TransactionKind {
  begin: string
  /** How long everything may take, in ms: getting a connection and trying again included. */
  within?: number
}

/** How long everything may take that a webhook's answer waits for, in ms. */
const longestTransaction = 2500

/** How long a process that stands still keeps what it has locked, in ms. */
const longestPause = 5000

// Plans are kept, and one that was made when its table was nearly empty reads the table whole. A
// statement that is over soon is worth neither compiling nor other processes.
const settings = `
  SET LOCAL lock_timeout = ${longestWait};
  SET LOCAL idle_in_transaction_session_timeout = ${longestPause};
  SET LOCAL enable_seqscan = off;
  SET LOCAL jit = off;
  SET LOCAL max_parallel_workers_per_gather = 0`

const boundStatements = `SET LOCAL statement_timeout = ${longestWait}`

// Said aloud, for the defaults of a server, a database or a role may be others: with every lock
// there is a statement that looks after it, and has to see what was committed meanwhile. What was
// answered 2xx must survive a power cut, so a commit waits for the disk.
const beginWriting = `
  BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
  SELECT set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') = 'off';
  ${settings}`

/** Each statement sees what was committed before it. */
export const writing: TransactionKind = {
  begin: `${beginWriting}; ${boundStatements}`,
  within: longestTransaction,
}

/** All statements see what was committed before the first one. */
export const reading: TransactionKind = {
  begin: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${settings}; ${boundStatements}`,
  within: longestTransaction,
}

/** An index of a large table takes its time. */
export const migrating: TransactionKind = {
  begin: `${beginWriting}; SET LOCAL statement_timeout = 0`,
}

/** Who waits for a table keeps all who come after waiting too, so it is not for long. */
export const altering: TransactionKind = {
  begin: `${migrating.begin}; SET LOCAL lock_timeout = 100`,
}

const mostAttempts = 10

// A cycle of locks, a transaction that must come after another one, and an event that another one
// has just written: known now, it is a duplicate. In all three PostgreSQL has undone everything.
const repeatable = new Set(['40P01', '40001', '23505'])

/**
 * Runs the work as one transaction on one connection; again, when others were in its way. When the
 * answer to the commit is lost it rejects, whatever came of it.
 */
export async function inTransaction<T>(
  pool: PgPool,
  { begin, within }: TransactionKind,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const deadline = createDeadline(within)
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await attemptTransaction(pool, begin, work, deadline)
      } catch (error) {
        const again = repeatable.has(codeOf(error) ?? '') && attempt < mostAttempts
        if (!again) throw error
        // Uneven, so that two who were in each other's way do not meet again.
        await deadline.before(delay(Math.random() * 10 * attempt))
      }
    }
  } finally {
    deadline.end()
  }
}

async function attemptTransaction<T>(
  pool: PgPool,
  begin: string,
  work: (query: Query) => Promise<T>,
  deadline: Deadline,
): Promise<T> {
  const client = await connect(pool, deadline)
  let lost: Error | undefined
  // Without a listener the end of a connection would be the end of the process.
  const onError = (error: Error): void => {
    lost ??= error
  }
  client.on?.('error', onError)

  async function send(statement: PgQuery): Promise<unknown> {
    try {
      return await deadline.before(client.query(statement))
    } catch (error) {
      throw plainError(lost ?? error)
    }
  }

  async function query<Row>(statement: Statement<Row>, values: readonly unknown[] = []) {
    const { name, text } = statement
    const result = await send({ ...(name && { name }), text, values: [...values], types: asText })
    // The SQL decides the shape of a row, and no type can follow it.
    return fields(result)['rows'] as Row[]
  }

  function release(error?: Error): void {
    client.release(error)
    client.removeListener?.('error', onError)
  }

  try {
    await send({ text: begin })
    const value = await work(query)
    const { command } = fields(await send({ text: 'COMMIT' }))
    // So PostgreSQL answers where a statement had failed before.
    if (command === 'ROLLBACK') throw new Error('the transaction was rolled back')
    release()
    return value
  } catch (error) {
    await send({ text: 'ROLLBACK' }).then(
      () => release(),
      // Nobody knows what state the connection is in.
      (failure: Error) => release(failure),
    )
    throw error
  }
}

/** Every value as PostgreSQL writes it: a program may have set parsers of its own for its types. */
const asText = { getTypeParser: () => (value: string) => value }

// Wrong name or password, and no such database.
const refusals = /^(?:28|3D)/

async function connect(pool: PgPool, deadline: Deadline): Promise<PgClient> {
  const connecting = (async () => pool.connect())()
  try {
    return await deadline.before(connecting)
  } catch (error) {
    // It may still come, and then nobody waits for it any more.
    connecting.then(
      (client) => client.release(),
      () => {},
    )
    throw connectionError('postgresStore', error, refusals)
  }
}
