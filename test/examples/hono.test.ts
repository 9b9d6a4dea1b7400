import { describe } from '@jest/globals'
import { testInvitations } from './invitations.js'

describe('the example of Hono', () => {
  testInvitations(() => ['hono/server.mjs'])
})
