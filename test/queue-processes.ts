import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { publicKey, type SignedPost } from './signed-posts.js'

export interface QueueProcess {
  /** Ends it as a crash does. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Posts to it, where it is a handler, and gives the status; undefined when there was no answer. */
  post(post: SignedPost): Promise<number | undefined>
}

/** Handlers and workers in processes of their own, on one PostgreSQL and one queue. */
export interface QueueSystem {
  start(role: 'handler' | 'worker'): Promise<QueueProcess>
  /** The recipients of what was told, in the order it was. */
  told(): string[]
  remove(): Promise<void>
}

export function queueSystem(database: string, redisPorts: readonly number[]): QueueSystem {
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail-queue-'))
  const log = join(folder, 'told')
  const name = `events-${randomUUID()}`
  const processes: QueueProcess[] = []

  return {
    async start(role) {
      const script = join(__dirname, 'queue-server.mjs')
      const options = [script, role, database, redisPorts.join(','), name, publicKey, log]
      let running: ChildProcess | undefined
      let ended: Promise<unknown> | undefined
      let url = ''
      const started: QueueProcess = {
        async start() {
          const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'ignore'] })
          running = child
          ended = new Promise((resolve) => child.once('close', resolve))
          await new Promise<void>((resolve, reject) => {
            child.once('close', () => reject(new Error(`the ${role} has ended`)))
            createInterface({ input: child.stdout }).on('line', (line) => {
              const [word, port = ''] = line.split(' ')
              url = `http://127.0.0.1:${port}/sendgrid`
              if (word === 'ready') resolve()
            })
          })
        },
        async kill() {
          running?.kill('SIGKILL')
          await ended
        },
        async post(post) {
          const signal = AbortSignal.timeout(5000)
          const answer = await fetch(url, { method: 'POST', ...post, signal }).catch(
            () => undefined,
          )
          return answer?.status
        },
      }
      processes.push(started)
      await started.start()
      return started
    },

    told: () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : []),

    async remove() {
      await Promise.all(processes.map(({ kill }) => kill()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
