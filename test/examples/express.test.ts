import { describe } from '@jest/globals'
import { testInvitations } from './invitations.js'

describe('the example of Express', () => {
  testInvitations(() => ({ program: ['express/server.mjs'] }))
})
