import { describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { batchFor } from '../../src/testing/store-samples.js'
import { add, added, claim, farAhead, ingest, openingsIn } from '../../src/testing/store-steps.js'
import { interposedPool, isCommit, pausedPool } from './interposed-pool.js'
import { ask, atEnd, newPool, open, url } from './postgres-database.js'

/** Does something, and resolves to how long that took, in ms. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now()
  await work()
  return performance.now() - before
}

/** Does something again until it succeeds: on a busy machine connecting takes longer than a store waits. */
async function untilAnswered<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch {
      await delay(50)
    }
  }
}

describe('a connection', () => {
  /** Ends every other connection to the database, as a server does that shuts down. */
  async function endConnections(): Promise<void> {
    await ask(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
    // They hear of it in a later turn.
    await delay(50)
  }

  test.each([
    ['of its own', () => url()],
    ['of a pool that it was given', () => newPool()],
  ])('%s that ends while it is idle harms nothing', async (_, connection) => {
    const store = open(connection())
    const record = await added(store)
    await endConnections()
    await ingest(store, batchFor(record, 'opened'))
    expect(await openingsIn(store, record)).toBe(1)
  })

  test('that ends between two statements leaves nothing behind, and is not used again', async () => {
    const stopping = pausedPool(newPool({ max: 1 }), isCommit)
    const store = open(stopping.pool)
    const record = await added(store)
    stopping.arm()
    const coming = ingest(store, batchFor(record, 'opened'))
    await stopping.reached
    await endConnections()
    stopping.resume()
    await expect(coming).rejects.toThrow('terminating connection')
    expect(await openingsIn(store, record)).toBe(0)
    expect(await ingest(store, batchFor(record, 'opened'))).toMatchObject({ duplicates: 0 })
  })

  test('that ends with the answer to a commit makes it reject, and the event is known', async () => {
    let losing = false
    const pool = interposedPool(newPool(), async (query, send) => {
      const result = await send()
      if (!losing || !isCommit(query)) return result
      losing = false
      throw new Error('Connection terminated unexpectedly')
    })
    const store = open(pool)
    const record = await added(store)
    losing = true
    await expect(ingest(store, batchFor(record, 'opened'))).rejects.toThrow('terminated')
    expect(await ingest(store, batchFor(record, 'opened'))).toMatchObject({ duplicates: 1 })
    expect(await openingsIn(store, record)).toBe(1)
  })

  test('that answers a commit with a rollback makes it reject', async () => {
    let rollingBack = false
    const pool = interposedPool(newPool(), (query, send) =>
      rollingBack && isCommit(query) ? send({ text: 'ROLLBACK' }) : send(),
    )
    const store = open(pool)
    const record = await added(store)
    rollingBack = true
    await expect(ingest(store, batchFor(record, 'opened'))).rejects.toThrow('rolled back')
    rollingBack = false
    expect(await openingsIn(store, record)).toBe(0)
  })

  test('whose failure quotes rows and settings makes it reject with neither', async () => {
    let failing = false
    const failure = Object.assign(new Error('it failed'), {
      code: '23514',
      detail: 'Failing row contains (ann@example.com)',
      config: { password: 'very-secret' },
    })
    const pool = interposedPool(newPool(), async (_, send) => {
      if (failing) throw failure
      return send()
    })
    const store = open(pool)
    const record = await added(store)
    failing = true
    const error: unknown = await ingest(store, batchFor(record, 'opened')).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ message: 'it failed', code: '23514' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/ann@|very-secret/)
  })

  test('is closed when what is going on is over', async () => {
    const stopping = pausedPool(newPool(), isCommit)
    const store = open(stopping.pool)
    const record = await added(store)
    stopping.arm()
    const coming = ingest(store, batchFor(record, 'opened'))
    await stopping.reached
    let closed = false
    const closing = store.close().then(() => {
      closed = true
    })
    await delay(50)
    expect(closed).toBe(false)
    stopping.resume()
    expect(await coming).toMatchObject({ duplicates: 0 })
    await closing
  })

  test('of a pool that it was given is left as it was found', async () => {
    const pool = newPool({ max: 1 })
    const settings = async () => (await pool.query('SHOW ALL')).rows
    const before = await settings()
    const client = await pool.connect()
    const listeners = [pool.listenerCount('error'), client.listenerCount('error')]
    client.release()
    const store = open(pool)
    const record = await added(store)
    await ingest(store, batchFor(record, 'opened'))
    await openingsIn(store, record)
    const noId = { ...record, trackingId: 'no id' }
    await expect(add(store, noId)).rejects.toThrow('invalid input')
    await store.close()
    expect(await settings()).toEqual(before)
    const same = await pool.connect()
    expect(same).toBe(client)
    expect([pool.listenerCount('error'), same.listenerCount('error')]).toEqual(listeners)
    same.release()
  })

  test('may have parsers of its own for types', async () => {
    const store = open(newPool({ types: { getTypeParser: () => () => 'parsed' } }))
    const record = await added(store)
    await ingest(store, batchFor(record, 'opened'))
    expect(await openingsIn(store, record)).toBe(1)
    expect(await claim(store, 'anybody', farAhead)).toHaveLength(1)
  })

  test('may look for its tables in a schema, of which each has its own', async () => {
    await ask('CREATE SCHEMA one; CREATE SCHEMA two')
    const inSchema = (name: string) => open(`${url()}?options=-c%20search_path%3D${name}`)
    const [one, two] = [inSchema('one'), inSchema('two')]
    const record = await added(one)
    expect(await one.message(record.trackingId)).toBeDefined()
    expect(await two.message(record.trackingId)).toBeUndefined()
  })
})

