import { once } from 'node:events'
import type { Server } from 'node:net'

/**
 * Has a server listen for this machine alone, and resolves to its port. Rejects where that is taken.
 *
 * @param wanted 0 is any port that is free
 */
export async function listenOnLoopback(server: Server, wanted = 0): Promise<number> {
  server.listen(wanted, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : wanted
}
