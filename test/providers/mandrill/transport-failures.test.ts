import { describe, expect, test } from '@jest/globals'
import type { SendError } from '../../../src/errors.js'
import type { MandrillInfo } from '../../../src/providers/mandrill/index.js'
import type { RunningProvider } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { closing, failureOf, lastCall, mail, startMandrill, transporterTo } from './sending.js'

const json = { 'content-type': 'application/json; charset=utf-8' }
const html = { 'content-type': 'text/html' }
const page = '<html><head><title>Bad</title></head><body><center>nginx</center></body></html>'

/** Has the next call answered so, and sends. */
async function sendAnswered(
  status: number,
  body: string,
  headers: Record<string, string> = json,
): Promise<{ sending: Promise<MandrillInfo>; provider: RunningProvider }> {
  const provider = await startMandrill()
  provider.failNext({ kind: 'answer', status, body, headers })
  return { sending: transporterTo(provider).sendMail(mail({ cc: 'bob@example.org' })), provider }
}

async function failureAnswered(...answer: Parameters<typeof sendAnswered>): Promise<SendError> {
  const { sending } = await sendAnswered(...answer)
  return failureOf(sending)
}

const errorBody = (name: string, code: number, message = 'no'): string =>
  JSON.stringify({ status: 'error', code, name, message })

type Verdict = [category: string, retryable: boolean, outcome: 'not-sent' | 'unknown']

const validation: Verdict = ['validation', false, 'not-sent']

describe('an error of the API', () => {
  test.each<[string, number, number[], Verdict]>([
    ['Invalid_Key', -1, [401, 500], ['auth', false, 'not-sent']],
    ['Invalid_Key', 401, [401], ['auth', false, 'not-sent']],
    ['ValidationError', -2, [400, 422, 500], validation],
    ['PaymentRequired', 10, [402, 500], ['rejected', false, 'not-sent']],
    ['Unknown_Template', 5, [404, 500], validation],
    ['Unknown_Subaccount', 12, [404, 500], validation],
    ['Unknown_Message', 11, [404, 500], validation],
    ['Invalid_Version', 400, [422], validation],
    ['Unknown_Webhook', 3, [404], validation],
    ['Unknown_InboundDomain', 8, [404], validation],
    ['Unknown_InboundRoute', 22, [404], validation],
    ['Unknown_Domain', 8, [404], validation],
    ['Unknown_Sender', 2, [404, 500], validation],
    ['Unknown_Export', 9, [404], validation],
    ['Unknown_IP', 13, [404], validation],
    ['Unknown_Pool', 15, [404, 500], validation],
    ['Unknown_TrackingDomain', 21, [404, 500], validation],
    ['Unknown_MetadataField', 24, [404, 500], validation],
    ['Invalid_Tag_Name', 1, [400, 404, 422, 500], validation],
    ['Invalid_Reject', 4, [400], validation],
    ['Invalid_Template', 6, [400], validation],
    ['Invalid_CustomDNS', 19, [422], validation],
    ['Invalid_EmptyDefaultPool', 16, [400], validation],
    ['Invalid_DeleteDefaultPool', 17, [400], validation],
    ['RequestLimitExceeded', 429, [429], ['rate-limit', true, 'not-sent']],
    ['ServiceUnavailable', -2, [503, 500], ['server', true, 'not-sent']],
    ['GeneralError', -1, [500], ['server', false, 'unknown']],
    ['GeneralError', -100, [500], ['server', false, 'unknown']],
    ['constructor', 0, [500], ['server', false, 'unknown']],
  ])('%s with code %i, whatever its status of %j', async (name, code, statuses, verdict) => {
    const [category, retryable, outcome] = verdict
    for (const status of statuses) {
      const error = await failureAnswered(status, errorBody(name, code, 'in words'))
      expect(error).toMatchObject({ category, retryable, outcome, statusCode: status })
      expect(error.message).toBe(`Mandrill answered ${status}: ${name}: in words`)
    }
  })

  test('that comes with status 200 is an error still', async () => {
    const error = await failureAnswered(200, errorBody('Invalid_Key', -1))
    expect(error).toMatchObject({ category: 'auth', outcome: 'not-sent', code: 'EAUTH' })
  })

  test('that quotes addresses is told without them', async () => {
    const fault = { message: { to: 'ann@example.org, "bob"@example.org and <eve@example.org>' } }
    const text = `Validation error: ${JSON.stringify(fault)}`
    const error = await failureAnswered(400, errorBody('ValidationError', -2, text))
    expect(error.message).toContain('Validation error: {"message":{"to":"<address>')
  })

  test('that names a time to come again passes it on', async () => {
    const headers = { ...json, 'retry-after': '7' }
    const error = await failureAnswered(429, errorBody('RequestLimitExceeded', 429), headers)
    expect(error.retryAfter).toBe(7000)
  })
})

