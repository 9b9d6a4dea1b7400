import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createCorrelator, type Store } from '../../src/index.js'
import { mailgunTransport } from '../../src/providers/mailgun/index.js'
import type { SimulatedSuppression } from '../../src/simulator.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { type RunningProvider, startProvider } from '../../src/testing/index.js'
import nodemailer from 'nodemailer'
import { newFolder, root, run } from './running.js'
import { kits, type ProviderName } from './setup.js'

jest.setTimeout(60_000)

const { folder, remove } = newFolder()
const env = { MAILTRAIL_STORE: 'mail.db' }
const store = (): Store => sqliteStore(join(folder, 'mail.db'))
const providers: RunningProvider[] = []

afterAll(async () => {
  for (const provider of providers) await provider.close()
  remove()
})

beforeAll(async () => {
  const correlator = createCorrelator({ store: store() })
  await correlator.find()
  await correlator.close()
})

async function startOne(name: ProviderName, suppressions: SimulatedSuppression[] = []) {
  const keys = {
    ...kits[name].newSandbox(),
    ...(name === 'mandrill' && { url: 'https://example.com/mandrill' }),
  }
  const simulator = kits[name].createSimulator(keys, { suppressions })
  if (!simulator) throw new Error('it has its keys')
  const provider = await startProvider(simulator)
  providers.push(provider)
  return { provider, settings: { ...keys, baseUrl: provider.url } }
}

function configure(file: string, configuration: object): string[] {
  writeFileSync(join(folder, file), JSON.stringify(configuration))
  return ['--config', file]
}

describe('suppressions', () => {
  const since = new Date('2026-01-02T03:04:05Z')

  test.each<ProviderName>(['sendgrid', 'mailgun', 'mandrill'])(
    'are synced from the lists of %s, once however often',
    async (name) => {
      const { settings } = await startOne(name, [
        { address: `gone@${name}.example`, cause: 'bounced', since, detail: 'No such user' },
        { address: `angry@${name}.example`, cause: 'complained', since },
        { address: `tired@${name}.example`, cause: 'unsubscribed', since },
      ])
      const words = configure(`${name}.json`, { [name]: settings })
      for (let time = 0; time < 2; time += 1) {
        const { code, stdout, stderr } = await run([...words, 'suppressions', 'sync'], {
          folder,
          env,
        })
        expect([code, stdout]).toEqual([
          0,
          `${name}: 3 entries were added, 0 could not be taken.\n`,
        ])
        expect(stderr).toMatch(/^The lists of \w+ were read\.\n$/)
      }
      const correlator = createCorrelator({ store: store() })
      const causes = await Promise.all(
        ['gone', 'angry', 'tired'].map((who) =>
          correlator.suppressions.get(`${who}@${name}.example`),
        ),
      )
      await correlator.close()
      expect(causes.flat()).toMatchObject([
        { cause: 'bounced', provider: name, detail: 'No such user', since },
        { cause: 'complained', provider: name },
        { cause: 'unsubscribed', provider: name },
      ])
    },
  )

  test('that were taken back here since stay so when they are synced', async () => {
    const { settings } = await startOne('mailgun', [
      { address: 'back@example.com', cause: 'bounced', since },
    ])
    const words = [...configure('back.json', { mailgun: settings }), 'suppressions', 'sync']
    const correlator = createCorrelator({ store: store() })
    await run(words, { folder, env })
    expect(await correlator.suppressions.remove('back@example.com')).toBe(1)
    await run(words, { folder, env })
    expect(await correlator.suppressions.get('back@example.com')).toEqual([])
    await correlator.close()
  })

  test('go to a file or the standard output, and come back', async () => {
    const piped = await run(['suppressions', 'export'], { folder, env })
    expect(piped.stdout).toMatch(/^address,cause,scope,.*\n(?:.*\n)*gone@mailgun\.example,bounced/)
    await run(['suppressions', 'export', 'out.csv'], { folder, env })
    expect(readFileSync(join(folder, 'out.csv'), 'utf8')).toBe(piped.stdout)
    const rows = piped.stdout.trim().split('\n').length - 1
    const { code, stdout } = await run(['suppressions', 'import', 'out.csv', '--json'], {
      folder,
      env,
    })
    expect([code, JSON.parse(stdout)]).toEqual([0, { added: rows, refused: 0, flaws: [] }])
  })

  test('are removed by address, all of them or those of one cause', async () => {
    const correlator = createCorrelator({ store: store() })
    await correlator.suppressions.add('lifted@example.com')
    await correlator.suppressions.add('lifted@example.com', { cause: 'bounced' })
    const lift = (...words: string[]) =>
      run(['suppressions', 'remove', 'Lifted@example.com', ...words], { folder, env })
    expect((await lift('--cause', 'complained')).stdout).toBe(
      'Nothing kept it from being mailed.\n',
    )
    const { code, stdout } = await lift('--cause', 'bounced', '--json')
    expect([code, JSON.parse(stdout)]).toEqual([0, { removed: 1 }])
    expect(await correlator.suppressions.get('lifted@example.com')).toMatchObject([
      { cause: 'added' },
    ])
    expect((await lift()).stdout).toMatch(/^1 entry was removed\. A list of the provider stays/)
    expect(await correlator.suppressions.get('lifted@example.com')).toEqual([])
    await correlator.close()
  })

  test('that cannot be taken are told by their lines', async () => {
    writeFileSync(join(folder, 'list.csv'), 'email,created\nann@example.com,1755430000\nnobody,x\n')
    const words = ['suppressions', 'import', 'list.csv', '--cause', 'complained']
    const { code, stdout, stderr } = await run(words, { folder, env })
    expect([code, stdout]).toEqual([
      1,
      '1 entries were added, 1 could not be taken.\n  line 3: a time in it cannot be read\n',
    ])
    expect(stderr).toBe('list.csv was read.\n')
  })

  test('of an account that refuses are an error, without the key', async () => {
    const { provider, settings } = await startOne('mandrill')
    provider.failNext({ kind: 'answer', status: 500, body: '{"message":"no"}' })
    const words = configure('refused.json', { mandrill: settings })
    const { code, stderr } = await run([...words, 'suppressions', 'sync', 'mandrill'], {
      folder,
      env,
    })
    expect([code, stderr]).toEqual([1, 'error: Mandrill answered 500: no\n'])
  })

  test.each([
    [['import', 'none.csv'], 'none.csv could not be read'],
    [['import', 'list.csv', '--cause', 'x'], 'there is no cause x: there are'],
    [['remove', 'ann'], 'ann is no address'],
    [['remove', 'ann@example.com', '--cause', 'x'], 'there is no cause x: there are'],
    [['sync'], 'set one of SENDGRID_API_KEY, MAILGUN_API_KEY, MANDRILL_API_KEY'],
    [['sync', 'x'], 'there is no provider "x"'],
  ])('%j is refused', async (words, told) => {
    const { code, stderr } = await run(['suppressions', ...words], { folder, env })
    expect([code, stderr]).toEqual([2, expect.stringContaining(told)])
  })
})

