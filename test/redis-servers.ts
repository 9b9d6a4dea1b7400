import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Cluster, Redis } from 'ioredis'

/** A Redis of a test's own, which it may kill. */
export interface RedisServer {
  port: number
  /** Ends it as a crash does. */
  kill(): Promise<void>
  /** Starts it with what it had. */
  start(): Promise<void>
  /** Ends it and removes what it had. */
  remove(): Promise<void>
}

/** Where queues are, for `connect()`, and what takes it away again. */
export interface RedisPlace {
  connect(): Redis | Cluster
  remove(): Promise<void>
}

// The nodes of a cluster talk at a port that is ten thousand higher.
const highestPort = 55_535

async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => void server.once('listening', resolve))
    const address = server.address()
    await new Promise((resolve) => void server.close(resolve))
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    if (port > 0 && port < highestPort) return port
  }
}

/** Starts a Redis that keeps what it has as one does that jobs are left to. */
export async function startRedis(...settings: string[]): Promise<RedisServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail-redis-'))
  const options = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder, '--save', '']
  const keeping = ['--appendonly', 'yes', '--maxmemory-policy', 'noeviction']
  let running: ChildProcess | undefined
  let ended: Promise<unknown> | undefined

  async function start(): Promise<void> {
    const server = spawn('redis-server', [...options, ...keeping, ...settings], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    running = server
    ended = new Promise((resolve) => server.once('close', resolve))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.once('close', () => reject(new Error('redis-server has ended')))
      createInterface({ input: server.stdout }).on('line', (line) => {
        if (line.includes('Ready to accept connections')) resolve()
      })
    })
  }

  async function kill(): Promise<void> {
    running?.kill('SIGKILL')
    await ended
  }

  await start()
  return {
    port,
    kill,
    start,
    async remove() {
      await kill()
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** How BullMQ wants its connections: commands wait for a Redis that is away. */
const options = { maxRetriesPerRequest: null, retryStrategy: () => 50 }

export function connectTo(port: number): Redis {
  return quiet(new Redis(port, '127.0.0.1', options))
}

/** One Redis. */
export async function redisPlace(): Promise<RedisPlace> {
  const server = await startRedis()
  return { connect: () => connectTo(server.port), remove: server.remove }
}

/** Starts the three nodes of a cluster, without replicas. */
export async function startRedisCluster(): Promise<RedisServer[]> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']
  const nodes = await Promise.all([1, 2, 3].map(() => startRedis(...settings)))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes']
  await promisify(execFile)('redis-cli', create)
  return nodes
}

/** A cluster of three nodes. */
export async function clusterPlace(): Promise<RedisPlace> {
  const nodes = await startRedisCluster()
  const places = nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  return {
    connect: () => quiet(new Cluster(places, { redisOptions: { maxRetriesPerRequest: null } })),
    async remove() {
      await Promise.all(nodes.map(({ remove }) => remove()))
    },
  }
}

/** That a connection was lost is what some tests are about. */
function quiet<C extends Redis | Cluster>(connection: C): C {
  connection.on('error', () => {})
  return connection
}
