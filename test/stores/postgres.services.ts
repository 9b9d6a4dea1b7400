import { afterAll, beforeAll, describe, test } from '@jest/globals'
import { Pool } from 'pg'
import { cutDays } from '../../src/stores/postgres-days.js'
import { altering, inTransaction } from '../../src/stores/postgres-transaction.js'
import { postgresStore } from '../../src/stores/postgres.js'
import { start } from '../../src/testing/store-samples.js'
import { storeContract } from '../../src/testing/store-contract.js'
import { type Database, newPostgresDatabase } from '../databases.js'

describe.each(['whole', 'by day'])('the PostgreSQL store, %s', (how) => {
  const databases: Database[] = []
  let migrated: Database
  beforeAll(async () => {
    migrated = await newPostgresDatabase()
    databases.push(migrated)
    if (how === 'by day') return cutDaysOf(migrated.url)
    const store = postgresStore(migrated.url)
    await store.open()
    await store.close()
  }, 20_000)
  afterAll(async () => {
    await Promise.all(databases.map(({ remove }) => remove()))
  }, 120_000)
  const open = async () => {
    const database = await newPostgresDatabase(migrated)
    databases.push(database)
    return { store: postgresStore(database.url), other: postgresStore(database.url) }
  }
  for (const { name, run } of storeContract(open)) test(name, run, 20_000)
})

/** Cuts the days at which the samples happen. */
async function cutDaysOf(url: string): Promise<void> {
  const store = postgresStore(url, { partitions: 'day' })
  const pool = new Pool({ connectionString: url, max: 1 })
  const whole = postgresStore(url)
  await whole.open()
  await whole.close()
  await inTransaction(pool, altering, (query) => cutDays(query, start - 2 * 24 * 3600_000))
  // It goes on with the coming days.
  await store.open()
  await store.close()
  await pool.end()
}
