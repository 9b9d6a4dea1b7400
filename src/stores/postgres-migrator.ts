import { ConfigurationError } from '../errors.js'
import { missingMigrations } from './migrations.js'
import type { PgPool } from './postgres-driver.js'
import { lockClass, migrationLock } from './postgres-locks.js'
import { postgresMigrations } from './postgres-migrations.js'
import { inTransaction, migrating, type Query, reading } from './postgres-transaction.js'

/**
 * Brings a database to the version that this package knows. Several processes may do so at once: the lock lets
 * one after the other.
 */
export async function migrate(pool: PgPool): Promise<void> {
  // Who may only read and write rows can start where others have migrated.
  const found = await inTransaction(pool, reading, async (query) =>
    (await hasVersions(query)) ? missing(query) : undefined,
  )
  if (found?.length === 0) return
  await inTransaction(pool, migrating, async (query) => {
    await query({ text: 'SELECT pg_advisory_xact_lock($1, $2)' }, [lockClass, migrationLock])
    // Asked for by its name, this connection might not have heard yet that it is there by now.
    await query({ text: createMigrations })
    for (const { version, statements } of await missing(query)) {
      for (const text of statements) await query({ text })
      await query({ text: addMigration }, [version])
    }
  })
}

const createMigrations =
  'CREATE TABLE IF NOT EXISTS mailtrail_migrations (version integer PRIMARY KEY)'
const addMigration = 'INSERT INTO mailtrail_migrations (version) VALUES ($1)'

async function hasVersions(query: Query): Promise<boolean> {
  const [database] = await query<{ encoding: string; migrations: string | null }>({
    text: `SELECT current_setting('server_encoding') AS encoding,
      to_regclass('mailtrail_migrations') AS migrations`,
  })
  if (database?.encoding !== 'UTF8') {
    throw new ConfigurationError(
      `postgresStore needs a database in UTF8, and this one is in ${database?.encoding}`,
    )
  }
  return database.migrations !== null
}

async function missing(query: Query): Promise<ReturnType<typeof missingMigrations>> {
  const [row] = await query<{ version: string | null }>({
    text: 'SELECT max(version) AS version FROM mailtrail_migrations',
  })
  return missingMigrations(postgresMigrations, Number(row?.version ?? 0))
}
