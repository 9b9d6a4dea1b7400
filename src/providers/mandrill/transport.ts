import { httpCaller } from '../../http-caller.js'
import { canonicalAddress } from '../../matching.js'
import type { SendStatus } from '../../message.js'
import { type Fields, fields, text } from '../../payload.js'
import { sdkLoader } from '../../sdk.js'
import type { ProviderInfo, RecipientAnswer } from '../../send-result.js'
import { defaultTimeout, type TransportOptions } from '../../transport-options.js'
import type { ProviderClient } from '../../provider-client.js'
import { createProviderTransport } from '../../transport.js'
import type { ProviderTransport } from '../../transporter.js'
import { axiosAdapter } from './axios-adapter.js'
import { beyondFields } from './beyond-fields.js'
import { credentials } from './credentials.js'
import { buildRawRequest, lacks } from './raw-request.js'
import { callsOf } from './recipient-data.js'
import { buildRequest, carries, type MandrillRequest } from './request.js'
import { toSendError } from './send-errors.js'

export interface MandrillTransportOptions extends TransportOptions {
  /** An API key; default `MANDRILL_API_KEY` of the environment. */
  apiKey?: string
  /** Where the API is; default `MANDRILL_URL`, or else Mandrill's own address. */
  baseUrl?: string
}

/** What `sendMail` resolves with when it went through Mandrill. */
export type MandrillInfo = ProviderInfo<'mandrill'>

/**
 * Sends through Mandrill (Mailchimp Transactional), with `@mailchimp/mailchimp_transactional`.
 *
 * ```ts
 * const transporter = nodemailer.createTransport(mandrillTransport({ apiKey: 'md-…', correlator }))
 * ```
 *
 * @throws ConfigurationError when no API key is given, or `baseUrl` is no URL
 */
export function mandrillTransport(
  options: MandrillTransportOptions = {},
): ProviderTransport<MandrillInfo> {
  const { apiKey, basePath } = credentials('mandrillTransport', options)
  const { timeout = defaultTimeout } = options
  return createProviderTransport('mandrill', mandrillClient(apiKey, basePath, timeout), options)
}

interface Client {
  basePath: string
  /** Merged into every call. The SDK's setter for the timeout changes all clients of the process. */
  requestConfig: Record<string, unknown>
  messages: Record<MandrillRequest['call'], Call>
  users: { ping2: Call }
}

type Call = (body: Fields) => Promise<unknown>

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
  async function connect(): Promise<Client> {
    if (client) return client
    const createClient = await loadSdk()
    const adapter = axiosAdapter(httpCaller(timeout))
    client = createClient(apiKey)
    client.basePath = basePath
    client.requestConfig = {
      ...client.requestConfig,
      timeout,
      // A redirected call would carry the key to another host, or lose its body.
      maxRedirects: 0,
      ...(adapter && { adapter }),
    }
    return client
  }
  return {
    carries,
    groupsOf,
    beyondFields,
    buildRequest,
    mime: { lacks, buildRequest: buildRawRequest },
    calls: callsOf,
    async send({ call, body, addresses }) {
      const { messages } = await connect()
      // The SDK writes the key into the object that it is given, and never rejects.
      const answer = await messages[call](uncloned(body))
      if (!Array.isArray(answer)) throw toSendError(answer, { apiKey, notTaken: false })
      const items = answer.map(fields)
      const words = new Set(items.map((item) => text(item['status']) ?? 'unknown'))
      return {
        response: [...words].join(', '),
        recipient: byAddress(items, addresses),
      }
    },
    async verify() {
      const { users } = await connect()
      const answer = await users.ping2({})
      if (fields(answer)['PING'] !== 'PONG!') throw toSendError(answer, { apiKey, notTaken: true })
    },
  }
}

/** The subaccount, which has a denylist of its own. */
function groupsOf(own: Fields): string[] {
  const subaccount = text(own['subaccount'])
  return subaccount === undefined ? [] : [subaccount]
}

/** A copy that axios does not copy once more, all the way down, as it does with plain objects. */
function uncloned(body: Fields): Fields {
  return Object.assign(Object.create({}), body)
}

/** Finds the answer for an address: items come in any order, and letter case may differ. */
function byAddress(
  items: readonly Fields[],
  addresses: readonly string[],
): (address: string) => RecipientAnswer {
  const asked = addresses.map(canonicalAddress)
  const answers = new Map(items.map((item) => [addressOf(item), item]))
  if (items.length === asked.length) {
    asked.forEach((address, place) => {
      const item = items[place]
      // One that came back in a form of its own can only be told by its place.
      if (item && !answers.has(address) && !asked.includes(addressOf(item))) {
        answers.set(address, item)
      }
    })
  }
  return (address) => toAnswer(answers.get(canonicalAddress(address)) ?? {})
}

function addressOf(item: Fields): string {
  return canonicalAddress(text(item['email']) ?? '')
}

// A word that is not among these leaves it open whether the message was taken.
const statuses = new Map<string, SendStatus>([
  ['sent', 'accepted'],
  ['queued', 'accepted'],
  ['scheduled', 'accepted'],
  ['rejected', 'rejected'],
  ['invalid', 'rejected'],
])

function toAnswer(item: Fields): RecipientAnswer {
  const providerStatus = text(item['status']) ?? ''
  const status = statuses.get(providerStatus) ?? 'unknown'
  // Older documents write `hard_bounce`.
  const reason = (text(item['reject_reason']) ?? text(item['queued_reason']))?.replaceAll('_', '-')
  return {
    status,
    providerStatus,
    ...idOf(item),
    ...(reason !== undefined ? { reason } : status === 'rejected' && { reason: providerStatus }),
  }
}

function idOf(item: Fields): { providerMessageId?: string } {
  const id = text(item['_id'])
  return id === undefined ? {} : { providerMessageId: id }
}
