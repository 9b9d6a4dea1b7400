import { afterAll, describe, test } from '@jest/globals'
import { mysqlStore } from '../../src/stores/mysql.js'
import { storeContract } from '../../src/testing/store-contract.js'
import { type Database, newMysqlDatabase } from '../databases.js'

describe('the MySQL store', () => {
  const databases: Database[] = []
  afterAll(async () => {
    for (const { remove } of databases) await remove()
  }, 120_000)
  const open = async () => {
    const database = await newMysqlDatabase()
    databases.push(database)
    return { store: mysqlStore(database.url), other: mysqlStore(database.url) }
  }
  for (const { name, run } of storeContract(open)) test(name, run, 20_000)
})
