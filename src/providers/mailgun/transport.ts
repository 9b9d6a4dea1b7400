import { messageOf, SendError } from '../../errors.js'
import { connectionFailure, httpFailure } from '../../http-failure.js'
import { invalid } from '../../mail-options.js'
import { bareMessageId } from '../../matching.js'
import { fields, text, wholeNumber } from '../../payload.js'
import { sdkLoader } from '../../sdk.js'
import type { ProviderInfo } from '../../send-result.js'
import { defaultTimeout, type TransportOptions } from '../../transport-options.js'
import { credentials } from './credentials.js'
import { inBatches, type ProviderClient } from '../../provider-client.js'
import { createProviderTransport } from '../../transport.js'
import type { ProviderTransport } from '../../transporter.js'
import type { MailgunFile } from './files.js'
import { limits } from './limits.js'
import { beyondFields } from './message-head.js'
import { buildMimeRequest } from './mime-request.js'
import { buildRequest, carries, type MailgunRequest } from './request.js'

export interface MailgunTransportOptions extends TransportOptions {
  /** An API key, or a sending key of the domain; default `MAILGUN_API_KEY` of the environment. */
  apiKey?: string
  /** The sending domain, as it is set up at Mailgun; default `MAILGUN_DOMAIN`. */
  domain?: string
  /** `https://api.eu.mailgun.net` for domains in the EU; default `MAILGUN_URL`, or else the US. */
  baseUrl?: string
}

/** What `sendMail` resolves with when it went through Mailgun. */
export type MailgunInfo = ProviderInfo<'mailgun'>

/**
 * Sends through Mailgun's Messages API, with `mailgun.js`.
 *
 * ```ts
 * const transport = mailgunTransport({ apiKey: '…', domain: 'mg.example.com', correlator })
 * const transporter = nodemailer.createTransport(transport)
 * ```
 *
 * @throws ConfigurationError when the API key or the domain is missing, or is none
 */
export function mailgunTransport(
  options: MailgunTransportOptions = {},
): ProviderTransport<MailgunInfo> {
  const { apiKey, domain, baseUrl } = credentials('mailgunTransport', options)
  const { timeout = defaultTimeout } = options
  const client = mailgunClient({ username: 'api', key: apiKey, url: baseUrl, timeout }, domain)
  return createProviderTransport('mailgun', client, options)
}

interface ClientOptions {
  username: string
  key: string
  url: string
  timeout: number
}

interface Messages {
  create(domain: string, form: Record<string, unknown>): Promise<unknown>
}

type Sdk = new (formData: typeof FormData) => {
  client(options: ClientOptions): { messages: Messages }
}

const loadSdk = sdkLoader(
  'mailgun.js',
  () => import('mailgun.js'),
  (sdk): sdk is Sdk => typeof sdk === 'function',
)

function mailgunClient(options: ClientOptions, domain: string): ProviderClient<MailgunRequest> {
  let messages: Messages | undefined
  async function connected(): Promise<Messages> {
    const Mailgun = await loadSdk()
    return (messages ??= new Mailgun(FormData).client(options).messages)
  }
  return {
    carries,
    beyondFields,
    buildRequest,
    mime: { buildRequest: buildMimeRequest },
    calls: (mail) => inBatches(mail, limits.recipients),
    async verify() {
      await checkCredentials(await connected(), domain, options.key)
    },
    async send(request) {
      const { id, message, status } = fields(
        await create(await connected(), domain, request, options.key),
      )
      const providerMessageId = typeof id === 'string' ? bareMessageId(id) : undefined
      if (providerMessageId === undefined) throw withoutId(text(message), wholeNumber(status))
      return {
        response: text(message) ?? 'Queued',
        providerMessageId,
        // Its id is the Message-ID: the one that was given, or the one it made in its place. Of a
        // document nobody says whether it is; that keeps its own.
        ...(!request.document && { messageId: `<${providerMessageId}>` }),
        // One answer speaks for all; Mailgun tells of refused recipients by events.
        recipient: () => ({ status: 'accepted', providerStatus: 'queued' }),
      }
    },
  }
}

async function create(
  messages: Messages,
  domain: string,
  request: MailgunRequest,
  key: string,
): Promise<unknown> {
  const { attachments, inlines, document } = request
  try {
    return await messages.create(domain, {
      ...request.fields,
      ...(attachments.length > 0 && { attachment: attachments.map(toFile) }),
      ...(inlines.length > 0 && { inline: inlines.map(toFile) }),
      // With it the SDK posts to messages.mime.
      ...(document && { message: toFile(document) }),
    })
  } catch (error) {
    throw toSendError(error, { key, notTaken: false })
  }
}

/**
 * A message with neither sender nor recipient, which a sending key may post, too: it may do nothing else.
 * Mailgun looks at the form after the key and the domain.
 */
