import { afterEach, beforeEach, expect, test } from '@jest/globals'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { type Dashboard, dashboard } from '../../src/dashboard/index.js'
import { type Correlator, createCorrelator, memoryStore } from '../../src/index.js'
import { type Endpoint, startEndpoint } from '../endpoint.js'

let correlator: Correlator
let board: Dashboard
beforeEach(() => {
  correlator = createCorrelator({ store: memoryStore(), webhooks: [] })
  board = dashboard({ correlator, authorize: () => true, path: '/admin/mail/' })
})
afterEach(async () => {
  board.close()
  await correlator.close()
})

async function withServer<T>(
  app: Parameters<typeof startEndpoint>[0],
  use: (server: Endpoint) => Promise<T>,
): Promise<T> {
  const server = await startEndpoint(app)
  try {
    return await use(server)
  } finally {
    await server.close()
  }
}

test('in Express, below its path, and what is elsewhere is handed on', async () => {
  const app = express()
  app.use('/admin/mail', board.nodeHandler)
  app.use((_request, response) => void response.status(404).send('of the application'))
  await withServer(app, async ({ url }) => {
    expect(await (await fetch(`${url}/admin/mail/messages`)).text()).toContain('No message fits')
    expect(await (await fetch(`${url}/admin/mailbox`)).text()).toBe('of the application')
    expect(await (await fetch(`${url}/admin`)).text()).toBe('of the application')
  })
})

test('in Express, after a body parser, it says what to do', async () => {
  const app = express()
  app.use(express.urlencoded())
  app.use(board.nodeHandler)
  await withServer(app, async ({ url }) => {
    const answer = await fetch(`${url}/admin/mail/suppressions`, {
      method: 'POST',
      body: new URLSearchParams({ action: 'add' }),
      headers: { 'sec-fetch-site': 'same-origin' },
    })
    expect([answer.status, await answer.text()]).toEqual([
      500,
      'The form was read before: mount the dashboard before body parsers.',
    ])
  })
})

test('in servers that speak fetch, such as Hono', async () => {
  const app = new Hono()
  app.all('/admin/mail/*', (context) => board.handler(context.req.raw))
  const page = await app.request('/admin/mail/suppressions')
  expect(await page.text()).toContain('Every address may be mailed')
  const file = await app.request('/admin/mail/files/page.js')
  expect(file.headers.get('content-type')).toMatch(/^text\/javascript/)
})

test('in Fastify, which leaves the bodies of forms to it', async () => {
  const app = fastify()
  await app.register(async (scope) => {
    scope.addContentTypeParser('application/x-www-form-urlencoded', (_request, _body, done) =>
      done(null),
    )
    scope.all('/admin/mail/*', (request, reply) => {
      reply.hijack()
      return board.nodeHandler(request.raw, reply.raw)
    })
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const page = await (await fetch(`${url}/admin/mail/suppressions`)).text()
  const token = /name="token"\s+value="([^"]+)"/.exec(page)?.[1] ?? ''
  const answer = await fetch(`${url}/admin/mail/suppressions`, {
    method: 'POST',
    body: new URLSearchParams({ action: 'add', address: 'bob@example.org', token }),
    headers: { 'sec-fetch-site': 'same-origin' },
    redirect: 'manual',
  })
  expect(answer.status).toBe(303)
  expect(await correlator.suppressions.get('bob@example.org')).toHaveLength(1)
  await app.close()
})

test('at the root of a server of its own', async () => {
  const own = dashboard({ correlator, authorize: () => true, path: '/' })
  await withServer(own.nodeHandler, async ({ url }) => {
    expect((await fetch(url)).status).toBe(200)
    expect((await fetch(`${url}/messages`)).status).toBe(200)
  })
  own.close()
})

test('processes with the same secret take each other’s forms', async () => {
  const secret = 'the same in both processes'
  const options = { correlator, authorize: () => true, path: '/', secret }
  const [one, other] = [dashboard(options), dashboard(options)]
  const page = await (await one.handler(new Request('http://a.example/suppressions'))).text()
  const token = /name="token"\s+value="([^"]+)"/.exec(page)?.[1] ?? ''
  const form = new URLSearchParams({ action: 'add', address: 'ann@example.org', token })
  const answer = await other.handler(
    new Request('http://a.example/suppressions', {
      method: 'POST',
      body: form,
      headers: { 'sec-fetch-site': 'same-origin' },
    }),
  )
  expect(answer.status).toBe(303)
  one.close()
  other.close()
})
