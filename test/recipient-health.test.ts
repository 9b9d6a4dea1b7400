import { expect, test } from '@jest/globals'
import { createCorrelator, memoryStore } from '../src/index.js'
import { batchOf, recordAt, start } from '../src/testing/store-samples.js'
import { add, ingest } from '../src/testing/store-steps.js'

const hard = { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } } as const
const soft = { type: 'bounced', bounce: { kind: 'soft', asynchronous: false } } as const
const events = {
  delivered: { type: 'delivered' },
  hard,
  soft,
  rejected: { type: 'rejected', reason: 'other' },
  deferred: { type: 'deferred' },
} as const

const ann = 'ann@example.org'
const at = (index: number): Date => new Date(start + index * 1000)

/** The health of an address that got messages of which this became, the first one first. */
async function healthAfter(...fates: (keyof typeof events)[]) {
  const store = memoryStore()
  const correlator = createCorrelator({ store })
  for (const [index, fate] of fates.entries()) {
    const record = recordAt(start + index * 1000, 'Ann@Example.org', 'bob@example.org')
    await add(store, record)
    await ingest(store, batchOf({ ...events[fate], ownId: record.trackingId, recipient: ann }))
  }
  return correlator.recipientHealth('Ann <ANN@example.org>')
}

interface Case {
  fates: (keyof typeof events)[]
  failures: number
  lastFailure?: number
  lastDelivery?: number
}

test.each<Case>([
  { fates: [], failures: 0 },
  { fates: ['delivered'], failures: 0, lastDelivery: 0 },
  { fates: ['soft', 'soft', 'rejected'], failures: 3, lastFailure: 2 },
  { fates: ['soft', 'delivered'], failures: 0, lastDelivery: 1 },
  { fates: ['delivered', 'soft', 'soft'], failures: 2, lastFailure: 2, lastDelivery: 0 },
  { fates: ['delivered', 'soft', 'deferred'], failures: 1, lastFailure: 1, lastDelivery: 0 },
])(
  'after $fates there are $failures failures in a row',
  async ({ fates, failures, lastFailure, lastDelivery }) => {
    expect(await healthAfter(...fates)).toEqual({
      address: ann,
      messages: fates.length,
      failures,
      ...(lastFailure !== undefined && { lastFailure: at(lastFailure) }),
      ...(lastDelivery !== undefined && { lastDelivery: at(lastDelivery) }),
      suppressions: [],
    })
  },
)

test('why it must not be mailed is told along', async () => {
  expect(await healthAfter('hard')).toMatchObject({
    failures: 1,
    suppressions: [{ address: ann, cause: 'bounced' }],
  })
})

test('of what is no address is not told', async () => {
  const correlator = createCorrelator({ store: memoryStore() })
  await expect(correlator.recipientHealth('ann')).rejects.toThrow(
    'recipientHealth: an address is needed',
  )
})
