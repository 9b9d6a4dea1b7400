import { expect } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The tables of a new database, with their columns and indexes, are those that are written down for this store in
 * `<store>-schema.txt`: an index that is missing costs time alone, and no other test would see it.
 */
export function expectToBeWrittenDown(store: string, schema: readonly string[]): void {
  const file = join(__dirname, `${store}-schema.txt`)
  expect(schema).toEqual(readFileSync(file, 'utf8').trimEnd().split('\n'))
}
