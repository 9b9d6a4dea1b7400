import { createHmac, generateKeyPairSync } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createCorrelator, memoryStore, type Store } from '../src/index.js'
import { mailgunWebhook } from '../src/providers/mailgun/index.js'
import { mandrillWebhook } from '../src/providers/mandrill/index.js'
import { sendgridWebhook } from '../src/providers/sendgrid/index.js'
import { type Endpoint, startEndpoint } from './endpoint.js'

const publicKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  .publicKey.export({ type: 'spki', format: 'der' })
  .toString('base64')
const megabyte = 1024 * 1024

/** What memory may differ by where nothing is kept, in bytes: a fraction of what was sent. */
const flat = 8 * megabyte

let store: Store
let correlator: ReturnType<typeof createCorrelator>
let endpoint: Endpoint
let log: string[]

beforeEach(async () => {
  store = memoryStore()
  correlator = createCorrelator({
    store,
    webhooks: [
      sendgridWebhook({ publicKey }),
      mailgunWebhook({ signingKey: 'signing key' }),
      mandrillWebhook({ key: 'key', url: 'https://hooks.example.com/mandrill' }),
    ],
    bodyTimeout: 400,
  })
  log = []
  correlator.on('refused', ({ webhook, reason }) => void log.push(`${webhook} ${reason}`))
  endpoint = await startEndpoint(correlator.nodeHandler)
})
afterEach(async () => {
  await endpoint.close()
  await correlator.close()
})

