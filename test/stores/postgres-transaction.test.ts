import { expect, test } from '@jest/globals'
import { ConfigurationError } from '../../src/errors.js'
import type { PgPool } from '../../src/stores/postgres.js'
import { inTransaction, reading } from '../../src/stores/postgres-transaction.js'

test.each([
  ['28P01', 'a wrong password', true],
  ['3D000', 'a database that there is not', true],
  ['57P03', 'a server that is starting', false],
  ['XX28D', 'whatever has these signs elsewhere in it', false],
])('%s, %s, is a matter of configuration: %s', async (code, _what, ofConfiguration) => {
  const refused = Object.assign(new Error('no'), { code })
  const pool: PgPool = { connect: () => Promise.reject(refused) }
  const error: unknown = await inTransaction(pool, reading, async () => {}).catch((e: unknown) => e)
  expect(error).toMatchObject({ message: 'postgresStore cannot connect: no' })
  expect(error instanceof ConfigurationError).toBe(ofConfiguration)
})
