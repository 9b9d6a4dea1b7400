import { afterAll, afterEach, describe, expect, jest, test } from '@jest/globals'
import mailchimp from '@mailchimp/mailchimp_transactional'
import nodemailer from 'nodemailer'
import { createCorrelator, memoryStore } from '../../src/index.js'
import { mailgunSimulator, mailgunTransport } from '../../src/providers/mailgun/index.js'
import {
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
} from '../../src/providers/mandrill/index.js'
import { sendgridSimulator, sendgridTransport } from '../../src/providers/sendgrid/index.js'
import type { ApiRequest, ProviderSimulator } from '../../src/simulator.js'
import { type RunningProvider, startProvider } from '../../src/testing/index.js'
import { newFolder } from '../cli/running.js'
import { blocks, readPage, section } from './page.js'
import { install, runProgram } from './programs.js'

// Each of the programs is a process that has to start.
jest.setTimeout(60_000)

const page = readPage('moving.md')
const { folder, remove } = newFolder()
install(folder, [
  'mailtrail',
  'nodemailer',
  '@sendgrid/mail',
  'mailgun.js',
  '@mailchimp/mailchimp_transactional',
])
afterAll(remove)

let provider: RunningProvider
afterEach(() => provider.close())

interface Ran {
  lines: string[]
  /** What the provider got: the JSON, or the fields of the form. */
  request: Record<string, unknown>
  id: string
}

/** Runs a program that sends one message to this provider. */
async function ran(
  simulator: ProviderSimulator,
  code: string,
  env: (url: string) => Record<string, string>,
): Promise<Ran> {
  provider = await startProvider(simulator)
  const program = runProgram(folder, code, env(provider.url))
  const exitCode = await program.ended
  expect({ exitCode, stderr: program.stderr() }).toEqual({ exitCode: 0, stderr: '' })
  expect(provider.messages).toHaveLength(1)
  const [id = ''] = provider.messages.map((message) => message.id)
  const [request] = provider.requests
  return { lines: program.lines(), request: await sentIn(request), id }
}

async function sentIn(request: ApiRequest | undefined): Promise<Record<string, unknown>> {
  const type = request?.headers['content-type'] ?? ''
  const body = new Response(new Uint8Array(request?.body ?? []), {
    headers: { 'content-type': type },
  })
  return type.startsWith('multipart/')
    ? Object.fromEntries(await body.formData())
    : Object(await body.json())
}

/** The code of a section after the move. */
const after = (heading: string, language = 'ts'): string =>
  blocks(section(page, heading), language)[0] ?? ''

const anId = /^<[\w-]+@[\w.-]+>$/
const soon = (seconds: unknown): boolean =>
  Math.abs(Number(seconds) * 1000 - Date.now() - 3_600_000) < 60_000

const publicKey = sendgridSimulator({ apiKey: 'SG.key' }).publicKey
const sendgridEnv = (url: string) => ({
  SENDGRID_API_KEY: 'SG.key',
  SENDGRID_URL: url,
  SENDGRID_WEBHOOK_PUBLIC_KEY: publicKey,
})