describe('a server that does not answer', () => {
  /** Stands between a store and the server, and hands nothing on while it is stuck. */
  async function newProxy() {
    const { hostname, port } = new URL(url())
    const sockets = new Set<Socket>()
    let stuck = false
    const connectBoth = (from: Socket, to: Socket): void => {
      sockets.add(from)
      from.on('data', (data) => !stuck && to.write(data))
      from.on('error', () => {})
      from.on('close', () => to.destroy())
    }
    const server = createServer((socket) => {
      const upstream = connect(Number(port), hostname)
      connectBoth(socket, upstream)
      connectBoth(upstream, socket)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    atEnd(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const address = server.address()
    const through = new URL(url())
    through.port = String(typeof address === 'object' ? address?.port : '')
    return {
      url: through.href,
      stick: (value: boolean): void => {
        stuck = value
      },
    }
  }

  test.each([
    ['its own pool', (where: string) => where],
    ['a pool that knows no timeout', (where: string) => newPool({ connectionString: where })],
  ])('makes it reject in time, with %s', async (_, connection) => {
    const proxy = await newProxy()
    const store = open(connection(proxy.url))
    const record = await added(store)
    proxy.stick(true)
    // More than there are connections, so that some wait for one.
    const all = Array.from({ length: 30 }, () => ingest(store, batchFor(record, 'opened')))
    expect(await timeOf(() => Promise.allSettled(all))).toBeLessThan(3000)
    for (const one of all) await expect(one).rejects.toThrow()
    proxy.stick(false)
    expect(await untilAnswered(() => openingsIn(store, record))).toBe(0)
    await ingest(store, batchFor(record, 'opened'))
    expect(await openingsIn(store, record)).toBe(1)
  })

  test('when it is opened makes it reject in time, and it is opened the next time', async () => {
    const proxy = await newProxy()
    const store = open(newPool({ connectionString: proxy.url }))
    proxy.stick(true)
    const opening = () => expect(store.open()).rejects.toThrow('cannot connect')
    expect(await timeOf(opening)).toBeLessThan(3000)
    proxy.stick(false)
    await store.open()
  })

  test('does not keep it from being closed', async () => {
    const proxy = await newProxy()
    const store = open(proxy.url)
    await added(store)
    proxy.stick(true)
    expect(await timeOf(() => store.close())).toBeLessThan(3000)
  })
})
