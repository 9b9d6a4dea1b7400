import { afterAll, describe } from '@jest/globals'
import { type Database, newPostgresDatabase } from '../databases.js'
import { testInvitations } from './invitations.js'

describe('the example of AWS Lambda', () => {
  let database: Database

  testInvitations(async () => {
    database = await newPostgresDatabase()
    return {
      program: ['lambda/local.mjs'],
      environment: { MAILTRAIL_STORE: database.url },
      end: 'SIGTERM',
    }
  })
  afterAll(() => database?.remove())
})
