import { messageOf, SendError } from '../../errors.js'
import { invalid } from '../../mail-options.js'
import { type Fields, fields, text } from '../../payload.js'
import { sdkLoader } from '../../sdk.js'
import type { ProviderInfo } from '../../send-result.js'
import { defaultTimeout, type TransportOptions } from '../../transport-options.js'
import type { ProviderClient } from '../../provider-client.js'
import { createProviderTransport } from '../../transport.js'
import type { ProviderTransport } from '../../transporter.js'
import { credentials } from './credentials.js'
import { createHttpClient, type SendgridHttpClient, type SendgridResponse } from './http-client.js'
import { buildRequest, callsOf, carries, type SendgridRequest } from './request.js'

export interface SendgridTransportOptions extends TransportOptions {
  /** An API key with the scope `mail.send`; default `SENDGRID_API_KEY` of the environment. */
  apiKey?: string
  /** `https://api.eu.sendgrid.com` for EU subusers; default `SENDGRID_URL`, or else the global one. */
  baseUrl?: string
}

/** What `sendMail` resolves with when it went through SendGrid. */
export type SendgridInfo = ProviderInfo<'sendgrid'>

/**
 * Sends through SendGrid's v3 Mail Send API, with `@sendgrid/mail`.
 *
 * ```ts
 * const transporter = nodemailer.createTransport(sendgridTransport({ apiKey: 'SG.…', correlator }))
 * ```
 *
 * @throws ConfigurationError when the API key is missing, or it or the base URL is none
 */
export function sendgridTransport(
  options: SendgridTransportOptions = {},
): ProviderTransport<SendgridInfo> {
  const { apiKey, baseUrl } = credentials('sendgridTransport', options)
  const http = createHttpClient(apiKey, baseUrl, options.timeout ?? defaultTimeout)
  return createProviderTransport('sendgrid', sendgridClient(http), options)
}

/** The SDK's class, which its types hide behind the instance that they export. */
interface MailService {
  setClient(client: SendgridHttpClient): unknown
  setSubstitutionWrappers(left: string, right: string): unknown
  send(mail: SendgridRequest): Promise<[SendgridResponse, unknown]>
}

interface Sdk {
  MailService: new () => MailService
}

const loadSdk = sdkLoader(
  '@sendgrid/mail',
  () => import('@sendgrid/mail'),
  (sdk): sdk is Sdk =>
    typeof sdk === 'object' &&
    sdk !== null &&
    typeof Reflect.get(sdk, 'MailService') === 'function',
)

function sendgridClient(http: SendgridHttpClient): ProviderClient<SendgridRequest> {
  let service: Promise<MailService> | undefined
  return {
    carries,
    groupsOf,
    buildRequest,
    calls: callsOf,
    async send(request) {
      service ??= createService(http)
      const mailService = await service
      const [{ statusCode, headers }] = await mailService.send(request).catch((error: unknown) => {
        // What our client did not throw is the SDK's own check of the message, before any call.
        throw error instanceof SendError ? error : invalid(`@sendgrid/mail: ${messageOf(error)}`)
      })
      const providerMessageId = headers['x-message-id']?.trim()
      return {
        response: statusCode === 202 ? '202 Accepted' : String(statusCode),
        ...(providerMessageId && { providerMessageId }),
        // A 202 speaks for all; SendGrid tells of refused recipients by events.
        recipient: () => ({ status: 'accepted', providerStatus: 'queued' }),
      }
    },
    async verify() {
      const scopes = await http.scopes()
      if (!scopes.includes('mail.send')) throw mayNotSend()
    },
  }
}

/** The unsubscribe group, by whose id its events speak of it. */
function groupsOf(own: Fields): string[] {
  const group = text(fields(own['asm'])['group_id'])
  return group === undefined ? [] : [group]
}

function mayNotSend(): SendError {
  return new SendError(
    'the API key is right, and may not send: in SendGrid, under Settings, API Keys, tick Mail Send for it (the scope mail.send)',
    { category: 'auth', retryable: false, outcome: 'not-sent' },
  )
}

/** Each transport has an instance of its own: the SDK's default one is shared by the process. */
async function createService(http: SendgridHttpClient): Promise<MailService> {
  const { MailService: Service } = await loadSdk()
  const service = new Service()
  service.setClient(http)
  // Without them it would put braces around tags that have their own.
  service.setSubstitutionWrappers('', '')
  return service
}
