import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteStore } from '../src/stores/sqlite.js'
import { faultsOfCrashes } from './crash.js'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-crash-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a server that is killed fifty times loses, halves and doubles nothing, and tells all in order', async () => {
  const connection = join(folder, 'store.db')
  const served = { entry: 'mailtrail/sqlite', factory: 'sqliteStore', connection }
  expect(await faultsOfCrashes(served, sqliteStore(connection), 50)).toEqual([])
}, 180_000)
