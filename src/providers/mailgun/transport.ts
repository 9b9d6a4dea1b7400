import { ConfigurationError, messageOf, SendError } from '../../errors.js'
import { connectionFailure, httpFailure } from '../../http-failure.js'
import { invalid } from '../../mail-options.js'
import { bareMessageId } from '../../matching.js'
import { fields, text } from '../../payload.js'
import { sdkLoader } from '../../sdk.js'
import type { ProviderInfo } from '../../send-result.js'
import {
  createProviderTransport,
  defaultTimeout,
  type ProviderClient,
  type TransportOptions,
} from '../../transport.js'
import type { ProviderTransport } from '../../transporter.js'
import { buildRequest, type MailgunFile, type MailgunRequest } from './request.js'

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
 * @throws ConfigurationError when the API key or the domain is missing, or is none
 */
export function mailgunTransport(
  options: MailgunTransportOptions = {},
): ProviderTransport<MailgunInfo> {
  const apiKey = options.apiKey ?? process.env['MAILGUN_API_KEY']
  if (!apiKey) {
    throw new ConfigurationError(
      'mailgunTransport: no API key: pass { apiKey }, or set MAILGUN_API_KEY',
    )
  }
  const domain = options.domain ?? process.env['MAILGUN_DOMAIN']
  if (!domain) {
    throw new ConfigurationError(
      'mailgunTransport: no domain: pass { domain }, or set MAILGUN_DOMAIN',
    )
  }
  // It becomes part of the path, where Mailgun decodes it before it splits.
  if (!/^[a-z\d-]+(?:\.[a-z\d-]+)*$/i.test(domain)) {
    throw new ConfigurationError(`mailgunTransport: ${JSON.stringify(domain)} is not a domain`)
  }
  const url = options.baseUrl ?? process.env['MAILGUN_URL'] ?? 'https://api.mailgun.net'
  const { timeout = defaultTimeout } = options
  const client = mailgunClient({ username: 'api', key: apiKey, url, timeout }, domain)
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
  return {
    buildRequest,
    async send(request) {
      const Mailgun = await loadSdk()
      messages ??= new Mailgun(FormData).client(options).messages
      const answer = fields(await create(messages, domain, request))
      const id = text(answer['id'])
      if (id === undefined) {
        throw new SendError('Mailgun answered without an id: is this the address of its API?', {
          category: 'server',
          retryable: false,
          outcome: 'unknown',
        })
      }
      const providerMessageId = bareMessageId(id)
      return {
        response: text(answer['message']) ?? 'Queued',
        ...(providerMessageId !== undefined && { providerMessageId }),
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
): Promise<unknown> {
  const { attachments, inlines } = request
  try {
    return await messages.create(domain, {
      ...request.fields,
      ...(attachments.length > 0 && { attachment: attachments.map(toFile) }),
      ...(inlines.length > 0 && { inline: inlines.map(toFile) }),
    })
  } catch (error) {
    throw toSendError(error)
  }
}

/** The SDK keeps the content type of a File, and loses that of its own attachment objects. */
function toFile({ filename, contentType, content }: MailgunFile): File {
  return new File([content], filename, { type: contentType })
}

/** An error of the SDK as ours; network failures bear its status 400 and their code as message. */
function toSendError(error: unknown): SendError {
  const { status, type, details } = fields(error)
  const message = messageOf(error)
  if (type !== 'MailgunAPIError' || typeof status !== 'number') {
    return invalid(`mailgun.js: ${message}`)
  }
  if (message === 'ERR_FR_MAX_BODY_LENGTH_EXCEEDED') {
    return invalid('the message is over the 52 MB that Mailgun takes')
  }
  if (/^(?:E[A-Z_]+|ERR_[A-Z_]+)$/.test(message)) return connectionFailure('Mailgun', message)
  const detail = text(details) ?? message
  return httpFailure('Mailgun', {
    status,
    detail,
    retryAfter: tryAgainAfter(detail, Date.now()),
    // What an unknown path is answered with, and what the SDK makes of it.
    category: /Magnificent API|Incorrect url/i.test(`${detail} ${message}`)
      ? 'configuration'
      : undefined,
  })
}

/** `try again after 120 seconds`, or after a date: the SDK drops the headers that say it better. */
function tryAgainAfter(detail: string, now: number): number | undefined {
  const when = /try again after (.+)$/i.exec(detail)?.[1]
  if (when === undefined) return undefined
  const seconds = /^(\d+) seconds?/i.exec(when)?.[1]
  const milliseconds = seconds === undefined ? Date.parse(when) - now : Number(seconds) * 1000
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds)
}
