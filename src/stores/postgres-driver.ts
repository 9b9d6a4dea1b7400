import { ConfigurationError } from '../errors.js'
import { hasMethods } from '../has-methods.js'

/** The part of a `Pool` of the package `pg` that is used here. */
export interface PgPool {
  /** Lends a connection. */
  connect(): Promise<PgClient>
  /** Listens to connections that break while nobody uses them. */
  on?(event: 'error', listener: (error: Error) => void): unknown
  /** Listens no more. */
  removeListener?(event: 'error', listener: (error: Error) => void): unknown
}

/** The part of a client of such a pool that is used here. */
export interface PgClient {
  /** Runs a statement. */
  query(query: PgQuery): Promise<unknown>
  /** With an error the pool parts with the connection. */
  release(error?: Error): void
  /** Listens to the connection breaking. */
  on?(event: 'error', listener: (error: Error) => void): unknown
  /** Listens no more. */
  removeListener?(event: 'error', listener: (error: Error) => void): unknown
}

/** One statement as `pg` takes it. Under its name a connection prepares it once. */
export interface PgQuery {
  name?: string
  text: string
  values?: unknown[]
  types?: {
    /** How values are read: as the texts that they come as. */
    getTypeParser(): (value: string) => string
  }
}

/** Where connections come from. */
export interface Connections {
  pool: PgPool
  /** The pool is somebody else's: it is listened to no longer than it is used, and stays open. */
  lent: boolean
  end(): Promise<void>
}

/** How long a lock, a statement or a connection is waited for, in ms: the answer to a webhook is due in 3 s. */
export const longestWait = 2000

/** A pool of ours for the database of this URL, made with the optional peer `pg`. */
export async function openPool(url: string): Promise<Connections> {
  const { Pool } = await loadDriver()
  const pool = new Pool({
    connectionString: url,
    connectionTimeoutMillis: longestWait,
    keepAlive: true,
    fallback_application_name: 'mailtrail',
    // A program that is through ends, whether or not it closed the store.
    allowExitOnIdle: true,
  })
  return { pool, lent: false, end: () => pool.end() }
}

/** A pool that is somebody else's. */
export function lentPool(pool: PgPool): Connections {
  return { pool, lent: true, end: async () => {} }
}

export function isPool(connection: unknown): connection is PgPool {
  return hasMethods(connection, 'connect')
}

async function loadDriver() {
  try {
    const { default: pg } = await import('pg')
    return pg
  } catch (cause) {
    throw new ConfigurationError('postgresStore needs the package pg: npm install pg', { cause })
  }
}
