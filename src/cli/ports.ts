import type { Server } from 'node:net'
import { fields } from '../payload.js'
import { listenOnLoopback } from '../testing/loopback.js'

/** Has a server listen at a port of this machine, any that is free for 0, and resolves to where it is. */
export function listenAt(server: Server, port: number): Promise<string> {
  return listenOnLoopback(server, port).then((taken) => `http://127.0.0.1:${taken}`, portTaken)
}

/** Says what to do where a server could not listen, for a rejection of its start. */
export function portTaken(error: unknown): never {
  const { code, port } = fields(error)
  if (code === 'EADDRINUSE') {
    throw new Error(`port ${String(port)} is taken: choose another with --port`, { cause: error })
  }
  throw error
}
