import { afterAll, describe, test } from '@jest/globals'
import { postgresStore } from '../../src/stores/postgres.js'
import { storeContract } from '../../src/testing/store-contract.js'
import { type Database, newPostgresDatabase } from '../databases.js'

describe('the PostgreSQL store', () => {
  const databases: Database[] = []
  afterAll(async () => {
    for (const { remove } of databases) await remove()
  }, 120_000)
  const open = async () => {
    const database = await newPostgresDatabase()
    databases.push(database)
    return { store: postgresStore(database.url), other: postgresStore(database.url) }
  }
  for (const { name, run } of storeContract(open)) test(name, run, 20_000)
})
