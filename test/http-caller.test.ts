import { afterEach, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { httpCaller } from '../src/http-caller.js'

const open: (Server | TcpServer)[] = []
afterEach(() => {
  for (const server of open.splice(0)) {
    server.close()
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.unref()
  }
})

async function listen<S extends Server | TcpServer>(
  server: S,
): Promise<{ server: S; url: string }> {
  open.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('it does not listen')
  return { server, url: `http://127.0.0.1:${address.port}/x?y=z` }
}

const serve = (listener: RequestListener) => listen(createServer(listener))
const call = { method: 'POST' as const, headers: { 'x-a': 'b' }, body: 'Größe' }

describe('a call', () => {
  test('arrives as it was made, and its answer comes back, whatever its status', async () => {
    const seen: unknown[] = []
    const { url } = await serve((request, response) => {
      const { method, url: path, headers } = request
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (piece: string) => (body += piece))
      request.on('end', () => {
        seen.push([method, path, headers['x-a'], headers['content-length'], body])
        response.writeHead(418, 'Teapot', { 'X-B': 'c', 'set-cookie': ['d', 'e'] }).end('né')
      })
    })
    const answer = await httpCaller(1000)({ ...call, url })
    expect(seen).toEqual([['POST', '/x?y=z', 'b', '7', 'Größe']])
    expect(answer).toMatchObject({
      status: 418,
      statusText: 'Teapot',
      headers: { 'x-b': 'c', 'set-cookie': 'd' },
      body: 'né',
    })
  })

  test('is given up where the answer does not end', async () => {
    const piece = Buffer.alloc(1_000_000)
    const { url } = await serve((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(piece));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    })
    await expect(httpCaller(20_000)({ ...call, url })).rejects.toMatchObject({ code: 'EMSGSIZE' })
  })

  test('uses the connection of the one before', async () => {
    const ports = new Set<number | undefined>()
    const { url } = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      request.resume().on('end', () => response.end())
    })
    const caller = httpCaller(1000)
    await caller({ ...call, url })
    await caller({ ...call, url })
    expect(ports.size).toBe(1)
  })

  test('follows no redirect', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    expect(await httpCaller(1000)({ ...call, url })).toMatchObject({ status: 302 })
  })

  test('asks for no compression, so that it needs to undo none', async () => {
    const { url } = await serve((request, response) => {
      const packed = request.headers['accept-encoding'] !== undefined
      response.end(packed ? gzipSync('x') : 'plain')
    })
    expect(await httpCaller(1000)({ method: 'GET', headers: {}, url })).toMatchObject({
      body: 'plain',
    })
  })
})

describe('a call without an answer rejects', () => {
  const failure = async (url: string, timeout = 1000): Promise<unknown> =>
    httpCaller(timeout)({ ...call, url }).catch((error: unknown) => error)

  test('when nobody listens', async () => {
    const { server, url } = await listen(createTcpServer())
    server.close()
    await once(server, 'close')
    expect(await failure(url)).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect' })
  })

  test('when the connection breaks before it', async () => {
    const { url } = await serve((request) => request.socket.destroy())
    expect(await failure(url)).toMatchObject({ code: 'ECONNRESET' })
  })

  test('when the connection breaks in the middle of it', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('half')
      setTimeout(() => response.destroy(), 20)
    })
    expect(await failure(url)).toMatchObject({ code: 'ECONNRESET' })
  })

  test('when encryption is not agreed on in time: nothing was sent then', async () => {
    const { url } = await listen(createTcpServer(() => {}))
    const error = await failure(url.replace('http:', 'https:'), 100)
    expect(error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect' })
  })

  test.each<[string, RequestListener]>([
    ['is none', () => {}],
    ['does not end', (_request, response) => void response.writeHead(200).write('x')],
  ])('when it %s in time', async (_, listener) => {
    const { url } = await serve(listener)
    const error = await failure(url, 100)
    expect(error).toMatchObject({ code: 'ETIMEDOUT' })
    expect(error).not.toMatchObject({ syscall: 'connect' })
  })
})
