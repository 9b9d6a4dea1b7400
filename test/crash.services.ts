import { expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { mysqlStore } from '../src/stores/mysql.js'
import { postgresStore } from '../src/stores/postgres.js'
import { faultsOfCrashes } from './crash.js'
import { newMysqlDatabase, newPostgresDatabase } from './databases.js'
import { restartPostgres } from './started-services.js'

test('a server on PostgreSQL that is killed fifty times, and the database with it, loses, halves and doubles nothing', async () => {
  const { url, remove } = await newPostgresDatabase()
  const served = { entry: 'mailtrail/postgres', factory: 'postgresStore', connection: url }
  const disturb = async (round: number): Promise<void> => {
    if (round % 5 !== 4) return
    await delay(Math.random() * 100)
    await restartPostgres()
  }
  expect(await faultsOfCrashes(served, postgresStore(url), 50, disturb)).toEqual([])
  await remove()
}, 240_000)

test('a server on MariaDB that is killed fifty times loses, halves and doubles nothing', async () => {
  const { url, remove } = await newMysqlDatabase()
  const served = { entry: 'mailtrail/mysql', factory: 'mysqlStore', connection: url }
  expect(await faultsOfCrashes(served, mysqlStore(url), 50)).toEqual([])
  await remove()
}, 240_000)
