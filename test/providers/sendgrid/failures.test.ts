import { STATUS_CODES } from 'node:http'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test } from '@jest/globals'
import { SendError, type SentMessage } from '../../../src/index.js'
import type { SendgridTransportOptions } from '../../../src/providers/sendgrid/index.js'
import type { ApiFailure, RunningProvider } from '../../../src/testing/index.js'
import { apiKey, mail, startSendgrid } from './sending.js'

const running: RunningProvider[] = []

async function start(options?: SendgridTransportOptions) {
  const started = await startSendgrid(options)
  running.push(started.provider)
  return started
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()))
})

/** An error and all that is under it, in every way that it may come into a log. */
function renderings(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [String(error)]
  const cause: unknown = Reflect.get(error, 'cause')
  return [
    JSON.stringify(error),
    JSON.stringify(error, Object.getOwnPropertyNames(error)),
    inspect(error, { depth: 10, showHidden: true }),
    String(error),
    String(Reflect.get(error, 'stack')),
    ...(cause === undefined ? [] : renderings(cause)),
  ]
}

/** What a mail to Ann is refused with. It is checked to hold neither the key nor an address. */
async function failure(
  { transporter }: Awaited<ReturnType<typeof start>>,
  change: object = {},
): Promise<SendError> {
  const messages: SentMessage[] = []
  transporter.on('sent', (message) => messages.push(message))
  const error = await transporter.sendMail({ ...mail, cc: 'carl@example.com', ...change }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof SendError)) throw new Error('it did not fail with a SendError')
  for (const rendering of renderings(error)) {
    expect(rendering).not.toMatch(/ann@|carl@|key-of-the-first-account/)
  }
  const [message] = messages
  const { code, category, retryable, outcome, statusCode } = error
  expect(message).toMatchObject({ failFlag: true, error: { code, category, retryable, outcome } })
  expect(message?.error?.statusCode).toBe(statusCode)
  expect(new Set(message?.recipients.map(({ status }) => status))).toEqual(
    new Set([outcome === 'unknown' ? 'unknown' : 'failed']),
  )
  return error
}

const json = { 'content-type': 'application/json' }
const page = (title: string): string =>
  `<html>\r\n<head><title>${title}</title></head>\r\n<body>ann@example.com</body>\r\n</html>`

/** An answer of the API: a body, or the message of the one error in it. */
const answer = (
  status: number,
  said: string | { body: string },
  field: string | null = null,
): ApiFailure => ({
  kind: 'answer',
  status,
  headers: json,
  body:
    typeof said === 'string'
      ? JSON.stringify({ errors: [{ message: said, field, help: null }] })
      : said.body,
})

type ApiAnswer = Extract<ApiFailure, { kind: 'answer' }>

const html = (status: number, title: string): ApiAnswer => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'text/html' },
  body: page(title),
})

