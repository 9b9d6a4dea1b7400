import { describe, test } from '@jest/globals'
import { memoryStore } from '../../src/stores/memory.js'
import { storeContract } from '../../src/testing/store-contract.js'

describe('the memory store', () => {
  const open = async () => {
    const store = memoryStore()
    return { store, other: store }
  }
  for (const { name, run } of storeContract(open)) test(name, run)
})