test('what no webhook has told is fetched, once', async () => {
  const { provider, settings } = await startOne('mailgun')
  const correlator = createCorrelator({ store: store() })
  const { apiKey, domain, baseUrl } = settings as Record<string, string>
  const transport = mailgunTransport({ apiKey, domain, baseUrl, correlator } as object)
  const { trackingId } = await nodemailer
    .createTransport(transport)
    .sendMail({ from: 'a@example.com', to: 'b@example.com', subject: 'x', text: 'x' })
  await provider.settled()
  const words = [...configure('backfill.json', { mailgun: settings }), 'backfill', 'mailgun']
  const first = await run([...words, '--from', '1h'], { folder, env })
  expect([first.code, first.stdout]).toEqual([
    0,
    '2 of 2 events were missed, and are stored now.\n',
  ])
  expect(first.stderr).toBe('Mailgun has told 2 events.\n')
  expect((await correlator.message(trackingId))?.status).toBe('delivered')
  const second = await run([...words, '--from', '2h', '--json'], { folder, env })
  expect(JSON.parse(second.stdout)).toMatchObject({ events: 2, missed: 0 })
  await correlator.close()
})

test('dead letters are listed, and told again by the application', async () => {
  const { provider, settings } = await startOne('sendgrid')
  const path = join(folder, 'dead.db')
  const where = { MAILTRAIL_STORE: 'dead.db' }
  const opened = sqliteStore(path)
  const correlator = createCorrelator({
    store: opened,
    webhooks: [kits.sendgrid.createWebhook(settings)],
    foreignAfter: 0,
  })
  const simulator = kits.sendgrid.createSimulator(settings)
  const now = new Date()
  const message = {
    id: 'x',
    recipients: [],
    subject: '',
    metadata: {},
    tags: [],
    messageId: 'x',
    request: null,
  }
  const entry = simulator?.entry(message, { type: 'opened', recipient: 'ann@example.com' }, now)
  const [request] = simulator?.webhooks([entry], now) ?? []
  await correlator.handler(new Request('http://a.b/sendgrid', { method: 'POST', ...request }))
  const claimed = await opened.claim(
    Date.now() + 1000,
    { owner: 'test', until: Date.now() + 60_000 },
    10,
  )
  await opened.settle(
    claimed.map(({ event }) => ({
      eventId: event.id,
      kind: 'given-up',
      progress: { crm: { attempts: 10, error: 'no room', ended: 'given-up' } },
      at: Date.now(),
    })),
  )
  const listed = await run(['replay', '--list'], { folder, env: where })
  expect(listed.stdout).toMatch(
    /^[\da-f-]{36} {2}opened, given up .*\n {2}ann@example\.com opened it\n {2}.*failed 10 times: no room\n$/,
  )
  const { code, stdout } = await run(['replay'], { folder, env: where })
  expect([code, stdout]).toEqual([0, '1 dead letters are told again, by the application.\n'])
  const told: string[] = []
  correlator.on('opened', ({ recipient = '' }) => void told.push(recipient))
  await correlator.drain()
  expect(told).toEqual(['ann@example.com'])
  const none = await run(['replay', '--list'], { folder, env: where })
  expect([none.code, none.stdout]).toEqual([0, 'There are no dead letters.\n'])
  expect((await run(['replay', claimed[0]?.event.id ?? ''], { folder, env: where })).code).toBe(1)
  await correlator.close()
  expect(provider.messages).toEqual([])
})

