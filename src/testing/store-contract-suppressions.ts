import { equal } from 'node:assert/strict'
import type { Store, SuppressionFact } from '../store.js'
import { batchFrom, batchOf, start } from './store-samples.js'
import { same } from './comparing.js'
import { added, type Checks, ingest } from './store-steps.js'

const ann = 'ann@example.com'

/** Says that an address is not to be mailed, unless it says something else. */
export function factOf(fact: Partial<SuppressionFact> = {}): SuppressionFact {
  return { kind: 'added', address: ann, scope: 'all', cause: 'added', at: start, ...fact }
}

const kept = {
  firstAddedAt: start,
  addedAt: start,
  provider: '',
  detail: '',
  expiresAt: 0,
}

/** What is known of an address, by scope and cause. */
async function knownOf(store: Store, address = ann): Promise<Record<string, unknown>> {
  const known = await store.suppressionsOf([address])
  return Object.fromEntries(
    known.map(({ scope, cause, state }) => [`${scope} ${cause}`, state]).toSorted(),
  )
}

/** Facts of one address, scope and cause, of which several are as late. */
const facts: SuppressionFact[] = [
  factOf({ at: start + 1, provider: 'b', detail: 'x' }),
  factOf({ at: start + 9, provider: 'a', detail: 'Z', expiresAt: start + 1000 }),
  factOf({ at: start + 9, provider: 'a', detail: 'a', expiresAt: start + 2000 }),
  factOf({ at: start + 9, provider: 'a', detail: 'a', expiresAt: start + 1500 }),
  factOf({ at: start + 9, provider: 'A', detail: 'z' }),
  factOf({ at: start + 5, kind: 'removed' }),
  factOf({ at: start + 3, kind: 'removed' }),
]

const merged = {
  'all added': {
    firstAddedAt: start + 1,
    addedAt: start + 9,
    removedAt: start + 5,
    provider: 'a',
    detail: 'a',
    expiresAt: start + 2000,
  },
}

/** Who must not be mailed. */
export const suppressionChecks: Checks = {
  async 'who was added is suppressed, in every process'({ store, other }) {
    await store.suppress([factOf({ provider: 'x', detail: 'he asked', expiresAt: start + 5 })])
    same(await knownOf(other), {
      'all added': { ...kept, provider: 'x', detail: 'he asked', expiresAt: start + 5 },
    })
    same(await other.suppressionsOf(['bob@example.com']), [])
  },

  async 'each scope and cause stands by itself'({ store }) {
    await store.suppress([
      factOf(),
      factOf({ scope: 'group:postmark:1' }),
      factOf({ cause: 'bounced' }),
      factOf({ kind: 'removed', cause: 'bounced', at: start + 1 }),
    ])
    same(await knownOf(store), {
      'all added': kept,
      'all bounced': { ...kept, removedAt: start + 1 },
      'group:postmark:1 added': kept,
    })
  },

  async 'facts may come in any order, together, apart and again'({ store, other }) {
    await store.suppress(facts)
    same(await knownOf(store), merged)
    for (const fact of facts.toReversed()) {
      await other.suppress([{ ...fact, address: 'bob@example.com' }])
    }
    await Promise.all(
      facts.map((fact, index) =>
        (index % 2 === 0 ? store : other).suppress([{ ...fact, address: 'cid@example.com' }]),
      ),
    )
    await store.suppress(facts.map((fact) => ({ ...fact, address: 'bob@example.com' })))
    same(await knownOf(store, 'bob@example.com'), merged)
    same(await knownOf(store, 'cid@example.com'), merged)
  },

  async 'who was only removed so far is not suppressed, and an earlier fact does not change that'({
    store,
  }) {
    await store.suppress([factOf({ kind: 'removed', at: start + 5 })])
    same(await knownOf(store), { 'all added': { removedAt: start + 5 } })
    same(await store.suppressions(10), [])
    await store.suppress([factOf()])
    same(await store.suppressions(10), [])
    await store.suppress([factOf({ at: start + 6 })])
    equal((await store.suppressions(10)).length, 1)
  },

  async 'they are listed page by page, each once, without those that were removed'({
    store,
    other,
  }) {
    // Not in the order of their places.
    const addresses = Array.from({ length: 7 }, (_, index) => `${(index * 3) % 7}@example.com`)
    await store.suppress([
      ...addresses.flatMap((address) => [
        factOf({ address }),
        factOf({ address, scope: 'list:postmark:a b:c', cause: 'unsubscribed' }),
      ]),
      factOf({ address: '3@example.com', kind: 'removed', at: start + 1 }),
    ])
    const listed: string[] = []
    let place: string | undefined
    for (;;) {
      const page = await other.suppressions(3, place)
      equal(page.length <= 3, true)
      listed.push(...page.map(({ address, scope, cause }) => `${address} ${scope} ${cause}`))
      place = page.at(-1)?.place
      if (page.length < 3) break
    }
    same(
      listed.toSorted(),
      addresses
        .flatMap((address) => [
          ...(address === '3@example.com' ? [] : [`${address} all added`]),
          `${address} list:postmark:a b:c unsubscribed`,
        ])
        .toSorted(),
    )
  },

  async 'an event that says so suppresses its address, with its message or without'({ store }) {
    const record = await added(store)
    const hard = {
      type: 'bounced',
      bounce: { kind: 'hard', asynchronous: false },
      response: '550 no such user',
      ownId: record.trackingId,
      recipient: 'Ann@Example.com',
    } as const
    await ingest(store, batchOf(hard))
    await ingest(store, batchOf(hard))
    const bounced = { ...kept, provider: 'postmark', detail: '550 no such user' }
    const at = { firstAddedAt: start + 500, addedAt: start + 500 }
    same(await knownOf(store), { 'all bounced': { ...bounced, ...at } })
    const unsubscribed = {
      type: 'unsubscribed',
      scope: { kind: 'group', id: '42' },
      recipient: 'bob@example.com',
    } as const
    await ingest(store, batchFrom('other', unsubscribed))
    same(await knownOf(store, 'bob@example.com'), {
      'group:other:42 unsubscribed': { ...kept, provider: 'other', ...at },
    })
  },

  async 'what addresses look like does not matter'({ store }) {
    const odd = ['', "o'brien@example.com", '%_@example.com', `${'x'.repeat(3000)}@example.com`]
    await store.suppress(odd.map((address) => factOf({ address, detail: `"${address}"` })))
    for (const address of odd) {
      same(await knownOf(store, address), { 'all added': { ...kept, detail: `"${address}"` } })
    }
  },
}
