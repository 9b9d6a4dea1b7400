import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { mandrillSimulator } from '../../src/providers/mandrill/index.js'
import { sendgridSimulator } from '../../src/providers/sendgrid/index.js'
import type { SimulatedMessage } from '../../src/simulator.js'

/** How the server of a host is started, and where it differs from others. */
export interface Host {
  /** What node runs, with its arguments. */
  program: readonly string[]
  folder?: string
  /** Below which path the handler is mounted; default `/webhooks`. */
  mount?: string
  /** Whether the host answers paths below it that are no webhook's. */
  handsOn?: boolean
  /** Whether events hold bytes as text, as some of API Gateway's do. */
  textOnly?: boolean
  /** Whether the host knows who calls; default yes. */
  tellsAddress?: boolean
  /** In place of the keys that it is to know. */
  keys?: Record<string, string>
}

interface Told {
  provider: string
  type: string
  recipient?: string
  metadata: Record<string, string>
}

interface Refused {
  webhook: string
  reason: string
  message: string
}

export interface HostServer {
  url: string
  told: Told[]
  refused: Refused[]
  stop(): void
}

/** How long a server may take to start while other tests run, in ms. */
const startTimeout = 20_000

export const serversFolder = join(__dirname, 'servers')

/** The path of a server's program. */
export const serverProgram = (name: string): string => join(serversFolder, name)

const mandrillUrl = 'https://example.com/webhooks/mandrill'
const sendgrid = sendgridSimulator({ apiKey: 'SG.x' })
const mandrill = mandrillSimulator({ apiKey: 'x', webhookUrl: mandrillUrl })
const mailgunKey = randomBytes(16).toString('hex')

/** What servers are to know, in their environment. */
export const serverKeys = {
  SENDGRID_PUBLIC_KEY: sendgrid.publicKey,
  MAILGUN_SIGNING_KEY: mailgunKey,
  MANDRILL_WEBHOOK_KEY: mandrill.webhookKey,
  MANDRILL_WEBHOOK_URL: mandrillUrl,
}

