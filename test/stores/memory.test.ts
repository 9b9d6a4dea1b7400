import { describe } from '@jest/globals'
import { memoryStore } from '../../src/stores/memory.js'
import { describeStore } from './store-contract.js'

describe('the memory store', () => {
  describeStore(async () => memoryStore())
})
