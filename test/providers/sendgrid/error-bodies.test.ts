import nodemailer from 'nodemailer'
import { sendgridSimulator, sendgridTransport } from '../../../src/providers/sendgrid/index.js'
import { startProvider } from '../../../src/testing/index.js'
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
  verdicts,
} from '../../error-rows.js'
import { apiKey, mail } from './sending.js'

const sending: Sending = {
  start: () => startProvider(sendgridSimulator({ apiKey })),
  send: (baseUrl, options) =>
    nodemailer
      .createTransport(sendgridTransport({ apiKey, baseUrl, retries: 0, ...options }))
      .sendMail(mail),
}

const { auth, validation, configuration, rejected, rateLimit, unavailable, open } = verdicts

/** The API's form of one error. */
const error = (
  status: number,
  message: string,
  more: object = { field: null, help: null },
  headers?: Record<string, string>,
): Answer => json(status, JSON.stringify({ errors: [{ message, ...more }] }), headers)

const errorsPage = 'http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html'
const duplicate =
  'Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate instance of [a@example.com] in the personalizations.0.cc field.'
const order =
  'Following RFC 1341, section 7.2, if either text/html or text/plain are to be sent in your email: text/plain needs to be first, followed by text/html, followed by any other content.'
const noTo =
  'The to array is required for all personalization objects, and must have at least one email object with a valid email address.'
const unverified =
  'The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved. Visit https://sendgrid.com/docs/for-developers/sending-email/sender-identity/ to see the Sender Identity requirements'

const inAnHour = String(Math.floor(Date.now() / 1000) + 3600)
const inAnHourAndABit = `${inAnHour}.25`

