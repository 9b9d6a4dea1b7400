import { expect, test } from '@jest/globals'
import { createEventIntake } from '../src/event-intake.js'
import { createObserving } from '../src/observing.js'
import type { IngestResult } from '../src/store.js'

const foreignAt = 1_800_000_000_000

/** Takes an empty webhook in that the store answers so; gives when somebody is to be woken, and what is told. */
async function taken(result: IngestResult): Promise<{ woken: number[]; told: unknown[] }> {
  const woken: number[] = []
  const told: unknown[] = []
  const { storePage } = createEventIntake({
    store: { ingest: async () => result },
    webhooks: [],
    recipientWindow: undefined,
    observing: createObserving([]),
    schedule: () => ({ now: foreignAt - 1000, foreignAt }),
    tell: (tellable) => told.push(tellable),
    stored: () => {},
    wakeAt: (time) => woken.push(time),
  })
  await storePage('outside', [], { name: 'history', position: '1' })
  return { woken, told }
}

const stored = (waiting: number): IngestResult => ({
  kind: 'stored',
  deliveries: [],
  left: 0,
  events: [],
  duplicates: 0,
  trackingIds: [],
  waiting,
})

test.each([
  ['when events wait for their message', 2, [foreignAt]],
  ['never, when none does', 0, []],
])('those that wait are told as foreign on time: somebody is woken %s', async (_, waiting, at) => {
  const result = stored(waiting)
  expect(await taken(result)).toEqual({ woken: at, told: [result] })
})

test('nothing is told, and nobody woken, of what was replayed', async () => {
  expect(await taken({ kind: 'replayed' })).toEqual({ woken: [], told: [] })
})