test('an address is taken out of what is stored, and counted where it was', async () => {
  const correlator = createCorrelator({ store: store() })
  const asked = { provider: 'x', providerMessageId: 'f-1', recipients: ['forgotten@x.example'] }
  const trackingId = await correlator.record(asked)
  const { code, stdout } = await run(['forget', 'Forgotten@x.example'], { folder, env })
  expect([code, stdout]).toEqual([
    0,
    'The address was taken out of 1 messages and events.\nSo were its suppressions: nothing here keeps it from being mailed again.\n',
  ])
  expect((await correlator.find({ recipient: 'forgotten@x.example' })).messages).toEqual([])
  const [recipient] = (await correlator.message(trackingId))?.recipients ?? []
  expect(recipient?.address).toMatch(/^forgotten-.*@forgotten\.invalid$/)
  await correlator.close()
})

test('what is old is removed, and what is not stays', async () => {
  const correlator = createCorrelator({ store: store() })
  const record = (sentAt: Date) =>
    correlator.record({
      provider: 'x',
      providerMessageId: String(sentAt),
      recipients: ['a@b.example'],
      sentAt,
    })
  const old = await record(new Date(Date.now() - 100 * 24 * 3600_000))
  const recent = await record(new Date(Date.now() - 24 * 3600_000))
  const { code, stdout, stderr } = await run(['prune', '--messages', '90d'], { folder, env })
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/^\d+ messages, events, tokens and counts were removed\.\n$/),
  ])
  expect(stderr).toBe('What is older is gone.\n')
  expect(await correlator.message(old)).toBeUndefined()
  expect(await correlator.message(recent)).toBeDefined()
  await correlator.close()
})

test('each kind is kept for as long as it is said', async () => {
  const memory = pathToFileURL(join(root, 'dist/esm/stores/memory.js')).href
  writeFileSync(
    join(folder, 'asked.mjs'),
    `import { memoryStore } from '${memory}'
    const prune = async (limits) => {
      process.stdout.write(JSON.stringify(limits) + '\\n')
      return 0
    }
    export default { store: { ...memoryStore(), prune } }`,
  )
  const words = ['--messages', '90d', '--events', '7d', '--counts', '2026-01-31']
  const begun = Date.now()
  const { code, stdout } = await run(['--config', 'asked.mjs', 'prune', ...words], { folder })
  const limits = JSON.parse(stdout.split('\n')[0] ?? '')
  const days = (name: string): number => Math.round((begun - limits[name]) / (24 * 3600_000))
  expect([code, days('messages'), days('events')]).toEqual([0, 90, 7])
  expect(stdout).toContain(String(Date.parse('2026-01-31')))
})

test.each([
  [['forget', 'ann'], 'ann is no address'],
  [['prune'], 'say what is to go'],
  [['prune', '--messages', 'yesterday'], '"yesterday" is no time'],
  [['prune', '--messages', '49'], '"49" is no time'],
  [['prune', '--messages', '2949-01-01'], '2949-01-01 is still to come'],
  [['backfill', 'mailgun'], "required option '--from <time>' not specified"],
  [['secret', 'x'], 'there are guard, forwarding, probe'],
])('%j is refused', async (words, told) => {
  const { code, stderr } = await run(words, { folder, env })
  expect([code, stderr]).toEqual([2, expect.stringContaining(told)])
})

test('secrets are random, and as those who take them want them', async () => {
  const made = await Promise.all(
    [[], [], ['forwarding'], ['probe']].map((kind) => run(['secret', ...kind], { folder })),
  )
  const [one = '', other = '', forwarding = '', probe = ''] = made.map(({ stdout }) => stdout)
  expect(one).toMatch(/^[\w-]{43}\n$/)
  expect(other).not.toBe(one)
  expect(forwarding).toMatch(/^whsec_[\w+/]{43}=\n$/)
  const pair = Object.fromEntries(
    probe
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  expect(Object.keys(pair)).toEqual(['SENDGRID_WEBHOOK_PUBLIC_KEY', 'SENDGRID_WEBHOOK_PRIVATE_KEY'])
  const simulator = kits.sendgrid.createSimulator({
    privateKey: pair['SENDGRID_WEBHOOK_PRIVATE_KEY'] ?? '',
  })
  expect(simulator).toMatchObject({ publicKey: pair['SENDGRID_WEBHOOK_PUBLIC_KEY'] })
})
