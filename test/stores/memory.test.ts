import { describe, expect, test } from '@jest/globals'
import { memoryStore } from '../../src/stores/memory.js'
import { storeContract } from '../../src/testing/store-contract.js'

describe('the memory store', () => {
  const open = async () => {
    const store = memoryStore()
    return { store, other: store }
  }
  for (const { name, run } of storeContract(open)) test(name, run)

  test('says that it is closed', async () => {
    const store = memoryStore()
    await store.close()
    await expect(store.nextDue()).rejects.toThrow('the memory store is closed')
  })
})
