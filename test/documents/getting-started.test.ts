import { createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import nodemailer from 'nodemailer'
import {
  createCorrelator,
  memoryStore,
  type SendError,
  type Webhook,
  type WebhookError,
} from '../../src/index.js'
import type { ProviderKit } from '../../src/provider-kit.js'
import {
  mailgunSimulator,
  mailgunTransport,
  mailgunWebhook,
} from '../../src/providers/mailgun/index.js'
import { mailgunKit } from '../../src/providers/mailgun/kit.js'
import {
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
} from '../../src/providers/mandrill/index.js'
import { mandrillKit } from '../../src/providers/mandrill/kit.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../src/providers/sendgrid/index.js'
import { sendgridKit } from '../../src/providers/sendgrid/kit.js'
import type { SignedRequest } from '../../src/simulator.js'
import { simulatedMessage, startProvider } from '../../src/testing/index.js'
import { newFolder, run, type RunningCommand, start } from '../cli/running.js'
import { startEndpoint } from '../endpoint.js'
import { blocks, readPage, section, spans, table } from './page.js'
import { install, type RunningProgram, runProgram } from './programs.js'

// Each of the programs is a process that has to start.
jest.setTimeout(90_000)

const kits: ProviderKit[] = [sendgridKit, mailgunKit, mandrillKit]
const pageOf = ({ provider }: ProviderKit): string => readPage(`getting-started-${provider}.md`)

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return address.port
}

describe('whoever follows the page', () => {
  const { folder, remove } = newFolder()
  let port: number
  let sandbox: RunningCommand
  let exported: Record<string, string>
  let app: RunningProgram | undefined

  beforeAll(async () => {
    port = await freePort()
    sandbox = start(['dev', '--port', '0', '--to', `http://localhost:${port}/webhooks`], { folder })
    await sandbox.wrote(/ {2}q {2}end\n/)
    const lines = [...sandbox.stdout().matchAll(/^ {4}export (\w+)='([^']*)'$/gm)]
    exported = Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]))
  })

  afterEach(() => app?.stop())

  afterAll(async () => {
    sandbox.signal('SIGKILL')
    await sandbox.ended
    remove()
  })

  test.each(kits)('of $title sees a message delivered on this machine', async (kit) => {
    const page = pageOf(kit)
    const [installing = '', dev = ''] = blocks(page, 'sh')
    expect(dev.trim()).toBe('npx mailtrail dev --to http://localhost:3000/webhooks')
    const [npm, verb, ...packages] = installing.trim().split(' ')
    expect([npm, verb]).toEqual(['npm', 'install'])
    const own = join(folder, kit.provider)
    mkdirSync(own)
    install(own, packages)
    const env = { ...exported, HOME: folder, PORT: String(port) }

    const [program = ''] = blocks(page, 'ts')
    const [shown = ''] = blocks(page, 'text')
    const expected = shown.trim().split('\n')
    app = runProgram(own, program, env)
    const lines = await app.wrote(expected.length)
    const withoutId = (line: string): string => line.replace(/[\da-f-]{36}$/, '<id>')
    // The events may come ahead of what the program says of its own.
    expect(lines.map(withoutId).toSorted()).toEqual(expected.map(withoutId).toSorted())

    sandbox.write('o')
    expect((await app.wrote(expected.length + 1)).at(-1)).toBe('opened ann@example.com')

    const status = await run(['status', 'ann@example.com'], {
      folder: own,
      env: { ...env, MAILTRAIL_STORE: 'mailtrail.db' },
    })
    expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('delivered') })

    const doctor = await run(['doctor', kit.provider], {
      folder: own,
      env: { ...env, MAILTRAIL_URL: `http://localhost:${port}/webhooks` },
    })
    expect(doctor.stdout).toContain(/^prints `(.*?)`/m.exec(page)?.[1])
    expect(doctor.code).toBe(0)
  })
})

describe.each(kits)('the page of $title', (kit) => {
  const page = pageOf(kit)
  const steps = section(page, `At ${kit.title}`)

  test('names the events without which nothing is known', () => {
    const [, needed = ''] =
      /it is not known what became of a message:\s+([^.]*)\./.exec(steps) ?? []
    expect(spans(needed)).toEqual(kit.neededEvents)
  })

  test('has the settings of the provider', () => {
    const variables = table(steps, 'variable').flatMap(([name = '']) => spans(name))
    const known = kit.settings.map(({ variable }) => variable)
    const required = known.filter((name) => !/PRIVATE_KEY$|_URL$/.test(name))
    expect(variables).toEqual(expect.arrayContaining(required))
    expect(known).toEqual(expect.arrayContaining(variables))
  })

  test('speaks of three mistakes', () => {
    expect(mistakes(kit)).toHaveLength(3)
  })
})

const mistakes = (kit: ProviderKit): string[][] =>
  table(section(pageOf(kit), 'Three mistakes'), 'mistake')

/** What they are told as, by the table. */
const toldAs = (kit: ProviderKit): string[] => mistakes(kit).flatMap(([, told = '']) => spans(told))

