import { afterEach, expect, jest, test } from '@jest/globals'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer } from 'node:http'
import { createCorrelator } from '../../src/index.js'
import { sendgridWebhook } from '../../src/providers/sendgrid/index.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { startProvider } from '../../src/testing/index.js'
import { newFolder, run, start } from './running.js'
import { kits, listening } from './setup.js'

jest.setTimeout(60_000)

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

function folderOfItsOwn(): string {
  const { folder, remove } = newFolder()
  ends.push(remove)
  return folder
}

const addresses = ['--from', 'shop@example.com', '--to', 'ann@example.com']

test('in the sandbox every provider brings a message there and its event back', async () => {
  const { code, stdout, stderr } = await run(['verify', '--sandbox'], {
    folder: folderOfItsOwn(),
  })
  expect([stderr, code]).toEqual(['', 0])
  for (const title of ['SendGrid', 'Mailgun', 'Mandrill']) {
    expect(stdout).toMatch(
      new RegExp(`${title}\n  sent after [\\d.]+ s: .*\n  delivered after [\\d.]+ s: ann@example`),
    )
  }
})

test('the event is waited for in the store of the application that takes it', async () => {
  const folder = folderOfItsOwn()
  const keys = kits.sendgrid.newSandbox()
  const correlator = createCorrelator({
    store: sqliteStore(join(folder, 'app.db')),
    webhooks: [sendgridWebhook({ publicKey: String(keys['publicKey']) })],
  })
  await correlator.find()
  const { server, url } = await listening(correlator.nodeHandler)
  const simulator = kits.sendgrid.createSimulator(keys)
  if (!simulator) throw new Error('it has its keys')
  const provider = await startProvider(simulator, { webhookUrl: `${url}/sendgrid` })
  ends.push(
    () => correlator.close(),
    () => server.close(),
    () => provider.close(),
  )
  writeFileSync(
    join(folder, 'mailtrail.config.json'),
    JSON.stringify({ store: 'app.db', sendgrid: { ...keys, baseUrl: provider.url } }),
  )
  const { code, stdout } = await run(['verify', ...addresses, '--json'], { folder })
  const told = JSON.parse(stdout)
  expect([code, told]).toMatchObject([0, { provider: 'sendgrid', ok: true }])
  expect((await correlator.message(told.trackingId))?.status).toBe('delivered')
})

test('with --listen the webhook is taken here, and a refused one is told with the reason', async () => {
  const folder = folderOfItsOwn()
  const keys = kits.mailgun.newSandbox()
  const simulator = kits.mailgun.createSimulator(keys)
  if (!simulator) throw new Error('it has its keys')
  // A port that was free a moment ago.
  const { server: free, url } = await listening(() => {})
  await new Promise((resolve) => free.close(resolve))
  const port = new URL(url).port
  const provider = await startProvider(simulator, { webhookUrl: `${url}/mailgun` })
  ends.push(() => provider.close())
  const settings = { ...keys, baseUrl: provider.url }
  const config = join(folder, 'mailtrail.config.json')
  const words = ['verify', 'mailgun', ...addresses, '--listen', port]

  writeFileSync(config, JSON.stringify({ mailgun: settings }))
  const good = await run(words, { folder })
  expect([good.stderr, good.code, good.stdout]).toEqual([
    '',
    0,
    expect.stringContaining('delivered'),
  ])

  writeFileSync(config, JSON.stringify({ mailgun: { ...settings, signingKey: 'wrong' } }))
  const wrong = await run([...words, '--timeout', '2'], { folder })
  expect([wrong.code, wrong.stdout]).toEqual([
    1,
    expect.stringMatching(
      /no-event: no delivered event came within 2 s; a webhook came, and was refused: mailgun: webhook refused: the signature fits none.*\n {2}mailtrail doctor mailgun looks for the reason\n$/,
    ),
  ])
})

test('sandbox mode is named by what the API answers, and nothing is waited for', async () => {
  const folder = folderOfItsOwn()
  const keys = kits.sendgrid.newSandbox()
  const simulator = kits.sendgrid.createSimulator(keys)
  if (!simulator) throw new Error('it has its keys')
  const provider = await startProvider(simulator)
  ends.push(() => provider.close())
  writeFileSync(
    join(folder, 'mailtrail.config.json'),
    JSON.stringify({
      sendgrid: {
        ...keys,
        baseUrl: provider.url,
        mail: { mail_settings: { sandbox_mode: { enable: true } } },
      },
    }),
  )
  const words = ['verify', 'sendgrid', ...addresses, '--listen', '0', '--json']
  const { code, stdout } = await run(words, { folder })
  expect([code, JSON.parse(stdout)]).toMatchObject([1, { ok: false, code: 'sandbox-mode' }])
  expect(provider.messages).toEqual([])
})

test('a refused API key is told, without the key', async () => {
  const folder = folderOfItsOwn()
  const { server, url } = await listening((request, response) => {
    request.resume()
    response.writeHead(401, { 'content-type': 'application/json' }).end('{"errors":[]}')
  })
  ends.push(() => server.close())
  const env = {
    SENDGRID_API_KEY: 'SG.a-secret-key',
    SENDGRID_URL: url,
    SENDGRID_WEBHOOK_PUBLIC_KEY: String(kits.sendgrid.newSandbox()['publicKey']),
  }
  const words = ['verify', 'sendgrid', ...addresses, '--listen', '0']
  const { code, stdout, stderr } = await run(words, { folder, env })
  expect([code, stdout]).toEqual([1, expect.stringContaining('not-sent: SendGrid answered 401')])
  expect(stdout + stderr).not.toContain('SG.a-secret-key')
})

test('Ctrl-C ends the waiting, which has shown nothing then', async () => {
  const folder = folderOfItsOwn()
  const keys = kits.mailgun.newSandbox()
  const simulator = kits.mailgun.createSimulator(keys)
  if (!simulator) throw new Error('it has its keys')
  const provider = await startProvider(simulator)
  ends.push(() => provider.close())
  writeFileSync(
    join(folder, 'mailtrail.config.json'),
    JSON.stringify({ mailgun: { ...keys, baseUrl: provider.url } }),
  )
  const waiting = start(['verify', 'mailgun', ...addresses, '--listen', '0'], { folder })
  await waiting.wrote(/sent after/)
  waiting.signal('SIGINT')
  expect(await waiting.ended).toMatchObject({
    code: 1,
    stderr: 'error: it was ended before it was done\n',
  })
})

test.each([
  [[], 'say which: mailtrail verify sendgrid|mailgun|mandrill'],
  [['mailgun'], 'say who sends and who gets it'],
  [['mailgun', ...addresses], 'say where events come in'],
  [['mailgun', ...addresses, '--event', 'x'], "argument 'x' is invalid"],
])('verify %j is refused', async (words, told) => {
  const { code, stderr } = await run(['verify', ...words], { folder: folderOfItsOwn() })
  expect([code, stderr]).toEqual([2, expect.stringContaining(told)])
})

test('the port of another server is said to be taken', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' ? String(address?.port) : ''
  ends.push(() => other.close())
  const env = { MAILGUN_WEBHOOK_SIGNING_KEY: 'x' }
  const words = ['verify', 'mailgun', ...addresses, '--listen', port]
  const { code, stderr } = await run(words, { folder: folderOfItsOwn(), env })
  expect([code, stderr]).toEqual([1, expect.stringContaining(`port ${port} is taken`)])
})