describe('an answer', () => {
  const validation = ['validation', 'EMESSAGE', false, 'not-sent'] as const
  const auth = ['auth', 'EAUTH', false, 'not-sent'] as const
  const rejected = ['rejected', 'EENVELOPE', false, 'not-sent'] as const
  const configuration = ['configuration', 'ECONFIG', false, 'not-sent'] as const
  const rateLimit = ['rate-limit', 'ERATELIMIT', true, 'not-sent'] as const
  const unknown = ['server', 'ESERVER', false, 'unknown'] as const
  const unavailable = ['server', 'ESERVER', true, 'not-sent'] as const

  test.each<[string, ApiFailure, readonly [string, string, boolean, string], string]>([
    [
      '400, a field',
      answer(
        400,
        'The to array is required for all personalization objects, and must have at least one email object with a valid email address.',
        'personalizations.1.to',
      ),
      validation,
      'SendGrid answered 400: The to array is required for all personalization objects, and must have at least one email object with a valid email address. (personalizations.1.to)',
    ],
    [
      '400, wrong types',
      answer(400, 'Bad Request'),
      validation,
      'SendGrid answered 400: Bad Request',
    ],
    [
      '400, an address twice',
      answer(
        400,
        'We found the first duplicate instance of [ann@example.com] in the cc field.',
        'p.0',
      ),
      validation,
      'SendGrid answered 400: We found the first duplicate instance of [<address>] in the cc field. (p.0)',
    ],
    [
      '400, several errors',
      answer(400, {
        body: '{"errors":[{"message":"one","field":"null"},{"message":"two","field":"from","help":{"a":1}},{"message":null},null,5],"id":"x"}',
      }),
      validation,
      'SendGrid answered 400: one; two (from)',
    ],
    [
      '401, a wrong key',
      answer(401, 'The provided authorization grant is invalid, expired, or revoked'),
      auth,
      'SendGrid answered 401: The provided authorization grant is invalid, expired, or revoked',
    ],
    [
      '401, no key',
      answer(401, 'authorization required'),
      auth,
      'SendGrid answered 401: authorization required',
    ],
    [
      '401, no credits',
      answer(401, 'Maximum credits exceeded'),
      rateLimit,
      'SendGrid answered 401: Maximum credits exceeded',
    ],
    [
      '401, another region',
      answer(401, 'user is not authorized, due to the regional attribute'),
      auth,
      "SendGrid answered 401: user is not authorized, due to the regional attribute (each region has its own keys and its own baseUrl, and the EU's is https://api.eu.sendgrid.com)",
    ],
    [
      '403, an unverified sender',
      answer(403, 'The from address does not match a verified Sender Identity.', 'from'),
      rejected,
      'SendGrid answered 403: The from address does not match a verified Sender Identity. (from)',
    ],
    [
      '403, no scope',
      answer(403, 'access forbidden'),
      auth,
      'SendGrid answered 403: access forbidden (in SendGrid, under Settings, API Keys, tick Mail Send for the key)',
    ],
    ['404', answer(404, 'not found'), configuration, 'SendGrid answered 404: not found'],
    [
      '405',
      answer(405, 'method not allowed'),
      configuration,
      'SendGrid answered 405: method not allowed',
    ],
    ['406, empty', answer(406, { body: '' }), validation, 'SendGrid answered 406: Not Acceptable'],
    [
      '413, a page',
      html(413, 'Too Large'),
      validation,
      `SendGrid answered 413: ${STATUS_CODES[413]}`,
    ],
    [
      '413',
      answer(413, 'content too large'),
      validation,
      'SendGrid answered 413: content too large',
    ],
    [
      '415, empty',
      answer(415, { body: '' }),
      validation,
      'SendGrid answered 415: Unsupported Media Type',
    ],
    [
      '429',
      answer(429, { body: '{"errors":[{"field":null,"message":"too many requests"}]}' }),
      rateLimit,
      'SendGrid answered 429: too many requests',
    ],
    ['500', answer(500, 'internal error'), unknown, 'SendGrid answered 500: internal error'],
    [
      '500, empty',
      answer(500, { body: '' }),
      unknown,
      'SendGrid answered 500: Internal Server Error',
    ],
    [
      '500, cut JSON',
      answer(500, { body: '{"errors":[' }),
      unknown,
      'SendGrid answered 500: Internal Server Error',
    ],
    [
      '500, other JSON',
      answer(500, { body: '{"errors":"x"}' }),
      unknown,
      'SendGrid answered 500: Internal Server Error',
    ],
    ['502, a page', html(502, 'Bad Gateway'), unknown, 'SendGrid answered 502: Bad Gateway'],
    [
      '503, empty',
      answer(503, { body: '' }),
      unavailable,
      'SendGrid answered 503: Service Unavailable',
    ],
    ['504, a page', html(504, 'Timeout'), unknown, 'SendGrid answered 504: Gateway Timeout'],
  ])('of %s', async (_, failing, [category, code, retryable, outcome], message) => {
    const sendgrid = await start()
    sendgrid.provider.failNext(failing)
    const error = await failure(sendgrid)
    expect(error).toMatchObject({ category, code, retryable, outcome, message })
    expect(error).toHaveProperty('statusCode', failing.kind === 'answer' && failing.status)
    expect(sendgrid.provider.requests).toHaveLength(1)
  })

  test('of 429 may say when to come again', async () => {
    const sendgrid = await start()
    const reset = String(Math.ceil(Date.now() / 1000) + 60)
    sendgrid.provider.failNext({
      kind: 'answer',
      status: 429,
      headers: { 'X-RateLimit-Reset': reset },
    })
    const { retryAfter } = await failure(sendgrid)
    expect(retryAfter).toBeGreaterThan(55_000)
    expect(retryAfter).toBeLessThanOrEqual(61_000)
    sendgrid.provider.failNext({ kind: 'answer', status: 429, headers: { 'Retry-After': '7' } })
    await expect(failure(sendgrid)).resolves.toHaveProperty('retryAfter', 7000)
  })

  test('that leads elsewhere is not followed', async () => {
    const sendgrid = await start()
    const headers = { Location: `${sendgrid.provider.url}/v3/mail/send` }
    sendgrid.provider.failNext({ kind: 'answer', status: 302, headers })
    const error = await failure(sendgrid)
    expect(error).toMatchObject({ category: 'configuration', statusCode: 302, outcome: 'not-sent' })
    expect(sendgrid.provider.requests.map(({ method }) => method)).toEqual(['POST'])
  })

  test.each<[string, ApiAnswer]>([
    ['a page', html(200, 'Welcome')],
    ['words', { kind: 'answer', status: 200, body: 'OK' }],
    ['an object', { kind: 'answer', status: 202, body: '{"ok":true}' }],
    ['another success', { kind: 'answer', status: 204 }],
    ['another success and words', { kind: 'answer', status: 201, body: '{}' }],
  ])('of %s is not from the API, so the outcome is unknown', async (_, given) => {
    const sendgrid = await start()
    sendgrid.provider.failNext(given)
    const error = await failure(sendgrid)
    const { status: statusCode } = given
    expect(error).toMatchObject({ category: 'server', statusCode, outcome: 'unknown' })
    expect(error.message).toBe(
      'SendGrid answered otherwise than its API does: is this its address?',
    )
  })

  test.each([200, 202])('of %i without a word or an id is an acceptance', async (status) => {
    const sendgrid = await start()
    sendgrid.provider.failNext({ kind: 'answer', status })
    await expect(sendgrid.transporter.sendMail(mail)).resolves.toHaveProperty('accepted')
  })
})