/** The reasons for which a handler refuses these requests, and what it answers. */
async function refusals(
  webhook: Webhook,
  requests: readonly SignedRequest[],
  ahead: readonly RequestHandler[] = [],
): Promise<{ reasons: string[]; statuses: number[] }> {
  const reasons: string[] = []
  const correlator = createCorrelator({ store: memoryStore(), webhooks: [webhook] })
  correlator.on('refused', ({ reason }: WebhookError) => void reasons.push(reason))
  const app = express()
  for (const middleware of ahead) app.use(middleware)
  const endpoint = await startEndpoint(app.use(correlator.nodeHandler))
  const statuses: number[] = []
  for (const { headers, body } of requests) {
    const { status } = await fetch(`${endpoint.url}/${webhook.name}`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
    statuses.push(status)
  }
  await endpoint.close()
  await correlator.close()
  return { reasons, statuses }
}

const writeAnew: RequestHandler = (request, _response, next) => {
  Object.assign(request, { rawBody: JSON.stringify(request.body) })
  next()
}

const from = 'shop@example.com'
const to = 'ann@example.com'
const mail = { from, to, subject: 'Hello', text: 'Hello' }
const delivered = { type: 'delivered', recipient: to } as const

/** The mistakes are made, and told as the page says. */
describe('the three mistakes', () => {
  test('of SendGrid', async () => {
    const simulator = sendgridSimulator({ apiKey: 'SG.key' })
    const webhook = sendgridWebhook({ publicKey: simulator.publicKey })
    const now = new Date()
    const entry = simulator.entry(simulatedMessage({ to: [to] }), delivered, now)
    const signed = simulator.webhooks([entry, entry], now)
    const unsigned = signed.map(({ body }) => ({
      headers: { 'content-type': 'application/json' },
      body,
    }))

    const provider = await startProvider(simulator)
    const transport = sendgridTransport({ apiKey: 'SG.key', baseUrl: provider.url })
    const message = 'The from address does not match a verified Sender Identity.'
    const body = JSON.stringify({ errors: [{ message, field: 'from', help: null }] })
    provider.failNext({
      kind: 'answer',
      status: 403,
      headers: { 'content-type': 'application/json' },
      body,
    })
    const error: SendError = await nodemailer
      .createTransport(transport)
      .sendMail(mail)
      .catch((thrown) => thrown)
    await provider.close()

    const { reasons: parsed } = await refusals(webhook, signed, [express.json()])
    const { reasons: written } = await refusals(webhook, signed, [express.json(), writeAnew])
    const { reasons: unproven, statuses } = await refusals(webhook, unsigned)
    expect([...parsed, ...written, ...unproven, error.category]).toEqual(toldAs(sendgridKit))
    expect(statuses).toEqual([403])
  })

  test('of Mailgun', async () => {
    const options = { apiKey: 'key-0123456789abcdef0123456789abcdef', domain: 'mg.example.com' }
    const simulator = mailgunSimulator(options)
    const now = new Date()
    const entry = simulator.entry(simulatedMessage({ to: [to] }), delivered, now)
    const webhook = mailgunWebhook({
      signingKey: '0123456789abcdef0123456789abcdef-01234567-89abcdef',
    })
    const { reasons, statuses } = await refusals(webhook, simulator.webhooks([entry], now))

    const provider = await startProvider(simulator)
    const transport = mailgunTransport({
      ...options,
      domain: 'eu.example.com',
      baseUrl: provider.url,
    })
    const error: SendError = await nodemailer
      .createTransport(transport)
      .sendMail(mail)
      .catch((thrown) => thrown)
    await provider.close()

    const [reason, words = '', code] = toldAs(mailgunKit)
    expect(reasons).toEqual([reason])
    expect(statuses).toEqual([503])
    expect(error.message).toContain(words)
    expect(error.message).toContain('https://api.eu.mailgun.net')
    expect(
      mailgunKit.findMailFaults({ 'o:testmode': 'yes' }).map((finding) => finding.code),
    ).toEqual([code])
  })

  test('of Mandrill', async () => {
    const webhookUrl = 'https://example.com/webhooks/mandrill'
    const simulator = mandrillSimulator({ apiKey: 'md-key', webhookUrl })
    const now = new Date()
    const entry = simulator.entry(simulatedMessage({ to: [to] }), delivered, now)
    const signed = simulator.webhooks([entry], now)
    const elsewhere = mandrillWebhook({ key: simulator.webhookKey, url: `${webhookUrl}/` })
    const untaken = mandrillWebhook({ key: 'test-webhook', url: webhookUrl })
    const { reasons: urls } = await refusals(elsewhere, signed)
    const { reasons: keys } = await refusals(untaken, signed)

    const provider = await startProvider(simulator)
    const body = JSON.stringify([
      { email: to, status: 'rejected', _id: '1', reject_reason: 'unsigned' },
    ])
    provider.failNext({
      kind: 'answer',
      status: 200,
      headers: { 'content-type': 'application/json' },
      body,
    })
    const transport = mandrillTransport({ apiKey: 'md-key', baseUrl: provider.url })
    const error: SendError = await nodemailer
      .createTransport(transport)
      .sendMail(mail)
      .catch((thrown) => thrown)
    await provider.close()
    expect([...urls, ...keys, error.category]).toEqual(toldAs(mandrillKit))
  })

  test("but Mandrill's trial of a URL is let through by the key that everybody knows", async () => {
    const url = 'https://example.com/webhooks/mandrill'
    const body = Buffer.from('mandrill_events=%5B%5D')
    const signature = createHmac('sha1', 'test-webhook')
      .update(`${url}mandrill_events[]`)
      .digest('base64')
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'x-mandrill-signature': signature,
    }
    const webhook = mandrillWebhook({ key: 'test-webhook', url })
    expect(await refusals(webhook, [{ headers, body }])).toEqual({ reasons: [], statuses: [200] })
  })
})
