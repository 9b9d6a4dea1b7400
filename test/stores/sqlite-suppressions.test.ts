import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { Store } from '../../src/store.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { factOf } from '../../src/testing/store-contract-suppressions.js'
import { start } from '../../src/testing/store-samples.js'

let store: Store
beforeEach(() => {
  store = sqliteStore(':memory:')
})
afterEach(() => store.close())

test('a list goes on from where it was, also among scopes with spaces in them', async () => {
  const scopes = ['all', 'group:a b:1', 'group:a b:2', 'group:a  b:1', 'group:ab:1', 'group:a ']
  const causes = ['added', 'bounced'] as const
  await store.suppress(scopes.flatMap((scope) => causes.map((cause) => factOf({ scope, cause }))))
  const whole = await store.suppressions(100)
  expect(whole.map(({ scope }) => scope).toSorted()).toEqual([...scopes, ...scopes].toSorted())
  for (const [index, { place }] of whole.entries()) {
    expect(await store.suppressions(100, place)).toEqual(whole.slice(index + 1))
  }
})

test('a place is that of a row, whatever comes of the row', async () => {
  await store.suppress([factOf(), factOf({ address: 'bob@example.com' })])
  const [first, second] = await store.suppressions(2)
  await store.suppress([factOf({ address: first?.address ?? '', kind: 'removed', at: start + 1 })])
  expect(await store.suppressions(2)).toEqual([second])
  expect(await store.suppressions(2, first?.place)).toEqual([second])
  expect(await store.suppressions(2, second?.place)).toEqual([])
})
