import { ConfigurationError } from '../errors.js'

/** The statements that bring a database from one version to the next: version 1 is the first entry. */
export type Migrations = readonly (readonly string[])[]

/**
 * The migrations that a database of this version lacks, each with the version it leads to.
 *
 * @throws ConfigurationError when the database is of a later version than this package knows
 */
export function missingMigrations(
  migrations: Migrations,
  version: number,
): { version: number; statements: readonly string[] }[] {
  if (version > migrations.length) {
    throw new ConfigurationError(
      `the store is of version ${version}, which a later mailtrail has made, and this one knows versions up to ${migrations.length}: update mailtrail here too`,
    )
  }
  return migrations.map((statements, index) => ({ version: index + 1, statements })).slice(version)
}
