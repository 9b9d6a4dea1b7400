import nodemailer from 'nodemailer'
import { mailgunSimulator, mailgunTransport } from '../../../src/providers/mailgun/index.js'
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

const apiKey = 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0'
const domain = 'mg.example.com'

const sending: Sending = {
  start: () => startProvider(mailgunSimulator({ apiKey, domain })),
  send: (baseUrl, options) =>
    nodemailer
      .createTransport(mailgunTransport({ apiKey, domain, baseUrl, retries: 0, ...options }))
      .sendMail({ from: `shop@${domain}`, to: 'ann@example.org', subject: 'Order', text: 'Hello' }),
}

const { auth, validation, configuration, rejected, rateLimit, unavailable, open } = verdicts

/** The API's form of an error. */
const saying = (status: number, message: string, headers?: Record<string, string>): Answer =>
  json(status, JSON.stringify({ message }), headers)

/** Texts of 400 that name what is wrong with the message, and say it well enough. */
const faults = [
  'from parameter is missing',
  'to parameter is missing',
  'message parameter is missing',
  "'message' parameter is not a file",
  "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified",
  "Only one parameters 'html' or 'template' is allowed",
  'from parameter is not a valid address. please check documentation',
  'to parameter is not a valid address. please check documentation',
  'cc parameter is not a valid address. please check documentation',
  "'bcc' parameter is not a valid address. please check documentation",
  'Too many recipients, max is 1000',
  'Header name must be pure ASCII: Größe',
  'tomorrow is not an RFC-2822 compliant date',
  'invalid delivery time format',
  "'recipient-variables' parameter is not a valid JSON",
  "Invalid request content type. Expecting 'multipart/form-data' but got 'text/plain'",
  'malformed multipart/form-data request',
  'unable to parse request: unexpected EOF',
  'Send options (parameters starting with o:, h:, or v:) are limited to 16KB total',
  'other.example.com is not a valid secondary dkim domain name',
  "invalid value for 'o:time-zone-localize'",
]

/** Why a domain may not send, whatever the message is. */
const notAllowed = [
  'Sandbox subdomains are for test purposes only. Please add your own domain or add the address to authorized recipients in Account Settings.',
  'Free accounts are for test purposes only. Please upgrade or add the address to authorized recipients in Account Settings.',
  'The domain is unverified and requires DNS configuration. Log in to your control panel to view required DNS records.',
  'Account is inactive.',
]

const inAnHour = new Date(Date.now() + 3600_000)

const eu = "the EU's is https://api.eu.mailgun.net"

