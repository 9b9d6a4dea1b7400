import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import nodemailer from 'nodemailer'
import { type MailOptions, SendError, type SentMessage } from '../../../src/index.js'
import {
  mailgunSimulator,
  mailgunTransport,
  type MailgunTransportOptions,
} from '../../../src/providers/mailgun/index.js'
import { type RunningProvider, startProvider } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'

const apiKey = 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0'
const domain = 'mg.example.com'
const recipients = ['ana@shop.test', 'bob@shop.test', 'carl@shop.test']
const [to, cc, bcc] = recipients
const mail: MailOptions = {
  from: 'billing@mg.example.com',
  to,
  cc,
  bcc,
  subject: 'Invoice',
  text: 'Hello',
}

let provider: RunningProvider

beforeEach(async () => {
  provider = await startProvider(mailgunSimulator({ apiKey, domain }))
})
afterEach(() => provider.close())

const connect = (options: MailgunTransportOptions = {}) =>
  nodemailer.createTransport(
    mailgunTransport({ apiKey, domain, baseUrl: provider.url, retries: 0, ...options }),
  )

/** The error that sending fails with, which must hold neither the key nor an address. */
async function failure(options: MailgunTransportOptions = {}, sent = mail): Promise<SendError> {
  const error: unknown = await connect(options)
    .sendMail(sent)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
  if (!(error instanceof SendError)) throw new Error(`it is no SendError: ${String(error)}`)
  for (let part: unknown = error; part !== undefined; part = Reflect.get(Object(part), 'cause')) {
    const renderings = [JSON.stringify(part), inspect(part, { depth: 10 }), String(part)]
    for (const secret of [apiKey, btoa(`api:${apiKey}`), ...recipients]) {
      expect(renderings.join('\n')).not.toContain(secret)
    }
  }
  return error
}

const json = (body: unknown) => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const page = (body: string) => ({ headers: { 'content-type': 'text/html; charset=utf-8' }, body })
const saying = (message: string) => json({ message })

