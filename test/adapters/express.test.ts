import { describe } from '@jest/globals'
import { serverProgram, testHost, testKeptBytes, testReadBefore } from './hosts.js'

describe.each([
  ['Express 4', 'express-4'],
  ['Express 5', 'express'],
])('%s', (_, name) => {
  const program = [serverProgram('express.mjs'), name]

  testHost({ program, handsOn: true })
  testKeptBytes({ program: [...program, 'kept'] })
  testReadBefore(
    { program: [...program, 'read before'] },
    'in Express, mount the handler before express.json()',
  )
})
