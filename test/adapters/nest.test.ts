import { describe } from '@jest/globals'
import { serverProgram, testHost, testKeptBytes, testReadBefore } from './hosts.js'

const program = [serverProgram('nest.mjs')]

describe('NestJS', () => {
  testHost({ program, handsOn: true })
  testKeptBytes({ program: [...program, 'kept'] })
  testReadBefore(
    { program: [...program, 'read before'] },
    'in Nest, mount it in main.ts with app.use(path, correlator.nodeHandler)',
  )
})
