import type { Pool } from 'pg'
import type { PgPool, PgQuery } from '../../src/stores/postgres.js'

/** What happens to a statement on its way: `send` sends it, or another in its place. */
export type Interposed = (
  query: PgQuery,
  send: (query?: PgQuery) => Promise<unknown>,
) => Promise<unknown>

/** A pool whose statements all go through this function. */
export function interposedPool(pool: Pool, interposed: Interposed): PgPool {
  return {
    async connect() {
      const client = await pool.connect()
      return {
        query: (query) => interposed(query, (other = query) => client.query(other)),
        release: (error) => client.release(error),
        on: (event, listener) => client.on(event, listener),
        removeListener: (event, listener) => client.removeListener(event, listener),
      }
    },
  }
}

export interface Pause {
  pool: PgPool
  /** From now on it may stop. */
  arm(): void
  /** Resolves when the statement is about to be sent. */
  reached: Promise<void>
  resume(): void
}

/** A pool that stops once it is armed, before it sends the first statement that fits. */
export function pausedPool(pool: Pool, fits: (query: PgQuery) => boolean): Pause {
  let reach = (): void => {}
  let resume = (): void => {}
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  const resumed = new Promise<void>((resolve) => {
    resume = resolve
  })
  let armed = false
  const interposed: Interposed = async (query, send) => {
    if (armed && fits(query)) {
      armed = false
      reach()
      await resumed
    }
    return send()
  }
  const arm = (): void => {
    armed = true
  }
  return { pool: interposedPool(pool, interposed), arm, reached, resume: () => resume() }
}

export const isCommit = ({ text }: PgQuery): boolean => text === 'COMMIT'

export const isNamed =
  (name: string) =>
  (query: PgQuery): boolean =>
    query.name === `mailtrail_${name}`