/** What this process holds once all that nobody holds is gone, in bytes. */
function held(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Does something many times, and says by how much memory has grown beyond the first times. */
async function growth(work: () => Promise<unknown>, times: number): Promise<number> {
  for (let time = 0; time < 5; time += 1) await work()
  const before = held()
  for (let time = 0; time < times; time += 1) await work()
  // Sockets of the last requests may still hold what they sent.
  for (let waited = 0; waited < 50 && held() - before > flat; waited += 1) await delay(100)
  return held() - before
}

const post = async (path: string, headers: Record<string, string>, body: Buffer | string) => {
  const response = await fetch(endpoint.url + path, { method: 'POST', headers, body })
  await response.text()
  return response.status
}

const sendgridHeaders = {
  'content-type': 'application/json',
  'x-twilio-email-event-webhook-timestamp': '1760000000',
  'x-twilio-email-event-webhook-signature':
    'MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=',
}
const bomb = gzipSync(Buffer.alloc(64 * megabyte))
const form = { 'content-type': 'application/x-www-form-urlencoded' }

const hostile: [string, string, number, () => Promise<number>][] = [
  [
    'forged at SendGrid',
    'sendgrid bad-signature',
    403,
    () => post('/sendgrid', sendgridHeaders, Buffer.alloc(megabyte, ' ')),
  ],
  [
    'forged at Mandrill',
    'mandrill bad-signature',
    403,
    () =>
      post(
        '/mandrill',
        { ...form, 'x-mandrill-signature': 'VV5nIYwK0zt3hoYFJBmkqsdlq2U=' },
        `mandrill_events=${'%5B'.repeat(megabyte / 3)}`,
      ),
  ],
  [
    'oversized, and says so',
    'sendgrid too-large',
    413,
    // Who is cut off while it writes may notice that before the answer.
    () => post('/sendgrid', sendgridHeaders, Buffer.alloc(6 * megabyte, ' ')).catch(() => 413),
  ],
  [
    'a bomb',
    'sendgrid unsupported',
    415,
    () => post('/sendgrid', { ...sendgridHeaders, 'content-encoding': 'gzip' }, bomb),
  ],
]

describe('what is hostile changes nothing, is told in the log, and leaves memory as it was:', () => {
  test.each(hostile)(
    '%s',
    async (_, reason, status, send) => {
      expect(await send()).toBe(status)
      expect(log).toEqual([reason])
      expect(await store.nextDue()).toBeUndefined()
      expect(await growth(send, 25)).toBeLessThan(flat)
      expect(new Set(log)).toEqual(new Set([reason]))
    },
    60_000,
  )

  test.each(['/sendgrid', '/mandrill'])('unsigned at %s, whose body is not read', async (path) => {
    let sent = 0
    async function* pieces(): AsyncGenerator<Buffer> {
      for (; sent < 2000; sent += 1) yield Buffer.alloc(65_536, ' ')
    }
    const init = {
      method: 'POST',
      headers: form,
      body: ReadableStream.from(pieces()),
      duplex: 'half',
    } as const
    const status = await fetch(endpoint.url + path, init).then(
      (response) => response.status,
      () => 'cut off',
    )
    expect([403, 'cut off']).toContain(status)
    expect(sent).toBeLessThan(2000)
    expect(log).toEqual([`${path.slice(1)} unsigned`])
  })

  test('oversized, and says nothing of it', async () => {
    async function* pieces(): AsyncGenerator<Buffer> {
      for (let piece = 0; piece < 2000; piece += 1) yield Buffer.alloc(65_536, ' ')
    }
    const send = async () => {
      const body = ReadableStream.from(pieces())
      const init = { method: 'POST', headers: sendgridHeaders, body, duplex: 'half' } as const
      // Who goes on writing is cut off, and may notice that before the answer.
      return fetch(`${endpoint.url}/sendgrid`, init).then(
        ({ status }) => status,
        () => 'cut off',
      )
    }
    expect([413, 'cut off']).toContain(await send())
    expect(log).toEqual(['sendgrid too-large'])
    expect(await growth(send, 10)).toBeLessThan(flat)
    expect(await store.nextDue()).toBeUndefined()
  }, 60_000)

  test('a token of Mailgun with another body', async () => {
    const signature = {
      timestamp: '1760000000',
      token: 'token',
      signature: createHmac('sha256', 'signing key').update('1760000000token').digest('hex'),
    }
    const json = { 'content-type': 'application/json' }
    const body = (event: string): string =>
      JSON.stringify({ signature, 'event-data': { event, id: 'a', timestamp: 1_760_000_000 } })
    expect(await post('/mailgun', json, body('delivered'))).toBe(200)
    const send = () => post('/mailgun', json, body('complained'))
    expect(await send()).toBe(406)
    expect(log).toEqual(['mailgun replayed'])
    expect(await post('/mailgun', json, body('delivered'))).toBe(200)
    const now = Date.now() + 1e9
    const due = await store.claim(now, { owner: 'another', until: now }, 10)
    expect(due.map(({ event }) => event.type)).toEqual(['delivered'])
    expect(await growth(send, 100)).toBeLessThan(flat)
  }, 60_000)

  test('a body that comes byte by byte', async () => {
    const { port } = new URL(endpoint.url)
    const slow = async (): Promise<string> => {
      const socket = connect(Number(port), '127.0.0.1')
      let answer = ''
      socket.on('data', (piece) => (answer += piece.toString()))
      socket.on('error', () => {})
      const head = Object.entries(sendgridHeaders).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(
        `POST /sendgrid HTTP/1.1\r\nHost: x\r\n${head.join('')}Content-Length: 900000\r\n\r\n`,
      )
      const dripping = setInterval(() => socket.write(' '), 20)
      await new Promise((resolve) => socket.once('close', resolve))
      clearInterval(dripping)
      return answer
    }
    // Many at once, and each is given up in its time, with its connection.
    const began = performance.now()
    const answers = await Promise.all(Array.from({ length: 50 }, slow))
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(answers.every((answer) => answer.startsWith('HTTP/1.1 408'))).toBe(true)
    expect(new Set(log)).toEqual(new Set(['sendgrid too-slow']))
    expect(await store.nextDue()).toBeUndefined()
    await delay(50)
    expect(await post('/sendgrid', {}, '')).toBe(403)
  }, 60_000)
})
