import { describe } from '@jest/globals'
import { serverProgram, testHost } from './hosts.js'

describe('node:http', () => {
  testHost({ program: [serverProgram('node.mjs')], handsOn: true })
})
