import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { SuppressionFact, SuppressionState } from '../src/store.js'
import { factsOf, suppressionOf, withFact } from '../src/suppression.js'
import { batchOf, type SampleEvent, start } from '../src/testing/store-samples.js'

const hard = { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } } as const
const recipient = 'Ann@Example.org'

/** What an event says, in short: `+` adds and `-` removes. */
function said(event: SampleEvent): string[] {
  const [incoming] = batchOf(event).events
  return (incoming ? factsOf(incoming.event) : []).map(
    ({ kind, cause, scope, address }) =>
      `${kind === 'added' ? '+' : '-'}${cause} ${scope} ${address}`,
  )
}

const ann = 'ann@example.org'
const group = { kind: 'group', id: '42' } as const
const everyCause = ['bounced', 'complained', 'unsubscribed', 'listed']

test.each<[what: string, event: SampleEvent, facts: string[]]>([
  ['a hard bounce', { ...hard, recipient }, [`+bounced all ${ann}`]],
  [
    'a soft bounce',
    { type: 'bounced', bounce: { kind: 'soft', asynchronous: false }, recipient },
    [],
  ],
  ['a block', { type: 'bounced', bounce: { kind: 'block', asynchronous: false }, recipient }, []],
  ['a bounce of nobody', hard, []],
  ['a complaint', { type: 'complained', recipient }, [`+complained all ${ann}`]],
  [
    'an unsubscribe',
    { type: 'unsubscribed', scope: { kind: 'all' }, recipient },
    [`+unsubscribed all ${ann}`],
  ],
  [
    'an unsubscribe from a group',
    { type: 'unsubscribed', scope: group, recipient },
    [`+unsubscribed group:postmark:42 ${ann}`],
  ],
  [
    'a subscription to a group',
    { type: 'subscribed', scope: group, recipient },
    [`-unsubscribed group:postmark:42 ${ann}`],
  ],
  [
    'a subscription',
    { type: 'subscribed', scope: { kind: 'all' }, recipient },
    everyCause.map((cause) => `-${cause} all ${ann}`),
  ],
  [
    'a rejection for a bounce',
    { type: 'rejected', reason: 'bounced', recipient },
    [`+bounced all ${ann}`],
  ],
  [
    'a rejection for a complaint',
    { type: 'rejected', reason: 'spam', recipient },
    [`+complained all ${ann}`],
  ],
  [
    'a rejection for an unsubscribe of who knows what',
    { type: 'rejected', reason: 'unsubscribed', recipient },
    [],
  ],
  [
    'an entry of a denylist',
    { type: 'suppression', list: 'reject', action: 'added', address: recipient },
    [`+listed all ${ann}`],
  ],
  [
    'an entry of a denylist of a part',
    {
      type: 'suppression',
      list: 'reject',
      action: 'changed',
      address: recipient,
      scope: { kind: 'group', id: 'a:b' },
    },
    [`+listed group:postmark:a:b ${ann}`],
  ],
  [
    'an entry that is taken off a denylist',
    { type: 'suppression', list: 'reject', action: 'removed', address: recipient },
    everyCause.map((cause) => `-${cause} all ${ann}`),
  ],
  [
    'an entry of an allowlist',
    { type: 'suppression', list: 'allow', action: 'added', address: recipient },
    everyCause.map((cause) => `-${cause} all ${ann}`),
  ],
  [
    'an entry that is taken off an allowlist',
    { type: 'suppression', list: 'allow', action: 'removed', address: recipient },
    [],
  ],
  ['a delivery', { type: 'delivered', recipient }, []],
  ['an opening', { type: 'opened', recipient }, []],
])('%s says so', (_, event, facts) => {
  expect(said(event)).toEqual(facts)
})

test('what a server said is kept, and cut where it is long', () => {
  const [incoming] = batchOf({ ...hard, recipient, response: `550 ${'x'.repeat(9000)}` }).events
  const [fact] = incoming ? factsOf(incoming.event) : []
  expect(fact?.detail).toMatch(/^550 x{496}$/)
})

describe('facts', () => {
  const fact: fc.Arbitrary<SuppressionFact> = fc.record({
    kind: fc.constantFrom('added', 'removed'),
    address: fc.constant(ann),
    scope: fc.constant('all'),
    cause: fc.constant('added'),
    at: fc.nat(4).map((at) => start + at),
    provider: fc.constantFrom('a', 'b'),
    detail: fc.constantFrom('', 'x', 'y'),
    expiresAt: fc.constantFrom(start + 1000, start + 2000),
  })
  const fold = (facts: readonly SuppressionFact[]): SuppressionState | undefined =>
    facts.reduce<SuppressionState | undefined>(withFact, undefined)

  test('say the same in any order, and any number of times', () => {
    fc.assert(
      fc.property(fc.array(fact, { minLength: 1 }), fc.array(fc.nat()), (facts, places) => {
        const again = facts.filter((_, index) => (places[index] ?? 0) % 2 === 0)
        const shuffled = [...facts, ...again]
          .map((one, index) => ({ one, place: places[index] ?? index }))
          .toSorted((a, b) => a.place - b.place)
          .map(({ one }) => one)
        expect(fold(shuffled)).toEqual(fold(facts))
      }),
    )
  })

  const at = (kind: SuppressionFact['kind'], time: number): SuppressionFact => ({
    kind,
    address: ann,
    scope: 'group:x:a:b',
    cause: 'added',
    at: start + time,
  })
  const since = (...facts: SuppressionFact[]): number | undefined => {
    const state = fold(facts)
    const suppression = state && suppressionOf(ann, 'group:x:a:b', 'added', state, start + 100)
    expect(suppression?.scope ?? { kind: 'group', id: 'a:b' }).toEqual({ kind: 'group', id: 'a:b' })
    return suppression && suppression.since.getTime() - start
  }

  test.each<[what: string, facts: SuppressionFact[], since: number | undefined]>([
    ['added', [at('added', 1)], 1],
    ['added again', [at('added', 5), at('added', 1)], 1],
    ['removed', [at('added', 1), at('removed', 2)], undefined],
    ['removed alone', [at('removed', 2)], undefined],
    ['removed and added at once', [at('removed', 2), at('added', 2)], 2],
    ['removed, and added later', [at('added', 1), at('removed', 2), at('added', 3)], 3],
    ['expired', [{ ...at('added', 1), expiresAt: start + 100 }], undefined],
    ['about to expire', [{ ...at('added', 1), expiresAt: start + 101 }], 1],
  ])('of what was %s amount to what stands', (_, facts, expected) => {
    expect(since(...facts)).toBe(expected)
  })
})
