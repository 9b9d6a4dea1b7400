import { describe } from '@jest/globals'
import { serverProgram, testHost } from './hosts.js'

describe('h3', () => {
  testHost({ program: [serverProgram('h3.mjs')] })
})
