import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { createCorrelator, memoryStore, type Store } from '../src/index.js'
import type { MessageRecord, SendResult } from '../src/message.js'
import { createUnwrittenResults } from '../src/unwritten-results.js'
import { recordOf, resultOf } from '../src/testing/store-samples.js'

const kept = (name: string): [MessageRecord, SendResult] => {
  const record = recordOf('ann@example.com')
  return [record, resultOf(record, name)]
}

/** A store that does not take the first results. */
function failingStore(failures: number): Store & { left: () => number } {
  const store = memoryStore()
  let left = failures
  return {
    ...store,
    left: () => left,
    addResult: (...result) => {
      left -= 1
      return left >= 0 ? Promise.reject(new Error('disk is full')) : store.addResult(...result)
    },
  }
}

beforeEach(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
})
afterEach(() => {
  jest.restoreAllMocks()
})

test('a result that the store did not take is written when it can', async () => {
  const written: string[] = []
  let away = true
  const results = createUnwrittenResults(async (_, { providerMessageId = '' }) => {
    if (away) throw new Error('away')
    written.push(providerMessageId)
  }, 5)
  results.keep(...kept('p-1'))
  results.keep(...kept('p-2'))
  await delay(20)
  expect(written).toEqual([])
  away = false
  await delay(20)
  expect(written).toEqual(['p-1', 'p-2'])
  await results.close()
  expect(written).toHaveLength(2)
})

test('a correlator that closes writes it at last', async () => {
  const store = failingStore(1)
  const correlator = createCorrelator({ store: { ...store, close: async () => {} } })
  const [record, result] = kept('p-1')
  await correlator.recordSending(record)
  await expect(correlator.recordResult(record, result)).rejects.toThrow('disk is full')
  await correlator.close()
  expect((await store.message(record.trackingId))?.record.providerMessageId).toBe('p-1')
})

test('a store that stays away keeps nobody from closing', async () => {
  const store = failingStore(Infinity)
  const correlator = createCorrelator({ store })
  const [record, result] = kept('p-1')
  await correlator.recordSending(record)
  await expect(correlator.recordResult(record, result)).rejects.toThrow('disk is full')
  await correlator.close()
})
