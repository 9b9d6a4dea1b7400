import { missingMigrations } from './migrations.js'
import { type SqliteDatabase, whileLocked } from './sqlite-driver.js'
import { sqliteMigrations } from './sqlite-migrations.js'

/**
 * Brings a database to the version that this package knows. Several processes may do so at once: the lock lets
 * one after the other.
 */
export async function migrate(database: SqliteDatabase): Promise<void> {
  await whileLocked(() => database.exec('BEGIN IMMEDIATE'))
  try {
    database.exec(
      'CREATE TABLE IF NOT EXISTS mailtrail_migrations (version INTEGER PRIMARY KEY) STRICT',
    )
    const row = database.prepare('SELECT max(version) AS version FROM mailtrail_migrations').get()
    const applied = Number(Reflect.get(Object(row), 'version') ?? 0)
    for (const { version, statements } of missingMigrations(sqliteMigrations, applied)) {
      for (const statement of statements) database.exec(statement)
      database.prepare('INSERT INTO mailtrail_migrations (version) VALUES (?)').run(version)
    }
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
