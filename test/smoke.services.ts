import { expect, test } from '@jest/globals'
import { once } from 'node:events'
import { connect } from 'node:net'
import { mysqlUrl, postgresUrl, redisUrl, restartPostgres } from './started-services.js'

/** What a server says to a greeting, until the end is there or it closes the connection. */
async function answer(url: string, greeting: string, end: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname).setEncoding('latin1')
  socket.write(greeting, 'latin1')
  let said = ''
  for await (const chunk of socket) {
    said += chunk
    if (said.includes(end)) break
  }
  return said
}

const hello = '\0\x03\0\0user\0postgres\0database\0mailtrail\0\0'
const postgresHello = `\0\0\0${String.fromCharCode(hello.length + 4)}${hello}`
const readyForQuery = 'Z\0\0\0\x05I'

test('Redis answers', async () => {
  expect(await answer(redisUrl, 'PING\r\n', '\r\n')).toBe('+PONG\r\n')
})

test('MariaDB answers', async () => {
  expect(await answer(mysqlUrl, '', 'MariaDB')).toContain('MariaDB')
})

test('PostgreSQL answers, and again after a crash', async () => {
  expect(await answer(postgresUrl, postgresHello, readyForQuery)).toContain(readyForQuery)
  const { hostname, port } = new URL(postgresUrl)
  const open = connect(Number(port), hostname).resume()
  await once(open, 'connect')
  const closed = once(open, 'close')
  await restartPostgres()
  await closed
  expect(await answer(postgresUrl, postgresHello, readyForQuery)).toContain(readyForQuery)
}, 60_000)
