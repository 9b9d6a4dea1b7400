import { describe } from '@jest/globals'
import { testInvitations } from './invitations.js'

describe('the example of Fastify', () => {
  testInvitations(() => ({ program: ['fastify/server.mjs'] }))
})