const rows: ErrorRow[] = [
  // What is wrong with the message.
  ...faults.map((said): ErrorRow => [
    saying(400, said),
    validation,
    `Mailgun answered 400: ${said}`,
  ]),
  [json(400, '{"error":"bad form"}'), validation, 'Mailgun answered 400: bad form'],
  // The SDK keeps no other key.
  [json(400, '{"Reason":"not good"}'), validation, 'Mailgun answered 400: Bad Request'],
  [json(400, '{"Description":"not good"}'), validation, 'Mailgun answered 400: Bad Request'],
  [json(400, '{"Field":"to","Value":"x"}'), validation, 'Mailgun answered 400: Bad Request'],
  [json(400, '"bad form"'), validation, 'Mailgun answered 400: bad form'],
  [json(400, '{"message":{"to":"bad"}}'), validation, 'Mailgun answered 400: Bad Request'],
  [json(400, '{"message":'), validation, 'Mailgun answered 400: {"message":'],
  [plain(400, 'bad form'), validation, 'Mailgun answered 400: bad form'],
  [html(400, page('400 Bad Request')), validation, 'Mailgun answered 400: Bad Request'],
  [empty(400), validation, 'Mailgun answered 400: Bad Request'],
  [
    saying(413, 'request size exceeds 52.4MiB limit'),
    validation,
    'request size exceeds 52.4MiB limit',
  ],
  [html(413, page('413 Request Entity Too Large')), validation, 'answered 413: Payload Too Large'],

  // What is wrong with the key, the account or the address of the API.
  [html(401, 'Forbidden'), auth, 'Mailgun answered 401: Forbidden (the key is wrong'],
  [plain(401, 'Forbidden'), auth, 'or of another domain or region'],
  [json(401, '"Forbidden"'), auth, eu],
  [json(401, '{"message":"Forbidden"}'), auth, eu],
  [saying(401, 'Invalid private key'), auth, 'Mailgun answered 401: Invalid private key (the key'],
  [empty(401), auth, 'Mailgun answered 401: Unauthorized (the key'],
  ...notAllowed.flatMap((why): ErrorRow[] => {
    const said = `Domain ${domain} is not allowed to send: ${why}`
    return [[saying(400, said), rejected, `Mailgun answered 400: ${said}`]]
  }),
  [
    saying(403, `Domain ${domain} is not allowed to send large batches yet`),
    rejected,
    'is not allowed to send large batches yet',
  ],
  [
    saying(403, "Rejected: IP 192.0.2.7 can't be used to send the message"),
    rejected,
    "IP 192.0.2.7 can't be used to send the message",
  ],
  [saying(403, 'Forbidden'), auth, 'Mailgun answered 403: Forbidden'],
  [saying(402, 'Payment required'), rejected, 'Mailgun answered 402: Payment required'],
  [empty(402), rejected, 'Mailgun answered 402: Payment Required'],
  [saying(404, `Domain not found: ${domain}`), configuration, `Domain not found: ${domain} (each`],
  [html(404, page('404 Not Found')), configuration, 'Mailgun answered 404: Not Found'],
  [html(405, page('405 Not Allowed')), configuration, 'answered 405: Method Not Allowed'],
  [html(200, 'Mailgun Magnificent API'), configuration, 'baseUrl is its address alone'],
  [plain(200, 'Mailgun Magnificent API'), configuration, 'without /v3'],
  [empty(302), configuration, 'Mailgun answered 302: Found'],

  // What comes right with time.
  ...['request', 'recipient', 'bytes', 'account-requests-per-sec'].map((what): ErrorRow => {
    const said = `Domain ${domain} is not allowed to send: ${what} limit exceeded, try again after 120 seconds`
    return [saying(429, said), rateLimit, `${what} limit exceeded`, 120_000]
  }),
  [
    saying(
      429,
      `Domain ${domain} is not allowed to send: request limit exceeded, try again after ${inAnHour.toUTCString()}`,
    ),
    rateLimit,
    inAnHour.toUTCString(),
    3600_000,
  ],
  [
    saying(429, 'request limit exceeded, try again after Thu, 09 Oct 2025 12:00:00 GMT'),
    rateLimit,
    'try again after Thu, 09 Oct 2025 12:00:00 GMT',
    0,
  ],
  [saying(429, 'request limit exceeded, try again after a while'), rateLimit, 'after a while'],
  [saying(429, 'request limit exceeded'), rateLimit, 'Mailgun answered 429: request limit'],
  // The SDK drops the headers, so only the text says when.
  [
    saying(429, 'slow down', { 'x-ratelimit-reset': `${inAnHour.getTime() / 1000}` }),
    rateLimit,
    'slow down',
  ],
  [saying(429, 'wait', { 'retry-after': '120' }), rateLimit, 'Mailgun answered 429: wait'],
  [html(429, page('429 Too Many Requests')), rateLimit, 'Mailgun answered 429: Too Many Requests'],
  [saying(503, 'Service Unavailable'), unavailable, 'Mailgun answered 503: Service Unavailable'],
  [html(503, page('503 Service Temporarily Unavailable')), unavailable, 'Service Unavailable'],
  [empty(503), unavailable, 'Mailgun answered 503: Service Unavailable'],

  // What leaves it open whether the message was taken.
  ...([500, 502, 504] as const).flatMap((status): ErrorRow[] => {
    const phrase = { 500: 'Internal Server Error', 502: 'Bad Gateway', 504: 'Gateway Timeout' }
    const said = `Mailgun answered ${status}: ${phrase[status]}`
    return [
      [saying(status, 'Internal Server Error'), open, `answered ${status}: Internal Server Error`],
      [html(status, page(`${status} ${phrase[status]}`)), open, said],
      [empty(status), open, said],
      [plain(status, 'upstream reset'), open, `Mailgun answered ${status}: upstream reset`],
    ]
  }),
  [html(200, page('Welcome')), open, 'is this the address of its API?'],
  [saying(200, 'Queued. Thank you.'), open, 'without an id'],
  [json(200, '{"id":"<2025'), open, 'without an id'],
  [empty(200), open, 'without an id'],
]

describeErrorBodies(sending, rows)
describeConnections('Mailgun', sending)
describeQuotedSecrets(
  sending,
  [
    ['the API key', apiKey],
    ['its credentials', btoa(`api:${apiKey}`)],
  ],
  (words) => saying(400, words),
)
