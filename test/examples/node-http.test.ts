import { describe } from '@jest/globals'
import { testInvitations } from './invitations.js'

describe('the example of node:http', () => {
  testInvitations(() => ({ program: ['node-http/server.mjs'] }))
})
