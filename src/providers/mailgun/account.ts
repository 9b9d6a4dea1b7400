import { accountCaller, endedInspection, otherAnswer } from '../../account-caller.js'
import { AccountError } from '../../errors.js'
import { fields, isFields, text, texts } from '../../payload.js'
import type { Finding, ProviderAccount } from '../../provider-kit.js'
import type { RegisteredWebhook } from '../../simulator.js'
import type { SuppressionEntry } from '../../suppressions.js'
import { credentials } from './credentials.js'

/** The address of each region's API. */
const regions = new Map([
  ['the US', 'https://api.mailgun.net'],
  ['the EU', 'https://api.eu.mailgun.net'],
])

/** Each list's path, below its domain, and what an address on it is there for. */
export const lists = [
  ['bounces', 'bounced'],
  ['complaints', 'complained'],
  ['unsubscribes', 'unsubscribed'],
] as const

/** How many entries of a list are asked for at once. */
const listedAtOnce = 1000

/** Beyond it a list leads in circles. */
const mostPages = 100_000

/** What is asked of a Mailgun account: the webhooks of the domain and of the account, and the domain's lists. */
export function mailgunAccount(given: {
  apiKey?: string | undefined
  domain?: string | undefined
  baseUrl?: string | undefined
}): ProviderAccount {
  const { apiKey, domain, baseUrl } = credentials('mailgunAccount', given)
  const userAndKey = Buffer.from(`api:${apiKey}`).toString('base64')
  const call = accountCaller('Mailgun', [apiKey, userAndKey])
  const headers = { authorization: `Basic ${userAndKey}` }
  const get = (url: string) => call({ method: 'GET', url, headers })
  const domainPath = `/v3/domains/${encodeURIComponent(domain)}/webhooks`

  /** What may be refused to a key of fewer rights, and is done without then. */
  async function ifAllowed(path: string): Promise<unknown> {
    try {
      return (await get(baseUrl + path)).body
    } catch (error) {
      if (error instanceof AccountError) return undefined
      throw error
    }
  }

  return {
    async inspect() {
      try {
        const { body, answeredAt } = await get(baseUrl + domainPath)
        if (!isFields(fields(body)['webhooks'])) throw otherAnswer('Mailgun', answeredAt)
        const signing = signingOf(await ifAllowed('/v5/accounts/http_signing_key'))
        const webhooks = [
          ...ofDomain(body, signing),
          ...ofAccount(await ifAllowed('/v1/webhooks'), signing),
        ]
        return { webhooks: joined(webhooks), findings: [], ...(answeredAt && { answeredAt }) }
      } catch (error) {
        const elsewhere =
          error instanceof AccountError && (error.statusCode === 404 || error.statusCode === 401)
            ? await regionThatKnows(get, baseUrl, domainPath)
            : undefined
        return endedInspection(error, (status, message) => refusal(status, message, elsewhere))
      }
    },
    async *suppressions() {
      for (const [list, cause] of lists) {
        let url = `${baseUrl}/v3/${encodeURIComponent(domain)}/${list}?limit=${listedAtOnce}`
        for (let page = 0; page < mostPages; page += 1) {
          const { items, paging } = fields((await get(url)).body)
          // A list without entries may be a null in JSON that Go writes.
          const entries = items === null ? [] : items
          if (!Array.isArray(entries)) throw otherAnswer('Mailgun', undefined)
          if (entries.length === 0) break
          yield* entries.filter(isFields).flatMap((entry) => readEntry(entry, cause))
          const next = text(fields(paging)['next'])
          if (next === undefined) break
          // Its own host is kept: the key goes nowhere else.
          url = baseUrl + next.replace(/^https?:\/\/[^/]+/, '')
        }
      }
    },
  }
}

/** Which other region knows the domain, with this key. */
export async function regionThatKnows(
  get: (url: string) => Promise<unknown>,
  baseUrl: string,
  path: string,
): Promise<string | undefined> {
  const addresses = [...regions.values()]
  // A key is handed to nobody but Mailgun.
  if (!addresses.includes(baseUrl)) return undefined
  for (const address of addresses.filter((other) => other !== baseUrl)) {
    try {
      await get(address + path)
      return address
    } catch {
      // Not there either.
    }
  }
  return undefined
}

type Signing = RegisteredWebhook['signing']

function signingOf(body: unknown): Signing {
  const key = text(fields(body)['http_signing_key'])
  return key === undefined ? { kind: 'unknown' } : { kind: 'key', key }
}

/** Of a domain: the URLs of each type of event. */
function ofDomain(body: unknown, signing: Signing): RegisteredWebhook[] {
  return Object.entries(fields(fields(body)['webhooks'])).flatMap(([event, registered]) => {
    const { urls, url } = fields(registered)
    return texts(urls ?? url).map((one) => ({ url: one, enabled: true, events: [event], signing }))
  })
}

/** Of the account: the types of events of each URL. */
function ofAccount(body: unknown, signing: Signing): RegisteredWebhook[] {
  const { webhooks } = fields(body)
  return (Array.isArray(webhooks) ? webhooks.filter(isFields) : []).map((webhook) => ({
    url: text(webhook['url']) ?? '',
    enabled: true,
    events: texts(webhook['event_types'] ?? []),
    signing,
  }))
}

/** One for each URL: an event goes to a URL once, on however many levels it is registered. */
function joined(webhooks: readonly RegisteredWebhook[]): RegisteredWebhook[] {
  const byUrl = new Map<string, RegisteredWebhook>()
  for (const webhook of webhooks) {
    const events = [...(byUrl.get(webhook.url)?.events ?? []), ...webhook.events]
    byUrl.set(webhook.url, { ...webhook, events: [...new Set(events)] })
  }
  return [...byUrl.values()]
}

function refusal(
  status: number,
  message: string,
  elsewhere: string | undefined,
): Finding | undefined {
  if (elsewhere !== undefined) {
    return {
      code: 'wrong-region',
      severity: 'fault',
      what: 'The domain is in the other region of Mailgun: the other address knows it, and this one does not.',
      todo: `Set MAILGUN_URL=${elsewhere}.`,
    }
  }
  if (status === 404) {
    return {
      code: 'wrong-region',
      severity: 'fault',
      what: `This region of Mailgun does not know the domain: ${message}.`,
      todo: 'Set MAILGUN_URL to the region that it was made in, https://api.mailgun.net or https://api.eu.mailgun.net, and see that MAILGUN_DOMAIN is spelled as it is there.',
    }
  }
  if (status === 401 || status === 403) {
    return {
      code: 'api-key-refused',
      severity: 'fault',
      what: `Mailgun refuses this API key: ${message}.`,
      todo: 'Set MAILGUN_API_KEY to an API key of the account: a sending key may only send, and a key is good in its own region alone.',
    }
  }
  return undefined
}

function readEntry(
  entry: Record<string, unknown>,
  cause: (typeof lists)[number][1],
): SuppressionEntry[] {
  const address = text(entry['address'])
  if (address === undefined) return []
  const since = new Date(text(entry['created_at']) ?? NaN)
  const detail = text(entry['error'])
  // An address may be unsubscribed from one tag, which is then not `*`.
  const tags = texts(entry['tags'] ?? [])
  const scoped = tags.length > 0 && !tags.includes('*')
  const common = {
    address,
    cause,
    provider: 'mailgun',
    ...(!Number.isNaN(since.getTime()) && { since }),
    ...(detail !== undefined && { detail }),
  }
  if (!scoped) return [common]
  return tags.map((id) => ({ ...common, scope: { kind: 'group', id } }))
}
