import { describe } from '@jest/globals'
import { testInvitations } from './invitations.js'

describe('the example of Hono', () => {
  testInvitations(() => ({ program: ['hono/server.mjs'] }))
})
