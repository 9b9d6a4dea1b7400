import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { found, type Host, serverProgram, serversFolder, startServer } from '../adapters/hosts.js'
import { createCorrelator, memoryStore } from '../../src/index.js'
import { mailgunWebhook } from '../../src/providers/mailgun/index.js'
import { sendgridWebhook } from '../../src/providers/sendgrid/index.js'
import { startEndpoint } from '../endpoint.js'
import { newFolder, root, run } from './running.js'

// Next is built for them.
jest.setTimeout(180_000)

const { folder, remove } = newFolder()
const mandrillUrl = 'https://example.com/webhooks/mandrill'

/** The sandbox's keys as hosts of the adapters' tests know them by. */
async function sandboxKeys(): Promise<Record<string, string>> {
  // The first use makes them.
  await run(['trigger', 'sendgrid', 'delivered', '--to', 'http://127.0.0.1:9/'], { folder })
  const { sendgrid, mailgun, mandrill } = JSON.parse(
    readFileSync(join(folder, '.config/mailtrail/sandbox.json'), 'utf8'),
  )
  return {
    SENDGRID_PUBLIC_KEY: sendgrid.publicKey,
    MAILGUN_SIGNING_KEY: mailgun.signingKey,
    MANDRILL_WEBHOOK_KEY: mandrill.key,
    MANDRILL_WEBHOOK_URL: mandrillUrl,
  }
}

let keys: Record<string, string> = {}
let project = ''

beforeAll(async () => {
  keys = await sandboxKeys()
  project = mkdtempSync(join(tmpdir(), 'mailtrail-next-'))
  cpSync(serversFolder, project, { recursive: true })
  const packages = join(project, 'node_modules')
  mkdirSync(packages)
  for (const name of ['next', 'react', 'react-dom']) {
    symlinkSync(join(root, 'node_modules', name), join(packages, name))
  }
  symlinkSync(root, join(packages, 'mailtrail'))
  const next = join(root, 'node_modules/next/dist/bin/next')
  await promisify(execFile)(process.execPath, [next, 'build'], {
    cwd: join(project, 'next'),
    env: { ...process.env, ...keys, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
  })
}, 180_000)
afterAll(() => {
  remove()
  rmSync(project, { recursive: true, force: true })
})

const hosts: [string, () => Host][] = [
  ['node:http', () => ({ program: [serverProgram('node.mjs')] })],
  ['Express', () => ({ program: [serverProgram('express.mjs'), 'express'] })],
  ['Fastify', () => ({ program: [serverProgram('fastify.mjs')] })],
  ['Koa', () => ({ program: [serverProgram('koa.mjs')] })],
  ['Hono', () => ({ program: [serverProgram('hono.mjs')] })],
  ['h3', () => ({ program: [serverProgram('h3.mjs')] })],
  ['NestJS', () => ({ program: [serverProgram('nest.mjs')] })],
  ['AWS Lambda', () => ({ program: [serverProgram('lambda.mjs'), '2.0', 'base64'] })],
  [
    'Next',
    () => ({
      program: [
        join(root, 'node_modules/next/dist/bin/next'),
        'start',
        '-p',
        '0',
        '-H',
        '127.0.0.1',
      ],
      folder: join(project, 'next'),
    }),
  ],
]

test.each(hosts)('an event of each provider is taken by %s', async (_, host) => {
  const server = await startServer({ ...host(), keys })
  try {
    for (const provider of ['sendgrid', 'mailgun', 'mandrill']) {
      const recipient = `${provider}@example.com`
      const words = ['--to', `${server.url}/webhooks/${provider}`, '--recipient', recipient]
      const { code, stdout, stderr } = await run(['trigger', provider, 'bounced', ...words], {
        folder,
        env: provider === 'mandrill' ? { MANDRILL_WEBHOOK_URL: mandrillUrl } : {},
      })
      expect([stderr, stdout, code]).toEqual(['', expect.stringContaining('Answered: 200'), 0])
      const told = await found(server.told, (event) => event.recipient === recipient)
      expect(told).toMatchObject({ provider, type: 'bounced' })
    }
    expect(server.refused).toEqual([])
  } finally {
    server.stop()
  }
})

test.each(['bounced', 'complained', 'unsubscribed'])(
  'after %s the application does not mail the address',
  async (event) => {
    const correlator = createCorrelator({
      store: memoryStore(),
      webhooks: [sendgridWebhook({ publicKey: keys['SENDGRID_PUBLIC_KEY'] ?? '' })],
    })
    const endpoint = await startEndpoint(correlator.nodeHandler)
    const recipient = 'ann@example.com'
    const words = [event, '--to', `${endpoint.url}/sendgrid`, '--recipient', recipient]
    expect((await run(['trigger', 'sendgrid', ...words], { folder })).code).toBe(0)
    expect(await correlator.suppressions.get(recipient)).toMatchObject([{ cause: event }])
    await endpoint.close()
    await correlator.close()
  },
)

test('with --message the event is one of that message, and of the recipient that is said', async () => {
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [mailgunWebhook({ signingKey: keys['MAILGUN_SIGNING_KEY'] ?? '' })],
  })
  const endpoint = await startEndpoint(correlator.nodeHandler)
  const trackingId = await correlator.record({
    provider: 'mailgun',
    providerMessageId: 'p-1',
    recipients: ['ann@example.com', 'bob@example.com'],
  })
  const words = ['mailgun', 'opened', '--to', `${endpoint.url}/mailgun`, '--message', trackingId]
  const whose = ['--recipient', 'bob@example.com']
  expect((await run(['trigger', ...words, ...whose], { folder })).code).toBe(0)
  const message = await correlator.message(trackingId)
  expect(message?.events).toMatchObject([
    {
      type: 'opened',
      recipient: 'bob@example.com',
      correlation: { status: 'matched', via: 'own-id' },
    },
  ])
  expect(message?.recipients.map(({ engagement }) => engagement.opened !== undefined)).toEqual([
    false,
    true,
  ])
  await endpoint.close()
  await correlator.close()
})

