import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore } from '../src/stores/memory.js'
import { sqliteStore } from '../src/stores/sqlite.js'
import { checkEndsInTheSameState } from './property.js'

const expectEqual = (stored: unknown, reference: unknown): void =>
  void expect(stored).toEqual(reference)

describe('facts in whatever order, repetition, batching and event ids end in the same state', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mailtrail-property-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('in memory', async () => {
    const store = memoryStore()
    await checkEndsInTheSameState([store, store, store, store], 10_000, expectEqual)
  }, 180_000)

  test('in a SQLite file that four handles share', async () => {
    const file = join(folder, 'store.db')
    const handles = [1, 2, 3, 4].map(() => sqliteStore(file))
    await checkEndsInTheSameState(handles, 500, expectEqual)
    for (const store of handles) await store.close()
  }, 180_000)
})