describe('the code after the move', () => {
  test('from nodemailer-sendgrid sends what was sent before', async () => {
    const simulator = sendgridSimulator({ apiKey: 'SG.key' })
    const { lines, request, id } = await ran(
      simulator,
      after('From nodemailer-sendgrid'),
      sendgridEnv,
    )
    const [messageId, providerMessageId] = lines[0]?.split(' ') ?? []
    expect(messageId).toMatch(anId)
    expect(providerMessageId).toBe(id)
    expect(request).toMatchObject({
      template_id: 'd-0123456789abcdef0123456789abcdef',
      categories: ['order'],
      asm: { group_id: 12345 },
      ip_pool_name: 'transactional',
      personalizations: [{ dynamic_template_data: { name: 'Ann' }, custom_args: { order: '42' } }],
    })
    expect(soon(request['send_at'])).toBe(true)
  })

  test('from nodemailer-mailgun-transport sends what was sent before', async () => {
    const simulator = mailgunSimulator({ apiKey: 'key-test', domain: 'mg.example.com' })
    const code = after('From nodemailer-mailgun-transport')
    const { lines, request, id } = await ran(simulator, code, (url) => ({
      MAILGUN_API_KEY: 'key-test',
      MAILGUN_URL: url,
    }))
    const [messageId, providerMessageId] = lines[0]?.split(' ') ?? []
    expect(messageId).toBe(`<${id}>`)
    expect(providerMessageId).toBe(id)
    expect(request).toMatchObject({
      template: 'order',
      't:variables': JSON.stringify({ name: 'Ann' }),
      'h:X-Order': '42',
      'v:order': '42',
      'o:tag': 'order',
      'o:tracking-opens': 'yes',
      'o:require-tls': 'yes',
    })
    expect(soon(Date.parse(String(request['o:deliverytime'])) / 1000)).toBe(true)
  })

  test('from nodemailer-mandrill-transport sends what was sent before', async () => {
    const simulator = mandrillSimulator({ apiKey: 'md-key', webhookUrl: 'https://example.com/m' })
    const code = after('From nodemailer-mandrill-transport')
    const { lines, request, id } = await ran(simulator, code, (url) => ({
      MANDRILL_API_KEY: 'md-key',
      MANDRILL_URL: url,
    }))
    const [messageId, providerMessageId] = lines[0]?.split(' ') ?? []
    expect(messageId).toMatch(anId)
    expect(providerMessageId).toBe(id)
    expect(request).toMatchObject({
      async: true,
      template_name: 'order',
      template_content: [{ name: 'footer', content: 'Bye' }],
      message: {
        global_merge_vars: [{ name: 'name', content: 'Ann' }],
        tags: ['order'],
        metadata: { order: '42' },
        subaccount: 'shop',
      },
    })
  })

  test('records what a bare SDK has sent', async () => {
    const simulator = sendgridSimulator({ apiKey: 'SG.key' })
    // The SDK knows one address alone; this is where its own is replaced.
    const code = after('From an SDK used bare', 'js').replace(
      /^sgMail\.setApiKey.*$/m,
      "$&\nsgMail.client.setDefaultRequest('baseUrl', `${process.env.SENDGRID_URL}/`)",
    )
    expect(code).toContain('setDefaultRequest')
    const { lines } = await ran(simulator, code, sendgridEnv)
    expect(lines).toEqual(['accepted'])
  })
})

test('an option under its old name is an error of the compiler, and lost without it', async () => {
  provider = await startProvider(sendgridSimulator({ apiKey: 'SG.key' }))
  const mail = { from: 'shop@example.com', to: 'ann@example.com', subject: 'Hello', text: 'Hello' }
  const options = { baseUrl: provider.url, apiKey: 'SG.key' }
  await nodemailer.createTransport(sendgridTransport(options)).sendMail({
    ...mail,
    // @ts-expect-error It is no field of a message.
    categories: ['order'],
  })
  expect(provider.messages.map(({ tags }) => tags)).toEqual([[]])
  const mailgun = nodemailer.createTransport(mailgunTransport({ apiKey: 'k', domain: 'd' }))
  const mandrill = nodemailer.createTransport(mandrillTransport({ apiKey: 'k' }))
  // Never called: what they are about is that they do not compile.
  const misspelt = [
    // @ts-expect-error It is no field of a message.
    () => mailgun.sendMail({ ...mail, 'v:order': '42' }),
    // @ts-expect-error It is no field of a message.
    () => mandrill.sendMail({ ...mail, mandrillOptions: {} }),
  ]
  expect(misspelt).toHaveLength(2)
})

test('a record for each recipient finds the events of each, also those that came before it', async () => {
  const webhookUrl = 'https://example.com/webhooks/mandrill'
  const simulator = mandrillSimulator({ apiKey: 'md-key', webhookUrl })
  provider = await startProvider(simulator)
  const correlator = createCorrelator({
    store: memoryStore(),
    foreignAfter: 0,
    webhooks: [mandrillWebhook({ key: simulator.webhookKey, url: webhookUrl })],
  })
  const sdk = mailchimp('md-key')
  Object.assign(sdk, { basePath: `${provider.url}/api/1.3` })
  const to = [{ email: 'ann@example.org' }, { email: 'bob@example.org' }]
  const message = { from_email: 'shop@example.com', to, subject: 'Hello', text: 'Hello' }
  const answer: unknown = await sdk.messages.send({ message })
  const [sent] = provider.messages
  if (!sent || !Array.isArray(answer)) throw new Error('it was not taken')
  const events = to.map(({ email }) => ({ type: 'delivered' as const, recipient: email }))
  for (const { headers, body } of simulator.webhooks(
    events.map((event) => simulator.entry(sent, event, new Date())),
    new Date(),
  )) {
    const request = { method: 'POST', headers, body: new Uint8Array(body) }
    await correlator.handler(new Request(webhookUrl, request))
  }
  await correlator.drain()
  for (const { _id, email } of answer) {
    const trackingId = await correlator.record({
      provider: 'mandrill',
      providerMessageId: _id,
      recipients: [email],
    })
    expect(await correlator.message(trackingId)).toMatchObject({
      status: 'delivered',
      recipients: [{ address: email }],
    })
  }
  await correlator.close()
})
