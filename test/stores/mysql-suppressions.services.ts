import { beforeEach, expect, test } from '@jest/globals'
import type { Pool } from 'mysql2/promise'
import type { Store, SuppressionFact, SuppressionState } from '../../src/store.js'
import { mysqlStore } from '../../src/stores/mysql.js'
import { suppress } from '../../src/stores/sql-suppressions.js'
import { withFact } from '../../src/suppression.js'
import { factOf } from '../../src/testing/store-contract-suppressions.js'
import { start } from '../../src/testing/store-samples.js'
import { atEnd, newPool, once, shuffled, url, withReads } from './mysql-database.js'

let store: Store
let pool: Pool
beforeEach(async () => {
  store = mysqlStore(url())
  atEnd(() => store.close())
  await store.open()
  pool = newPool()
})

const anyOf = <T>(...choices: T[]): T | undefined =>
  choices[Math.floor(Math.random() * choices.length)]

/** Facts of few addresses at few times, so that many of them are as late as another. */
function someFacts(count: number): SuppressionFact[] {
  return Array.from({ length: count }, () => {
    const provider = anyOf('', 'a', 'A', 'b')
    const detail = anyOf('', 'a', 'A', 'é', 'e', 'a ')
    return factOf({
      address: anyOf('ann@example.com', 'bob@example.com') ?? '',
      scope: anyOf('all', 'list:a:1') ?? '',
      kind: anyOf('added', 'added', 'removed') ?? 'added',
      at: anyOf(1000, 2000, 3000) ?? 0,
      ...(provider && { provider }),
      ...(detail && { detail }),
      expiresAt: anyOf(0, 5000, 6000) ?? 0,
    })
  })
}

const keyOf = ({ address, scope, cause }: Pick<SuppressionFact, 'address' | 'scope' | 'cause'>) =>
  [address, scope, cause].join(' ')

function merged(facts: readonly SuppressionFact[]): Map<string, SuppressionState> {
  const states = new Map<string, SuppressionState>()
  for (const fact of facts) states.set(keyOf(fact), withFact(states.get(keyOf(fact)), fact))
  return states
}

async function known(): Promise<Map<string, SuppressionState>> {
  const rows = await store.suppressionsOf(['ann@example.com', 'bob@example.com'])
  return new Map(rows.map((row) => [keyOf(row), row.state]))
}

test('many who merge into the same rows end as one would, and never stand in a circle', async () => {
  const facts = someFacts(300)
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      once(pool, (tables) => suppress(tables, shuffled(facts.slice(index * 5, index * 5 + 5)))),
    ),
  )
  expect(await known()).toEqual(merged(facts))
}, 30_000)

test.each(["''", "'SIMULTANEOUS_ASSIGNMENT'", "'ANSI'"])(
  'facts merge one after the other in any order with the mode %s',
  async (mode) => {
    const theirs = newPool({ connectionLimit: 1 })
    // Only MariaDB knows the second one.
    await theirs.query(`SET SESSION sql_mode = ${mode}`).catch(() => {})
    const facts = someFacts(100)
    for (const fact of facts) await once(theirs, (tables) => suppress(tables, [fact]))
    expect(await known()).toEqual(merged(facts))
  },
)

test('a page is read from its place on, and an address without the others', async () => {
  const facts = Array.from({ length: 2000 }, (_, index) =>
    factOf({ address: `u${index >> 1}@example.com`, scope: index % 2 === 0 ? 'all' : 'list:a:1' }),
  )
  await store.suppress(facts)
  await pool.query('ANALYZE TABLE mailtrail_suppressions')
  const places: string[] = []
  for (let after: string | undefined, more = true; more;) {
    const { result, reads } = await withReads(pool, (tables) => tables.suppressions(99, after))
    expect(reads).toBeLessThan(110)
    places.push(...result.map(({ place }) => place))
    after = result.at(-1)?.place
    more = result.length === 99
  }
  expect(places).toHaveLength(2000)
  expect(places.toSorted()).toEqual(places)
  expect(new Set(places).size).toBe(2000)
  const of = await withReads(pool, (tables) =>
    tables.suppressionsOf(['u7@example.com', 'u900@example.com', 'u7@example.com', 'nobody']),
  )
  expect(of.result).toHaveLength(4)
  expect(of.reads).toBeLessThan(20)
})

test('a removal alone is one, and of no address nothing is known', async () => {
  await store.suppress([factOf({ kind: 'removed' })])
  expect(await known()).toEqual(new Map([[keyOf(factOf()), { removedAt: start }]]))
  expect(await store.suppressions(10)).toEqual([])
  expect(await store.suppressionsOf([])).toEqual([])
})

test('whatever the letter case, accents and length, an address and scope is itself', async () => {
  const scopes = ['list:a:x', 'list:a:X', 'list:a:x ', 'list:a:é', `list:a:${'é'.repeat(9000)}`]
  const detail = '𝒜 " \\ \0'
  await store.suppress(scopes.map((scope) => factOf({ scope, detail })))
  const found = await store.suppressions(10)
  expect(found.map(({ scope }) => scope).toSorted()).toEqual(scopes.toSorted())
  expect(found.map(({ state }) => state.detail)).toEqual(scopes.map(() => detail))
})

test('times are numbers, whatever a pool that was given makes of them', async () => {
  const onPool = mysqlStore(newPool({ supportBigNumbers: true, bigNumberStrings: true }))
  await onPool.suppress([factOf({ expiresAt: 5000 }), factOf({ kind: 'removed', at: 500 })])
  expect((await onPool.suppressions(10)).map(({ state }) => state)).toEqual([
    {
      firstAddedAt: start,
      addedAt: start,
      removedAt: 500,
      provider: '',
      detail: '',
      expiresAt: 5000,
    },
  ])
  await onPool.close()
})
