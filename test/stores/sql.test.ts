import { describe, expect, test } from '@jest/globals'
import { sqlStore } from '../../src/stores/sql.js'
import type { SqlDatabase } from '../../src/stores/sql-tables.js'

/** A database without any tables, and what was asked of it. */
function emptyDatabase(more: Partial<SqlDatabase> = {}): {
  database: SqlDatabase
  asked: string[]
} {
  const asked: string[] = []
  const database: SqlDatabase = {
    async open() {
      asked.push('open')
    },
    async transaction() {
      asked.push('transaction')
      throw new Error('there are no tables')
    },
    async read() {
      asked.push('read')
      throw new Error('there are no tables')
    },
    async close() {
      asked.push('close')
    },
    ...more,
  }
  return { database, asked }
}

describe('a database', () => {
  test('is closed once, however often its store is', async () => {
    const { database, asked } = emptyDatabase()
    const store = sqlStore(database)
    await store.open()
    await Promise.all([store.close(), store.close()])
    expect(asked).toEqual(['open', 'close'])
  })

  test('is not closed while it is being opened', async () => {
    let opened = (): void => {}
    const { database, asked } = emptyDatabase({
      open: () => new Promise((resolve) => (opened = resolve)),
    })
    const store = sqlStore(database)
    const opening = store.open()
    const closing = store.close()
    await Promise.resolve()
    expect(asked).toEqual([])
    opened()
    await Promise.all([opening, closing])
    expect(asked).toEqual(['close'])
  })

  test('that could not be opened is closed all the same', async () => {
    const { database, asked } = emptyDatabase({ open: () => Promise.reject(new Error('locked')) })
    const store = sqlStore(database)
    const opening = store.open()
    await store.close()
    await expect(opening).rejects.toThrow('locked')
    expect(asked).toEqual(['close'])
  })

  test('that has dropped days is left alone until it has none to drop', async () => {
    const removals = [12, 0]
    const { database, asked } = emptyDatabase({
      pruneDays: async (limits) => ({ removed: removals.shift() ?? 0, limits }),
    })
    const store = sqlStore(database)
    expect(await store.prune({ messages: 0 }, 500)).toBe(12)
    expect(asked).toEqual(['open'])
    await expect(store.prune({ messages: 0 }, 500)).rejects.toThrow('there are no tables')
    expect(asked).toEqual(['open', 'transaction'])
  })
})