describe('a page in place of an answer', () => {
  test.each<[number, Verdict]>([
    [403, ['auth', false, 'not-sent']],
    [404, ['configuration', false, 'not-sent']],
    [413, ['validation', false, 'not-sent']],
    [429, ['rate-limit', true, 'not-sent']],
    [500, ['server', false, 'unknown']],
    [502, ['server', false, 'unknown']],
    [503, ['server', true, 'not-sent']],
    [504, ['server', false, 'unknown']],
  ])('with status %i', async (status, [category, retryable, outcome]) => {
    const error = await failureAnswered(status, page, html)
    expect(error).toMatchObject({ category, retryable, outcome, statusCode: status })
    expect(error.message).not.toContain('nginx')
  })
})

describe('a body with status 200 that is no list leaves it open whether the mail was taken:', () => {
  test.each([
    ['a page', page],
    ['an empty body', ''],
    ['half of a list', '[{"email":"ann@example.org","status":"se'],
    ['an object', '{"email":"ann@example.org","status":"sent"}'],
    ['a string', '"PONG!"'],
    ['a number', '5'],
    ['null', 'null'],
  ])('%s', async (_, body) => {
    expect(await failureAnswered(200, body)).toMatchObject({
      category: 'server',
      retryable: false,
      outcome: 'unknown',
      statusCode: 200,
      message: 'Mandrill answered 200: not in the words of its API',
    })
  })
})

const taken = (providerMessageId: string): object => ({
  status: 'accepted',
  providerStatus: 'sent',
  providerMessageId,
})

describe('a list that answers', () => {
  const ann = { email: 'ann@example.org', status: 'sent', _id: 'a1' }
  const bob = { email: 'bob@example.org', status: 'sent', _id: 'b2' }
  const sentTo = async (...items: unknown[]): Promise<unknown> => {
    const { sending } = await sendAnswered(200, JSON.stringify(items))
    const { recipients } = await sending
    return recipients.map(({ address, kind: _, ...answer }) => [address.slice(0, 3), answer])
  }
  const open = { status: 'unknown', providerStatus: '' }

  test.each<[string, unknown[], unknown, unknown]>([
    ['in another order', [bob, ann], taken('a1'), taken('b2')],
    [
      'in another letter case',
      [
        { ...bob, email: 'BOB@Example.org' },
        { ...ann, email: ' Ann@example.ORG' },
      ],
      taken('a1'),
      taken('b2'),
    ],
    ['one address in a form of its own', [{ ...ann, email: '?' }, bob], taken('a1'), taken('b2')],
    ['no address at all', [{ status: 'sent', _id: 'a1' }, bob], taken('a1'), taken('b2')],
    [
      'one in a form of its own, out of its place',
      [bob, { ...ann, email: '?' }],
      open,
      taken('b2'),
    ],
    ['one recipient less', [bob], open, taken('b2')],
    ['one recipient more', [{ ...ann, email: '?' }, ann, bob], taken('a1'), taken('b2')],
    [
      'no ids',
      [{ ...ann, _id: undefined }, bob],
      { status: 'accepted', providerStatus: 'sent' },
      taken('b2'),
    ],
    ['nothing of one', [null, bob], { status: 'unknown', providerStatus: '' }, taken('b2')],
    [
      'with a new status',
      [{ ...ann, status: 'pondering' }, bob],
      { status: 'unknown', providerStatus: 'pondering', providerMessageId: 'a1' },
      taken('b2'),
    ],
    [
      'with the name of a property as its status',
      [{ ...ann, status: 'constructor' }, bob],
      { status: 'unknown', providerStatus: 'constructor', providerMessageId: 'a1' },
      taken('b2'),
    ],
  ])('%s', async (_, items, first, second) => {
    expect(await sentTo(...items)).toEqual([
      ['ann', first],
      ['bob', second],
    ])
  })

  test.each([
    ['queued', 'accepted', null, 'attachments', 'attachments'],
    ['queued', 'accepted', null, undefined, undefined],
    ['scheduled', 'accepted', null, null, undefined],
    ['rejected', 'rejected', 'hard-bounce', null, 'hard-bounce'],
    ['rejected', 'rejected', 'hard_bounce', undefined, 'hard-bounce'],
    ['rejected', 'rejected', 'recipient-domain-mismatch', null, 'recipient-domain-mismatch'],
    ['rejected', 'rejected', null, null, 'rejected'],
    ['invalid', 'rejected', null, null, 'invalid'],
  ])(
    '%s is %s, for %j or %j',
    async (providerStatus, status, reject_reason, queued_reason, reason) => {
      const item = { ...ann, status: providerStatus, reject_reason, queued_reason }
      const answer = { status, providerStatus, providerMessageId: 'a1' }
      expect(await sentTo(item, bob)).toEqual([
        ['ann', reason === undefined ? answer : { ...answer, reason }],
        ['bob', taken('b2')],
      ])
    },
  )

  test('that everybody was refused is a failure, with the reasons', async () => {
    const items = [
      { ...ann, status: 'rejected', reject_reason: 'hard-bounce' },
      { ...bob, status: 'invalid', reject_reason: null },
    ]
    expect(await failureAnswered(200, JSON.stringify(items))).toMatchObject({
      category: 'rejected',
      code: 'EENVELOPE',
      retryable: false,
      outcome: 'not-sent',
      message: 'every recipient was rejected: hard-bounce, invalid',
    })
  })

  test.each([
    ['nobody', []],
    ['only others', [{ ...ann, email: 'eve@example.org' }]],
    ['new statuses', [ann, bob].map((item) => ({ ...item, status: 'pondering' }))],
    ['junk', [null, 5, 'sent', []]],
  ])('of %s leaves it open whether the mail was taken', async (_, items) => {
    expect(await failureAnswered(200, JSON.stringify(items))).toMatchObject({
      category: 'unknown',
      retryable: false,
      outcome: 'unknown',
    })
  })
})

