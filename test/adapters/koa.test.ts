import { describe, expect, test } from '@jest/globals'
import {
  found,
  serverProgram,
  startServer,
  testHost,
  testKeptBytes,
  testReadBefore,
} from './hosts.js'

const program = [serverProgram('koa.mjs')]

describe('Koa', () => {
  testHost({ program, handsOn: true })
  testKeptBytes({ program: [...program, 'kept'] })
  testReadBefore(
    { program: [...program, 'read before'] },
    'in Koa, use koaMiddleware(correlator) of mailtrail/koa before bodyParser()',
  )

  test('goes by the path that was asked for where the middleware is mounted at it', async () => {
    const server = await startServer({ program: [...program, 'below a path'] })
    try {
      const response = await fetch(`${server.url}/webhooks/echo?a=b`, { method: 'POST' })
      expect(response.status).toBe(200)
      const { metadata } = await found(server.told, () => true)
      expect(metadata['target']).toBe('/webhooks/echo?a=b')
    } finally {
      server.stop()
    }
  }, 20_000)
})
