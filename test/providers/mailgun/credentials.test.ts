import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { SendError } from '../../../src/index.js'
import {
  mailgunSimulator,
  mailgunTransport,
  type MailgunTransportOptions,
} from '../../../src/providers/mailgun/index.js'
import { type RunningProvider, startProvider } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'

const apiKey = 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0'
const domain = 'mg.example.com'

let provider: RunningProvider

beforeEach(async () => {
  provider = await startProvider(mailgunSimulator({ apiKey, domain }))
})
afterEach(() => provider.close())

const verify = (options: MailgunTransportOptions = {}) =>
  nodemailer
    .createTransport(mailgunTransport({ apiKey, domain, baseUrl: provider.url, ...options }))
    .verify()

async function failure(options: MailgunTransportOptions = {}): Promise<SendError> {
  const error: unknown = await verify(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SendError)) throw new Error(`it is no SendError: ${String(error)}`)
  expect(error.outcome).toBe('not-sent')
  expect(JSON.stringify(error)).not.toContain(apiKey)
  expect(error.message).not.toContain('may have taken')
  return error
}

describe('checking the credentials', () => {
  test('is a call that a sending key may make, with nothing in it that could be sent', async () => {
    expect(await verify()).toBe(true)
    expect(provider.messages).toEqual([])
    const [request, ...others] = provider.requests
    expect(others).toEqual([])
    expect(request).toMatchObject({ method: 'POST', path: '/v3/mg.example.com/messages' })
    const headers = { 'content-type': request?.headers['content-type'] ?? '' }
    const form = await new Response(request?.body, { headers }).formData()
    expect([...form]).toEqual([['o:testmode', 'yes']])
  })

  test('succeeds where another field is asked for first', async () => {
    provider.failNext({
      kind: 'answer',
      status: 400,
      headers: { 'content-type': 'application/json' },
      body: '{"message":"to parameter is missing"}',
    })
    expect(await verify()).toBe(true)
  })

  test('can be done before a message is sent, and after', async () => {
    const transport = mailgunTransport({ apiKey, domain, baseUrl: provider.url })
    const transporter = nodemailer.createTransport(transport)
    const mail = { from: `a@${domain}`, to: 'ana@shop.test', subject: 's', text: 't' }
    await transporter.verify()
    await transporter.sendMail(mail)
    expect(await transporter.verify()).toBe(true)
    expect(provider.messages).toHaveLength(1)
  })

  test('fails for a wrong key', async () => {
    expect(await failure({ apiKey: 'key-wrong' })).toMatchObject({
      category: 'auth',
      code: 'EAUTH',
      retryable: false,
      statusCode: 401,
    })
  })

  test('fails for a domain that is not known there, and speaks of the region', async () => {
    expect(await failure({ domain: 'other.example.com' })).toMatchObject({
      category: 'configuration',
      retryable: false,
      statusCode: 404,
      message: expect.stringMatching(
        /Domain not found: other\.example\.com .*region.* https:\/\/api\.eu\.mailgun\.net/,
      ),
    })
  })

  test('fails for a base with the version in it', async () => {
    expect(await failure({ baseUrl: `${provider.url}/v3` })).toMatchObject({
      category: 'configuration',
      message: expect.stringContaining('without /v3'),
    })
  })

  test.each([
    [400, 'Domain mg.example.com is not allowed to send: inactive', 'rejected', false],
    [403, 'Rejected: IP can not be used to send the message', 'rejected', false],
    [404, 'from parameter is missing', 'configuration', false],
    [429, 'request limit exceeded', 'rate-limit', true],
    [500, 'Internal Server Error', 'server', true],
    [502, 'Bad Gateway', 'server', true],
  ])('fails for %i "%s"', async (status, message, category, retryable) => {
    provider.failNext({
      kind: 'answer',
      status,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message }),
    })
    expect(await failure()).toMatchObject({ category, retryable, statusCode: status })
  })

  test.each([
    ['a page', '<html>Welcome</html>'],
    ['an id', '{"id":"<a@b>","message":"Queued. Thank you."}'],
  ])('fails for a success with %s: that is not Mailgun', async (_, body) => {
    const type = body.startsWith('{') ? 'application/json' : 'text/html'
    provider.failNext({ kind: 'answer', status: 200, headers: { 'content-type': type }, body })
    expect(await failure()).toMatchObject({
      category: 'server',
      statusCode: 200,
      message: expect.stringContaining('is this the address of its API?'),
    })
  })

  test.each(['cut', 'refused'] as const)('fails where the connection is %s', async (kind) => {
    provider.failNext({ kind })
    expect(await failure()).toMatchObject({ category: 'network', retryable: true })
  })

  test('fails where nobody listens', async () => {
    const endpoint = await startEndpoint(() => {})
    await endpoint.close()
    expect(await failure({ baseUrl: endpoint.url })).toMatchObject({ category: 'network' })
  })

  test('fails where no answer comes in time', async () => {
    provider.failNext({ kind: 'silent' })
    expect(await failure({ timeout: 100 })).toMatchObject({ category: 'timeout', retryable: true })
  })
})