describe('the network', () => {
  test('that has nobody there sends nothing', async () => {
    const provider = await startEndpoint(() => {})
    await provider.close()
    const error = await failureOf(transporterTo(provider).sendMail(mail()))
    expect(error).toMatchObject({
      category: 'network',
      code: 'ECONNECTION',
      retryable: true,
      outcome: 'not-sent',
    })
    expect(error.statusCode).toBeUndefined()
  })

  test('that breaks before the answer leaves it open, for the mail may be out', async () => {
    const provider = await startMandrill()
    provider.failNext({ kind: 'cut' })
    const error = await failureOf(transporterTo(provider).sendMail(mail()))
    expect(error).toMatchObject({ category: 'network', retryable: false, outcome: 'unknown' })
    expect(provider.messages).toHaveLength(1)
  })

  test('that breaks before the call was read leaves it open too', async () => {
    const provider = await startMandrill()
    provider.failNext({ kind: 'refused' })
    const error = await failureOf(transporterTo(provider).sendMail(mail()))
    expect(error).toMatchObject({ category: 'network', retryable: false, outcome: 'unknown' })
    expect(provider.messages).toHaveLength(0)
  })

  test('that brings no answer in time leaves it open', async () => {
    const provider = await startMandrill()
    provider.failNext({ kind: 'silent' })
    const error = await failureOf(transporterTo(provider, { timeout: 40 }).sendMail(mail()))
    expect(error).toMatchObject({
      category: 'timeout',
      code: 'ETIMEDOUT',
      retryable: false,
      outcome: 'unknown',
      message: 'Mandrill did not answer in time: it may have taken the message',
    })
    expect(provider.messages).toHaveLength(1)
  })

  test('that breaks in the middle of the answer leaves it open', async () => {
    const provider = closing(
      await startEndpoint((request, response) => {
        request.resume()
        response.writeHead(200, { ...json, 'content-length': 1000 }).write('[{"email":"ann@ex')
        setTimeout(() => response.destroy(), 10)
      }),
    )
    const error = await failureOf(transporterTo(provider).sendMail(mail()))
    expect(error).toMatchObject({ category: 'network', retryable: false, outcome: 'unknown' })
  })

  test.each([301, 302, 303, 307, 308])(
    'that redirects with %i does not get the key to another host',
    async (status) => {
      const other = await startMandrill()
      const location = `${other.url}/api/1.3/messages/send`
      const { sending, provider } = await sendAnswered(status, '', { location })
      const error = await failureOf(sending)
      expect(error).toMatchObject({ category: 'configuration', outcome: 'not-sent' })
      expect(error.statusCode).toBe(status)
      expect(provider.requests).toHaveLength(1)
      expect(other.requests).toHaveLength(0)
    },
  )
})

test('after a failure the same transport sends again', async () => {
  const provider = await startMandrill()
  const transporter = transporterTo(provider)
  provider.failNext({ kind: 'cut' })
  await failureOf(transporter.sendMail(mail()))
  const info = await transporter.sendMail(mail({ subject: 'Again' }))
  expect(info.accepted).toEqual(['ann@example.org'])
  expect(lastCall(provider)).toMatchObject({ message: { subject: 'Again' } })
})

test('a wrong key is told as such, and not shown', async () => {
  const provider = await startMandrill({}, 'md-another-key')
  const error = await failureOf(transporterTo(provider).sendMail(mail()))
  expect(error).toMatchObject({ category: 'auth', code: 'EAUTH', outcome: 'not-sent' })
  expect(error.message).toBe('Mandrill answered 401: Invalid_Key: Invalid API key')
})