describe('the simulated API refuses', () => {
  test('a wrong key', async () => {
    const { provider } = await start()
    const sendgrid = await start({ baseUrl: provider.url, apiKey: 'SG.wrong' })
    const error = await failure(sendgrid)
    expect(error).toMatchObject({ category: 'auth', statusCode: 401, outcome: 'not-sent' })
    expect(inspect(error, { depth: 10 })).not.toContain('SG.wrong')
  })

  test('an address that is none, and its name stays out of the error', async () => {
    const error = await failure(await start(), { to: 'ann@exämple..com, änn@example.com' })
    expect(error).toMatchObject({ category: 'validation', statusCode: 400 })
    expect(error.message).toMatch(/\(personalizations\.0\.to\)$/)
  })
})

describe('a connection', () => {
  test('that nobody takes means not sent, and may be tried again', async () => {
    const sendgrid = await start()
    await sendgrid.provider.close()
    running.length = 0
    const error = await failure(sendgrid)
    expect(error).toMatchObject({
      category: 'network',
      code: 'ECONNECTION',
      retryable: true,
      outcome: 'not-sent',
      message: 'the connection to SendGrid failed with ECONNREFUSED: the message was not sent',
    })
    expect(error.statusCode).toBeUndefined()
  })

  test.each<ApiFailure>([{ kind: 'cut' }, { kind: 'refused' }])(
    'that breaks leaves it open, and the message is not tried again: %j',
    async (failing) => {
      const sendgrid = await start()
      sendgrid.provider.failNext(failing)
      const error = await failure(sendgrid)
      expect(error).toMatchObject({ category: 'network', retryable: false, outcome: 'unknown' })
      expect(error.message).toMatch(/^the connection to SendGrid failed with [A-Z_]+: it may/)
      expect(sendgrid.provider.messages).toHaveLength(failing.kind === 'cut' ? 1 : 0)
    },
  )

  test('without an answer in time leaves it open', async () => {
    const sendgrid = await start({ timeout: 100 })
    sendgrid.provider.failNext({ kind: 'silent' })
    const error = await failure(sendgrid)
    expect(error).toMatchObject({
      category: 'timeout',
      code: 'ETIMEDOUT',
      retryable: false,
      outcome: 'unknown',
      message: 'SendGrid did not answer in time: it may have taken the message',
    })
    expect(sendgrid.provider.messages).toHaveLength(1)
  })
})

describe('without a call', () => {
  test.each<[string, object, RegExp]>([
    ['a mail without recipients in to', { to: [], cc: 'carl@example.com' }, /recipient in to/],
    ['a mail without a subject', { subject: '' }, /needs a subject/],
    ['a field that would be lost', { date: new Date(0) }, /cannot carry date/],
    ['a header that would be lost', { headers: { 'X-SMTPAPI': '{}' } }, /the header X-SMTPAPI/],
    ['an attachment that is not there', { attachments: [{ path: '/nowhere/a.txt' }] }, /ENOENT/],
    ['metadata that SendGrid writes', { metadata: { email: 'x' } }, /SendGrid writes email/],
  ])('%s is refused', async (_, change, message) => {
    const sendgrid = await start()
    const { transporter, provider } = sendgrid
    const error = await transporter
      .sendMail({ ...mail, ...change })
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ category: 'validation', retryable: false, outcome: 'not-sent' })
    expect(error).toHaveProperty('message', expect.stringMatching(message))
    for (const rendering of renderings(error)) expect(rendering).not.toMatch(/ann@|carl@|SG\./)
    expect(provider.requests).toEqual([])
  })

  test('a loss that is allowed is none', async () => {
    const { transporter, provider } = await start({ unsupported: 'ignore' })
    await transporter.sendMail({ ...mail, headers: { 'X-SMTPAPI': '{}', 'X-Order': '42' } })
    expect(provider.messages).toHaveLength(1)
  })
})

test('the key is in nothing that is made of the transport', async () => {
  const { transport, transporter } = await start()
  for (const thing of [transport, transporter]) {
    expect(inspect(thing, { depth: 10, showHidden: true })).not.toContain(apiKey)
  }
})
