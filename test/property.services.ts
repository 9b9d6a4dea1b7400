import { describe, expect, test } from '@jest/globals'
import { mysqlStore } from '../src/stores/mysql.js'
import { postgresStore } from '../src/stores/postgres.js'
import { newMysqlDatabase, newPostgresDatabase } from './databases.js'
import { checkEndsInTheSameState } from './property.js'

const expectEqual = (stored: unknown, reference: unknown): void =>
  void expect(stored).toEqual(reference)

describe('facts in whatever order, repetition, batching and event ids end in the same state', () => {
  test.each([
    ['PostgreSQL', newPostgresDatabase, postgresStore],
    ['MariaDB', newMysqlDatabase, mysqlStore],
  ])(
    'in a database of %s that four handles share',
    async (_, newDatabase, openStore) => {
      const { url, remove } = await newDatabase()
      const handles = [1, 2, 3, 4].map(() => openStore(url))
      await checkEndsInTheSameState(handles, 500, expectEqual)
      for (const store of handles) await store.close()
      await remove()
    },
    180_000,
  )
})