const rows: ErrorRow[] = [
  // What is wrong with the message.
  [
    error(400, noTo, {
      field: 'personalizations.1.to',
      help: `${errorsPage}#message.personalizations.to`,
    }),
    validation,
    'SendGrid answered 400: The to array is required',
  ],
  [error(400, noTo, { field: 'personalizations.0.to' }), validation, '(personalizations.0.to)'],
  [
    error(400, duplicate, {
      field: 'personalizations.0',
      help: `${errorsPage}#message.recipient-errors`,
    }),
    validation,
    'duplicate instance of [<address>] in the personalizations.0.cc field. (personalizations.0)',
  ],
  [error(400, order, { field: 'content', help: null }), validation, 'text/plain needs to be first'],
  [
    error(400, 'must be a string at least one character in length', { field: 'content.0.value' }),
    validation,
    'at least one character in length (content.0.value)',
  ],
  [
    error(400, 'must be provided', { field: 'from.email', help: { url: errorsPage } }),
    validation,
    '(from.email)',
  ],
  [
    error(400, 'must be base64 encoded', { field: 'attachments.0.content', error_id: 7 }),
    validation,
    '(attachments.0.content)',
  ],
  [error(400, 'Bad Request'), validation, 'SendGrid answered 400: Bad Request'],
  [
    error(400, 'Invalid type', { field: 'null', help: null }),
    validation,
    'SendGrid answered 400: Invalid type',
  ],
  [
    json(
      400,
      '{"errors":[{"message":"one","field":"subject"},{"message":"two","field":null}],"id":"err-7"}',
    ),
    validation,
    'one (subject); two',
  ],
  [
    json(400, '{"errors":[null,5,{"message":null},{"message":"left"}]}'),
    validation,
    'SendGrid answered 400: left',
  ],
  [json(400, '{"errors":[]}'), validation, 'SendGrid answered 400: Bad Request'],
  [html(400, page('400 Bad Request')), validation, 'SendGrid answered 400: Bad Request'],
  [plain(400, 'malformed JSON'), validation, 'SendGrid answered 400: malformed JSON'],
  [empty(406), validation, 'SendGrid answered 406: Not Acceptable'],
  [
    html(413, page('413 Request Entity Too Large')),
    validation,
    'SendGrid answered 413: Payload Too Large',
  ],
  [error(413, 'content too large'), validation, 'SendGrid answered 413: content too large'],
  [empty(415), validation, 'SendGrid answered 415: Unsupported Media Type'],

  // What is wrong with the key, the account or the address of the API.
  [
    error(401, 'The provided authorization grant is invalid, expired, or revoked'),
    auth,
    'SendGrid answered 401: The provided authorization grant is invalid, expired, or revoked',
  ],
  [error(401, 'authorization required'), auth, 'SendGrid answered 401: authorization required'],
  [error(401, 'Maximum credits exceeded'), rateLimit, 'Maximum credits exceeded'],
  [json(401, '{"errors":[{"message":"Maximum credits exceeded"}]}'), rateLimit, 'credits exceeded'],
  [
    error(401, 'user not authorized to access this regional attribute'),
    auth,
    "its own baseUrl, and the EU's is https://api.eu.sendgrid.com",
  ],
  [empty(401), auth, 'SendGrid answered 401: Unauthorized'],
  [error(403, unverified, { field: 'from', help: null }), rejected, 'verified Sender Identity'],
  [error(403, 'access forbidden'), auth, 'tick Mail Send for the key'],
  [html(403, page('403 Forbidden')), auth, 'SendGrid answered 403: Forbidden'],
  [error(404, 'not found'), configuration, 'SendGrid answered 404: not found'],
  [html(404, page('404 Not Found')), configuration, 'SendGrid answered 404: Not Found'],
  [error(405, 'method not allowed'), configuration, 'SendGrid answered 405: method not allowed'],
  [empty(302, { location: '/login' }), configuration, 'SendGrid answered 302: Found'],

  // What comes right with time.
  [
    json(429, '{"errors":[{"field":null,"message":"too many requests"}]}'),
    rateLimit,
    'SendGrid answered 429: too many requests',
  ],
  [
    error(429, 'too many requests', {}, { 'x-ratelimit-reset': inAnHour }),
    rateLimit,
    'too many requests',
    3600_000,
  ],
  [empty(429, { 'x-ratelimit-reset': inAnHourAndABit }), rateLimit, 'Too Many', 3600_250],
  [empty(429, { 'x-ratelimit-reset': '1' }), rateLimit, 'Too Many Requests', 0],
  [empty(429, { 'x-ratelimit-reset': 'soon' }), rateLimit, 'Too Many Requests'],
  [empty(429, { 'retry-after': '120' }), rateLimit, 'Too Many Requests', 120_000],
  [html(429, page('429 Too Many Requests')), rateLimit, 'SendGrid answered 429: Too Many Requests'],
  [error(503, 'service unavailable'), unavailable, 'SendGrid answered 503: service unavailable'],
  [empty(503, { 'retry-after': '60' }), unavailable, 'Service Unavailable', 60_000],
  [html(503, page('503 Service Temporarily Unavailable')), unavailable, 'Service Unavailable'],
  [plain(503, 'no healthy upstream'), unavailable, 'SendGrid answered 503: no healthy upstream'],

  // What leaves it open whether the message was taken.
  ...([500, 502, 504] as const).flatMap((status): ErrorRow[] => {
    const phrase = { 500: 'Internal Server Error', 502: 'Bad Gateway', 504: 'Gateway Timeout' }
    const said = `SendGrid answered ${status}: ${phrase[status]}`
    return [
      [error(status, 'an internal error'), open, `answered ${status}: an internal error`],
      [html(status, page(`${status} ${phrase[status]}`)), open, said],
      [empty(status), open, said],
      [json(status, '{"errors":['), open, said],
      [json(status, '{"errors":"x"}'), open, said],
      [json(status, '"x"'), open, said],
      [plain(status, 'upstream reset'), open, `SendGrid answered ${status}: upstream reset`],
      [plain(status, page('none')), open, said],
    ]
  }),
  [html(200, page('Welcome')), open, 'is this its address?'],
  [json(202, '{"ok":true}'), open, 'is this its address?'],
]

describeErrorBodies(sending, rows)
describeConnections('SendGrid', sending)
describeQuotedSecrets(sending, [['the API key', apiKey]], (words) => error(401, words))
