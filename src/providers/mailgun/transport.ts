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
import { notTheApi, toSendError, withoutId } from './send-errors.js'

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
    async verify() {
      await checkCredentials(await connected(), domain, options.key)
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
  throw notTheApi('a message without a sender with a success', status, 'not-sent')
}

/** The SDK keeps the content type of a File, and loses that of its own attachment objects. */
function toFile({ filename, contentType, content }: MailgunFile): File {
  // A File has no type at all rather than one with other than ASCII, as a file name's parameter.
  const type = /^[ -~]*$/.test(contentType) ? contentType : (contentType.split(';')[0] ?? '')
  return new File([content], filename, { type })
}