async function checkCredentials(messages: Messages, domain: string, key: string): Promise<void> {
  let answer: unknown
  try {
    answer = await messages.create(domain, { 'o:testmode': ['yes'] })
  } catch (error) {
    const { status, details } = fields(error)
    if (status === 400 && text(details)?.endsWith('parameter is missing')) return
    throw toSendError(error, { key, notTaken: true })
  }
  const status = wholeNumber(fields(answer)['status']) ?? 200
  throw notItsApi('a message without a sender with a success', status, 'not-sent')
}

/** The SDK keeps the content type of a File, and loses that of its own attachment objects. */
function toFile({ filename, contentType, content }: MailgunFile): File {
  // A File has no type at all rather than one with other than ASCII, as a file name's parameter.
  const type = /^[ -~]*$/.test(contentType) ? contentType : (contentType.split(';')[0] ?? '')
  return new File([content], filename, { type })
}

// What Mailgun answers, with a 200, where it knows no such path.
const unknownPath = /Magnificent API/i

/** A success that bears no id: it is not the Messages API that answered. */
function withoutId(answer = '', statusCode = 200): SendError {
  return unknownPath.test(answer) ? noSuchPath() : notItsApi('without an id', statusCode, 'unknown')
}

function notItsApi(how: string, statusCode: number, outcome: SendError['outcome']): SendError {
  return new SendError(`Mailgun answered ${how}: is this the address of its API?`, {
    category: 'server',
    retryable: false,
    outcome,
    statusCode,
  })
}

function noSuchPath(): SendError {
  return new SendError('Mailgun knows no such path: baseUrl is its address alone, without /v3', {
    category: 'configuration',
    retryable: false,
    outcome: 'not-sent',
    statusCode: 200,
  })
}

/** A call that was made. */
interface MadeCall {
  key: string
  /** There was no message in it, so that it may be made again. */
  notTaken: boolean
}

/** An error of the SDK as ours. */
function toSendError(error: unknown, { key, notTaken }: MadeCall): SendError {
  const { status, type, details } = fields(error)
  const reason = messageOf(error)
  const body = text(details)
  // Whatever else it throws it throws before the call.
  if (type !== 'MailgunAPIError' || typeof status !== 'number') {
    return invalid(`mailgun.js: ${reason}`)
  }
  if (unknownPath.test(body ?? '')) return noSuchPath()
  const broken = (cause: string): SendError =>
    connectionFailure('Mailgun', { code: cause }, { notTaken })
  if (status < 300) return broken('an answer that broke off')
  const code = connectionCode(status, reason)
  if (code === 'ERR_FR_MAX_BODY_LENGTH_EXCEEDED') {
    return invalid('the message is over the 52 MB that Mailgun takes')
  }
  if (code !== undefined) return broken(code)
  const said = body === undefined || wordless.test(body) ? reason : body
  const hint = hintFor(status, said)
  return httpFailure('Mailgun', {
    status,
    detail: hint === undefined ? said : `${said} (${hint})`,
    category: isRefusal(status, said) ? 'rejected' : undefined,
    retryAfter: tryAgainAfter(body ?? '', Date.now()),
    notTaken,
    secrets: [key, btoa(`api:${key}`)],
  })
}

/** Whether the domain may not send, or not so: told with the statuses of a wrong mail and a wrong key. */
function isRefusal(status: number, said: string): boolean {
  return (
    (status === 400 || status === 403) && /^(?:Domain \S+ is not allowed|Rejected:)/i.test(said)
  )
}

const regionHint = "each region has its own baseUrl, and the EU's is https://api.eu.mailgun.net"

/** What to look at where an answer does not say it. */
function hintFor(status: number, said: string): string | undefined {
  if (said.startsWith('Domain not found')) return regionHint
  return status === 401
    ? `the key is wrong, or of another domain or region; ${regionHint}`
    : undefined
}

// A gateway's page, or what stands in the place of an empty body, says no more than the status.
const wordless = /^(?:\s*<|Request failed with status code)/

/**
 * Why there was no answer: the SDK tells it as a status 400, with the code of the failure where an
 * answer has its reason phrase. For an answer without one it is ERR_BAD_REQUEST.
 */
function connectionCode(status: number, reason: string): string | undefined {
  if (status !== 400 || /^(?:ERR_)?BAD_REQUEST$/.test(reason)) return undefined
  return /^[A-Z][A-Z\d_]*$/.test(reason) ? reason : reason === '' ? 'an error' : undefined
}

/** `try again after 120 seconds`, or after a date: the SDK drops the headers that say it better. */
function tryAgainAfter(detail: string, now: number): number | undefined {
  const when = /try again after (.+)$/i.exec(detail)?.[1]
  if (when === undefined) return undefined
  const seconds = /^(\d+) seconds?/i.exec(when)?.[1]
  const milliseconds = seconds === undefined ? Date.parse(when) - now : Number(seconds) * 1000
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds)
}
