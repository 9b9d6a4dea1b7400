import { expect, test } from '@jest/globals'
import {
  type Answer,
  describeConnections,
  describeErrorBodies,
  describeQuotedSecrets,
  empty,
  type ErrorRow,
  html,
  json,
  page,
  plain,
  type Sending,
  type Verdict,
  verdicts,
} from '../../error-rows.js'
import { apiKey, failureOf as sendFailure, mail, startMandrill, transporterTo } from './sending.js'

const sending: Sending = {
  start: () => startMandrill(),
  send: (url, options) => transporterTo({ url }, options).sendMail(mail()),
}

const { auth, validation, configuration, rejected, rateLimit, unavailable, open } = verdicts

/** The API's form of an error. */
const error = (
  status: number,
  [name, code]: [name: string, code: number],
  message = 'in words',
  headers?: Record<string, string>,
): Answer => json(status, JSON.stringify({ status: 'error', code, name, message }), headers)

/** By their names: with each code that was seen, and each status, of today and of old. */
const named: [name: string, codes: number[], statuses: number[], verdict: Verdict][] = [
  ['Invalid_Key', [-1, 401], [401, 500, 200], auth],
  ['ValidationError', [-2], [400, 422, 500, 200], validation],
  ['PaymentRequired', [10], [402, 500, 200], rejected],
  ['Unknown_Template', [5], [404, 500, 200], validation],
  ['Unknown_Subaccount', [12], [404, 500], validation],
  ['Unknown_Message', [11], [404, 500], validation],
  ['Invalid_Version', [400], [422, 500], validation],
  ['Unknown_Webhook', [3], [404, 500], validation],
  ['Unknown_InboundDomain', [8], [404, 500], validation],
  ['Unknown_InboundRoute', [22], [404, 500], validation],
  ['Unknown_Domain', [8], [404, 500], validation],
  ['Unknown_Sender', [2], [404, 500], validation],
  ['Unknown_Export', [9], [404, 500], validation],
  ['Unknown_IP', [13], [404, 500], validation],
  ['Unknown_Pool', [15], [404, 500], validation],
  ['Unknown_TrackingDomain', [21], [404, 500], validation],
  ['Unknown_MetadataField', [24], [404, 500], validation],
  ['Invalid_Tag_Name', [1], [400, 404, 422, 500], validation],
  ['Invalid_Reject', [4], [400, 404, 422, 500], validation],
  ['Invalid_Template', [6], [400, 404, 422, 500], validation],
  ['Invalid_CustomDNS', [19], [400, 404, 422, 500], validation],
  ['Invalid_EmptyDefaultPool', [16], [400, 404, 422, 500], validation],
  ['Invalid_DeleteDefaultPool', [17], [400, 404, 422, 500], validation],
  ['RequestLimitExceeded', [429], [429, 500, 200], rateLimit],
  ['ServiceUnavailable', [-2], [503, 500, 200], unavailable],
  ['GeneralError', [-1, -100], [500, 200], open],
]

const fieldFault =
  'Validation error: {"message":{"from_email":"An email address must contain a single @"}}'
const inAnHour = String(Math.floor(Date.now() / 1000) + 3600)

const rows: ErrorRow[] = [
  ...named.flatMap(([name, codes, statuses, verdict]) =>
    codes.flatMap((code) =>
      statuses.map((status): ErrorRow => [
        error(status, [name, code]),
        verdict,
        `Mandrill answered ${status}: ${name}: in words`,
      ]),
    ),
  ),
  [
    error(400, ['ValidationError', -2], fieldFault),
    validation,
    '{"from_email":"An email address must contain a single @"}',
  ],
  [json(422, '{"status":"error","name":"ValidationError"}'), validation, 'ValidationError'],
  [json(400, '{"status":"error","message":"in words"}'), validation, 'answered 400: in words'],
  [json(500, '{"status":"error","message":"in words"}'), open, 'answered 500: in words'],
  [json(200, '{"status":"error"}'), open, 'answered 200: not in the words of its API'],
  [
    error(429, ['RequestLimitExceeded', 429], 'slow down', { 'retry-after': '120' }),
    rateLimit,
    'RequestLimitExceeded: slow down',
    120_000,
  ],
  [
    error(429, ['RequestLimitExceeded', 429], 'stop', { 'x-ratelimit-reset': inAnHour }),
    rateLimit,
    'RequestLimitExceeded: stop',
    3600_000,
  ],

  // Pages of what stands before the API, or in its place.
  [html(403, page('403 Forbidden')), auth, 'answered 403: Forbidden, not in the words of its API'],
  [html(404, page('404 Not Found')), configuration, '404: Not Found, not in the words of its API'],
  [html(405, page('405 Not Allowed')), configuration, '405: Method Not Allowed, not in the words'],
  [html(413, page('413 Too Large')), validation, '413: Payload Too Large, not in the words'],
  [html(429, page('429 Too Many Requests')), rateLimit, '429: Too Many Requests, not in the words'],
  [html(503, page('503 Unavailable')), unavailable, '503: Service Unavailable, not in the words'],
  [plain(503, 'no healthy upstream'), unavailable, 'answered 503: no healthy upstream'],
  [empty(503, { 'retry-after': '60' }), unavailable, '503: Service Unavailable, not in', 60_000],
  [empty(302), configuration, 'answered 302: Found, not in the words of its API'],
  ...([500, 502, 504] as const).flatMap((status): ErrorRow[] => {
    const phrase = { 500: 'Internal Server Error', 502: 'Bad Gateway', 504: 'Gateway Timeout' }
    const said = `Mandrill answered ${status}: ${phrase[status]}, not in the words of its API`
    return [
      [html(status, page(`${status} ${phrase[status]}`)), open, said],
      [empty(status), open, said],
      [json(status, '{"status":"error","code":-1,"na'), open, said],
      [json(status, '"in words"'), open, said],
      [json(status, '[]'), open, said],
      [plain(status, 'upstream reset'), open, `Mandrill answered ${status}: upstream reset`],
    ]
  }),

  // A success that is no list of recipients.
  [html(200, page('Welcome')), open, 'answered 200: not in the words of its API'],
  [empty(200), open, 'answered 200: not in the words of its API'],
  [json(200, '[{"email":"ann@example.org","status":"se'), open, 'not in the words of its API'],
  [json(200, '{"email":"ann@example.org","status":"sent"}'), open, 'not in the words of its API'],
  [json(200, '"PONG!"'), open, 'not in the words of its API'],
  [json(200, 'null'), open, 'not in the words of its API'],
]

describeErrorBodies(sending, rows)
describeConnections('Mandrill', sending)
describeQuotedSecrets(sending, [['the API key', apiKey]], (words) =>
  error(401, ['Invalid_Key', -1], words),
)

test('what cannot be written as JSON was not sent', async () => {
  const provider = await startMandrill()
  const circle: Record<string, string> = {}
  Reflect.set(circle, 'in', circle)
  const sent = transporterTo(provider).sendMail(
    mail({ mandrill: { message: { metadata: circle } } }),
  )
  expect(await sendFailure(sent)).toMatchObject(validation)
  expect(provider.requests).toEqual([])
})
