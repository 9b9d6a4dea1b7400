import { describe, expect, test } from '@jest/globals'
import fastify from 'fastify'
import { fastifyPlugin } from '../../src/adapters/fastify.js'
import { guardWebhook } from '../../src/guarded-webhook.js'
import { outsideWebhook, postEntries } from '../outside-provider.js'
import { serverProgram, testHost, testReadBefore } from './hosts.js'

const program = [serverProgram('fastify.mjs')]

describe('Fastify', () => {
  testHost({ program, handsOn: true })
  testReadBefore(
    { program: [...program, 'read before'] },
    'in Fastify, register fastifyPlugin(correlator) of mailtrail/fastify',
  )

  test.each([
    ['at the prefix itself', '/hooks', '/hooks', 202],
    ['below the prefix', '/hooks', '/hooks/any/where', 202],
    ['anywhere without one', '', '/any/where', 202],
    ['but not at the root that is then left to the application', '', '/', 200],
  ])('takes what is posted %s', async (_, prefix, path, status) => {
    const app = fastify()
    app.all('/', async () => 'the application')
    app.register(fastifyPlugin(guardWebhook(outsideWebhook(), () => {})), { prefix })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const response = await postEntries(url + path, [])
    await app.close()
    expect(response.status).toBe(status)
  })

  test('runs the hooks that the application has for every request, and none of those for its answers', async () => {
    const app = fastify()
    const seen: string[] = []
    app.addHook('onRequest', async ({ url }) => void seen.push(`asked ${url}`))
    app.addHook('onSend', async () => void seen.push('an answer of Fastify'))
    app.addHook('onResponse', async (_request, reply) => void seen.push(`${reply.statusCode}`))
    app.register(fastifyPlugin(guardWebhook(outsideWebhook(), () => {})), { prefix: '/hooks' })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    await postEntries(`${url}/hooks`, [])
    await app.close()
    expect(seen).toEqual(['asked /hooks', '202'])
  })
})