describe('an answer', () => {
  let status = 200
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(status, { location: '/elsewhere' }).end()
  })
  let url = ''
  beforeAll(async () => {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/hook`
  })
  afterAll(() => void server.close())

  test.each([
    ['sendgrid', 204, 0, /does not post it again/],
    ['sendgrid', 500, 1, /posts the batch again, with growing waits, for a day/],
    ['sendgrid', 302, 1, /follows no redirect/],
    ['mailgun', 200, 0, /counts the event as taken/],
    ['mailgun', 204, 1, /six times within eight hours/],
    ['mailgun', 406, 1, /drops the event/],
    ['mandrill', 200, 0, /counts the batch as taken/],
    ['mandrill', 503, 1, /up to 20 times.*turns the webhook off/],
    ['sendgrid', 403, 1, /signed with the sandbox's key.*correlator\.on\('refused'\) does/s],
    ['sendgrid', 404, 1, /for a day.*\nNothing is mounted at this path[^\n]*\n$/],
    ['sendgrid', 503, 1, /for a day.*\nThe application failed, and not the signature[^\n]*\n$/],
  ])('to %s of %i is told with what follows', async (provider, answered, expected, words) => {
    status = answered
    const { code, stdout } = await run(['trigger', provider, 'delivered', '--to', url], { folder })
    expect([code, stdout]).toEqual([expected, expect.stringMatching(words)])
  })

  test('is told to programs as JSON', async () => {
    status = 406
    const words = ['trigger', 'mailgun', 'delivered', '--to', url, '--json']
    const { stdout } = await run(words, { folder })
    expect(JSON.parse(stdout)).toMatchObject({ url, type: 'delivered', status: 406, taken: false })
  })
})

test.each([
  [['nobody', 'delivered', '--to', 'http://a.b'], 'there is no provider "nobody"'],
  [['mailgun', 'exploded', '--to', 'http://a.b'], 'there is no event exploded'],
  [['mailgun', 'delivered'], 'say where the endpoint is'],
  [['mailgun', 'delivered', '--to', 'ftp://a.b'], 'say where the endpoint is'],
  [['mailgun'], "missing required argument 'event'"],
])('trigger %j is refused', async (words, told) => {
  const { code, stderr } = await run(['trigger', ...words], { folder })
  expect([code, stderr]).toEqual([2, expect.stringContaining(told)])
})