describe('the answer', () => {
  const notSent = { retryable: false, outcome: 'not-sent' }
  const validation = { category: 'validation', code: 'EMESSAGE', ...notSent }
  const auth = { category: 'auth', code: 'EAUTH', ...notSent }
  const rejected = { category: 'rejected', code: 'EENVELOPE', ...notSent }
  const keyHint =
    "(the key is wrong, or of another domain or region; each region has its own baseUrl, and the EU's is https://api.eu.mailgun.net)"
  const rateLimit = { category: 'rate-limit', retryable: true, outcome: 'not-sent' }
  const unclear = { category: 'server', retryable: false, outcome: 'unknown' }

  const said = [
    'from parameter is missing',
    'to parameter is missing',
    "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified",
    "Only one parameters 'html' or 'template' is allowed",
    'to parameter is not a valid address. please check documentation',
    "'from' parameter is not a valid address. please check documentation",
    'Too many recipients, max is 1000',
    'Header name must be pure ASCII: Größe',
    'invalid delivery time format',
    "Invalid request content type. Expecting 'multipart/form-data' but got 'text/plain'",
    'malformed multipart/form-data request',
    'Send options (parameters starting with o:, h:, or v:) are limited to 16KB total',
  ]
  test.each(said)('400 "%s" is for the mail to mend', async (message) => {
    provider.failNext({ kind: 'answer', status: 400, ...saying(message) })
    const error = await failure()
    expect(error).toMatchObject({ ...validation, statusCode: 400 })
    expect(error.message).toBe(`Mailgun answered 400: ${message}`)
  })

  test.each<[number, object, object, string]>([
    [401, page('Forbidden'), auth, `Mailgun answered 401: Forbidden ${keyHint}`],
    [401, json('Forbidden'), auth, `Mailgun answered 401: Forbidden ${keyHint}`],
    [
      401,
      saying('Invalid private key'),
      auth,
      `Mailgun answered 401: Invalid private key ${keyHint}`,
    ],
    [402, saying('Payment required'), rejected, 'Mailgun answered 402: Payment required'],
    [
      403,
      saying('Domain mg.example.com is not allowed to send large batches yet'),
      rejected,
      'Mailgun answered 403: Domain mg.example.com is not allowed to send large batches yet',
    ],
    [
      404,
      saying('Domain not found: mg.example.com'),
      { category: 'configuration', code: 'ECONFIG', ...notSent },
      "Mailgun answered 404: Domain not found: mg.example.com (each region has its own baseUrl, and the EU's is https://api.eu.mailgun.net)",
    ],
    [
      404,
      page('<html>Not Found</html>'),
      { category: 'configuration', ...notSent },
      'Mailgun answered 404: Not Found',
    ],
    [
      413,
      saying('request size exceeds 52.4MiB limit'),
      validation,
      'Mailgun answered 413: request size exceeds 52.4MiB limit',
    ],
    [
      413,
      page('<html><h1>413 Request Entity Too Large</h1></html>'),
      validation,
      'Mailgun answered 413: Payload Too Large',
    ],
    [429, saying('slow down'), rateLimit, 'Mailgun answered 429: slow down'],
    [500, saying('Internal Server Error'), unclear, 'Mailgun answered 500: Internal Server Error'],
    [502, page('<html>Bad Gateway</html>'), unclear, 'Mailgun answered 502: Bad Gateway'],
    [
      503,
      page(''),
      { ...unclear, retryable: true, outcome: 'not-sent' },
      'Mailgun answered 503: Service Unavailable',
    ],
    [504, page('<html></html>'), unclear, 'Mailgun answered 504: Gateway Timeout'],
    [400, json({ Reason: 'r' }), validation, 'Mailgun answered 400: Bad Request'],
    [400, json(null), validation, 'Mailgun answered 400: Bad Request'],
    [302, page(''), { category: 'configuration', ...notSent }, 'Mailgun answered 302: Found'],
  ])('%i %j', async (status, answer, expected, message) => {
    provider.failNext({ kind: 'answer', status, ...answer })
    const error = await failure()
    expect(error).toMatchObject({ ...expected, statusCode: status })
    expect(error.message).toBe(message)
  })

  test('that quotes addresses is quoted without them', async () => {
    const message = `'to' parameter is not a valid address: <${to}>, ${cc}`
    provider.failNext({ kind: 'answer', status: 400, ...saying(message) })
    expect((await failure()).message).toContain('not a valid address: <<address>>, <address>')
  })

  test.each<[string, number | undefined]>([
    ['request limit exceeded, try again after 120 seconds', 120_000],
    ['recipient limit exceeded, try again after 1 second', 1000],
    ['bytes limit exceeded, try again after Thu, 09 Oct 2025 12:00:00 GMT', 0],
    ['account-requests-per-sec limit exceeded, try again after a while', undefined],
    ['request limit exceeded', undefined],
  ])('429 with "%s" says when to ask again', async (why, retryAfter) => {
    const message = `Domain mg.example.com is not allowed to send: ${why}`
    provider.failNext({ kind: 'answer', status: 429, ...saying(message) })
    expect(await failure()).toMatchObject({ ...rateLimit, statusCode: 429 })
    provider.failNext({ kind: 'answer', status: 429, ...saying(message) })
    expect((await failure()).retryAfter).toBe(retryAfter)
  })

  test('429 with a date in an hour says to ask again in an hour', async () => {
    const inAnHour = new Date(Date.now() + 3600_000).toUTCString()
    const message = `recipient limit exceeded, try again after ${inAnHour}`
    provider.failNext({ kind: 'answer', status: 429, ...saying(message) })
    const { retryAfter } = await failure()
    expect(retryAfter).toBeGreaterThan(3590_000)
    expect(retryAfter).toBeLessThanOrEqual(3600_000)
  })

  test.each<[string, string]>([
    ['that no such path is known', 'Mailgun Magnificent API'],
    ['the same, with a line break', 'Mailgun Magnificent API\n'],
  ])('200 %s is an error of configuration', async (_, body) => {
    provider.failNext({ kind: 'answer', status: 200, ...page(body) })
    expect(await failure()).toMatchObject({
      category: 'configuration',
      retryable: false,
      outcome: 'not-sent',
      statusCode: 200,
      message: expect.stringContaining('baseUrl is its address alone, without /v3'),
    })
  })

  test.each<[string, object]>([
    ['a page', page('<html>Welcome to our network</html>')],
    ['nothing', { body: '' }],
    ['JSON without an id', saying('Queued. Thank you.')],
    ['an id of null', json({ id: null, message: 'Queued. Thank you.' })],
    ['an empty id', json({ id: '<>' })],
    ['an id that is a number', json({ id: 7 })],
    ['a list', json([{ id: '<a@b>' }])],
    ['null', json(null)],
    ['JSON that is cut short', { ...json(0), body: '{"id":"<a@b' }],
  ])('200 with %s leaves the outcome open', async (_, answer) => {
    provider.failNext({ kind: 'answer', status: 200, ...answer })
    const error = await failure()
    expect(error).toMatchObject({ ...unclear, statusCode: 200 })
    expect(error.message).toContain('without an id')
  })
})