/** Starts a server in a process of its own, which ends with the tests at the latest. */
export async function startServer({
  program,
  folder = serversFolder,
  keys = serverKeys,
}: Host): Promise<HostServer> {
  const server = spawn(
    process.execPath,
    ['--import', pathToFileURL(serverProgram('ends-with-parent.mjs')).href, ...program],
    {
      cwd: folder,
      env: {
        ...process.env,
        ...keys,
        NODE_ENV: 'production',
        NEXT_TELEMETRY_DISABLED: '1',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  )
  const told: Told[] = []
  const refused: Refused[] = []
  const url = await new Promise<string>((resolve, reject) => {
    let errors = ''
    server.stderr.on('data', (text) => (errors += text))
    server.once('exit', (code) => reject(new Error(`it ended with ${code}: ${errors}`)))
    createInterface({ input: server.stdout }).on('line', (line) => {
      const [, word, fact = ''] = /^(told|refused) (.*)$/.exec(line) ?? []
      if (word === 'told') told.push(JSON.parse(fact))
      if (word === 'refused') refused.push(JSON.parse(fact))
      const [where] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
      if (where !== undefined) resolve(where)
    })
  })
  return { url, told, refused, stop: () => void stop(server) }
}

function stop(server: ChildProcess): void {
  server.removeAllListeners('exit')
  server.kill('SIGKILL')
}

/** What is found within five seconds. */
export async function found<T>(facts: readonly T[], fits: (fact: T) => boolean): Promise<T> {
  for (const end = Date.now() + 5000; Date.now() < end; await delay(5)) {
    const fact = facts.find(fits)
    if (fact) return fact
  }
  throw new Error(`none of these: ${JSON.stringify(facts)}`)
}

interface Post {
  headers: Record<string, string>
  body: Buffer | string
}

const post = (url: string, { headers, body }: Post): Promise<Response> =>
  fetch(url, { method: 'POST', headers, body })

const name = 'Zoë Œuvré ☃ 你好 😀'

const messageTo = (recipients: readonly string[]): SimulatedMessage => ({
  id: randomBytes(11).toString('base64url'),
  recipients: recipients.map((address) => ({ address, id: randomBytes(16).toString('hex') })),
  subject: name,
  metadata: { name },
  tags: [name],
  messageId: 'x@example.com',
  request: null,
})

export const anybody = (): string => `${randomBytes(6).toString('hex')}@example.com`

/** A batch of SendGrid's, with the line break at its end that some hosts take away. */
export function sendgridBatch(recipients: readonly string[], forged = false): Post {
  const message = messageTo(recipients)
  const now = new Date()
  const entries = recipients.map((recipient) =>
    sendgrid.entry(message, { type: 'delivered', recipient }, now),
  )
  const [request] = sendgrid.webhooks(entries, now, forged)
  if (!request) throw new Error('there is one')
  expect(request.body.toString()).toMatch(/\r\n$/)
  return request
}

function mandrillForm(recipient: string): Post {
  const now = new Date()
  const event = mandrill.entry(messageTo([recipient]), { type: 'delivered', recipient }, now)
  const [request] = mandrill.webhooks([event], now)
  if (!request) throw new Error('there is one')
  return request
}

/** Every byte there is, and what could be taken for the end of a part. */
const attachment = Buffer.concat([
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  Buffer.from('\r\n--\r\n\r\n--x--\r\n'),
])

/** A bounce as Mailgun posted it before its events were JSON, with the returned mail attached. */
async function mailgunForm(recipient: string, returned: Buffer): Promise<Post> {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const token = randomBytes(25).toString('hex')
  const form = new FormData()
  for (const [field, value] of Object.entries({
    event: 'bounced',
    recipient,
    domain: 'mg.example.com',
    'message-headers': JSON.stringify([
      ['Subject', name],
      ['Message-Id', '<x@mg.example.com>'],
    ]),
    'Message-Id': '<x@mg.example.com>',
    code: '550',
    error: '5.1.1 No such user',
    'attachment-count': '1',
    timestamp,
    token,
    signature: createHmac('sha256', mailgunKey)
      .update(timestamp + token)
      .digest('hex'),
  })) {
    form.append(field, value)
  }
  const file = new File([Uint8Array.from(returned)], 'message.eml', { type: 'message/rfc822' })
  form.append('attachment-1', file)
  const encoded = new Response(form)
  return {
    headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
    body: Buffer.from(await encoded.arrayBuffer()),
  }
}

const contentTypes = [
  'application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain; charset=utf-16le',
  'application/octet-stream',
  'no type at all',
  undefined,
]

/** What is expected of a host, over a socket, where the handler is mounted as it should be. */
export function testHost(host: Host | (() => Promise<Host>)): void {
  let server: HostServer
  let settings: Host
  let mounted = ''

  beforeAll(async () => {
    settings = typeof host === 'function' ? await host() : host
    server = await startServer(settings)
    mounted = server.url + (settings.mount ?? '/webhooks')
  }, startTimeout)
  afterAll(() => server?.stop())

  /** What the echo webhook tells of the last request. */
  async function echoed(): Promise<Record<string, string>> {
    const { metadata } = await found(server.told, ({ provider }) => provider === 'echo')
    server.told.length = 0
    return metadata
  }

  test('takes a signed SendGrid batch, with its last line break and text beyond ASCII', async () => {
    const recipients = [anybody(), anybody()]
    const response = await post(`${mounted}/sendgrid`, sendgridBatch(recipients))
    expect([response.status, await response.text()]).toEqual([200, 'OK'])
    for (const recipient of recipients) {
      const told = await found(server.told, (event) => event.recipient === recipient)
      expect(told).toMatchObject({ provider: 'sendgrid', type: 'delivered', metadata: { name } })
    }
  })

  test('takes a Mailgun form with an attachment', async () => {
    const recipient = anybody()
    const returned = settings.textOnly ? Buffer.from(name) : attachment
    const response = await post(`${mounted}/mailgun`, await mailgunForm(recipient, returned))
    expect([response.status, await response.text(), server.refused]).toEqual([200, 'OK', []])
    const told = await found(server.told, (event) => event.recipient === recipient)
    expect(told).toMatchObject({ provider: 'mailgun', type: 'bounced' })
  })

  test('takes a Mandrill form', async () => {
    const recipient = anybody()
    const response = await post(`${mounted}/mandrill`, mandrillForm(recipient))
    expect([response.status, await response.text()]).toEqual([200, 'OK'])
    const told = await found(server.told, (event) => event.recipient === recipient)
    expect(told).toMatchObject({ provider: 'mandrill', type: 'delivered', metadata: { name } })
  })

  test.each(contentTypes)(
    'hands over bytes as they came, with the content type %s',
    async (type) => {
      const body = settings.textOnly ? Buffer.from(`${name}\r\n`) : attachment
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      const response = await post(`${mounted}/echo?a=b&c=%20d`, { headers, body })
      expect(response.status).toBe(200)
      expect((await echoed())['digest']).toBe(createHash('sha256').update(body).digest('hex'))
    },
  )

  test('hands over a body that is larger than hosts usually read', async () => {
    const body = Buffer.alloc(3_000_000, 'x')
    const headers = { 'content-type': 'application/json' }
    const response = await post(`${mounted}/echo`, { headers, body })
    expect(response.status).toBe(200)
    expect((await echoed())['digest']).toBe(createHash('sha256').update(body).digest('hex'))
  })

  test('knows the path that was asked for, and its query', async () => {
    await post(`${mounted}/echo?a=b&c=d&a=%C3%AB`, { headers: {}, body: 'x' })
    const { target } = await echoed()
    const { pathname } = new URL(mounted)
    expect(target?.startsWith(`${pathname}/echo?`)).toBe(true)
    const query = [...new URLSearchParams(target?.split('?')[1])].toSorted()
    expect(query).toEqual([
      ['a', 'b'],
      ['a', 'ë'],
      ['c', 'd'],
    ])
  })

  test.each<[string, Record<string, string>, string]>([
    ['who asks', {}, '127.0.0.1'],
    ['for whom a trusted proxy asks', { 'x-forwarded-for': '192.0.2.1, 192.0.2.7' }, '192.0.2.7'],
  ])('knows %s', async (_, headers, address) => {
    await post(`${mounted}/echo`, { headers, body: 'x' })
    const { clientAddress } = await echoed()
    expect(clientAddress).toBe(settings.tellsAddress === false ? 'unknown' : address)
  })

  test.each(['HEAD', 'GET'])('answers %s, by which a new URL is tried', async (method) => {
    const response = await fetch(`${mounted}/mandrill`, { method })
    expect([response.status, await response.text()]).toEqual([200, method === 'HEAD' ? '' : 'OK'])
  })

  test('refuses a forged batch without saying why, and keeps nothing of it', async () => {
    const recipient = anybody()
    const response = await post(`${mounted}/sendgrid`, sendgridBatch([recipient], true))
    expect([response.status, await response.text()]).toEqual([403, 'Refused'])
    const { reason } = await found(server.refused, ({ webhook }) => webhook === 'sendgrid')
    expect(reason).toBe('bad-signature')
    expect(server.told.filter((event) => event.recipient === recipient)).toEqual([])
  })

  test('leaves other paths to the host, with its own parsers', async () => {
    const headers = { 'content-type': 'application/json' }
    const paths = settings.handsOn
      ? [`${server.url}/elsewhere`, `${mounted}/elsewhere`]
      : [`${server.url}/elsewhere`]
    for (const path of paths) {
      const response = await post(path, { headers, body: '{"a":1}' })
      expect(await response.json()).toEqual({ parsed: { a: 1 } })
    }
    const unknown = await fetch(`${mounted}/nobody`)
    await unknown.text()
    expect(unknown.status).toBe(404)
  })
}

/** Sees that a host that reads bodies, and keeps the bytes, is no obstacle. */
export function testKeptBytes(host: Host): void {
  test(
    'takes the bytes that the host has kept',
    async () => {
      const server = await startServer(host)
      try {
        for (const [provider, write] of Object.entries({
          sendgrid: (recipient: string) => sendgridBatch([recipient]),
          mandrill: mandrillForm,
        })) {
          const recipient = anybody()
          const response = await post(`${server.url}/webhooks/${provider}`, write(recipient))
          expect([response.status, server.refused]).toEqual([200, []])
          const told = await found(server.told, (event) => event.recipient === recipient)
          expect(told).toMatchObject({ provider, metadata: { name } })
        }
      } finally {
        server.stop()
      }
    },
    startTimeout,
  )
}

/** Sees that a host that reads bodies and keeps no bytes is told, in the log, what to change. */
export function testReadBefore(host: Host | (() => Promise<Host>), remedy: string): void {
  test(
    'says in the log alone what to change where the body was read before',
    async () => {
      const settings = typeof host === 'function' ? await host() : host
      const server = await startServer(settings)
      try {
        const url = `${server.url}${settings.mount ?? '/webhooks'}/sendgrid`
        const response = await post(url, sendgridBatch([anybody()]))
        expect([response.status, await response.text()]).toEqual([503, 'Service Unavailable'])
        const { reason, message } = await found(server.refused, () => true)
        expect(reason).toBe('consumed')
        expect(message).toContain(remedy)
        expect(server.told).toEqual([])
      } finally {
        server.stop()
      }
    },
    startTimeout,
  )
}
