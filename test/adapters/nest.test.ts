import { describe, expect, test } from '@jest/globals'
import {
  anybody,
  sendgridBatch,
  serverProgram,
  startServer,
  testHost,
  testKeptBytes,
  testReadBefore,
} from './hosts.js'

const program = [serverProgram('nest.mjs')]

describe('NestJS', () => {
  testHost({ program, handsOn: true })
  testKeptBytes({ program: [...program, 'kept'] })
  testReadBefore(
    { program: [...program, 'read before'] },
    'in Nest, mount it in main.ts with app.use(path, correlator.nodeHandler)',
  )

  test.each([
    ['refuses a batch of more than 100 KB', 'kept', 413],
    ['takes it where the limit is raised', 'raised', 200],
  ])(
    'in a controller %s',
    async (_, way, status) => {
      const server = await startServer({ program: [...program, way] })
      try {
        const { headers, body } = sendgridBatch(Array.from({ length: 400 }, anybody))
        expect(body.length).toBeGreaterThan(100_000)
        const answer = await fetch(`${server.url}/webhooks/sendgrid`, {
          method: 'POST',
          headers,
          body,
        })
        expect([answer.status, server.refused]).toEqual([status, []])
      } finally {
        server.stop()
      }
    },
    20_000,
  )
})
