import { describe, expect, test } from '@jest/globals'
import { mysqlTables } from '../../src/stores/mysql-tables.js'
import { postgresTables } from '../../src/stores/postgres-tables.js'
import type { Tables } from '../../src/stores/sql-tables.js'

const anId = '01990000-0000-7abc-8000-000000000000'
const lease = { owner: 'first', until: 1 }

/** A server that is asked in vain: it knows of nothing. */
function emptyServer() {
  const asked: unknown[] = []
  const query = (statement: unknown) => {
    asked.push(statement)
    return Promise.resolve([])
  }
  return { asked, query }
}

const servers = [
  ['PostgreSQL', postgresTables],
  ['MySQL', mysqlTables],
] as const

const reading = [
  'keys',
  'lockMessages',
  'messages',
  'states',
  'statesOf',
  'waiting',
  'untoldEvents',
  'exhume',
  'takeCountsWith',
  'suppressionsOf',
] as const

const writing = [
  'putStates',
  'putEvents',
  'removeMessages',
  'removeEvents',
  'addWaiting',
  'removeWaiting',
  'addUntold',
  'moveUntold',
  'removeUntold',
  'putProgress',
  'release',
  'bury',
  'addCounts',
  'putSuppressions',
] as const

describe.each(servers)('%s is not asked', (_server, tablesOf) => {
  const others: Record<string, [(tables: Tables) => Promise<unknown>, unknown]> = {
    lockKeys: [(tables) => tables.lockKeys([], 'shared'), undefined],
    putKeys: [(tables) => tables.putKeys('an id', []), undefined],
    'putKeys of the own id': [(tables) => tables.putKeys('an id', [{ key: 'an id' }]), undefined],
    knownMessages: [(tables) => tables.knownMessages([]), new Set()],
    knownEvents: [(tables) => tables.knownEvents([]), { ids: new Set(), providerKeys: new Set() }],
    addEvents: [(tables) => tables.addEvents([]), new Map()],
    tieEvents: [(tables) => tables.tieEvents('an id', []), undefined],
    busyLanes: [(tables) => tables.busyLanes([], 'first'), new Set()],
    laneEvents: [(tables) => tables.laneEvents([], 10), []],
    firstOthers: [(tables) => tables.firstOthers([], []), new Map()],
    lease: [(tables) => tables.lease([], lease), undefined],
    prolong: [(tables) => tables.prolong([], lease), new Set()],
  }

  async function expectAnswer(ask: (tables: Tables) => Promise<unknown>, answer: unknown) {
    const { asked, query } = emptyServer()
    expect(await ask(tablesOf(query))).toEqual(answer)
    expect(asked).toEqual([])
  }

  test.each(reading)('for an empty list: %s', (name) =>
    expectAnswer((tables) => tables[name]([]), []),
  )
  test.each(writing)('for an empty list: %s', (name) =>
    expectAnswer((tables) => tables[name]([]), undefined),
  )
  test.each(Object.entries(others))('for an empty list: %s', (_name, [ask, answer]) =>
    expectAnswer(ask, answer),
  )
})

describe.each(servers)('%s that has none of it is asked no more', (_server, tablesOf) => {
  const ofNothing: Record<string, (tables: Tables) => Promise<unknown>> = {
    waiting: (tables) => tables.waiting(['a key']),
    dueLanes: (tables) => tables.dueLanes(1, 10),
    laneEvents: (tables) => tables.laneEvents([anId], 10),
  }
  test.each(Object.entries(ofNothing))('%s', async (_name, ask) => {
    const { asked, query } = emptyServer()
    expect(await ask(tablesOf(query))).toEqual([])
    expect(asked).toHaveLength(1)
  })
})

describe('PostgreSQL, whose ids are of a type, is not asked for what is no id', () => {
  test.each(['no id', `x${anId}`, `${anId}x`, anId.toUpperCase(), ''])('%j', async (id) => {
    const { asked, query } = emptyServer()
    const tables = postgresTables(query)
    expect(await tables.knownMessages([id])).toEqual(new Set())
    expect(await tables.messages([id])).toEqual([])
    expect(await tables.lockMessages([id])).toEqual([])
    expect(await tables.statesOf([id])).toEqual([])
    expect(await tables.untoldEvents([id])).toEqual([])
    expect(await tables.exhume([id])).toEqual([])
    expect(await tables.eventsOf(id)).toEqual([])
    expect(await tables.findMessages({}, 10, id)).toEqual([])
    expect(await tables.deadLetters(10, id)).toEqual([])
    expect(asked).toEqual([])
  })
})

test('PostgreSQL is given no keys of a provider where events have none', async () => {
  const { asked, query } = emptyServer()
  const event = { id: anId, providerKey: undefined, trackingId: undefined, event: '{}' }
  await postgresTables(query).addEvents([event])
  expect(asked).toHaveLength(1)
})

test('PostgreSQL locks keys in the order of the locks, or two who lock the same might wait for each other', async () => {
  const locked: number[][] = []
  const tables = postgresTables((_statement, [, buckets] = []) => {
    locked.push(Array.isArray(buckets) ? buckets.map(Number) : [])
    return Promise.resolve([])
  })
  const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`)
  await tables.lockKeys(keys, 'shared')
  await tables.lockKeys(keys.toReversed(), 'exclusive')
  const [once = [], again] = locked
  expect(once.length).toBeGreaterThan(10)
  expect(once).toEqual([...new Set(once)].toSorted((a, b) => a - b))
  expect(again).toEqual(once)
})
