import { randomBytes } from 'node:crypto'
import { beforeEach, expect, test } from '@jest/globals'
import type { Store, SuppressionState } from '../../src/store.js'
import { factOf } from '../../src/testing/store-contract-suppressions.js'
import { batchOf, start } from '../../src/testing/store-samples.js'
import { withFact } from '../../src/suppression.js'
import { interposedPool, isNamed } from './interposed-pool.js'
import { ask, explained, newPool, opened, shuffled, watchedPool } from './postgres-database.js'

let store: Store
beforeEach(async () => {
  store = await opened(newPool())
})

const stateOf = async (address: string): Promise<SuppressionState | undefined> =>
  (await store.suppressionsOf([address]))[0]?.state

test('facts that come to many connections at once, in whatever order, are merged', async () => {
  const codes: unknown[] = []
  const handles = await Promise.all(Array.from({ length: 8 }, () => opened(watchedPool(codes))))
  const addresses = Array.from({ length: 10 }, (_, index) => `r${index}@example.com`)
  const facts = ['a', 'A', 'b', 'B', ''].flatMap((provider, index) => [
    factOf({ provider, detail: 'x', at: start + (index % 3), expiresAt: index }),
    factOf({ provider, detail: 'X', at: start + 9, expiresAt: index }),
    factOf({ kind: 'removed', at: start + index }),
  ])
  await Promise.all(
    handles.map(async (handle) => {
      for (const fact of shuffled(facts)) {
        await handle.suppress(shuffled(addresses).map((address) => ({ ...fact, address })))
      }
    }),
  )
  const expected = facts.reduce<SuppressionState | undefined>(withFact, undefined)
  for (const address of addresses) expect(await stateOf(address)).toEqual(expected)
  expect(codes).toEqual([])
}, 30_000)

test('of two that say the same as late the same one is kept, whichever came first', async () => {
  const facts = [factOf({ expiresAt: start + 1 }), factOf({ expiresAt: start + 2 })]
  for (const fact of facts) await store.suppress([{ ...fact, address: 'ann@example.com' }])
  for (const fact of facts.toReversed()) {
    await store.suppress([{ ...fact, address: 'bob@example.com' }])
  }
  expect(await stateOf('ann@example.com')).toEqual(await stateOf('bob@example.com'))
})

test('any text is kept, however long', async () => {
  // Nothing that could be made shorter: what is in an index is bounded.
  const long = randomBytes(10_000).toString('hex')
  const scopes = ['group:a:1\0', 'group:a:1\ufffd', 'group:a:1\ud800', `group:a:${long}`]
  const said = { provider: 'a\0', detail: `${long}\0` }
  await store.suppress(scopes.map((scope) => factOf({ scope, ...said })))
  const known = await store.suppressionsOf(['ann@example.com'])
  const kept = ['group:a:1\ufffd', 'group:a:1\ufffd', 'group:a:1\ufffd', `group:a:${long}`]
  expect(known.map(({ scope }) => scope).toSorted()).toEqual(kept.toSorted())
  expect(known[0]?.state).toMatchObject({ provider: 'a\ufffd', detail: `${long}\ufffd` })
  expect(await store.suppressions(10)).toHaveLength(4)
})

test('there is nothing behind what is no place', async () => {
  await store.suppress([factOf()])
  const id = '00000000-0000-0000-0000-000000000000'
  for (const place of ['', 'no place', `no place ${'0'.repeat(36)}`, `${id} no`, `no ${id}`, id]) {
    expect(await store.suppressions(10, place)).toEqual([])
  }
  expect(await store.suppressions(10, `${id} ${id}`)).toHaveLength(1)
})

test('a removal alone is one, and of no address nothing is known', async () => {
  await store.suppress([factOf({ kind: 'removed' })])
  expect(await stateOf('ann@example.com')).toEqual({ removedAt: start })
  expect(await store.suppressions(10)).toEqual([])
  expect(await store.suppressionsOf([])).toEqual([])
})

test('what suppresses nobody costs no statement', async () => {
  const names: unknown[] = []
  const watched = await opened(
    interposedPool(newPool(), (query, send) => {
      names.push(query.name)
      return send()
    }),
  )
  const schedule = { now: start, foreignAt: start }
  await watched.ingest(batchOf({ type: 'delivered', recipient: 'ann@example.com' }), schedule)
  expect(names.filter((name) => name !== undefined && String(name).includes('suppress'))).toEqual(
    [],
  )
  await watched.ingest(batchOf({ type: 'complained', recipient: 'ann@example.com' }), schedule)
  expect(names).toContain('mailtrail_put_suppressions')
  const asked = names.length
  expect(await watched.suppressionsOf([])).toEqual([])
  expect(names.slice(asked).filter((name) => name !== undefined)).toEqual([])
})

test('among very many those that are asked for alone are read', async () => {
  await store.suppress([factOf()])
  await ask(
    `INSERT INTO mailtrail_suppressions (address_digest, scope_digest, cause, address, scope,
       first_added_at, added_at, removed_at, provider, detail, expires_at)
     SELECT md5(number::text)::uuid, md5('')::uuid, 'added', number || '@example.com', 'all',
       1, 2, NULL, '', '', 0 FROM generate_series(1, 10000) AS number`,
  )
  await ask('VACUUM ANALYZE mailtrail_suppressions')
  const reader = await explained(
    (query) => isNamed('suppressions')(query) || isNamed('suppressions_of')(query),
  )
  expect(await reader.store.suppressionsOf(['ann@example.com', 'bob@example.com'])).toHaveLength(1)
  const first = await reader.store.suppressions(100)
  const second = await reader.store.suppressions(100, first.at(-1)?.place)
  expect(new Set([...first, ...second].map(({ address }) => address)).size).toBe(200)
  expect(reader.nodes.map(({ kind }) => kind)).not.toContain('Sort')
  for (const { rows } of reader.nodes) expect(rows).toBeLessThanOrEqual(101)
})
