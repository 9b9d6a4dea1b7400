/**
 * Says where a server listens, for the tests to come.
 *
 * @param {import('node:net').Server} server
 */
export function sayWhere(server) {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  process.stdout.write(`http://127.0.0.1:${address.port}\n`)
}
