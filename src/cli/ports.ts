import { fields } from '../payload.js'

/** Says what to do where a server could not listen, for a rejection of its start. */
export function portTaken(error: unknown): never {
  const { code, port } = fields(error)
  if (code === 'EADDRINUSE') {
    throw new Error(`port ${String(port)} is taken: choose another with --port`, { cause: error })
  }
  throw error
}