describe('the answer of a peculiar server', () => {
  async function failureFrom(listener: RequestListener): Promise<SendError> {
    const endpoint = await startEndpoint(listener)
    try {
      return await failure({ baseUrl: endpoint.url })
    } finally {
      await endpoint.close()
    }
  }

  test.each([
    [400, 'validation', 'not-sent'],
    [401, 'auth', 'not-sent'],
    [500, 'server', 'unknown'],
  ])('%i without a reason phrase is an answer still', async (status, category, outcome) => {
    const error = await failureFrom((request, response) => {
      request.resume().on('end', () => response.writeHead(status, '').end('{"message":"m"}'))
    })
    expect(error).toMatchObject({ category, outcome, statusCode: status })
    expect(error.message).toMatch(RegExp(`^Mailgun answered ${status}: m\\b`))
  })

  test('400 with a reason phrase in capitals is an answer still', async () => {
    const error = await failureFrom((request, response) => {
      request
        .resume()
        .on('end', () => response.writeHead(400, 'BAD_REQUEST').end('{"message":"m"}'))
    })
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', statusCode: 400 })
  })

  test('a success that breaks off leaves the outcome open', async () => {
    const error = await failureFrom((request, response) => {
      request.resume().on('end', () => {
        response.writeHead(200, { 'content-length': 100 }).write('{"id":')
        setTimeout(() => response.destroy(), 20)
      })
    })
    expect(error).toMatchObject({ category: 'network', retryable: false, outcome: 'unknown' })
  })

  test.each([301, 302, 303, 307, 308])('%i to a page is no success', async (status) => {
    const error = await failureFrom((request, response) => {
      request.resume()
      if (request.url === '/login') response.end('<html>Log in</html>')
      else response.writeHead(status, { location: '/login' }).end()
    })
    expect(error).toMatchObject({ category: 'server', retryable: false, outcome: 'unknown' })
  })

  test('redirects without end are no success', async () => {
    const error = await failureFrom((request, response) => {
      request.resume()
      response.writeHead(302, { location: request.url }).end()
    })
    expect(error).toMatchObject({ category: 'network', outcome: 'unknown' })
  })

  test('what is no HTTP leaves the outcome open', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {}).end('220 mail.example.com ESMTP\r\n')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const error = await failure({ baseUrl: `http://127.0.0.1:${port}` }).finally(() =>
      server.close(),
    )
    expect(error).toMatchObject({ category: 'network', outcome: 'unknown' })
    expect(error.statusCode).toBeUndefined()
  })
})

