import { afterAll, describe, expect, jest, test } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mailgunSimulator } from '../../src/providers/mailgun/index.js'
import { mandrillSimulator } from '../../src/providers/mandrill/index.js'
import { sendgridSimulator } from '../../src/providers/sendgrid/index.js'
import type { ProviderSimulator, SignedRequest, SimulatedMessage } from '../../src/simulator.js'
import { newFolder, root, run } from './running.js'

jest.setTimeout(60_000)

const { folder, remove } = newFolder()
afterAll(remove)

const url = 'https://example.com/webhooks/mandrill'
const sendgrid = sendgridSimulator({ apiKey: 'SG.x' })
const mailgun = mailgunSimulator({ apiKey: 'x', domain: 'mg.example.com' })
const mandrill = mandrillSimulator({ apiKey: 'x', webhookUrl: url })
const env = {
  SENDGRID_WEBHOOK_PUBLIC_KEY: sendgrid.publicKey,
  MAILGUN_WEBHOOK_SIGNING_KEY: mailgun.signingKey,
  MANDRILL_WEBHOOK_KEY: mandrill.webhookKey,
  MANDRILL_WEBHOOK_URL: url,
}

const message: SimulatedMessage = {
  id: 'abc',
  recipients: [{ address: 'ann@example.com', id: 'abc' }],
  subject: 'Hello',
  metadata: { order: '42' },
  tags: ['welcome'],
  messageId: 'abc@mg.example.com',
  request: null,
}

function posted(simulator: ProviderSimulator): SignedRequest {
  const now = new Date()
  const entry = simulator.entry(message, { type: 'bounced', recipient: 'ann@example.com' }, now)
  const [request] = simulator.webhooks([entry], now)
  if (!request) throw new Error('there is one')
  return request
}

function write(name: string, body: Buffer | string): string {
  writeFileSync(join(folder, name), body)
  return name
}

const asWords = (headers: Record<string, string>): string[] =>
  Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`])

describe.each<[string, ProviderSimulator]>([
  ['SendGrid', sendgrid],
  ['Mailgun', mailgun],
  ['Mandrill', mandrill],
])('a payload of %s', (title, simulator) => {
  test('is known, and verified by its headers', async () => {
    const { headers, body } = posted(simulator)
    const file = write(`${title}.payload`, body)
    const { code, stdout, stderr } = await run(['explain', file, ...asWords(headers)], {
      folder,
      env,
    })
    expect([stderr, code]).toEqual(['', 0])
    expect(stdout).toMatch(
      new RegExp(`^${title}, one event\\.\nIts signature is right\\.\n\nbounced`),
    )
    expect(stdout).toContain('it bounced for ann@example.com, for good')
    expect(stdout).toContain('  tags welcome\n  order: 42\n')
  })

  test('is known without keys, from the standard input, as the union of events', async () => {
    const { body } = posted(simulator)
    const { code, stdout } = await run(['explain', '-', '--json'], {
      folder,
      input: body.toString(),
    })
    const told = JSON.parse(stdout)
    expect([code, told.provider, told.verified]).toEqual([0, simulator.provider, 'unknown'])
    expect(told.events).toEqual([
      expect.objectContaining({
        type: 'bounced',
        provider: simulator.provider,
        recipient: 'ann@example.com',
        bounce: expect.objectContaining({ kind: 'hard' }),
        metadata: { order: '42' },
        correlation: { status: 'pending' },
      }),
    ])
  })
})

test('a whole request has its headers with it', async () => {
  const { headers, body } = posted(sendgrid)
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const file = write(
    'whole.http',
    `POST /hooks HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${body.toString()}`,
  )
  const { code, stdout } = await run(['explain', file], { folder, env })
  expect([code, stdout]).toEqual([0, expect.stringContaining('Its signature is right.')])
})

test('nothing of a payload reaches the terminal but as text', async () => {
  const hostile = {
    event: 'click',
    email: 'a\u001b[2J\r\nforged\u202e',
    sg_message_id: 'x',
    timestamp: 1,
  }
  const { stdout } = await run(['explain', write('hostile.json', JSON.stringify([hostile]))], {
    folder,
  })
  for (const character of ['\u001b', '\r', '\u202e']) expect(stdout).not.toContain(character)
  expect(stdout).toContain('a\uFFFD[2J\uFFFD\uFFFDforged\uFFFD clicked')
})

test('a signature that does not fit is told with the reason', async () => {
  const { headers, body } = posted(sendgrid)
  const file = write('rewritten.json', JSON.stringify(JSON.parse(body.toString())))
  const { code, stdout } = await run(['explain', file, ...asWords(headers)], { folder, env })
  expect([code, stdout]).toEqual([1, expect.stringMatching(/Refused \(truncated\): /)])
})

test.each([
  ['sendgrid/fixtures/bounce.request.http', /^SendGrid, one event.*bounced/s],
  ['mailgun/fixtures/legacy-clicked.request.form', /^Mailgun, one event.*clicked/s],
  ['mandrill/fixtures/denylist-add.request.json', /^Mandrill, one event.*suppression/s],
])('%s is told', async (fixture, told) => {
  const body = readFileSync(join(root, 'test/providers', fixture))
  const { stdout } = await run(['explain', write('fixture', body)], { folder })
  expect(stdout).toMatch(told)
})

test('what is nobody’s is told to be so', async () => {
  const { code, stdout } = await run(['explain', write('other.json', '{"a":1}')], { folder })
  expect([code, stdout]).toEqual([1, 'This is a webhook of none of SendGrid, Mailgun, Mandrill.\n'])
})

test.each([
  [['missing.json'], 'missing.json could not be read'],
  [['other.json', '--header', 'no header'], 'a --header is written as "name: value"'],
  [['other.json', '--provider', 'x'], 'there is no provider "x"'],
])('explain %j is refused', async (words, told) => {
  write('other.json', '{}')
  const { code, stderr } = await run(['explain', ...words], { folder })
  expect([code, stderr]).toEqual([2, expect.stringContaining(told)])
})
