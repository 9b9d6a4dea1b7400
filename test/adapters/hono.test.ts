import { describe } from '@jest/globals'
import { serverProgram, testHost } from './hosts.js'

describe('Hono', () => {
  testHost({ program: [serverProgram('hono.mjs')] })
})