describe('without an answer', () => {
  test('because nobody listens, it was not sent', async () => {
    const endpoint = await startEndpoint(() => {})
    await endpoint.close()
    expect(await failure({ baseUrl: endpoint.url })).toMatchObject({
      category: 'network',
      code: 'ECONNECTION',
      retryable: true,
      outcome: 'not-sent',
    })
  })

  test.each(['cut', 'refused'] as const)('because the connection was %s', async (kind) => {
    provider.failNext({ kind })
    const error = await failure()
    expect(error).toMatchObject({ category: 'network', retryable: false, outcome: 'unknown' })
    expect(error.statusCode).toBeUndefined()
    expect(provider.messages).toHaveLength(kind === 'cut' ? 1 : 0)
  })

  test('within the timeout, the outcome is unknown', async () => {
    provider.failNext({ kind: 'silent' })
    const startedAt = Date.now()
    const error = await failure({ timeout: 100 })
    expect(Date.now() - startedAt).toBeLessThan(1000)
    expect(error).toMatchObject({
      category: 'timeout',
      code: 'ETIMEDOUT',
      retryable: false,
      outcome: 'unknown',
    })
    expect(provider.messages).toHaveLength(1)
  })
})

describe('a mail that is refused', () => {
  test('as a whole is told as failed for every recipient', async () => {
    const transporter = connect({ apiKey: 'key-wrong' })
    const heard = new Promise<[SentMessage, boolean]>((resolve) => {
      transporter.on('sent', (message, failFlag) => resolve([message, failFlag]))
    })
    await expect(transporter.sendMail(mail)).rejects.toThrow('Mailgun answered 401: Forbidden')
    const [message, failFlag] = await heard
    expect(failFlag).toBe(true)
    expect(message).toMatchObject({ failFlag: true, error: { category: 'auth', statusCode: 401 } })
    expect(message.recipients.map(({ address, status }) => [address, status])).toEqual(
      recipients.map((address) => [address, 'failed']),
    )
  })

  test('for its options never leaves', async () => {
    const error = await failure(
      { unsupported: 'ignore' },
      { ...mail, metadata: { long: 'x'.repeat(16 * 1024) } },
    )
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', retryable: false })
    expect(error.message).toContain('takes 16384 bytes')
    expect(provider.requests).toEqual([])
  })

  test('for the time of its sending is refused by the API', async () => {
    const sent = { ...mail, mailgun: { 'o:deliverytime': 'tomorrow' } }
    expect(await failure({}, sent)).toMatchObject({
      category: 'validation',
      statusCode: 400,
      message: 'Mailgun answered 400: invalid delivery time format',
    })
  })

  test('for the name of a header never leaves', async () => {
    const error = await failure({}, { ...mail, headers: { Größe: '7' } })
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', retryable: false })
    expect(error.message).toBe('the header Größe has a name that no mail can have')
    expect(provider.requests).toEqual([])
  })

  test('before any call is told too', async () => {
    const { subject: _subject, ...without } = mail
    const error = await failure({}, without)
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
    expect(provider.requests).toEqual([])
  })

  test('for its size never leaves', async () => {
    const content = Buffer.alloc(20 * 1024 * 1024)
    const error = await failure({}, { ...mail, attachments: [{ filename: 'a.bin', content }] })
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', retryable: false })
    expect(error.message).toContain('Mailgun takes messages of 26214400 bytes, and this one')
    expect(provider.requests).toEqual([])
  })

  test('for the size of what differs by recipient never leaves', async () => {
    const data = { note: 'x'.repeat(27 * 1024 * 1024) }
    const recipientData = { [recipients[0] ?? '']: { data }, [recipients[1] ?? '']: { data } }
    const error = await failure({}, { ...mail, recipientData })
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', retryable: false })
    expect(error.message).toContain('over the 52 MB')
    expect(provider.messages).toEqual([])
  }, 20_000)

  test('for the domain is an error of configuration', async () => {
    expect(await failure({ domain: 'other.example.com' })).toMatchObject({
      category: 'configuration',
      statusCode: 404,
    })
  })

  test('for a base with the version in it says how the base is written', async () => {
    expect(await failure({ baseUrl: `${provider.url}/v3` })).toMatchObject({
      category: 'configuration',
      message: expect.stringContaining('without /v3'),
    })
  })
})
