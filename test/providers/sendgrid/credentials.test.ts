import { inspect } from 'node:util'
import { afterEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { SendError } from '../../../src/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  type SendgridTransportOptions,
} from '../../../src/providers/sendgrid/index.js'
import { type ApiFailure, type RunningProvider, startProvider } from '../../../src/testing/index.js'
import { apiKey } from './sending.js'

const running: RunningProvider[] = []

/** A simulated SendGrid whose key may do this, and a transporter with a key. */
async function start({
  scopes,
  ...options
}: SendgridTransportOptions & { scopes?: readonly string[] } = {}) {
  const simulator = sendgridSimulator({ apiKey, ...(scopes && { scopes }) })
  const provider = await startProvider(simulator)
  running.push(provider)
  const transport = sendgridTransport({ apiKey, baseUrl: provider.url, ...options })
  return { provider, transporter: nodemailer.createTransport(transport) }
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()))
})

/** What the check is refused with. It is looked at whether it holds the key. */
async function refusal({ transporter }: Awaited<ReturnType<typeof start>>): Promise<SendError> {
  const error: unknown = await transporter.verify().catch((reason: unknown) => reason)
  if (!(error instanceof SendError)) throw new Error('it was not refused with a SendError')
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(apiKey)
  return error
}

describe('verify()', () => {
  test('is true for a key that may send, and sends nothing', async () => {
    const { provider, transporter } = await start()
    await expect(transporter.verify()).resolves.toBe(true)
    expect(provider.requests).toEqual([
      expect.objectContaining({ method: 'GET', path: '/v3/scopes', body: Buffer.alloc(0) }),
    ])
    expect(provider.requests[0]?.headers['authorization']).toBe(`Bearer ${apiKey}`)
    expect(provider.messages).toEqual([])
  })

  test.each([[[]], [['stats.read', 'mail.batch.create', 'mail.send.other']]])(
    'says what to tick for a key that may only do %j',
    async (scopes) => {
      const error = await refusal(await start({ scopes }))
      expect(error).toMatchObject({ category: 'auth', code: 'EAUTH', retryable: false })
      expect(error.message).toMatch(/tick Mail Send .*mail\.send/)
    },
  )

  test('refuses a wrong key', async () => {
    const error = await refusal(await start({ apiKey: 'SG.wrong' }))
    expect(error).toMatchObject({ category: 'auth', statusCode: 401, outcome: 'not-sent' })
    expect(inspect(error, { depth: 10 })).not.toContain('SG.wrong')
  })

  const answer = (status: number, body = ''): ApiFailure => ({ kind: 'answer', status, body })

  test.each<[string, ApiFailure, SendError['category'], boolean]>([
    ['403', answer(403, '{"errors":[{"message":"access forbidden","field":null}]}'), 'auth', false],
    [
      '401 for want of credits',
      answer(401, '{"errors":[{"message":"Maximum credits exceeded"}]}'),
      'rate-limit',
      true,
    ],
    ['404', answer(404), 'configuration', false],
    ['429', answer(429), 'rate-limit', true],
    ['302', answer(302), 'configuration', false],
    ['500', answer(500), 'server', true],
    ['502', answer(502, '<html>'), 'server', true],
    ['a page', answer(200, '<html>'), 'server', false],
    ['nothing', answer(200), 'server', false],
    ['scopes that are no list', answer(200, '{"scopes":"mail.send"}'), 'server', false],
    ['a broken connection', { kind: 'refused' }, 'network', true],
  ])('when it is answered with %s says why, and that nothing was sent', async (...given) => {
    const [, failing, category, retryable] = given
    const sendgrid = await start()
    sendgrid.provider.failNext(failing)
    const error = await refusal(sendgrid)
    expect(error).toMatchObject({ category, retryable, outcome: 'not-sent' })
    expect(error.message).not.toMatch(/the message|it may have/)
    expect(error.statusCode).toBe(failing.kind === 'answer' ? failing.status : undefined)
    expect(sendgrid.provider.messages).toEqual([])
  })

  test('gives up when no answer comes in time', async () => {
    const sendgrid = await start({ timeout: 100 })
    sendgrid.provider.failNext({ kind: 'silent' })
    const error = await refusal(sendgrid)
    expect(error).toMatchObject({ category: 'timeout', retryable: true, outcome: 'not-sent' })
    expect(error.message).toMatch(/did not answer in time: the API key could not be checked$/)
  })

  test('asks the server that was configured', async () => {
    const sendgrid = await start()
    await sendgrid.provider.close()
    running.length = 0
    const error = await refusal(sendgrid)
    expect(error).toMatchObject({ category: 'network', retryable: true, outcome: 'not-sent' })
    expect(error.message).toMatch(/ECONNREFUSED: the API key could not be checked$/)
  })
})
