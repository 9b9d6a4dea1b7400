import { expect, test } from '@jest/globals'
import {
  countShards,
  daysLock,
  firstShardLock,
  keyLocks,
  migrationLock,
  totalsLock,
} from '../../src/stores/postgres-locks.js'

test('no two things are locked by the same lock', () => {
  const ofKeys = Array.from({ length: keyLocks }, (_, index) => index)
  const ofShards = Array.from({ length: countShards }, (_, index) => firstShardLock + index)
  const locks = [...ofKeys, migrationLock, totalsLock, daysLock, ...ofShards]
  expect(new Set(locks).size).toBe(locks.length)
})
