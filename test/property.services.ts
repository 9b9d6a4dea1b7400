import { describe, expect, test } from '@jest/globals'
import { postgresStore } from '../src/stores/postgres.js'
import { newPostgresDatabase } from './databases.js'
import { checkEndsInTheSameState } from './property.js'

const expectEqual = (stored: unknown, reference: unknown): void =>
  void expect(stored).toEqual(reference)

describe('facts in whatever order, repetition, batching and event ids end in the same state', () => {
  test('in a PostgreSQL database that four handles share', async () => {
    const { url, remove } = await newPostgresDatabase()
    const handles = [1, 2, 3, 4].map(() => postgresStore(url))
    await checkEndsInTheSameState(handles, 500, expectEqual)
    for (const store of handles) await store.close()
    await remove()
  }, 180_000)
})
