import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import express from 'express'
import { compareClocks } from '../../src/cli/clock-findings.js'
import { findUrlFaults } from '../../src/cli/setting-findings.js'
import { type Correlator, createCorrelator, memoryStore } from '../../src/index.js'
import { mailgunWebhook } from '../../src/providers/mailgun/index.js'
import { mandrillWebhook, verifyMandrillSignature } from '../../src/providers/mandrill/index.js'
import { sendgridWebhook, verifySendgridSignature } from '../../src/providers/sendgrid/index.js'
import { root, run } from './running.js'
import { type Changes, codes, doctor, type ProviderName, type SetUp, setUp } from './setup.js'

jest.setTimeout(60_000)

const open: SetUp[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function broken(name: ProviderName, changes: Changes = {}): Promise<SetUp> {
  const made = await setUp(name, changes)
  open.push(made)
  return made
}

const shiftedClock = join(__dirname, 'shifted-clock.mjs')
const twentyMinutes = 20 * 60_000

const otherPublicKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  .publicKey.export({ type: 'spki', format: 'der' })
  .toString('base64')

/** The PEM of a bare key. */
const asPem = (key: unknown): string =>
  `-----BEGIN PUBLIC KEY-----\n${String(key).replace(/(.{64})/g, '$1\n')}\n-----END PUBLIC KEY-----\n`

const providers: ProviderName[] = ['sendgrid', 'mailgun', 'mandrill']

test.each(providers)('nothing is wrong with %s where all is as it should be', async (name) => {
  const made = await broken(name)
  const told = await doctor(made)
  expect(told).toEqual({ code: 0, provider: name, findings: [], skipped: [] })
  // Looking leaves nothing behind.
  expect(existsSync(join(made.folder, '.config'))).toBe(false)
})

/** Each set-up that is broken in one way: the doctor names this, and nothing else. */
const cases: [mistake: string, code: string, provider: ProviderName, changes: Changes][] = [
  [
    'express.json() before the handler',
    'reserialised-body',
    'sendgrid',
    { endpoint: (handler) => express().use(express.json(), handler) },
  ],
  [
    'express.json() before the handler',
    'reserialised-body',
    'mailgun',
    { endpoint: (handler) => express().use(express.json(), handler) },
  ],
  [
    'a body that is parsed and written again before it is verified',
    'reserialised-body',
    'sendgrid',
    {
      endpoint: (_handler, { publicKey = '' }) =>
        express().use(express.json(), ({ method, headers, body }, response) => {
          const rawBody = JSON.stringify(body)
          const fits = verifySendgridSignature({ headers, rawBody }, { publicKey })
          response.sendStatus(method === 'GET' || fits ? 200 : 403)
        }),
    },
  ],
  [
    'JSON in a form that is parsed and written again before it is verified',
    'reserialised-body',
    'mandrill',
    {
      endpoint: (_handler, { key = '', url = '' }) =>
        express().use(express.urlencoded(), ({ method, headers, body }, response) => {
          const json = JSON.stringify(JSON.parse(body?.mandrill_events ?? '[]'))
          const fits = verifyMandrillSignature(
            { headers, body: { mandrill_events: json } },
            { key, url },
          )
          response.sendStatus(method === 'GET' || fits ? 200 : 403)
        }),
    },
  ],
  [
    'an API key as the verification key',
    'api-key-as-signing-key',
    'sendgrid',
    { settings: (settings) => ({ ...settings, publicKey: settings['apiKey'] }) },
  ],
  [
    'a key of the account as the signing key',
    'api-key-as-signing-key',
    'mailgun',
    {
      settings: (settings) => ({
        ...settings,
        signingKey: '0123456789abcdef0123456789abcdef-01234567-89abcdef',
      }),
    },
  ],
  [
    'an API key as the webhook’s',
    'api-key-as-signing-key',
    'mandrill',
    { settings: (settings) => ({ ...settings, key: settings['apiKey'] }) },
  ],
  [
    'https at the provider and http here',
    'wrong-scheme',
    'mandrill',
    {
      registered: (webhook) => [{ ...webhook, url: webhook.url.replace('http:', 'https:') }],
    },
  ],
  [
    'an application that was started with https, and http here and there',
    'wrong-scheme',
    'mandrill',
    {
      webhook: ({ key = '', url }) =>
        mandrillWebhook({ key, url: String(url).replace('http:', 'https:') }),
    },
  ],
  [
    'a PEM with its line breaks as \\n',
    'pem-key',
    'sendgrid',
    {
      settings: (settings) => ({
        ...settings,
        publicKey: asPem(settings['publicKey']).replaceAll('\n', '\\n'),
      }),
    },
  ],
  [
    'the first line of a PEM alone',
    'pem-key',
    'sendgrid',
    { settings: (settings) => ({ ...settings, publicKey: '-----BEGIN PUBLIC KEY-----' }) },
  ],
  [
    'a slash at the end of the URL at the provider',
    'trailing-slash',
    'mandrill',
    { registered: (webhook) => [{ ...webhook, url: `${webhook.url}/` }] },
  ],
  [
    'a slash at the end of the URL of the application',
    'trailing-slash',
    'mandrill',
    { webhook: ({ key = '', url }) => mandrillWebhook({ key, url: `${String(url)}/` }) },
  ],
  ...providers.map((name): (typeof cases)[number] => [
    'no webhook',
    'missing-webhook',
    name,
    { registered: () => [] },
  ]),
  [
    'the webhook of another host',
    'missing-webhook',
    'sendgrid',
    { registered: (webhook) => [{ ...webhook, url: 'https://example.com/sendgrid' }] },
  ],
  [
    'a domain of the other region',
    'wrong-region',
    'mailgun',
    { settings: (settings) => ({ ...settings, domain: 'eu.example.com' }) },
  ],
  [
    'a key of the other region',
    'wrong-region',
    'sendgrid',
    {
      started(provider) {
        const message =
          'The user is not authorized to access this region: regional attribute does not match'
        const body = JSON.stringify({ errors: [{ message, field: null, help: null }] })
        provider.failNext({ kind: 'answer', status: 401, body })
      },
    },
  ],
  [
    'sandbox mode in the options of messages',
    'sandbox-mode',
    'sendgrid',
    {
      settings: (settings) => ({
        ...settings,
        mail: { mail_settings: { sandbox_mode: { enable: true } } },
      }),
    },
  ],
  [
    'test mode in the options of messages',
    'sandbox-mode',
    'mailgun',
    { settings: (settings) => ({ ...settings, mail: { 'o:testmode': 'yes' } }) },
  ],
  [
    'the key by which a URL is tried, for good',
    'sandbox-mode',
    'mandrill',
    { settings: (settings) => ({ ...settings, key: 'test-webhook' }) },
  ],
  [
    'two applications with a webhook each for one URL',
    'two-apps',
    'mandrill',
    {
      registered: (webhook) => [
        webhook,
        { ...webhook, signing: { kind: 'key', key: 'the other application’s' } },
      ],
    },
  ],
  [
    'two applications with a webhook each for one URL',
    'two-apps',
    'sendgrid',
    {
      registered: (webhook) => [
        webhook,
        { ...webhook, signing: { kind: 'key', key: otherPublicKey } },
      ],
    },
  ],
  [
    'two applications that take turns behind one URL',
    'two-apps',
    'sendgrid',
    {
      endpoint(handler) {
        const other = createCorrelator({
          store: memoryStore(),
          webhooks: [sendgridWebhook({ publicKey: otherPublicKey })],
        })
        other.onError(() => {})
        let turn = 0
        return (request, response) => {
          turn += 1
          void (turn % 2 === 0 ? handler : other.nodeHandler)(request, response)
        }
      },
    },
  ],
  // Beyond the ten.
  [
    'no verification key',
    'missing-setting',
    'sendgrid',
    { settings: ({ publicKey: _, ...settings }) => settings },
  ],
  [
    'no domain',
    'missing-setting',
    'mailgun',
    { settings: ({ domain: _, ...settings }) => settings },
  ],
  [
    'something else as the verification key',
    'not-a-key',
    'sendgrid',
    { settings: (settings) => ({ ...settings, publicKey: 'correct horse' }) },
  ],
  [
    'a webhook that is not signed',
    'unsigned-webhook',
    'sendgrid',
    { registered: (webhook) => [{ ...webhook, signing: { kind: 'none' } }] },
  ],
  [
    'the key of another webhook',
    'wrong-signing-key',
    'sendgrid',
    { registered: (webhook) => [{ ...webhook, signing: { kind: 'key', key: otherPublicKey } }] },
  ],
  [
    'a webhook that is turned off',
    'disabled-webhook',
    'sendgrid',
    { registered: (webhook) => [{ ...webhook, enabled: false }] },
  ],
  ...providers.map((name): (typeof cases)[number] => [
    'events that are not told',
    'missing-events',
    name,
    { registered: (webhook) => [{ ...webhook, events: webhook.events.slice(1) }] },
  ]),
  [
    'another path at the provider',
    'other-url',
    'mandrill',
    { registered: (webhook) => [{ ...webhook, url: `${webhook.url}?secret=1` }] },
  ],
  [
    'an API key that was deleted',
    'api-key-refused',
    'sendgrid',
    { settings: (settings) => ({ ...settings, apiKey: 'SG.deleted' }) },
  ],
  [
    'an API key that was deleted',
    'api-key-refused',
    'mailgun',
    { settings: (settings) => ({ ...settings, apiKey: 'deleted' }) },
  ],
  [
    'an API key that was deleted',
    'api-key-refused',
    'mandrill',
    { settings: (settings) => ({ ...settings, apiKey: 'deleted' }) },
  ],
  [
    'a base URL at which nobody listens',
    'provider-unreachable',
    'mandrill',
    { settings: (settings) => ({ ...settings, baseUrl: 'http://127.0.0.1:9' }) },
  ],
  [
    'nothing at the path',
    'endpoint-missing',
    'mailgun',
    { endpoint: () => (_request, response) => void response.writeHead(404).end() },
  ],
  ['no server', 'endpoint-unreachable', 'mailgun', { url: 'http://127.0.0.1:9/webhooks' }],
  [
    'a redirect of posts',
    'endpoint-redirects',
    'sendgrid',
    {
      endpoint: () => (request, response) =>
        void response.writeHead(request.method === 'POST' ? 308 : 200, { location: '/' }).end(),
    },
  ],
  [
    'an application that takes anything',
    'accepts-anybody',
    'mailgun',
    { endpoint: () => (_request, response) => void response.writeHead(200).end() },
  ],
  [
    'an application with another key',
    'endpoint-refuses',
    'sendgrid',
    { webhook: () => sendgridWebhook({ publicKey: otherPublicKey }) },
  ],
  [
    'an application that fails',
    'endpoint-unavailable',
    'mandrill',
    {
      endpoint: () => (request, response) =>
        void response.writeHead(request.method === 'POST' ? 500 : 200).end(),
    },
  ],
]

test.each(cases)('%s is named %s, with %s', async (_, code, name, changes) => {
  const told = await doctor(await broken(name, changes))
  const faults = told.findings.filter(({ severity }) => severity === 'fault')
  expect([told.code, faults.map((finding) => finding.code)]).toEqual([1, [code]])
  for (const { what, todo } of faults) {
    expect(what).toMatch(/^[A-Z].*\.$/s)
    expect(todo).toMatch(/^[A-Z].*\.$/s)
  }
})

describe('a clock that is 20 minutes off', () => {
  test.each([
    ['ahead of', twentyMinutes],
    ['behind', -twentyMinutes],
  ])('on this machine is named, %s the provider’s', async (words, shift) => {
    const told = await doctor(await broken('mailgun'), {
      preload: shiftedClock,
      env: { CLOCK_SHIFT: String(shift) },
    })
    expect([told.code, codes(told)]).toEqual([1, ['clock-off']])
    expect(told.findings[0]?.what).toContain(
      `The clock of this machine is 20 minutes ${words} Mailgun's`,
    )
  })

  test('on the application’s machine is named, which refuses for that reason', async () => {
    const { sendgrid } = { sendgrid: await broken('sendgrid') }
    const server = spawn(
      process.execPath,
      ['--import', shiftedClock, join(__dirname, 'shifted-server.mjs')],
      {
        cwd: root,
        env: {
          ...process.env,
          CLOCK_SHIFT: String(twentyMinutes),
          PUBLIC_KEY: String(sendgrid.settings['publicKey']),
        },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    const lines: string[] = []
    const url = await new Promise<string>((resolve) => {
      createInterface({ input: server.stdout }).on('line', (line) => {
        lines.push(line)
        if (line.startsWith('http')) resolve(line)
      })
    })
    try {
      const other = await broken('sendgrid', {
        url: `${url}/webhooks`,
        settings: ({ baseUrl, apiKey }) => ({ ...sendgrid.settings, baseUrl, apiKey }),
        registered: (webhook) => [
          { ...webhook, signing: { kind: 'key', key: String(sendgrid.settings['publicKey']) } },
        ],
      })
      const told = await doctor(other)
      expect([told.code, codes(told)]).toEqual([1, ['clock-off']])
      expect(told.findings[0]?.what).toContain(
        "The clock of the endpoint's machine is 20 minutes ahead of SendGrid's",
      )
      expect(lines).toContain('refused stale')
    } finally {
      server.kill('SIGKILL')
    }
  })
})

test('the key of the sandbox is named where the application is no longer on this machine', async () => {
  const made = await broken('mailgun', { url: 'https://mail.invalid/webhooks' })
  mkdirSync(join(made.folder, '.config/mailtrail'), { recursive: true })
  const keys = { mailgun: { signingKey: made.settings['signingKey'] } }
  writeFileSync(join(made.folder, '.config/mailtrail/sandbox.json'), JSON.stringify(keys))
  const told = await doctor(made)
  // The base URL is of this machine too, and nobody is at that address.
  expect([told.code, codes(told)]).toEqual([1, ['sandbox-mode', 'endpoint-unreachable']])
  expect(told.findings[0]?.what).toMatch(/to a sandbox/)
  const words = { ...made.settings, baseUrl: 'https://api.mailgun.invalid' }
  writeFileSync(
    join(made.folder, 'mailtrail.config.json'),
    JSON.stringify({ url: 'https://mail.invalid/webhooks', mailgun: words }),
  )
  const { findings } = await doctor(made)
  expect(findings[0]).toMatchObject({
    code: 'sandbox-mode',
    what: expect.stringContaining('verified with the key of the sandbox'),
  })
})

test('a PEM that can be read is no fault, and no other key than the bare one', async () => {
  const told = await doctor(
    await broken('sendgrid', {
      settings: (settings) => ({ ...settings, publicKey: asPem(settings['publicKey']) }),
    }),
  )
  expect([told.code, told.findings]).toEqual([
    0,
    [expect.objectContaining({ code: 'pem-key', severity: 'warning' })],
  ])
})

test('a post that the provider has noted as failed is no fault', async () => {
  const lastError = 'timed out'
  const told = await doctor(
    await broken('mandrill', { registered: (webhook) => [{ ...webhook, lastError }] }),
  )
  expect([told.code, told.findings]).toEqual([
    0,
    [expect.objectContaining({ code: 'failing-webhook', severity: 'warning' })],
  ])
})

test.each([
  ['http://example.com/webhooks', ['plain-http']],
  ['https://example.com/webhooks', []],
  ['http://localhost:3000/webhooks', []],
])('without https a URL is a warning, unless it is of this machine: %s', (url, expected) => {
  expect(findUrlFaults(url, {}).map(({ code }) => code)).toEqual(expected)
})

test.each([
  [119, []],
  [121, ['clock-off']],
  [-121, ['clock-off']],
])('a clock that is %i seconds off is %j', (seconds, expected) => {
  const here = new Date('2026-11-28T10:00:00Z')
  const shown = new Date(here.getTime() + seconds * 1000)
  const findings = compareClocks({ whose: "Mailgun's", shown, here }, undefined)
  expect(findings.map(({ code }) => code)).toEqual(expected)
})

test('a probe is stored once, and told as a foreign event of nobody', async () => {
  const told: unknown[] = []
  let own: Correlator | undefined
  const made = await broken('mailgun', {
    endpoint(_handler, { signingKey = '' }) {
      own = createCorrelator({
        store: memoryStore(),
        foreignAfter: 0,
        webhooks: [mailgunWebhook({ signingKey: String(signingKey) })],
      })
      own.onError(() => {})
      own.onAny(({ type, recipient, correlation }) =>
        told.push([type, recipient, correlation.status]),
      )
      return own.nodeHandler
    },
  })
  expect((await doctor(made)).findings).toEqual([])
  await own?.drain()
  await own?.close()
  expect(told).toEqual([['delivered', 'probe@mailtrail.invalid', 'foreign']])
})

test('an API key that may only send is said to be so, and is no fault', async () => {
  const told = await doctor(
    await broken('sendgrid', {
      started: (provider) =>
        provider.failNext({
          kind: 'answer',
          status: 403,
          body: JSON.stringify({ errors: [{ field: null, message: 'access forbidden' }] }),
        }),
    }),
  )
  expect([told.code, told.findings]).toEqual([
    0,
    [expect.objectContaining({ code: 'api-key-limited', severity: 'warning' })],
  ])
})

test('where nothing can sign, the probe is left out, and that is said', async () => {
  const told = await doctor(
    await broken('sendgrid', { settings: ({ privateKey: _, ...settings }) => settings }),
  )
  expect([told.code, told.findings]).toEqual([0, []])
  expect(told.skipped).toEqual([expect.stringContaining('a signed probe of the endpoint')])
})

test('with --no-probe nothing is posted', async () => {
  const methods: (string | undefined)[] = []
  const made = await broken('mailgun', {
    endpoint: (handler) => (request, response) => {
      methods.push(request.method)
      void handler(request, response)
    },
  })
  const { code, stdout } = await run(['doctor', '--no-probe'], { folder: made.folder })
  expect([code, methods]).toEqual([0, ['GET']])
  expect(stdout).toBe(
    'Mailgun\n  nothing wrong was found\n  not looked at: a signed probe of the endpoint: --no-probe\n',
  )
})

test('people are told each fault with what to do', async () => {
  const made = await broken('mandrill', {
    registered: (webhook) => [{ ...webhook, url: `${webhook.url}/` }],
  })
  const { code, stdout } = await run(['doctor', 'mandrill'], { folder: made.folder })
  expect([code, stdout]).toEqual([
    1,
    [
      'Mandrill',
      '  fault trailing-slash',
      '    Mandrill has the URL with a slash at its end, and here it is set without it. The URL is a part of what is signed, so every webhook is refused.',
      '    Enter the same URL in both places, to the letter.',
      '',
    ].join('\n'),
  ])
})

test('no secret is told, whatever is wrong', async () => {
  const made = await broken('mailgun', { registered: () => [] })
  const { stdout, stderr } = await run(['doctor'], { folder: made.folder })
  for (const name of ['apiKey', 'signingKey']) {
    expect(stdout + stderr).not.toContain(made.settings[name])
  }
})

test('where nothing is set there is nothing to look at', async () => {
  const made = await broken('mailgun')
  writeFileSync(join(made.folder, 'mailtrail.config.json'), '{}')
  const { code, stderr } = await run(['doctor'], { folder: made.folder })
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining(
      'nothing is set for any provider: name one of sendgrid, mailgun, mandrill,',
    ),
  ])
})
