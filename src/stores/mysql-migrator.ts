import { ConfigurationError } from '../errors.js'
import { missingMigrations } from './migrations.js'
import { mysqlMigrations } from './mysql-migrations.js'
import type { Query } from './mysql-transaction.js'

// Tied to the database, for the server has one set of names.
const migrationLock = "CONCAT('mailtrail ', MD5(DATABASE()))"

/**
 * Brings a database to the version that this package knows. Several processes may do so at once: the lock lets
 * one after the other.
 */
export async function migrate(query: Query): Promise<void> {
  await checkServer(query)
  const [lock] = await query<{ held: number | null }>(
    `SELECT GET_LOCK(${migrationLock}, 2) AS held`,
  )
  if (Number(lock?.held) !== 1) {
    throw new Error('another process migrates the MySQL store, or there is no database in its URL')
  }
  try {
    await query(
      `CREATE TABLE IF NOT EXISTS mailtrail_migrations (
        version INT NOT NULL, PRIMARY KEY (version)) ENGINE=InnoDB`,
    )
    const [row] = await query<{ version: number | null }>(
      'SELECT MAX(version) AS version FROM mailtrail_migrations',
    )
    const missing = missingMigrations(mysqlMigrations, Number(row?.version ?? 0))
    for (const { version, statements } of missing) {
      for (const statement of statements) await query(statement)
      await query('INSERT INTO mailtrail_migrations (version) VALUES (?)', [version])
    }
  } finally {
    await query(`SELECT RELEASE_LOCK(${migrationLock})`)
  }
}

/** @throws ConfigurationError for servers that would only fail later, at the first claim */
async function checkServer(query: Query): Promise<void> {
  const [row] = await query<{ version: string }>('SELECT VERSION() AS version')
  const version = String(row?.version)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [least, leastMinor] = /mariadb/i.test(version) ? [10, 6] : [8, 0]
  if (major < least || (major === least && minor < leastMinor)) {
    throw new ConfigurationError(
      `mysqlStore needs MySQL 8.0.16 or MariaDB 10.6, or later, and the server is of version ${version}`,
    )
  }
}
