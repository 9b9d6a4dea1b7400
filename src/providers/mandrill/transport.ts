import { ConfigurationError, SendError, type SendErrorCategory } from '../../errors.js'
import { connectionFailure, httpFailure } from '../../http-failure.js'
import { canonicalAddress } from '../../matching.js'
import { type Fields, fields, isFields, text } from '../../payload.js'
import { sdkLoader } from '../../sdk.js'
import type { ProviderInfo, RecipientAnswer } from '../../send-result.js'
import {
  createProviderTransport,
  defaultTimeout,
  type ProviderClient,
  type TransportOptions,
} from '../../transport.js'
import type { ProviderTransport } from '../../transporter.js'
import { buildRequest, type MandrillRequest } from './request.js'

export interface MandrillTransportOptions extends TransportOptions {
  /** An API key; default `MANDRILL_API_KEY` of the environment. */
  apiKey?: string
}

/** What `sendMail` resolves with when it went through Mandrill. */
export type MandrillInfo = ProviderInfo<'mandrill'>

/**
 * Sends through Mandrill (Mailchimp Transactional), with `@mailchimp/mailchimp_transactional`.
 *
 * @throws ConfigurationError when no API key is given
 */
export function mandrillTransport(
  options: MandrillTransportOptions = {},
): ProviderTransport<MandrillInfo> {
  const apiKey = options.apiKey ?? process.env['MANDRILL_API_KEY']
  if (!apiKey) {
    throw new ConfigurationError(
      'mandrillTransport: no API key: pass { apiKey }, or set MANDRILL_API_KEY',
    )
  }
  const { baseUrl = 'https://mandrillapp.com', timeout = defaultTimeout } = options
  const root = baseUrl.replace(/\/+$/, '')
  const basePath = /\/api\/[\d.]+$/.test(root) ? root : `${root}/api/1.3`
  return createProviderTransport('mandrill', mandrillClient(apiKey, basePath, timeout), options)
}

interface Client {
  basePath: string
  /** Merged into every call. The SDK's setter for the timeout changes all clients of the process. */
  requestConfig: Record<string, unknown>
  messages: { send(body: Record<string, unknown>): Promise<unknown> }
}

type Sdk = (apiKey: string) => Client

const loadSdk = sdkLoader(
  '@mailchimp/mailchimp_transactional',
  () => import('@mailchimp/mailchimp_transactional'),
  (sdk): sdk is Sdk => typeof sdk === 'function',
)

function mandrillClient(
  apiKey: string,
  basePath: string,
  timeout: number,
): ProviderClient<MandrillRequest> {
  let client: Client | undefined
  return {
    buildRequest,
    async send(request) {
      const createClient = await loadSdk()
      if (!client) {
        client = createClient(apiKey)
        client.basePath = basePath
        // A redirected call would carry the key to another host, or lose its body.
        client.requestConfig = { ...client.requestConfig, timeout, maxRedirects: 0 }
      }
      // The SDK writes the key into the object that it is given, and never rejects.
      const answer = await client.messages.send({ ...request })
      if (!Array.isArray(answer)) throw toSendError(answer)
      const items = answer.map(fields)
      const [first] = items
      return {
        response: items.map((item) => text(item['status']) ?? 'unknown').join(', '),
        ...(items.length === 1 && first && idOf(first)),
        recipient: byAddress(items, request.message.to.length),
      }
    },
  }
}

const acceptedStatuses = new Set(['sent', 'queued', 'scheduled'])

/** Finds the answer for an address: items come in any order, and letter case may differ. */
function byAddress(items: Fields[], expected: number): (address: string) => RecipientAnswer {
  const answers = new Map(
    items.map((item): [string, RecipientAnswer] => [
      canonicalAddress(text(item['email']) ?? ''),
      toAnswer(item),
    ]),
  )
  const [only] = items
  const fallback: RecipientAnswer =
    only && items.length === 1 && expected === 1
      ? toAnswer(only)
      : { status: 'unknown', providerStatus: '' }
  return (address) => answers.get(canonicalAddress(address)) ?? fallback
}

function toAnswer(item: Fields): RecipientAnswer {
  const providerStatus = text(item['status']) ?? ''
  const accepted = acceptedStatuses.has(providerStatus)
  const reason = text(item['reject_reason']) ?? text(item['queued_reason'])
  return {
    status: accepted ? 'accepted' : 'rejected',
    providerStatus,
    ...idOf(item),
    ...(reason !== undefined ? { reason } : !accepted && { reason: providerStatus }),
  }
}

function idOf(item: Fields): { providerMessageId?: string } {
  const id = text(item['_id'])
  return id === undefined ? {} : { providerMessageId: id }
}

// By the error's name: its number means different things at different ages of the API.
const categories = new Map<string, SendErrorCategory>([
  ['Invalid_Key', 'auth'],
  ['ValidationError', 'validation'],
  ['PaymentRequired', 'rejected'],
  ['Unknown_Template', 'validation'],
  ['Unknown_Subaccount', 'validation'],
  ['Unknown_Message', 'validation'],
  ['Invalid_Tag_Name', 'validation'],
  ['RequestLimitExceeded', 'rate-limit'],
])

/**
 * What the SDK resolved with in place of the answer: an error of axios, which has the API key in it
 * and is not passed on, an error body, or a page.
 */
function toSendError(answer: unknown): SendError {
  const { response, code, cause } = fields(answer)
  if (answer instanceof Error && !isFields(response)) {
    return connectionFailure('Mandrill', text(code) ?? 'an error', text(fields(cause)['syscall']))
  }
  const { status, data } = isFields(response) ? response : { status: 200, data: answer }
  const body = fields(data)
  const name = text(body['name'])
  const message = text(body['message'])
  return httpFailure('Mandrill', {
    status: typeof status === 'number' ? status : 200,
    detail: [name, message].filter((part) => part !== undefined).join(': '),
    category: categories.get(name ?? ''),
  })
}
